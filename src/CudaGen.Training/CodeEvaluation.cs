using CudaGen.Kernels;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// What is measured and drawn at the end of an epoch: reconstruction of the test set from the mean code, the divergence of
/// the posterior, a grid of samples on noise that is always the same.
/// </summary>
internal sealed class CodeEvaluation : Evaluation
{
    private const int GridRows = 10, GridColumns = 10;
    private const uint SampleStream = 0x5A3B;

    // A posterior has collapsed when the code carries less than half a nat, a digit being worth 2.3, and the decoder does
    // no better with it than the mean image.
    private const double CollapseNats = 0.5, CollapseShare = 0.95;

    // A dimension whose divergence is below this many nats is not used (Burda et al. 2016 count by variance; the two
    // agree but for a few).
    private const double ActiveNats = 0.01;

    private readonly Device _device;
    private readonly CodeModel _model;
    private readonly ImageData _images;
    private readonly Generator _generator;
    private readonly Recipe _recipe;
    private readonly ImageSet _set;
    private readonly float[] _codes, _noise, _mean, _deviation;
    private readonly double _meanImageError;
    private double _error;
    private double[] _divergence = [];

    public CodeEvaluation(Device device, CodeModel model, ImageSet set, Recipe recipe)
    {
        (_device, _model, _set, _recipe) = (device, model, set, recipe);
        _images = new ImageData(device, set.Parts, set.Height, set.Width, set.Channels);
        _generator = Generator.Of(model, 1);
        int latent = model.Latent;
        _codes = new float[set.Count * latent];
        _mean = new float[latent];
        _deviation = new float[latent];
        _noise = new float[GridRows * GridColumns * latent];
        using var arena = new Arena(device, "sample noise", (_noise.Length + 64) * sizeof(float));
        Buffer<ulong> step = arena.Take<ulong>(1);
        Tensor noise = arena.Take(new Shape(_noise.Length));
        RandomFill.Normal(device, noise, model.Seed, SampleStream, step);
        device.Download(noise, _noise);
        _meanImageError = MeanImageError(set);
    }

    /// <summary>Keys of what <see cref="Run"/> measures.</summary>
    public override IReadOnlyList<string> Names => _model.HasPosterior ? ["test.mse", "test.kl"] : ["test.mse"];

    /// <summary>
    /// test.mse, over all pixels of all test images, in units of [0, 1] squared; test.kl, in nats, summed over the
    /// dimensions of the code, mean over images.
    /// </summary>
    public override Metric[] Run()
    {
        int batch = _model.Batch, latent = _model.Latent;
        double sum = 0;
        double[] divergence = new double[latent];
        for (int first = 0; first < _images.Count; first += batch)
        {
            int rows = Math.Min(batch, _images.Count - first);
            Minibatch.Slice(_device, _model.Images, _images.Pixels, first, 1f / 255, 0);
            _model.Encode();
            double[] part = _model.DivergenceByDimension(rows);
            for (int j = 0; j < latent; j++)
                divergence[j] += part[j] / _images.Count;
            _device.Download(_model.MeanCode.Rows(0, rows), _codes.AsSpan(first * latent, rows * latent));
            BiasActivation.Apply(_device, _model.Code, _model.MeanCode, Activation.Linear);
            _model.Decode();
            sum += SquaredError(_device.ToArray(_model.Reconstructions.Rows(0, rows)), _device.ToArray(_model.Images.Rows(0, rows)));
        }
        _error = sum / ((double)_images.Count * _set.ImageLength);
        _divergence = divergence;
        DescribeCodes();
        return _model.HasPosterior ? [new("test.mse", _error), new("test.kl", _divergence.Sum())] : [new("test.mse", _error)];
    }

    private static double SquaredError(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            double d = a[i] - b[i];
            sum += d * d;
        }
        return sum;
    }

    // A VAE's codes are drawn from N(0, I). An autoencoder's are not trained to any distribution; the nearest thing is a
    // Gaussian with the mean and deviation that the codes of the test set have.
    private void DescribeCodes()
    {
        int latent = _model.Latent;
        for (int j = 0; j < latent; j++)
        {
            if (_model.HasPosterior)
            {
                (_mean[j], _deviation[j]) = (0, 1);
                continue;
            }
            double sum = 0, squares = 0;
            for (int i = j; i < _codes.Length; i += latent)
            {
                sum += _codes[i];
                squares += (double)_codes[i] * _codes[i];
            }
            double mean = sum / _images.Count;
            (_mean[j], _deviation[j]) = ((float)mean, (float)Math.Sqrt(Math.Max(0, squares / _images.Count - mean * mean)));
        }
    }

    public override void Draw(RunFolder run, long epoch, bool last)
    {
        Samples().SavePng(run.PathOf($"samples-{epoch:D4}.png"));
        if (_model.Latent == 2)
            Scatter().SavePng(run.PathOf($"latent-{epoch:D4}.png"));
    }

    /// <summary>
    /// Left, fifty test images, each with its reconstruction to its right; right, a hundred images decoded from random
    /// codes. Call after <see cref="Run"/>.
    /// </summary>
    private Picture Samples()
    {
        const int count = GridRows * GridColumns;
        int latent = _model.Latent, image = _set.ImageLength, pairs = Math.Min(count / 2, _set.Count);
        byte[] left = new byte[count * image];
        byte[] decoded = Decode(_codes.AsSpan(0, pairs * latent));
        for (int i = 0; i < pairs; i++)
        {
            _set.Image(i).CopyTo(left.AsSpan(2 * i * image));
            decoded.AsSpan(i * image, image).CopyTo(left.AsSpan((2 * i + 1) * image));
        }
        float[] codes = new float[_noise.Length];
        for (int i = 0; i < codes.Length; i++)
            codes[i] = _mean[i % latent] + _deviation[i % latent] * _noise[i];
        return Picture.SideBySide(
            ImageGrid.Compose(left, _set.Height, _set.Width, _set.Channels, GridRows, GridColumns),
            ImageGrid.Compose(Decode(codes), _set.Height, _set.Width, _set.Channels, GridRows, GridColumns));
    }

    private byte[] Decode(ReadOnlySpan<float> codes)
    {
        int latent = _model.Latent, count = codes.Length / latent, image = _set.ImageLength;
        byte[] bytes = new byte[count * image];
        for (int first = 0; first < count; first += _model.Batch)
        {
            int rows = Math.Min(_model.Batch, count - first);
            _device.Upload(_model.Code.Rows(0, rows), codes.Slice(first * latent, rows * latent));
            _model.Decode();
            ImageGrid.ToBytes(_device.ToArray(_model.Reconstructions.Rows(0, rows))).CopyTo(bytes, first * image);
        }
        return bytes;
    }

    /// <summary>The codes of the test set, coloured by label; for codes of length 2. Call after <see cref="Run"/>.</summary>
    private Picture Scatter() => ScatterPlot.Draw(_codes, _set.Labels);

    /// <summary>Writes the decoder. Call after <see cref="Run"/>.</summary>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public override void SaveGenerator(string path)
    {
        _generator.Update(_model);
        _generator.SetCodes(_mean, _deviation);
        _generator.Save(path);
    }

    /// <summary>Says in words what the last numbers mean, and when the posterior of the seed recipe has collapsed.</summary>
    public override void PrintVerdict(IReadOnlyList<Metric> losses)
    {
        string against = $"test.mse {_error:F4}, the mean image alone gives {_meanImageError:F4}";
        if (!_model.HasPosterior)
        {
            Console.WriteLine($"result    {against}");
            return;
        }
        double nats = _divergence.Sum();
        int active = _divergence.Count(x => x > ActiveNats);
        if (_recipe == Recipe.Seed && nats < CollapseNats && _error > CollapseShare * _meanImageError)
        {
            Console.WriteLine($"result    posterior collapse: the code says nothing about the image. KL {nats:F4} nats, "
                + $"{active} of {_divergence.Length} dimensions in use; {against}");
            Console.WriteLine("          docs/models.md proves that the loss of the seed recipe ends here; --recipe canonical does not");
        }
        else
            Console.WriteLine($"result    {against}; KL {nats:F1} nats, {active} of {_divergence.Length} dimensions in use");
    }

    // The variance of a pixel over the test set, averaged over pixels.
    private static double MeanImageError(ImageSet set)
    {
        long[] sums = new long[set.ImageLength], squares = new long[set.ImageLength];
        for (int i = 0; i < set.Count; i++)
        {
            ReadOnlySpan<byte> image = set.Image(i);
            for (int p = 0; p < image.Length; p++)
            {
                sums[p] += image[p];
                squares[p] += image[p] * image[p];
            }
        }
        double total = 0;
        for (int p = 0; p < set.ImageLength; p++)
        {
            double mean = (double)sums[p] / set.Count;
            total += (double)squares[p] / set.Count - mean * mean;
        }
        return total / set.ImageLength / (255 * 255);
    }

    public override void Dispose()
    {
        _generator.Dispose();
        _images.Dispose();
    }
}
