using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

internal static class FillRows
{
    private const ulong Seed = 0x0123456789ABCDEF, Step = 0x00000003FFFFFFFF;
    private const uint Stream = 0xABCD;

    public static IEnumerable<OpTest> Ops
    {
        get
        {
            foreach (Shape shape in (Shape[])[Shape.Scalar, new(0), new(3), new(2, 4), new(9, 57), new(5, 513)])
            {
                yield return Uniform(shape, -2, 3);
                yield return Normal(shape, 0, 1);
                yield return Normal(shape, 5, 0.02f);
                yield return new($"constant, {shape}")
                {
                    Arguments = [Out("y", shape, 0)],
                    AnyShape = ["y"],
                    Run = t => RandomFill.Constant(t.Device, t["y"], 0.3f),
                    Oracle = a => Array.Fill(a["y"], 0.3f),
                };
            }
            foreach ((int rows, int length, int count) in ((int, int, int)[])[(1, 1, 1), (7, 5, 3), (64, 784, 100), (3, 9001, 5), (20000, 1, 7)])
            {
                yield return Gather(rows, length, count);
                yield return Slice(rows, length, count);
            }
        }
    }

    private static OpTest Uniform(Shape shape, float low, float high) => new($"uniform, {shape}")
    {
        Arguments = [Out("y", shape)],
        AnyShape = ["y"],
        Step = Step,
        Run = t => RandomFill.Uniform(t.Device, t["y"], Seed, Stream, t.Step, low, high),
        Oracle = a => Fill(a, (u, _, _) => low + (high - low) * u),
        Magnitude = a => Array.Fill(a["y"], Math.Abs(low) + high - low),
    };

    private static OpTest Normal(Shape shape, float mean, float sigma) => new($"normal, mean {mean}, {shape}")
    {
        Arguments = [Out("y", shape)],
        AnyShape = ["y"],
        Step = Step,
        Run = t => RandomFill.Normal(t.Device, t["y"], Seed, Stream, t.Step, mean, sigma),
        Oracle = a => Fill(a, (u, v, even) => mean + sigma * Math.Sqrt(-2 * Math.Log(1 - (even ? u : v)))
            * (even ? Math.Cos(2 * Math.PI * v) : Math.Sin(2 * Math.PI * u))),
        // The radius is at most 5.8, and the sine of an angle near pi is off by a rounding of the angle.
        Magnitude = a => Array.Fill(a["y"], Math.Abs(mean) + 6 * sigma),
    };

    // y[i] = f(the unit number of element i, that of its partner, whether i is even).
    private static void Fill(Arrays a, Func<double, double, bool, double> f)
    {
        double[] y = a["y"];
        for (int i = 0; i < y.Length; i++)
        {
            (uint x0, uint x1, uint x2, uint x3) = Philox.Words(Seed, Stream, a.Step, (uint)i / 4);
            uint[] words = [x0, x1, x2, x3];
            y[i] = f(Philox.Unit(words[i % 4]), Philox.Unit(words[i % 4 ^ 1]), i % 2 == 0);
        }
    }

    private static byte[] Images(int bytes)
    {
        byte[] images = new byte[bytes];
        new Random(bytes).NextBytes(images);
        return images;
    }

    // The two factors are powers of two, so that the result is exact.
    private static OpTest Gather(int rows, int length, int count) => new($"gather, {rows} of {count} x {length}")
    {
        Arguments = [Out("x", new(rows, length), 0)],
        AnyShape = ["x"],
        Images = Images(count * length),
        Step = 5,
        Run = t => Minibatch.Gather(t.Device, t["x"], t.Images, t.Step, Seed, 1 / 128f, -1),
        Oracle = a => Rows(a, rows, length, row => Minibatch.Index(a.Step * (ulong)rows + (ulong)row, count, Seed)),
    };

    private static OpTest Slice(int rows, int length, int count) => new($"slice, {rows} of {count} x {length}")
    {
        Arguments = [Out("x", new(rows, length), 0)],
        AnyShape = ["x"],
        Images = Images(count * length),
        Run = t => Minibatch.Slice(t.Device, t["x"], t.Images, 2, 1 / 128f, -1),
        Oracle = a => Rows(a, rows, length, row => (2 + row) % count),
    };

    private static void Rows(Arrays a, int rows, int length, Func<int, int> index)
    {
        for (int row = 0; row < rows; row++)
        {
            for (int i = 0; i < length; i++)
                a["x"][row * length + i] = a.Images[index(row) * length + i] / 128.0 - 1;
        }
    }
}
