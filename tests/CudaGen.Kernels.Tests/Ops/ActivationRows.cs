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
                    yield return Backward(shape, Kinds[k], (k + number) % 4 != 1, inPlace: (k + number) % 2 == 0);
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
    private static (float Low, float High) Range(Activation f) => f.Kind switch
    {
        ActivationKind.Elu => (-0.95f, 3),
        ActivationKind.Tanh => (-0.98f, 0.98f),
        ActivationKind.Sigmoid => (0.02f, 0.98f),
        _ => (-2, 2),
    };

    private static OpTest Backward(Shape shape, Activation f, bool bias, bool inPlace)
    {
        (float low, float high) = Range(f);
        Argument[] db = bias ? [Updated("db", new(shape.Channels))] : [];
        return new($"{f} backward, {shape}{(bias ? "" : ", no bias")}{(inPlace ? ", in place" : "")}")
        {
            Arguments = inPlace ? [Updated("dx", shape), In("y", shape, low, high), .. db]
                : [In("dy", shape), In("y", shape, low, high), Out("dx", shape), .. db],
            Run = t => BiasActivation.Backward(t.Device, t["dx"], inPlace ? t["dx"] : t["dy"], t["y"], t.Optional("db"), f),
            Oracle = a => BiasActivation.ReferenceBackward<double>(a["dx"], a[inPlace ? "dx" : "dy"], a["y"], a.Optional("db"), shape.Channels, f),
            // 1 - y^2 and y (1 - y) cancel near their ends: the terms are dy and dy y.
            Magnitude = a => BiasActivation.ReferenceBackward<double>(a["dx"], a[inPlace ? "dx" : "dy"], a["y"], a.Optional("db"), shape.Channels, default),
        };
    }

    private static OpTest Tangent(Shape shape, Activation f, bool inPlace)
    {
        (float low, float high) = Range(f);
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
