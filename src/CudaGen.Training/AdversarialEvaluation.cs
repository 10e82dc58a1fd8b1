using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// Sample grids on codes that are always the same, as the saved generator will draw them, and how often the discriminator is right.
/// </summary>
internal sealed class AdversarialEvaluation : Evaluation
{
    private const ulong SampleSeed = 1;
    private const int FinalSide = 10;

    private readonly AdversarialModel _model;
    private readonly Generator _generator;
    private readonly Accuracy? _accuracy;
    private readonly (int Side, int Every) _grid;
    private Metric[] _measured = [];

    public AdversarialEvaluation(Device device, AdversarialModel model, ImageSet test, (int Side, int Every) grid)
    {
        (_model, _grid) = (model, grid);
        _generator = Generator.Of(model, FinalSide * FinalSide);
        if (model.ScoresAreLogits)
        {
            float[] real = new float[Math.Min(Accuracy.Samples, test.Count) * test.ImageLength];
            for (int i = 0; i < real.Length; i++)
                real[i] = test.Image(i / test.ImageLength)[i % test.ImageLength] / 255f;
            byte[] labels = model.Spec.Classes > 0 ? [.. test.Labels.Take(Accuracy.Samples)] : [];
            _accuracy = new(device, model, real, labels);
        }
    }

    public override IReadOnlyList<string> Names => _accuracy is null ? [] : ["accuracy.real", "accuracy.fake"];

    public override Metric[] Run()
    {
        _generator.Update(_model);
        return _measured = _accuracy?.Measure(_generator) ?? [];
    }

    public override void Draw(RunFolder run, long epoch, bool last)
    {
        if (last)
            Grid(FinalSide).SavePng(run.PathOf("samples-final.png"));
        if (epoch % _grid.Every == 0)
            Grid(_grid.Side).SavePng(run.PathOf($"samples-{epoch:D4}.png"));
    }

    // One row for each class, the codes of all rows being the same; or as many codes as fit into a square.
    private Picture Grid(int side)
    {
        int classes = _generator.Classes, rows = classes > 0 ? classes : side, codesDrawn = classes > 0 ? side : rows * side;
        float[] drawn = new float[codesDrawn * _generator.Latent], codes = new float[rows * side * _generator.Latent];
        _generator.DrawCodes(SampleSeed, 0, drawn);
        byte[] labels = new byte[classes > 0 ? rows * side : 0];
        for (int i = 0; i < codes.Length; i++)
            codes[i] = drawn[i % drawn.Length];
        for (int i = 0; i < labels.Length; i++)
            labels[i] = (byte)(i / side);
        float[] images = new float[rows * side * _generator.ImageLength];
        _generator.Generate(codes, images, labels);
        Shape s = _generator.Spec.Output;
        return ImageGrid.Compose(ImageGrid.ToBytes(images), s[0], s[1], s[2], rows, side);
    }

    public override void SaveGenerator(string path) => _generator.Save(path);

    public override void PrintVerdict(IReadOnlyList<Metric> losses)
    {
        if (_measured is [Metric real, Metric fake])
            Console.WriteLine($"result    the discriminator calls {real.Value:P0} of real images real and {fake.Value:P0} of generated ones generated");
        else
            Console.WriteLine($"result    {string.Join(", ", losses.Select(m => $"{m.Key} {ProgressDisplay.Number(m.Value)}"))}");
    }

    public override void Dispose() => _generator.Dispose();
}

/// <summary>How often a discriminator is right on real and on generated samples.</summary>
internal sealed class Accuracy
{
    /// <summary>Samples of either kind, at most.</summary>
    public const int Samples = 150;

    private const ulong Seed = 2;

    private readonly Device _device;
    private readonly AdversarialModel _model;
    private readonly float[] _real;
    private readonly byte[] _labels;

    /// <param name="device">The device of the model.</param>
    /// <param name="model">Whose discriminator.</param>
    /// <param name="real">Real samples as a generator gives them: images in [0, 1], or points.</param>
    /// <param name="labels">Their labels, where there are classes; generated samples get the same.</param>
    public Accuracy(Device device, AdversarialModel model, float[] real, byte[] labels) => (_device, _model, _real, _labels) = (device, model, real, labels);

    /// <summary>accuracy.real and accuracy.fake, each from 0 to 1. Overwrites the model's batch, which every step loads anew.</summary>
    public Metric[] Measure(Generator generator)
    {
        int count = _real.Length / generator.ImageLength;
        float[] codes = new float[count * generator.Latent], fake = new float[_real.Length];
        generator.DrawCodes(Seed, 0, codes);
        generator.Generate(codes, fake, _labels);
        return [new("accuracy.real", Share(_real, real: true)), new("accuracy.fake", Share(fake, real: false))];
    }

    private double Share(float[] samples, bool real)
    {
        Network network = _model.Discriminator;
        Tensor x = network.X, y = network.Y;
        int length = x.Shape.RowLength, count = samples.Length / length, right = 0;
        float[] batch = new float[x.Length], labels = new float[_model.Labels.Length];
        for (int first = 0; first < count; first += x.Shape.Rows)
        {
            int rows = Math.Min(x.Shape.Rows, count - first);
            for (int i = 0; i < rows * length; i++)
                batch[i] = _model.Spec.Range == OutputRange.Symmetric ? 2 * samples[first * length + i] - 1 : samples[first * length + i];
            _device.Upload(x, batch);
            Array.Clear(labels);
            for (int i = 0; i < (labels.Length == 0 ? 0 : rows); i++)
                labels[i * _model.Spec.Classes + _labels[first + i]] = 1;
            if (labels.Length > 0)
                _device.Upload(_model.Labels, labels);
            network.Infer(_device);
            float[] scores = _device.ToArray(y);
            for (int i = 0; i < rows; i++)
                right += SaysReal(scores.AsSpan(i * y.Shape.RowLength, y.Shape.RowLength)) == real ? 1 : 0;
        }
        return (double)right / count;
    }

    // One logit, or one for each of generated and real.
    private static bool SaysReal(ReadOnlySpan<float> score) => score.Length == 1 ? score[0] > 0 : score[1] > score[0];
}
