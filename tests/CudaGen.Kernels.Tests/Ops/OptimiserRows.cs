using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

internal static class OptimiserRows
{
    private static IEnumerable<Shape> Shapes => [Shape.Scalar, new(0), new(5), new(16), new(3, 11), new(8191), new(3, 8193)];

    public static IEnumerable<OpTest> Ops
    {
        get
        {
            yield return AdamBackwardAtRest();
            foreach (Shape shape in Shapes)
            {
                // The rate is large against the parameters, so that what is compared is the update, and epsilon is large
                // so that its place shows.
                yield return Adam(shape, 0, new(0.5f, Epsilon: 1e-2f));
                // 1 - b2^2 = 0.002: all digits of it, not those of 1 - 0.998.
                yield return Adam(shape, 1, new(0.5f, Epsilon: 1e-2f));
                yield return Adam(shape, 4, new(0.5f, 0.5f, 0.9f, 1e-2f, AdamEpsilon.Hat));
                yield return AdamBackward(shape, 0, new(0.5f, Epsilon: 1e-2f));
                yield return AdamBackward(shape, 4, new(0.5f, 0.5f, 0.9f, 1e-2f, AdamEpsilon.Hat));
                yield return RmsProp(shape, new(0.5f, Epsilon: 1e-2f));
                yield return RmsProp(shape, new(0.5f, 0.9f, 1e-2f, InsideRoot: true));
                // Half of the updates go beyond it.
                yield return RmsProp(shape, new(0.5f, Epsilon: 1e-2f, Clip: 0.3f));
            }
        }
    }

    private static OpTest Adam(Shape shape, ulong step, AdamOptions options) => new($"Adam, {options.EpsilonPlace}, step {step}, {shape}")
    {
        Arguments =
        [
            Updated("p", shape, -0.01f, 0.01f), In("g", shape), Updated("m", shape), Updated("v", shape, 0.1f, 1),
        ],
        Step = step,
        Run = t => Optimisers.Adam(t.Device, t["p"], t["g"], t["m"], t["v"], t.Step, options),
        Oracle = a => Optimisers.ReferenceAdam<double>(a["p"], a["g"], a["m"], a["v"], a.Step + 1, options),
        // Sums of two terms: the smaller one does not matter for m, and p is small against its update but for luck.
        Magnitude = a => Optimisers.ReferenceAdam<double>(a["p"], a["g"], a["m"], a["v"], a.Step + 1, options with { LearningRate = -options.LearningRate }),
    };

    private static OpTest AdamBackward(Shape shape, ulong step, AdamOptions options) => new($"Adam backward, {options.EpsilonPlace}, step {step}, {shape}")
    {
        Arguments =
        [
            In("dp", shape), In("g", shape), In("m", shape), In("v", shape, 0.1f, 1), Updated("dm", shape), Updated("dv", shape), Out("dg", shape),
        ],
        Step = step,
        Run = t => Optimisers.AdamBackward(t.Device, t["dg"], t["dm"], t["dv"], t["dp"], t["g"], t["m"], t["v"], t.Step, options),
        Oracle = a => Backward(a, options),
        // dm less the share of p cancels.
        Magnitude = a => Backward(a, options with { LearningRate = -options.LearningRate }, dv: -1),
    };

    // In the magnitude all shares have the sign of what they are added to.
    private static void Backward(Arrays a, AdamOptions options, double dv = 1)
    {
        double[] second = Array.ConvertAll(a["dv"], x => dv * x), first = a["dm"];
        Optimisers.ReferenceAdamBackward<double>(a["dg"], first, second, a["dp"], Array.ConvertAll(a["g"], x => dv * x), a["m"], a["v"], a.Step + 1, options);
        for (int i = 0; i < second.Length; i++)
            a["dv"][i] = dv * second[i];
    }

    // Shares where nothing was divided by zero: no gradient, no second moment, no first one.
    private static OpTest AdamBackwardAtRest() => new("Adam backward, at rest")
    {
        Arguments =
        [
            In("dp", new(20), new float[20]), In("g", new(20), new float[20]), In("m", new(20), new float[20]), In("v", new(20), new float[20]),
            Updated("dm", new(20)), Updated("dv", new(20)), Out("dg", new(20)),
        ],
        Run = t => Optimisers.AdamBackward(t.Device, t["dg"], t["dm"], t["dv"], t["dp"], t["g"], t["m"], t["v"], t.Step, new(0.5f)),
        Oracle = a => Backward(a, new(0.5f)),
    };

    public static IEnumerable<GradientTest> Gradients => new[] { new AdamOptions(0.5f, 0.5f, 0.9f, 0.1f), new(0.5f, 0.9f, 0.99f, 0.1f, AdamEpsilon.Hat) }
        .Select(options => new GradientTest($"Adam, {options.EpsilonPlace}")
        {
            Inputs = [("p", Sample.Doubles("p", 12)), ("g", Sample.Doubles("g", 12)), ("m", Sample.Doubles("m", 12)), ("v", Sample.Doubles("v", 12, 0.4, 1))],
            Forward = v =>
            {
                (double[] p, double[] m, double[] square) = AfterUpdate(v, options);
                return [.. p, .. m, .. square];
            },
            Backward = (v, dy, d) =>
            {
                (_, double[] m, double[] square) = AfterUpdate(v, options);
                dy.AsSpan(0, 12).CopyTo(d[0]);
                dy.AsSpan(12, 12).CopyTo(d[2]);
                dy.AsSpan(24, 12).CopyTo(d[3]);
                Optimisers.ReferenceAdamBackward<double>(d[1], d[2], d[3], d[0], v[1], m, square, 3, options);
            },
        });

    private static (double[] P, double[] M, double[] V) AfterUpdate(double[][] inputs, AdamOptions options)
    {
        (double[] p, double[] m, double[] v) = ((double[])inputs[0].Clone(), (double[])inputs[2].Clone(), (double[])inputs[3].Clone());
        Optimisers.ReferenceAdam<double>(p, inputs[1], m, v, 3, options);
        return (p, m, v);
    }

    private static OpTest RmsProp(Shape shape, RmsPropOptions options) => new($"RMSProp, {(options.InsideRoot ? "inside" : "outside")}{(float.IsFinite(options.Clip) ? $", clipped to {options.Clip}" : "")}, {shape}")
    {
        Arguments = [Updated("p", shape, -0.01f, 0.01f), In("g", shape), Updated("v", shape, 0.01f, 1)],
        Run = t => Optimisers.RmsProp(t.Device, t["p"], t["g"], t["v"], options),
        Oracle = a => Optimisers.ReferenceRmsProp<double>(a["p"], a["g"], a["v"], options),
        Magnitude = a => Optimisers.ReferenceRmsProp<double>(a["p"], a["g"], a["v"], options with { LearningRate = -options.LearningRate, Clip = float.PositiveInfinity }),
    };
}
