using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// Real points against generated ones: a scatter plot, mean and covariance, and how often the discriminator is right. For the ring also
/// how many of its modes are covered, and the share of the points that lie within three deviations of one.
/// </summary>
internal sealed class PointEvaluation : Evaluation
{
    private const int Measured = 10_000;
    private const ulong SampleSeed = 1;

    private readonly AdversarialModel _model;
    private readonly Generator _generator;
    private readonly Accuracy _accuracy;
    private readonly float[] _real, _generated = new float[2 * Measured];
    private readonly bool _ring;

    public PointEvaluation(Device device, AdversarialModel model, float[] real, bool ring)
    {
        (_model, _real, _ring) = (model, real, ring);
        Names = ["accuracy.real", "accuracy.fake", "mean.x", "mean.y", "cov.xx", "cov.xy", "cov.yy", .. ring ? ["modes", "near"] : Array.Empty<string>()];
        _generator = Generator.Of(model, 1000);
        _accuracy = new(device, model, real, []);
    }

    public override IReadOnlyList<string> Names { get; }

    public override Metric[] Run()
    {
        _generator.Update(_model);
        float[] codes = new float[Measured * _generator.Latent];
        _generator.DrawCodes(SampleSeed, 0, codes);
        _generator.Generate(codes, _generated);
        (double x, double y, double xx, double xy, double yy) = Moments(_generated);
        Metric[] moments =
            [.. _accuracy.Measure(_generator), new("mean.x", x), new("mean.y", y), new("cov.xx", xx), new("cov.xy", xy), new("cov.yy", yy)];
        if (!_ring)
            return moments;
        (int modes, double near) = Ring.Cover(_generated);
        return [.. moments, new("modes", modes), new("near", near)];
    }

    private static (double X, double Y, double XX, double XY, double YY) Moments(ReadOnlySpan<float> points)
    {
        int count = points.Length / 2;
        (double x, double y, double xx, double xy, double yy) = (0, 0, 0, 0, 0);
        for (int i = 0; i < count; i++)
        {
            (double a, double b) = (points[2 * i], points[2 * i + 1]);
            (x, y, xx, xy, yy) = (x + a, y + b, xx + a * a, xy + a * b, yy + b * b);
        }
        (x, y) = (x / count, y / count);
        return (x, y, xx / count - x * x, xy / count - x * y, yy / count - y * y);
    }

    public override void Draw(RunFolder run, long epoch, bool last)
    {
        int drawn = _ring ? 1000 : 100;
        byte[] labels = [.. Enumerable.Repeat((byte)0, _real.Length / 2), .. Enumerable.Repeat((byte)1, drawn)];
        ScatterPlot.Draw([.. _real, .. _generated.AsSpan(0, 2 * drawn)], labels, ["real", "generated"]).SavePng(run.PathOf($"samples-{epoch:D4}.png"));
    }

    public override void SaveGenerator(string path) => _generator.Save(path);

    public override void PrintVerdict(IReadOnlyList<Metric> losses)
    {
        if (_ring)
        {
            (int modes, double near) = Ring.Cover(_generated);
            Console.WriteLine($"result    {modes} of {Ring.Modes} modes covered, {near:P0} of the points within three deviations of one");
            return;
        }
        var (x, y, xx, xy, yy) = Moments(_generated);
        var real = Moments(_real);
        Console.WriteLine($"result    generated: mean ({x:F2}, {y:F2}), covariance (({xx:F2}, {xy:F2}), ({xy:F2}, {yy:F2}))");
        Console.WriteLine($"          real:      mean ({real.X:F2}, {real.Y:F2}), covariance (({real.XX:F2}, {real.XY:F2}), ({real.XY:F2}, {real.YY:F2}))");
    }

    public override void Dispose() => _generator.Dispose();
}
