using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

internal static class ActivationRows
{
    private static readonly Activation[] Kinds =
        [default, Activation.Relu, Activation.LeakyRelu(0.3f), Activation.Elu, Activation.Tanh, Activation.Sigmoid];

    /// <summary>Channel counts whose pattern repeats after one vector, after several, and only after many.</summary>
    private static IEnumerable<Shape> Shapes =>
        [new(1), new(7, 1), new(2, 3, 5, 3), new(5, 8), new(3, 3, 16), new(7, 17), new(3, 33), new(2, 97), new(700, 33), new(9001, 3), new(40000, 1)];

    public static IEnumerable<OpTest> Ops
    {
        get
        {
            foreach (Activation f in Kinds)
            {
                yield return new($"{f} of another tensor")
                {
                    Arguments = [In("x", new(5, 7), -4, 4), Out("y", new(5, 7))],
                    Run = t => BiasActivation.Apply(t.Device, t["y"], t["x"], f),
                    Oracle = a =>
                    {
                        a["x"].CopyTo(a["y"], 0);
                        BiasActivation.ReferenceForward<double>(a["y"], default, 7, f);
                    },
                };
            }
            // By one block each and by slabs; a part that is no whole number of slabs.
            foreach ((Shape shape, BatchParts parts) in new (Shape, BatchParts)[]
            {
                (new(6, 17), new(3, 2)), (new(4, 1), new(2, 2)), (new(256, 2, 11), new(2, 2)), (new(6, 3, 41, 5), new(3, 2)), (new(2, 900, 33), new(2, 1)),
            })
            {
                yield return Backward(shape, Activation.Elu, bias: true, inPlace: true, add: true, parts);
                yield return Backward(shape, Activation.LeakyRelu(0.3f), bias: true, inPlace: false, add: false, parts);
                yield return Backward(shape, default, bias: true, inPlace: true, add: false, parts);
            }
            foreach (int rows in (int[])[7, 300])
                yield return OppositeHalves(rows);
            int number = 0;
            foreach (Shape shape in Shapes)
            {
                yield return Tangent(shape, Kinds[number % Kinds.Length], inPlace: number % 2 == 0);
                yield return Tangent(shape, Kinds[(number + 3) % Kinds.Length], inPlace: number % 2 != 0);
                for (int k = 0; k < Kinds.Length; k++)
                {
                    // The large ones once with each activation of two.
                    if (shape.Length > 1000 && (k + number) % 3 != 0)
                        continue;
                    yield return Forward(shape, Kinds[k], (k + number) % 4 != 0);
                    yield return Backward(shape, Kinds[k], (k + number) % 4 != 1, inPlace: (k + number) % 2 == 0, add: (k + number) % 3 != 0);
                }
                number++;
            }
        }
    }

    private static OpTest Forward(Shape shape, Activation f, bool bias) => new($"{f} forward, {shape}{(bias ? "" : ", no bias")}")
    {
        Arguments = [Updated("y", shape, -4, 4), .. bias ? [In("b", new(shape.Channels))] : Array.Empty<Argument>()],
        Run = t => BiasActivation.Forward(t.Device, t["y"], t.Optional("b"), f),
        Oracle = a => BiasActivation.ReferenceForward<double>(a["y"], a.Optional("b"), shape.Channels, f),
        Magnitude = a => BiasActivation.ReferenceForward<double>(a["y"], a.Optional("b"), shape.Channels, default),
        // One more row is another y, not a wrong one; that one more channel is wrong shows where the bias is tested.
        AnyShape = ["y"],
    };

    // What y can be.
    private static (float Low, float High) Values(Activation f) => f.Kind switch
    {
        ActivationKind.Elu => (-0.95f, 3),
        ActivationKind.Tanh => (-0.98f, 0.98f),
        ActivationKind.Sigmoid => (0.02f, 0.98f),
        _ => (-2, 2),
    };

    private static OpTest Backward(Shape shape, Activation f, bool bias, bool inPlace, bool add = true, BatchParts? parts = null)
    {
        (float low, float high) = Values(f);
        Argument[] db = !bias ? [] : add ? [Updated("db", new(shape.Channels))] : [Out("db", new(shape.Channels))];
        string how = (bias ? add ? "" : ", overwritten" : ", no bias") + (inPlace ? ", in place" : "") + (parts is { } p ? $", {p.Summed} of {p.Count} parts" : "");
        return new($"{f} backward, {shape}{how}")
        {
            Arguments = inPlace ? [Updated("dx", shape), In("y", shape, low, high), .. db]
                : [In("dy", shape), In("y", shape, low, high), Out("dx", shape), .. db],
            Run = t => BiasActivation.Backward(t.Device, t["dx"], inPlace ? t["dx"] : t["dy"], t["y"], t.Optional("db"), f, add, parts),
            Oracle = a => ReferenceBackward(a, inPlace, shape.Channels, f, add, parts ?? BatchParts.Whole),
            // 1 - y^2 and y (1 - y) cancel near their ends: the terms are dy and dy y.
            Magnitude = a => ReferenceBackward(a, inPlace, shape.Channels, default, add, parts ?? BatchParts.Whole),
        };
    }

    private static void ReferenceBackward(Arrays a, bool inPlace, int channels, Activation f, bool add, BatchParts parts)
    {
        double[] dx = a["dx"], dy = a[inPlace ? "dx" : "dy"], y = a["y"], db = a.Optional("db");
        int length = dx.Length / parts.Count;
        if (!add)
            Array.Clear(db);
        for (int i = 0; i < parts.Count; i++)
        {
            Range part = (i * length)..((i + 1) * length);
            BiasActivation.ReferenceBackward<double>(dx.AsSpan(part), dy.AsSpan(part), y.AsSpan(part), i < parts.Summed ? db : default, channels, f);
        }
    }

    // What parts are for: not a bit is left of two sums that differ in their signs alone.
    private static OpTest OppositeHalves(int rows)
    {
        Shape shape = new(2 * rows, 5);
        float[] half = Sample.Floats("dy", rows * 5);
        return new($"linear backward, {shape}, opposite halves")
        {
            Arguments = [In("dy", shape, [.. half, .. half.Select(x => -x)]), In("y", shape), Out("dx", shape, 0), Out("db", new(5), 0)],
            Run = t => BiasActivation.Backward(t.Device, t["dx"], t["dy"], t["y"], t["db"], default, add: false, new(2, 2)),
            Oracle = a =>
            {
                a["dy"].CopyTo(a["dx"], 0);
                Array.Clear(a["db"]);
            },
        };
    }

    private static OpTest Tangent(Shape shape, Activation f, bool inPlace)
    {
        (float low, float high) = Values(f);
        return new($"{f} backward tangent, {shape}{(inPlace ? ", in place" : "")}")
        {
            Arguments =
            [
                .. inPlace ? [Updated("tdx", shape)] : new[] { In("tdy", shape), Out("tdx", shape) },
                In("tx", shape), In("dx", shape), In("y", shape, low, high),
            ],
            Run = t => BiasActivation.BackwardTangent(t.Device, t["tdx"], inPlace ? t["tdx"] : t["tdy"], t["tx"], t["dx"], t["y"], f),
            Oracle = a => BiasActivation.ReferenceBackwardTangent<double>(a["tdx"], a[inPlace ? "tdx" : "tdy"], a["tx"], a["dx"], a["y"], f),
            // As for the backward pass; 1 - 2 y is at most 3 terms of dx and y.
            Magnitude = a =>
            {
                double[] tdx = a["tdx"], tdy = a[inPlace ? "tdx" : "tdy"];
                for (int i = 0; i < tdx.Length; i++)
                    tdx[i] = tdy[i] + a["tx"][i] * a["dx"][i] * (1 + 2 * a["y"][i]);
            },
        };
    }

    public static IEnumerable<GradientTest> Gradients =>
    [
        .. Kinds.Select(f => new GradientTest($"{f}")
        {
            Inputs = [("x", Sample.Doubles("x", 5 * 7, -3, 3)), ("b", Sample.Doubles("b", 7, -0.02, 0.02))],
            Forward = v => Apply(v, f),
            Backward = (v, dy, d) => BiasActivation.ReferenceBackward<double>(d[0], dy, Apply(v, f), d[1], 7, f),
        }),
        // The tangent of the backward pass is its derivative along dy and x; the others bend nowhere.
        .. new[] { Activation.Elu, Activation.Tanh, Activation.Sigmoid }.Select(f => new GradientTest($"{f}, backward tangent")
        {
            Inputs = [("x", Sample.Doubles("x", 5 * 7, -3, 3)), ("dy", Sample.Doubles("dy of x", 5 * 7))],
            Forward = v => BackwardOf(v, f).DX,
            Backward = (v, u, d) =>
            {
                (double[] y, double[] dx) = BackwardOf(v, f);
                BiasActivation.ReferenceBackwardTangent<double>(d[0], new double[u.Length], u, dx, y, f);
                BiasActivation.ReferenceBackwardTangent<double>(d[1], u, new double[u.Length], dx, y, f);
            },
        }),
    ];

    private static (double[] Y, double[] DX) BackwardOf(double[][] v, Activation f)
    {
        double[] y = Apply([v[0], new double[7]], f), dx = new double[y.Length];
        BiasActivation.ReferenceBackward<double>(dx, v[1], y, default, 7, f);
        return (y, dx);
    }

    private static double[] Apply(double[][] v, Activation f)
    {
        double[] y = (double[])v[0].Clone();
        BiasActivation.ReferenceForward<double>(y, v[1], 7, f);
        return y;
    }
}
