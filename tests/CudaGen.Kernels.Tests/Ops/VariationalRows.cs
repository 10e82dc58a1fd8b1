using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

internal static class VariationalRows
{
    private static IEnumerable<(int N, int L)> Sizes => [(1, 1), (2, 3), (9, 17), (3, 8), (130, 64)];

    public static IEnumerable<OpTest> Ops
    {
        get
        {
            foreach ((int n, int l) in Sizes)
            {
                foreach (PosteriorHead head in Enum.GetValues<PosteriorHead>())
                {
                    yield return SampleForward(n, l, head);
                    yield return SampleBackward(n, l, head);
                    yield return Divergence(n, l, head, 0, gradient: true);
                }
                yield return Divergence(n, l, PosteriorHead.StandardDeviation, 1e-3f, gradient: true);
                yield return Divergence(n, l, PosteriorHead.LogVariance, 0, gradient: false);
                yield return new($"means of the heads, {n} x {l}")
                {
                    Arguments = [In("heads", new(n, 2 * l)), Out("mean", new(n, l), 0)],
                    Run = t => Variational.Mean(t.Device, t["mean"], t["heads"]),
                    Oracle = a =>
                    {
                        for (int i = 0; i < n * l; i++)
                            a["mean"][i] = a["heads"][i / l * 2 * l + i % l];
                    },
                };
            }
        }
    }

    private static OpTest SampleForward(int n, int l, PosteriorHead head) => new($"sample forward, {head}, {n} x {l}")
    {
        Arguments = [In("heads", new(n, 2 * l), -3, 3), In("eps", new(n, l), -3, 3), Out("z", new(n, l))],
        Run = t => Variational.SampleForward(t.Device, t["z"], t["heads"], t["eps"], head),
        Oracle = a => Variational.ReferenceSampleForward<double>(a["z"], a["heads"], a["eps"], n, l, head),
        Magnitude = a => Variational.ReferenceSampleForward<double>(a["z"], a["heads"], a["eps"], n, l, head),
    };

    private static OpTest SampleBackward(int n, int l, PosteriorHead head) => new($"sample backward, {head}, {n} x {l}")
    {
        Arguments = [In("dz", new(n, l)), In("heads", new(n, 2 * l), -3, 3), In("eps", new(n, l), -3, 3), Updated("dheads", new(n, 2 * l))],
        Run = t => Variational.SampleBackward(t.Device, t["dheads"], t["dz"], t["heads"], t["eps"], head),
        Oracle = a => Variational.ReferenceSampleBackward<double>(a["dheads"], a["dz"], a["heads"], a["eps"], n, l, head),
        Magnitude = a => Variational.ReferenceSampleBackward<double>(a["dheads"], a["dz"], a["heads"], a["eps"], n, l, head),
    };

    private static OpTest Divergence(int n, int l, PosteriorHead head, float epsilon, bool gradient)
        => new($"divergence, {head}, {n} x {l}, epsilon {epsilon}{(gradient ? "" : ", value only")}")
        {
            Arguments = [In("heads", new(n, 2 * l), -3, 3), OutSum("loss", n * l), .. gradient ? [Out("dheads", new(n, 2 * l))] : Array.Empty<Argument>()],
            Run = t => Variational.Divergence(t.Device, t["loss"], t.Optional("dheads"), t["heads"], head, 0.7f / n, epsilon),
            Oracle = a => a["loss"][0] = Variational.ReferenceDivergence<double>(a.Optional("dheads"), a["heads"], n, l, head, 0.7f / n, epsilon),
            // The terms are 1/2 (m^2 + s^2 - ln s^2 - 1) and s - s / s^2: each below 20 for |h| <= 3.
            Magnitude = a =>
            {
                a["loss"][0] = 0.7f * l * 20;
                for (int i = 0; i < a.Optional("dheads").Length; i++)
                    a["dheads"][i] = 20 * 0.7f / n;
            },
            AnyShape = gradient ? [] : ["heads"],
        };

    public static IEnumerable<GradientTest> Gradients
    {
        get
        {
            foreach (PosteriorHead head in Enum.GetValues<PosteriorHead>())
            {
                yield return new($"sample, {head}")
                {
                    Inputs = [("heads", Sample.Doubles("heads", 30, -2, 2))],
                    Forward = v =>
                    {
                        double[] z = new double[15];
                        Variational.ReferenceSampleForward<double>(z, v[0], Sample.Doubles("eps", 15, -2, 2), 3, 5, head);
                        return z;
                    },
                    Backward = (v, dz, d) => Variational.ReferenceSampleBackward<double>(d[0], dz, v[0], Sample.Doubles("eps", 15, -2, 2), 3, 5, head),
                };
                foreach (float epsilon in head == PosteriorHead.StandardDeviation ? [0, 0.01f] : (float[])[0])
                {
                    yield return new($"divergence, {head}, epsilon {epsilon}")
                    {
                        // |h| >= 0.2, as ln h^2 is too curved for finite differences near 0.
                        Inputs = [("heads", Sample.Doubles("heads", 30, -4, 4))],
                        Forward = v => [Variational.ReferenceDivergence<double>([], v[0], 3, 5, head, 0.3f, epsilon)],
                        Backward = (v, _, d) => Variational.ReferenceDivergence<double>(d[0], v[0], 3, 5, head, 0.3f, epsilon),
                        IsLoss = true,
                    };
                }
            }
        }
    }
}
