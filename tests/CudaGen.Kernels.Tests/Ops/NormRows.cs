using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

internal static class NormRows
{
    private const float Epsilon = 1e-2f, Momentum = 0.3f;

    // Each size meets the next one of them.
    private static readonly Activation[] Kinds = [default, Activation.LeakyRelu(0.2f), Activation.Relu, default, Activation.Tanh];

    private static IEnumerable<Shape> Shapes =>
    [
        new(2, 1), new(2, 3), new(7, 9), new(2, 3, 5, 3), new(5, 8), new(3, 3, 3, 16), new(9, 17), new(700, 33), new(3, 1030), new(9001, 3),
        new(40000, 2), new(20000, 1), new(300, 144),
    ];

    public static IEnumerable<OpTest> Ops
    {
        get
        {
            int number = 0;
            foreach (Shape shape in Shapes)
            {
                bool affine = number % 3 != 1;
                Activation f = Kinds[number++ % Kinds.Length];
                yield return Training(shape, affine, f, fixedStatistics: number % 4 == 3);
                yield return Inference(shape, affine, f);
                yield return Backward(shape, affine, f, inPlace: number % 2 == 0, add: number % 3 != 0);
            }
        }
    }

    private static string Text(bool affine, Activation f) => (affine ? "" : ", no gamma") + (f == default ? "" : $", {f}");

    private static Argument[] Affine(bool affine, int c) => affine ? [In("gamma", new(c), 0.5f, 2), In("beta", new(c))] : [];

    private static OpTest Training(Shape shape, bool affine, Activation f, bool fixedStatistics)
    {
        Shape c = new(shape.Channels);
        float momentum = fixedStatistics ? 0 : Momentum;
        return new($"batch norm, {shape}{Text(affine, f)}{(fixedStatistics ? ", momentum 0" : "")}")
        {
            // Off centre: a variance by E(x^2) - mean^2 would show.
            Arguments =
            [
                In("x", shape, 1, 3), .. Affine(affine, c.Length), Out("y", shape), Out("mean", c),
                Out("rstd", c, 1e-6),
                .. fixedStatistics ? (Argument[])[In("running mean", c), In("running var", c, 0.1f, 2)]
                    : [Updated("running mean", c), Updated("running var", c, 0.1f, 2, 1e-6)],
            ],
            Run = t => BatchNorm.ForwardTraining(t.Device, t["y"], t["mean"], t["rstd"], t["running mean"], t["running var"], t["x"],
                t.Optional("gamma"), t.Optional("beta"), Epsilon, momentum, f),
            Oracle = a =>
            {
                BatchNorm.ReferenceStatistics<double>(a["mean"], a["rstd"], a["running mean"], a["running var"], a["x"], Epsilon, momentum);
                BatchNorm.ReferenceNormalise<double>(a["y"], a["x"], a["mean"], a["rstd"], a.Optional("gamma"), a.Optional("beta"), f);
            },
            // x - mean cancels; it is multiplied with gamma r <= 2 * 10. No activation here is steeper than 1.
            Magnitude = a =>
            {
                BatchNorm.ReferenceStatistics<double>(a["mean"], a["rstd"], a["running mean"], a["running var"], a["x"], Epsilon, momentum);
                double[] negative = Array.ConvertAll(a["mean"], m => -m);
                BatchNorm.ReferenceNormalise<double>(a["y"], a["x"], negative, a["rstd"], a.Optional("gamma"), a.Optional("beta"));
            },
        };
    }

    private static OpTest Inference(Shape shape, bool affine, Activation f)
    {
        Shape c = new(shape.Channels);
        return new($"batch norm inference, {shape}{Text(affine, f)}")
        {
            Arguments = [In("x", shape, -2, 2), .. Affine(affine, c.Length), In("running mean", c), In("running var", c, 0.1f, 2), Out("y", shape)],
            Run = t => BatchNorm.ForwardInference(t.Device, t["y"], t["x"], t["running mean"], t["running var"], t.Optional("gamma"), t.Optional("beta"), Epsilon, f),
            Oracle = a => Normalise(a, 1, f),
            Magnitude = a => Normalise(a, -1, default),
        };
    }

    private static void Normalise(Arrays a, int sign, Activation f) => BatchNorm.ReferenceNormalise<double>(a["y"], a["x"],
        Array.ConvertAll(a["running mean"], m => sign * m), Array.ConvertAll(a["running var"], v => 1 / Math.Sqrt(v + Epsilon)), a.Optional("gamma"),
        a.Optional("beta"), f);

    private static OpTest Backward(Shape shape, bool affine, Activation f, bool inPlace, bool add)
    {
        Shape c = new(shape.Channels);
        Argument[] gradients = !affine ? [] : add ? [Updated("dgamma", c), Updated("dbeta", c)] : [Out("dgamma", c), Out("dbeta", c)];
        return new($"batch norm backward, {shape}{Text(affine, f)}{(inPlace ? ", in place" : "")}{(affine && !add ? ", overwritten" : "")}")
        {
            Arguments =
            [
                .. inPlace ? [Updated("dx", shape)] : (Argument[])[In("dy", shape), Out("dx", shape)],
                In("x", shape, -2, 2), In("y", shape, -0.98f, 0.98f), In("mean", c, -0.3f, 0.3f), In("rstd", c, 0.5f, 3),
                .. affine ? [In("gamma", c, 0.5f, 2)] : Array.Empty<Argument>(), .. gradients,
            ],
            Run = t => BatchNorm.Backward(t.Device, t["dx"], t.Optional("dgamma"), t.Optional("dbeta"), t[inPlace ? "dx" : "dy"], t["x"], t["y"], t["mean"],
                t["rstd"], t.Optional("gamma"), f, add),
            Oracle = a =>
            {
                if (!add)
                {
                    Array.Clear(a.Optional("dgamma"));
                    Array.Clear(a.Optional("dbeta"));
                }
                BatchNorm.ReferenceBackward<double>(a["dx"], a.Optional("dgamma"), a.Optional("dbeta"), (double[])a[inPlace ? "dx" : "dy"].Clone(), a["x"],
                    a["y"], a["mean"], a["rstd"], a.Optional("gamma"), f);
            },
            Magnitude = a =>
            {
                // With mean and offsets negative, every difference of the formula becomes a sum. f' is at most 1, and
                // tanh's 1 - y^2 cancels near its ends.
                double[] dy = (double[])a[inPlace ? "dx" : "dy"].Clone();
                double[] sums = new double[c.Length], products = new double[c.Length];
                for (int i = 0; i < dy.Length; i++)
                {
                    int k = i % c.Length;
                    sums[k] += dy[i];
                    products[k] += dy[i] * (a["x"][i] + a["mean"][k]);
                }
                double rows = dy.Length / c.Length;
                for (int i = 0; i < dy.Length; i++)
                {
                    int k = i % c.Length;
                    double r = a["rstd"][k], g = affine ? a["gamma"][k] : 1;
                    a["dx"][i] = g * r * (dy[i] + sums[k] / rows + (a["x"][i] + a["mean"][k]) * r * r * products[k] / rows);
                }
                for (int k = 0; affine && k < c.Length; k++)
                {
                    a["dgamma"][k] += products[k] * a["rstd"][k];
                    a["dbeta"][k] += sums[k];
                }
            },
        };
    }

    public static IEnumerable<GradientTest> Gradients =>
    [
        Gradient(7, 3, default), Gradient(2, 2, default), Gradient(24, 1, default), Gradient(7, 3, Activation.LeakyRelu(0.2f)),
        Gradient(24, 1, Activation.Relu), Gradient(7, 3, Activation.Tanh),
    ];

    private static GradientTest Gradient(int rows, int channels, Activation f) => new($"batch norm, {(rows, channels)}{Text(true, f)}")
    {
        Inputs =
        [
            ("x", Sample.Doubles("x", rows * channels)), ("gamma", Sample.Doubles("gamma", channels)), ("beta", Sample.Doubles("beta", channels)),
        ],
        Forward = v => Normalise(v, channels, f),
        Backward = (v, dy, d) =>
        {
            (double[] mean, double[] rstd) = Statistics(v[0], channels);
            BatchNorm.ReferenceBackward<double>(d[0], d[1], d[2], dy, v[0], Normalise(v, channels, f), mean, rstd, v[1], f);
        },
    };

    private static double[] Normalise(double[][] v, int channels, Activation f)
    {
        (double[] mean, double[] rstd) = Statistics(v[0], channels);
        double[] y = new double[v[0].Length];
        BatchNorm.ReferenceNormalise<double>(y, v[0], mean, rstd, v[1], v[2], f);
        return y;
    }

    private static (double[] Mean, double[] Rstd) Statistics(double[] x, int channels)
    {
        double[] mean = new double[channels], rstd = new double[channels];
        BatchNorm.ReferenceStatistics<double>(mean, rstd, new double[channels], new double[channels], x, 0.3f, 0);
        return (mean, rstd);
    }
}
