using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

/// <summary>Dropout and the ends of the gradient penalty.</summary>
internal static class CriticRows
{
    private const ulong Seed = 0x0123456789ABCDEF, Step = 0x00000003FFFFFFFF;
    private const uint Stream = 0xABCD;

    private static IEnumerable<Shape> Shapes =>
        [new(1, 1), new(7, 3, 4, 3), new(3, 41), new(2, 17), new(9, 1), new(5, 1025), new(3, 64, 64, 3), new(0, 5), new(3, 0)];

    public static IEnumerable<OpTest> Ops
    {
        get
        {
            foreach (Shape shape in Shapes)
            {
                Shape rows = new(shape.Rows);
                yield return new($"dropout, {shape}")
                {
                    Arguments = [In("x", shape), In("mask", shape, Array.ConvertAll(Sample.Floats("mask", shape.Length), v => v > 0 ? 1f : 0)), Out("y", shape)],
                    Run = t => Dropout.Apply(t.Device, t["y"], t["x"], t["mask"], 0.4f),
                    Oracle = a => Dropout.ReferenceApply<double>(a["y"], a["x"], a["mask"], 0.4f),
                };
                yield return new($"dropout mask, {shape}")
                {
                    Arguments = [Out("mask", shape, 0)],
                    AnyShape = ["mask"],
                    Step = Step,
                    Run = t => Dropout.Mask(t.Device, t["mask"], Seed, Stream, t.Step, 0.4f),
                    Oracle = a => DrawMask(a["mask"], a.Step, 0.4f),
                };
                yield return new($"interpolate, {shape}")
                {
                    Arguments = [In("x", shape), In("fake", shape), In("alpha", rows, 0, 1), Out("y", shape)],
                    Run = t => GradientPenalty.Interpolate(t.Device, t["y"], t["x"], t["fake"], t["alpha"]),
                    Oracle = a => GradientPenalty.ReferenceInterpolate<double>(a["y"], a["x"], a["fake"], a["alpha"]),
                    // x + alpha (fake + x): the difference cancels.
                    Magnitude = a => GradientPenalty.ReferenceInterpolate<double>(a["y"], a["x"], a["fake"].Zip(a["x"], (f, x) => f + 2 * x).ToArray(), a["alpha"]),
                };
                float width = 1 / MathF.Sqrt(Math.Max(shape.RowLength, 1));
                const float Weight = 0.7f;
                yield return new($"gradient penalty, {shape}")
                {
                    Arguments =
                    [
                        In("g", shape, -2 * width, 3 * width), OutSum("loss", 2048), Updated("total", Shape.Scalar, allowance: OutSum("loss", 2048).Allowance),
                        Out("norms", rows), Out("dg", shape),
                    ],
                    Run = t => GradientPenalty.Evaluate(t.Device, t["loss"], t["norms"], t["dg"], t["g"], Weight, t["total"]),
                    Oracle = a =>
                    {
                        a["loss"][0] = GradientPenalty.ReferenceEvaluate<double>(a["norms"], a["dg"], a["g"], Weight);
                        a["total"][0] += Weight * a["loss"][0];
                    },
                    // |g| - 1 cancels: one term of |g| + 1 in the loss and of (|g| + 1) / |g| in the slope.
                    Magnitude = a =>
                    {
                        GradientPenalty.ReferenceEvaluate<double>(a["norms"], a["dg"], a["g"], Weight);
                        for (int i = 0; i < a["g"].Length; i++)
                        {
                            double norm = a["norms"][i / shape.RowLength];
                            a["dg"][i] = 2 * Weight / shape.Rows * (norm + 1) / norm * a["g"][i];
                        }
                        a["loss"][0] = a["norms"].Sum(n => (n + 1) * (n + 1)) / Math.Max(shape.Rows, 1);
                        a["total"][0] += Weight * a["loss"][0];
                    },
                };
            }
        }
    }

    private static void DrawMask(double[] mask, ulong step, float drop)
    {
        for (int i = 0; i < mask.Length; i++)
        {
            (uint a, uint b, uint c, uint d) = Philox.Words(Seed, Stream, step, (uint)(i / 4));
            uint[] words = [a, b, c, d];
            mask[i] = Philox.Unit(words[i % 4]) < drop ? 0 : 1;
        }
    }

    public static IEnumerable<GradientTest> Gradients =>
    [
        new("gradient penalty")
        {
            Inputs = [("g", Sample.Doubles("g", 3 * 7))],
            Forward = v => [0.4f * GradientPenalty.ReferenceEvaluate<double>(new double[3], new double[21], v[0], 0.4f)],
            Backward = (v, _, d) => GradientPenalty.ReferenceEvaluate<double>(new double[3], d[0], v[0], 0.4f),
            IsLoss = true,
        },
        new("dropout")
        {
            Inputs = [("x", Sample.Doubles("x", 20))],
            Forward = v =>
            {
                double[] y = new double[20];
                Dropout.ReferenceApply<double>(y, v[0], Sample.Doubles("mask", 20), 0.3f);
                return y;
            },
            Backward = (v, dy, d) => Dropout.ReferenceApply<double>(d[0], dy, Sample.Doubles("mask", 20), 0.3f),
        },
    ];
}
