using System.Globalization;
using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// A decoder alone: codes to images, from one file. It takes as much memory as its parameters and one batch of
/// activations, and <see cref="Generate"/> allocates nothing.
/// </summary>
public sealed class Generator : IDisposable
{
    private const string Format = "cudagen-generator-1", Architecture = "conv-decoder";

    private readonly Planner _planner;
    private readonly ConvDecoder _decoder;
    private Tensor _code, _codeMean, _codeDeviation;

    private Generator(Device device, ConvSizes sizes, int batch)
    {
        Sizes = sizes;
        _decoder = new ConvDecoder(sizes, Activation.Sigmoid);
        _planner = Planner.Allocate(device, batch, false, planner =>
        {
            _code = planner.Activation(new Shape(batch, sizes.Latent));
            _codeMean = planner.Activation(new Shape(sizes.Latent));
            _codeDeviation = planner.Activation(new Shape(sizes.Latent));
            _decoder.Plan(planner, _code);
        });
    }

    public ConvSizes Sizes { get; }

    /// <summary>Images that one pass makes.</summary>
    public int Batch => _planner.Batch;

    /// <summary>Floats of an image: height x width x channels, row-major, channels last.</summary>
    public int ImageLength => Sizes.Image * Sizes.Image;

    /// <summary>Mean of the codes that the decoder was trained on, (latent): 0 for a VAE.</summary>
    public float[] CodeMean => _planner.Device.ToArray(_codeMean);

    /// <summary>Standard deviation of those codes, (latent): 1 for a VAE.</summary>
    public float[] CodeDeviation => _planner.Device.ToArray(_codeDeviation);

    /// <summary>
    /// Decodes any number of codes, a batch at a time.
    /// </summary>
    /// <param name="codes">(n, latent)</param>
    /// <param name="images">(n, image, image, 1) in [0, 1], overwritten.</param>
    /// <exception cref="ShapeException">The lengths do not fit.</exception>
    public void Generate(ReadOnlySpan<float> codes, Span<float> images)
    {
        int latent = Sizes.Latent, count = codes.Length / latent;
        if (codes.Length != count * latent || images.Length != count * ImageLength)
        {
            throw new ShapeException($"Generate: {codes.Length} floats are no codes of {latent}, "
                + $"or {images.Length} floats are not as many images of {ImageLength}");
        }
        for (int done = 0; done < count; done += Batch)
        {
            int rows = Math.Min(Batch, count - done);
            _planner.Device.Upload(_code.Rows(0, rows), codes.Slice(done * latent, rows * latent));
            _decoder.Forward(_planner.Device);
            _planner.Device.Download(_decoder.Y.Rows(0, rows), images.Slice(done * ImageLength, rows * ImageLength));
        }
    }

    /// <summary>Writes the decoder of a model, with what is needed to draw codes for it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="path">The file.</param>
    /// <param name="codeMean">(latent)</param>
    /// <param name="codeDeviation">(latent)</param>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public static void Save(CodeModel model, string path, ReadOnlySpan<float> codeMean, ReadOnlySpan<float> codeDeviation)
    {
        ArgumentNullException.ThrowIfNull(model);
        var file = new SafeTensors();
        file.Metadata["format"] = Format;
        file.Metadata["architecture"] = Architecture;
        file.Metadata["model"] = model.Kind;
        file.Metadata["layout"] = "images (N,H,W,C); transposed convolutions (in,kh,kw,out); dense (out,in); outputs through a sigmoid";
        foreach ((string key, int value) in Described(model.Sizes))
            file.Metadata[key] = value.ToString(CultureInfo.InvariantCulture);
        foreach (Parameter p in model.Parameters.Where(p => IsOfDecoder(p.Name)))
            file.Add(model.Device, new NamedTensor(p.Name, p.Value));
        file.Add("code.mean", [codeMean.Length], codeMean);
        file.Add("code.deviation", [codeDeviation.Length], codeDeviation);
        file.Write(path);
    }

    /// <summary>Reads a generator and plans it for a batch.</summary>
    /// <exception cref="InputException">The file is missing, damaged or of another kind.</exception>
    public static Generator Load(Device device, string path, int batch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        SafeTensors file = SafeTensors.Read(path);
        string format = file.ExpectMetadata("format"), architecture = file.ExpectMetadata("architecture");
        if (format != Format || architecture != Architecture)
            throw new InputException($"{path}: found '{format}' with '{architecture}', expected '{Format}' with '{Architecture}'");
        ConvSizes sizes = new(Number("image"), Number("latent"), Number("width1"), Number("width2"));
        sizes.Check();
        var generator = new Generator(device, sizes, batch);
        try
        {
            foreach (Parameter p in generator._planner.Parameters)
                file.CopyTo(device, new NamedTensor(p.Name, p.Value));
            file.CopyTo(device, new NamedTensor("code.mean", generator._codeMean));
            file.CopyTo(device, new NamedTensor("code.deviation", generator._codeDeviation));
            return generator;
        }
        catch
        {
            generator.Dispose();
            throw;
        }

        // Beyond 65536 no extent makes sense, and products of them could overflow.
        int Number(string key) => int.TryParse(file.ExpectMetadata(key), NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            && value is > 0 and <= 65536
            ? value
            : throw new InputException($"{path}: metadata '{key}': found '{file.Metadata[key]}', expected a whole number from 1 to 65536");
    }

    private static (string, int)[] Described(ConvSizes s)
        => [("image", s.Image), ("latent", s.Latent), ("width1", s.Width1), ("width2", s.Width2)];

    private static bool IsOfDecoder(string parameter)
        => parameter.StartsWith("z_matrix.", StringComparison.Ordinal) || parameter.StartsWith("deconv", StringComparison.Ordinal);

    public void Dispose() => _planner.Dispose();
}
