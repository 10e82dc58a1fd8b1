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
            foreach (Shape shape in Shapes)
            {
                // The rate is large against the parameters, so that what is compared is the update, and epsilon is large
                // so that its place shows.
                yield return Adam(shape, 0, new(0.5f, Epsilon: 1e-2f));
                // 1 - b2^2 = 0.002: all digits of it, not those of 1 - 0.998.
                yield return Adam(shape, 1, new(0.5f, Epsilon: 1e-2f));
                yield return Adam(shape, 4, new(0.5f, 0.5f, 0.9f, 1e-2f, AdamEpsilon.Hat));
                yield return RmsProp(shape, new(0.5f, Epsilon: 1e-2f));
                yield return RmsProp(shape, new(0.5f, 0.9f, 1e-2f, InsideRoot: true));
                yield return Clip(shape);
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

    private static OpTest RmsProp(Shape shape, RmsPropOptions options) => new($"RMSProp, {(options.InsideRoot ? "inside" : "outside")}, {shape}")
    {
        Arguments = [Updated("p", shape, -0.01f, 0.01f), In("g", shape), Updated("v", shape, 0.01f, 1)],
        Run = t => Optimisers.RmsProp(t.Device, t["p"], t["g"], t["v"], options),
        Oracle = a => Optimisers.ReferenceRmsProp<double>(a["p"], a["g"], a["v"], options),
        Magnitude = a => Optimisers.ReferenceRmsProp<double>(a["p"], a["g"], a["v"], options with { LearningRate = -options.LearningRate }),
    };

    private static OpTest Clip(Shape shape) => new($"clip, {shape}")
    {
        Arguments = [Updated("p", shape, -1, 1, allowance: 0)],
        Run = t => Optimisers.Clip(t.Device, t["p"], 0.4f),
        Oracle = a => Optimisers.ReferenceClip<double>(a["p"], 0.4f),
        AnyShape = ["p"],
    };
}
