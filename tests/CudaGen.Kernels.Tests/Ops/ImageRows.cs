using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

/// <summary>Pooling and resampling.</summary>
internal static class ImageRows
{
    private static IEnumerable<PoolingShape> Pools =>
    [
        new(new(1, 2, 2, 1), 2, 2), new(new(2, 8, 6, 3), 2, 2), new(new(3, 7, 9, 17), 2, 2), new(new(2, 7, 5, 8), 3, 2), new(new(1, 5, 6, 33), 3, 1),
        new(new(2, 9, 7, 4), 2, 3), new(new(9, 4, 5, 16), 1, 1), new(new(2, 5, 5, 64), 5, 1), new(new(0, 4, 5, 3), 2, 2),
    ];

    private static IEnumerable<(Shape X, int Scale)> Scales =>
        [(new(1, 1, 1, 1), 2), (new(2, 4, 5, 3), 2), (new(3, 3, 2, 17), 3), (new(2, 5, 4, 16), 1), (new(9, 2, 3, 33), 2), (new(0, 2, 3, 4), 2)];

    private static IEnumerable<(Shape X, Shape Y)> Sizes =>
    [
        (new(2, 5, 7, 3), new(2, 10, 14, 3)), (new(2, 7, 4, 1), new(2, 11, 9, 1)), (new(1, 1, 1, 5), new(1, 3, 2, 5)), (new(3, 9, 8, 17), new(3, 4, 3, 17)),
        (new(2, 3, 5, 16), new(2, 3, 5, 16)), (new(9, 2, 1, 33), new(9, 7, 5, 33)), (new(2, 3, 4, 5), new(2, 0, 4, 5)),
        // The position of an output times the number of inputs does not fit in 32 bits.
        (new(1, 70_000, 1, 1), new(1, 66_000, 1, 1)), (new(1, 1, 66_000, 1), new(1, 1, 70_000, 1)),
    ];

    public static IEnumerable<OpTest> Ops => Pools.SelectMany(PoolOps).Concat(Scales.SelectMany(s => UpsampleOps(s.X, s.Scale))).Concat(Sizes.SelectMany(s => ResizeOps(s.X, s.Y)));

    private static string Text(PoolingShape g) => $"{g.X}, {g.Size} every {g.Stride}";

    private static IEnumerable<OpTest> PoolOps(PoolingShape g)
    {
        // Few different values, so that there are ties.
        float[] ties = Array.ConvertAll(Sample.Floats("ties", g.X.Length, 0.1f, 4), MathF.Round);
        yield return new($"max pool, {Text(g)}")
        {
            Arguments = [In("x", g.X), Out("y", g.Y, 0)],
            Run = t => MaxPool.Forward(t.Device, g, t["y"], t["x"]),
            Oracle = a => MaxPool.ReferenceForward<double>(g, a["y"], a["x"]),
        };
        yield return new($"max pool backward, {Text(g)}")
        {
            Arguments = [In("x", g.X, ties), In("dy", g.Y), Out("dx", g.X)],
            Run = t => MaxPool.Backward(t.Device, g, t["dx"], t["dy"], t["x"]),
            Oracle = a => MaxPool.ReferenceBackward<double>(g, a["dx"], a["dy"], a["x"]),
            Magnitude = a => MaxPool.ReferenceBackward<double>(g, a["dx"], a["dy"], a["x"]),
        };
        yield return new($"average pool, {Text(g)}")
        {
            Arguments = [In("x", g.X), Out("y", g.Y)],
            Run = t => AveragePool.Forward(t.Device, g, t["y"], t["x"]),
            Oracle = a => AveragePool.ReferenceForward<double>(g, a["y"], a["x"]),
            Magnitude = a => AveragePool.ReferenceForward<double>(g, a["y"], a["x"]),
        };
        yield return new($"average pool backward, {Text(g)}")
        {
            Arguments = [In("dy", g.Y), Out("dx", g.X)],
            Run = t => AveragePool.Backward(t.Device, g, t["dx"], t["dy"]),
            Oracle = a => AveragePool.ReferenceBackward<double>(g, a["dx"], a["dy"]),
            Magnitude = a => AveragePool.ReferenceBackward<double>(g, a["dx"], a["dy"]),
        };
    }

    private static IEnumerable<OpTest> UpsampleOps(Shape x, int scale)
    {
        Shape y = new(x[0], x[1] * scale, x[2] * scale, x[3]);
        yield return new($"upsample, {x} times {scale}")
        {
            Arguments = [In("x", x), Out("y", y, 0)],
            Run = t => NearestUpsample.Forward(t.Device, t["y"], t["x"], scale),
            Oracle = a => NearestUpsample.ReferenceForward<double>(a["y"], a["x"], x, scale),
        };
        yield return new($"upsample backward, {x} times {scale}")
        {
            Arguments = [In("dy", y), Out("dx", x)],
            Run = t => NearestUpsample.Backward(t.Device, t["dx"], t["dy"], scale),
            Oracle = a => NearestUpsample.ReferenceBackward<double>(a["dx"], a["dy"], x, scale),
            Magnitude = a => NearestUpsample.ReferenceBackward<double>(a["dx"], a["dy"], x, scale),
        };
    }

    private static IEnumerable<OpTest> ResizeOps(Shape x, Shape y)
    {
        // Any height and width fit; batch and channels must not differ.
        yield return new($"resize, {x} to {y}")
        {
            Arguments = [In("x", x), Out("y", y)],
            Run = t => BilinearResize.Forward(t.Device, t["y"], t["x"]),
            Oracle = a => BilinearResize.ReferenceForward<double>(a["y"], y, a["x"], x),
            Magnitude = a => BilinearResize.ReferenceForward<double>(a["y"], y, a["x"], x),
        };
        yield return new($"resize backward, {x} to {y}")
        {
            Arguments = [In("dy", y), Out("dx", x)],
            Run = t => BilinearResize.Backward(t.Device, t["dx"], t["dy"]),
            Oracle = a => BilinearResize.ReferenceBackward<double>(a["dx"], x, a["dy"], y),
            Magnitude = a => BilinearResize.ReferenceBackward<double>(a["dx"], x, a["dy"], y),
        };
    }

    public static IEnumerable<GradientTest> Gradients
    {
        get
        {
            foreach (PoolingShape g in Pools.Where(g => g.X.Length is > 0 and <= 400 || g.X[3] == 4))
            {
                yield return Linear($"average pool, {Text(g)}", g.X.Length, g.Y.Length, (x, y) => AveragePool.ReferenceForward<double>(g, y, x),
                    (x, dy, dx) => AveragePool.ReferenceBackward<double>(g, dx, dy));
                yield return Linear($"max pool, {Text(g)}", g.X.Length, g.Y.Length, (x, y) => MaxPool.ReferenceForward<double>(g, y, x),
                    (x, dy, dx) => MaxPool.ReferenceBackward<double>(g, dx, dy, x));
            }
            foreach ((Shape x, int scale) in Scales.Where(s => s.X.Length is > 0 and < 200))
            {
                yield return Linear($"upsample, {x} times {scale}", x.Length, x.Length * scale * scale, (v, y) => NearestUpsample.ReferenceForward<double>(y, v, x, scale),
                    (_, dy, dx) => NearestUpsample.ReferenceBackward<double>(dx, dy, x, scale));
            }
            foreach ((Shape x, Shape y) in Sizes.Where(s => s.Y.Length is > 0 and < 900))
            {
                yield return Linear($"resize, {x} to {y}", x.Length, y.Length, (v, o) => BilinearResize.ReferenceForward<double>(o, y, v, x),
                    (_, dy, dx) => BilinearResize.ReferenceBackward<double>(dx, x, dy, y));
            }
        }
    }

    // Every element at least 0.01 from every other one, so that finite differences do not change which is the largest.
    private static double[] Distinct(int n)
    {
        double[] values = [.. Enumerable.Range(0, n).Select(i => 0.01 * i)];
        new Random(n).Shuffle(values);
        return values;
    }

    private static GradientTest Linear(string name, int inputs, int outputs, Action<double[], double[]> forward, Action<double[], double[], double[]> backward) => new(name)
    {
        Inputs = [("x", Distinct(inputs))],
        Forward = v =>
        {
            double[] y = new double[outputs];
            forward(v[0], y);
            return y;
        },
        Backward = (v, dy, d) => backward(v[0], dy, d[0]),
    };
}
