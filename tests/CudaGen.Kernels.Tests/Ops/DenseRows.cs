using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

internal static class DenseRows
{
    // Of both factors.
    private const int Roundings = 2;

    /// <summary>
    /// Batch, outputs, inputs. Each of the three is once beyond the 1024 rows that a product takes at a time, beyond the 256 that a
    /// task copies for itself, and beyond twice the 512 of a panel that is read in place; x is once beyond half a MiB, and beyond one.
    /// </summary>
    public static IEnumerable<(int N, int O, int I)> Sizes =>
    [
        (1, 1, 1), (2, 3, 5), (1, 1, 17), (9, 17, 33), (5, 1, 1025), (1, 33, 2051), (13, 50, 7), (3, 1030, 4), (1100, 3, 5), (8, 16, 1024),
        (33, 49, 97), (7, 97, 1), (64, 10, 49), (2, 130, 2100), (100, 128, 130), (1030, 5, 100), (2, 300, 101), (64, 262, 97),
        (260, 64, 96), (300, 81, 100), (67, 1101, 130), (70, 20, 7000), (200, 70, 700), (1030, 64, 260), (70, 3, 0),
        (70, 0, 3),
    ];

    private static readonly Activation[] Kinds =
        [default, Activation.Relu, Activation.LeakyRelu(0.2f), Activation.Elu, Activation.Tanh, Activation.Sigmoid];

    public static IEnumerable<OpTest> Ops
    {
        get
        {
            int number = 0;
            foreach ((int n, int o, int i) in Sizes)
            {
                yield return Forward(new(n, i), new(o, i), new(n, o), Kinds[number % 6], number % 3 != 1);
                yield return BackwardData(new(n, i), new(o, i), new(n, o));
                yield return BackwardWeights(new(n, i), new(o, i), new(n, o));
                yield return BackwardWeights(new(n, i), new(o, i), new(n, o), add: false);
                number++;
            }
            // Images on both sides.
            yield return Forward(new(3, 2, 5, 7), new(24, 70), new(3, 4, 6), Activation.Relu, true);
            yield return BackwardData(new(3, 2, 5, 7), new(24, 70), new(3, 4, 6));
            yield return BackwardWeights(new(3, 2, 5, 7), new(24, 70), new(3, 4, 6));
        }
    }

    private static OpTest Forward(Shape x, Shape w, Shape y, Activation activation, bool bias) => new($"dense forward, {x} to {y}")
    {
        Arguments = [In("x", x), In("w", w), .. bias ? [In("b", new(w[0]))] : Array.Empty<Argument>(), Out("y", y)],
        Run = t => Dense.Forward(t.Device, t["y"], t["x"], t["w"], t.Optional("b"), activation),
        Oracle = a => ReferenceForward(a, x.Rows, w, activation),
        Magnitude = a => ReferenceForward(a, x.Rows, w, default),
        Bfloat16Roundings = Roundings,
    };

    private static void ReferenceForward(Arrays a, int n, Shape w, Activation activation)
    {
        Dense.ReferenceForward<double>(a["y"], a["x"], a["w"], n, w[0], w[1]);
        BiasActivation.ReferenceForward<double>(a["y"], a.Optional("b"), w[0], activation);
    }

    private static OpTest BackwardData(Shape x, Shape w, Shape y) => new($"dense backward data, {x} to {y}")
    {
        Arguments = [In("dy", y), In("w", w), Out("dx", x)],
        Run = t => Dense.BackwardData(t.Device, t["dx"], t["dy"], t["w"]),
        Oracle = a => Dense.ReferenceBackwardData<double>(a["dx"], a["dy"], a["w"], x.Rows, w[0], w[1]),
        Magnitude = a => Dense.ReferenceBackwardData<double>(a["dx"], a["dy"], a["w"], x.Rows, w[0], w[1]),
        Bfloat16Roundings = Roundings,
    };

    private static OpTest BackwardWeights(Shape x, Shape w, Shape y, bool add = true) => new($"dense backward weights{(add ? "" : ", overwritten")}, {x} to {y}")
    {
        Arguments = [In("dy", y), In("x", x), add ? Updated("dw", w) : Out("dw", w)],
        Run = t => Dense.BackwardWeights(t.Device, t["dw"], t["dy"], t["x"], add),
        Oracle = a => ReferenceBackwardWeights(a, x.Rows, w, add),
        Magnitude = a => ReferenceBackwardWeights(a, x.Rows, w, add),
        Bfloat16Roundings = Roundings,
    };

    private static void ReferenceBackwardWeights(Arrays a, int n, Shape w, bool add)
    {
        if (!add)
            Array.Clear(a["dw"]);
        Dense.ReferenceBackwardWeights<double>(a["dw"], a["dy"], a["x"], n, w[0], w[1]);
    }

    public static IEnumerable<GradientTest> Gradients => [Gradient(1, 1, 1), Gradient(3, 5, 4), Gradient(2, 1, 7), Gradient(5, 6, 1)];

    private static GradientTest Gradient(int n, int o, int i) => new($"dense, {n} x {i} to {n} x {o}")
    {
        Inputs = [("x", Sample.Doubles("x", n * i)), ("w", Sample.Doubles("w", o * i)), ("b", Sample.Doubles("b", o))],
        Forward = v =>
        {
            double[] y = new double[n * o];
            Dense.ReferenceForward<double>(y, v[0], v[1], n, o, i);
            BiasActivation.ReferenceForward<double>(y, v[2], o, default);
            return y;
        },
        Backward = (v, dy, d) =>
        {
            Dense.ReferenceBackwardData<double>(d[0], dy, v[1], n, o, i);
            Dense.ReferenceBackwardWeights<double>(d[1], dy, v[0], n, o, i);
            BiasActivation.ReferenceBackward<double>((double[])dy.Clone(), dy, dy, d[2], o, default);
        },
    };
}
