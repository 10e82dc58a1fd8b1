using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

internal static class LossRows
{
    private static IEnumerable<Shape> Shapes =>
        [Shape.Scalar, new(1), new(0, 3), new(7, 1), new(2, 3, 5, 1), new(16), new(17), new(8192), new(8193), new(3, 100, 101)];

    public static IEnumerable<OpTest> Ops
    {
        get
        {
            int number = 0;
            foreach (Shape shape in Shapes)
            {
                bool gradient = number++ % 4 != 2;
                float scale = 0.7f / Math.Max(shape.Rows, 1);
                yield return SquaredError(shape, scale, gradient);
                yield return AbsoluteError(shape, scale, gradient);
                yield return CrossEntropy(shape, scale, gradient);
                yield return CrossEntropy(shape, scale, gradient, 1);
                yield return CrossEntropy(shape, scale, gradient, 0);
                yield return Sum(shape);
            }
            // Partial sums in more than one round of a block.
            yield return Sum(new(1100, 1000));
            yield return Softmax(1, 1, 0, true);
            yield return Softmax(7, 2, 1, true);
            yield return Softmax(9, 2, 0, false);
            yield return Softmax(500, 10, 7, true);
            yield return Softmax(12289, 2, 0, true);
            foreach ((int n, int classes) in new[] { (0, 2), (1, 1), (7, 2), (500, 10), (12289, 2) })
                yield return SoftmaxTangent(n, classes);
            foreach (int n in (int[])[0, 1, 7, 300, 5000])
            {
                yield return PairCrossEntropy(n, targets: false);
                yield return PairCrossEntropy(n, targets: true);
                yield return Wasserstein(n);
                if (n > 0)
                    yield return PairSoftmax(n);
            }
        }
    }

    private static OpTest SquaredError(Shape shape, float scale, bool gradient) => new($"squared error, {shape}{(gradient ? "" : ", value only")}")
    {
        Arguments = [In("x", shape), In("t", shape), OutSum("loss", shape.Length), .. Gradient(shape, gradient)],
        Run = t => Losses.MeanSquaredError(t.Device, t["loss"], t.Optional("dx"), t["x"], t["t"], scale),
        Oracle = a => a["loss"][0] = Losses.ReferenceSquaredError<double>(a.Optional("dx"), a["x"], a["t"], scale),
        Magnitude = a => Difference(a, scale),
    };

    // x - t is rounded once, relative to itself; 2 scale (x - t) twice more.
    private static void Difference(Arrays a, float scale)
    {
        double[] dx = a.Optional("dx");
        for (int i = 0; i < dx.Length; i++)
            dx[i] = scale * (a["x"][i] + a["t"][i]);
    }

    private static OpTest AbsoluteError(Shape shape, float scale, bool gradient) => new($"absolute error, {shape}{(gradient ? "" : ", value only")}")
    {
        Arguments = [In("x", shape), In("t", shape), In("s", Shape.Scalar), OutSum("loss", shape.Length), .. Gradient(shape, gradient)],
        Run = t => Losses.MeanAbsoluteError(t.Device, t["loss"], t.Optional("dx"), t["x"], t["t"], scale, -0.6f, t["s"]),
        Oracle = a => a["loss"][0] = Losses.ReferenceAbsoluteError<double>(a.Optional("dx"), a["x"], a["t"], scale, -0.6f * scale * a["s"][0]),
    };

    private static Argument[] PairOutputs(int n, int columns)
        => [OutSum("real", n), OutSum("fake", n), OutSum("total", n), Out("dx", new(2 * n, columns))];

    private static OpTest PairCrossEntropy(int n, bool targets) => new($"cross entropy of a pair, {n}{(targets ? ", targets" : "")}")
    {
        Arguments = [In("x", new(2 * n, 1), -6, 6), .. targets ? [In("t", new(2 * n, 1), 0, 1)] : Array.Empty<Argument>(), .. PairOutputs(n, 1)],
        Run = t =>
        {
            if (targets)
                PairLosses.BinaryCrossEntropy(t.Device, t["total"], t["real"], t["fake"], t["dx"], t["x"], t["t"], 0.7f);
            else
                PairLosses.BinaryCrossEntropy(t.Device, t["total"], t["real"], t["fake"], t["dx"], t["x"], 0.9f, 0, 0.7f);
        },
        Oracle = a => OfHalves(a, (part, half) => Losses.ReferenceCrossEntropy<double>(a["dx"].AsSpan(part), a["x"].AsSpan(part),
            targets ? a["t"].AsSpan(part) : default, half == 0 ? 0.9f : 0, 0.7f)),
        // As for one of them.
        Magnitude = a =>
        {
            a["real"][0] = 0.7 * a["x"].Take(n).Sum(x => 2 * x);
            a["fake"][0] = 0.7 * a["x"].Skip(n).Sum(x => 2 * x);
            a["total"][0] = a["real"][0] + a["fake"][0];
            Array.Fill(a["dx"], 0.7);
        },
    };

    private static OpTest PairSoftmax(int n) => new($"softmax of a pair, {n}")
    {
        Arguments = [In("x", new(2 * n, 3), -6, 6), .. PairOutputs(n, 3)],
        Run = t => PairLosses.SoftmaxCrossEntropy(t.Device, t["total"], t["real"], t["fake"], t["dx"], t["x"], 2, 0, 0.7f),
        Oracle = a => OfHalves(a, (part, half) => Losses.ReferenceSoftmax<double>(a["dx"].AsSpan(part), a["x"].AsSpan(part), 3, half == 0 ? 2 : 0, 0.7f)),
        // As for one of them.
        Magnitude = a =>
        {
            (a["real"][0], a["fake"][0], a["total"][0]) = (0.7 * 12 * n, 0.7 * 12 * n, 0.7 * 24 * n);
            Array.Fill(a["dx"], 2 * 0.7);
        },
    };

    private static void OfHalves(Arrays a, Func<Range, int, double> loss)
    {
        int length = a["x"].Length / 2;
        a["real"][0] = loss(..length, 0);
        a["fake"][0] = loss(length.., 1);
        a["total"][0] = a["real"][0] + a["fake"][0];
    }

    private static OpTest Wasserstein(int n) => new($"Wasserstein, {n}")
    {
        Arguments = [In("x", new(2 * n, 1)), OutSum("critic", n), OutSum("distance", n), Out("dx", new(2 * n, 1), 0)],
        Run = t => PairLosses.Wasserstein(t.Device, t["critic"], t["distance"], t["dx"], t["x"], 0.7f),
        Oracle = a =>
        {
            double real = Losses.ReferenceMean<double>(a["dx"].AsSpan(0, n), a["x"].AsSpan(0, n), -0.7f);
            a["critic"][0] = real + Losses.ReferenceMean<double>(a["dx"].AsSpan(n), a["x"].AsSpan(n), 0.7f);
            a["distance"][0] = -a["critic"][0];
        },
        Magnitude = a => a["critic"][0] = a["distance"][0] = 0.7 * a["x"].Sum(),
    };

    private static OpTest Softmax(int n, int classes, int target, bool gradient) => new($"softmax, {n} x {classes}, class {target}{(gradient ? "" : ", value only")}")
    {
        Arguments = [In("x", new(n, classes), -6, 6), OutSum("loss", n), .. Gradient(new(n, classes), gradient)],
        Run = t => Losses.SoftmaxCrossEntropy(t.Device, t["loss"], t.Optional("dx"), t["x"], target, 0.7f / n),
        Oracle = a => a["loss"][0] = Losses.ReferenceSoftmax<double>(a.Optional("dx"), a["x"], classes, target, 0.7f / n),
        // The logits of a row differ by at most 12; probability - 1 cancels.
        Magnitude = a =>
        {
            a["loss"][0] = 0.7f * 12;
            Array.Fill(a.Optional("dx"), 2 * 0.7f / n);
        },
        AnyShape = gradient ? [] : ["x"],
    };

    private static OpTest SoftmaxTangent(int n, int classes) => new($"softmax tangent, {n} x {classes}")
    {
        Arguments = [In("x", new(n, classes), -6, 6), In("tx", new(n, classes)), Out("tdx", new(n, classes))],
        Run = t => Losses.SoftmaxTangent(t.Device, t["tdx"], t["tx"], t["x"], 0.7f),
        Oracle = a => Losses.ReferenceSoftmaxTangent<double>(a["tdx"], a["tx"], a["x"], classes, 0.7f),
        // tx less its mean cancels.
        Magnitude = a => Array.Fill(a["tdx"], 2 * 0.7),
    };

    private static OpTest CrossEntropy(Shape shape, float scale, bool gradient) => new($"cross entropy, {shape}{(gradient ? "" : ", value only")}")
    {
        Arguments = [In("x", shape, -6, 6), In("t", shape, 0, 1), OutSum("loss", shape.Length), .. Gradient(shape, gradient)],
        Run = t => Losses.BinaryCrossEntropy(t.Device, t["loss"], t.Optional("dx"), t["x"], t["t"], scale),
        Oracle = a => a["loss"][0] = Losses.ReferenceCrossEntropy<double>(a.Optional("dx"), a["x"], a["t"], 0, scale),
        Magnitude = a => Terms(a, scale),
    };

    private static OpTest CrossEntropy(Shape shape, float scale, bool gradient, float target)
        => new($"cross entropy to {target}, {shape}{(gradient ? "" : ", value only")}")
        {
            Arguments = [In("x", shape, -6, 6), OutSum("loss", shape.Length), .. Gradient(shape, gradient)],
            Run = t => Losses.BinaryCrossEntropy(t.Device, t["loss"], t.Optional("dx"), t["x"], target, scale),
            Oracle = a => a["loss"][0] = Losses.ReferenceCrossEntropy<double>(a.Optional("dx"), a["x"], default, target, scale),
            Magnitude = a => Terms(a, scale),
            AnyShape = gradient ? [] : ["x"],
        };

    // max(x, 0) - x t and sigmoid(x) - t cancel.
    private static void Terms(Arrays a, float scale)
    {
        foreach (double x in a["x"])
            a["loss"][0] += scale * 2 * x;
        Array.Fill(a.Optional("dx"), scale);
    }

    private static Argument[] Gradient(Shape shape, bool gradient) => gradient ? [Out("dx", shape)] : [];

    private static OpTest Sum(Shape shape) => new($"sum, {shape}")
    {
        Arguments = [In("x", shape), Out("sum", Shape.Scalar)],
        Run = t => Reduce.Sum(t.Device, t["sum"], t["x"]),
        Oracle = a => a["sum"][0] = a["x"].Sum(),
        Magnitude = a => a["sum"][0] = a["x"].Sum(),
        AnyShape = ["x"],
    };

    public static IEnumerable<GradientTest> Gradients =>
    [
        Loss("squared error", (d, x, t) => Losses.ReferenceSquaredError<double>(d, x, t, 0.3f)),
        Loss("absolute error", (d, x, t) => Losses.ReferenceAbsoluteError<double>(d, x, t, 0.3f, 0.3f)),
        Loss("softmax, class 1", (d, x, _) => Losses.ReferenceSoftmax<double>(d, x, 2, 1, 0.3f)),
        Loss("softmax, class 0", (d, x, _) => Losses.ReferenceSoftmax<double>(d, x, 3, 0, 0.3f)),
        // What is linear in its direction is a gradient as well, as second derivatives are symmetric.
        new("softmax, tangent")
        {
            Inputs = [("x", Sample.Doubles("x", 24, -3, 3))],
            Forward = v =>
            {
                double[] dx = new double[24];
                Losses.ReferenceSoftmax<double>(dx, v[0], 3, 1, 0.3f);
                return dx;
            },
            Backward = (v, u, d) => Losses.ReferenceSoftmaxTangent<double>(d[0], u, v[0], 3, 0.3f),
        },
        Loss("cross entropy", (d, x, t) => Losses.ReferenceCrossEntropy<double>(d, x, t, 0, 0.3f)),
        Loss("cross entropy to 1", (d, x, _) => Losses.ReferenceCrossEntropy<double>(d, x, default, 1, 0.3f)),
        Loss("cross entropy to 0", (d, x, _) => Losses.ReferenceCrossEntropy<double>(d, x, default, 0, 0.3f)),
    ];

    private static GradientTest Loss(string name, Func<double[], double[], double[], double> loss)
    {
        double[] target = Sample.Doubles("t", 24, 0, 1);
        return new(name)
        {
            Inputs = [("x", Sample.Doubles("x", 24, -5, 5))],
            Forward = v => [loss([], v[0], target)],
            Backward = (v, _, d) => loss(d[0], v[0], target),
            IsLoss = true,
        };
    }
}
