using System.Globalization;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// A generator or decoder alone: codes to images, from one file or from a model that is being trained. It takes as much memory as its
/// parameters and one batch of activations, and <see cref="Generate"/> allocates nothing.
/// </summary>
public sealed class Generator : IDisposable
{
    private const string Format = "cudagen-generator-2";
    private const uint SampleStream = 0x5A3B;

    // Images from which the statistics of batch norms are taken where training kept none: 40 batches of at least 50.
    private const int CalibrationBatches = 40, CalibrationBatch = 50;
    private const ulong CalibrationSeed = 0xCA11B;

    private readonly Planner _planner;
    private readonly float[] _hot;
    private Network _network = null!;
    private bool _disposed;
    private Tensor _code, _labels, _codeMean, _codeDeviation;

    private Generator(Device device, string model, GeneratorSpec spec, int batch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        (Model, Spec) = (model, spec);
        _planner = Planner.Allocate(device, batch, false, planner =>
        {
            (_network, _code, _labels) = Plan(planner, spec);
            (_codeMean, _codeDeviation) = (planner.Activation(new(spec.Latent)), planner.Activation(new(spec.Latent)));
        });
        _hot = new float[batch * spec.Classes];
        device.Upload(_codeDeviation, [.. Enumerable.Repeat(1f, spec.Latent)]);
    }

    private static (Network Network, Tensor Code, Tensor Labels) Plan(Planner planner, GeneratorSpec spec)
    {
        Tensor code = planner.Activation(new(planner.Batch, spec.Latent));
        Tensor labels = spec.Classes > 0 ? planner.Activation(new(planner.Batch, spec.Classes)) : default;
        planner.Group("");
        Network network = spec.Build(labels);
        network.Plan(planner, code);
        // Where a file contradicts itself, such as an image that is no multiple of what its layers double.
        if (network.Y.Shape != spec.Batch(planner.Batch))
            throw new InputException($"{spec.Architecture}: found sizes of outputs {spec.Output}, its layers make {network.Y.Shape.WithRows(1)}");
        return (network, code, labels);
    }

    private Device Device
    {
        get
        {
            // The memory of its tensors is given back.
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _planner.Device;
        }
    }

    /// <summary>A generator of the model's kind, without its parameters yet: <see cref="Update"/> takes them over.</summary>
    public static Generator Of(Model model, int batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        // A variance of one image does not exist.
        return new(model.Device, model.Kind, model.Spec, Math.Max(batch, CalibrationBatch));
    }

    /// <summary>Name of the model that it was trained in.</summary>
    public string Model { get; }

    /// <summary>Architecture and sizes.</summary>
    public GeneratorSpec Spec { get; }

    /// <summary>Images that one pass makes.</summary>
    public int Batch => _planner.Batch;

    /// <summary>Length of a code.</summary>
    public int Latent => Spec.Latent;

    /// <summary>Classes that an image can be asked of; 0 where it cannot.</summary>
    public int Classes => Spec.Classes;

    /// <summary>Where <see cref="Infer"/> reads codes: (batch, latent) in device memory.</summary>
    public Tensor Codes => _code;

    /// <summary>
    /// Where it leaves the images: (batch, height, width, channels) in device memory, in the range of the network's last activation.
    /// </summary>
    public Tensor Images => _network.Y;

    /// <summary>
    /// The pass alone, on <see cref="Codes"/> and the labels of the last <see cref="Generate"/>, for an application that keeps both ends on the
    /// device. It does not wait, and after one <see cref="Generate"/> it can be recorded (<see cref="Device.Capture"/>).
    /// </summary>
    public void Infer() => _network.Infer(Device);

    /// <summary>Floats of an image: height x width x channels, row-major, channels last.</summary>
    public int ImageLength => Spec.Output.Length;

    /// <summary>Mean of the codes that the decoder was trained on, (latent): 0 but for an autoencoder.</summary>
    public float[] CodeMean => Device.ToArray(_codeMean);

    /// <summary>Standard deviation of those codes, (latent): 1 but for an autoencoder.</summary>
    public float[] CodeDeviation => Device.ToArray(_codeDeviation);

    /// <summary>
    /// Draws codes for the samples <paramref name="first"/>, <paramref name="first"/> + 1, ... of a seed. Code i is a function of
    /// (seed, i) and of the distribution that the generator was trained on.
    /// </summary>
    /// <param name="seed">Any number.</param>
    /// <param name="first">Number of the first sample.</param>
    /// <param name="codes">(n, latent), overwritten.</param>
    /// <exception cref="ShapeException">The length is no whole number of codes.</exception>
    public void DrawCodes(ulong seed, ulong first, Span<float> codes)
    {
        if (codes.Length % Latent != 0)
            throw new ShapeException($"DrawCodes: {codes.Length} floats are no codes of {Latent}");
        float[] mean = CodeMean, deviation = CodeDeviation;
        for (int row = 0; row < codes.Length / Latent; row++)
        {
            Span<float> code = codes.Slice(row * Latent, Latent);
            for (int j = 0; j < code.Length; j++)
                code[j] = mean[j] + deviation[j] * Draw(seed, first + (ulong)row, j);
        }
    }

    private float Draw(ulong seed, ulong sample, int element)
    {
        (uint a, uint b, uint c, uint d) = Philox.Words(seed, SampleStream, sample, (uint)element / 4);
        if (Spec.Codes == CodeDistribution.Uniform)
            return 2 * Philox.Unit((element % 4) switch { 0 => a, 1 => b, 2 => c, _ => d }) - 1;
        (float even, float odd) = element % 4 < 2 ? Philox.NormalPair(a, b) : Philox.NormalPair(c, d);
        return element % 2 == 0 ? even : odd;
    }

    /// <summary>
    /// Any number of codes to images, a batch at a time.
    /// </summary>
    /// <param name="codes">(n, latent)</param>
    /// <param name="images">(n, height, width, channels) in [0, 1], or points (n, dimensions); overwritten.</param>
    /// <param name="labels">(n), each below <see cref="Classes"/>; empty where there are no classes.</param>
    /// <exception cref="ShapeException">The lengths do not fit.</exception>
    /// <exception cref="InvalidOperationException">The device is at work for another thread.</exception>
    public void Generate(ReadOnlySpan<float> codes, Span<float> images, ReadOnlySpan<byte> labels = default)
    {
        int latent = Latent, count = codes.Length / latent;
        if (codes.Length != count * latent || images.Length != count * ImageLength)
        {
            throw new ShapeException($"Generate: {codes.Length} floats are no codes of {latent}, "
                + $"or {images.Length} floats are not as many images of {ImageLength}");
        }
        if (labels.Length != (Classes > 0 ? count : 0))
            throw new ShapeException($"Generate: {labels.Length} labels for {count} codes of a generator of {Classes} classes");
        Device device = Device;
        device.Enter();
        try
        {
            for (int done = 0; done < count; done += Batch)
            {
                int rows = Math.Min(Batch, count - done);
                device.Upload(_code.Rows(0, rows), codes.Slice(done * latent, rows * latent));
                if (Classes > 0)
                    UploadLabels(labels.Slice(done, rows));
                Infer();
                Span<float> target = images.Slice(done * ImageLength, rows * ImageLength);
                device.Download(_network.Y.Rows(0, rows), target);
                ToUnit(target);
            }
        }
        finally
        {
            device.Leave();
        }
    }

    private void UploadLabels(ReadOnlySpan<byte> labels)
    {
        Array.Clear(_hot);
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] >= Classes)
                throw new ShapeException($"Generate: label {labels[i]} of a generator of {Classes} classes");
            _hot[i * Classes + labels[i]] = 1;
        }
        Device.Upload(_labels, _hot);
    }

    private void ToUnit(Span<float> values)
    {
        if (Spec.Range != OutputRange.Symmetric)
            return;
        // A decoder without an activation at its end may leave the range.
        for (int i = 0; i < values.Length; i++)
            values[i] = Math.Clamp(0.5f * values[i] + 0.5f, 0, 1);
    }

    /// <summary>
    /// Takes over the parameters of a model on the same device: averaged ones where it averages them. Statistics of batch norms that
    /// the model has not kept, or not for these parameters, are taken from the images that they make.
    /// </summary>
    public void Update(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        Dictionary<string, Tensor> theirs = (model is AdversarialModel gan ? gan.GeneratorTensors() : model.Groups[0].Tensors())
            .ToDictionary(t => t.Name, t => t.Tensor);
        foreach (NamedTensor ours in _planner.Groups[0].Tensors())
            Device.Copy(ours.Tensor, theirs[ours.Name]);
        if (model is AdversarialModel { HasStatistics: false })
            Calibrate();
    }

    /// <summary>Sets the distribution of codes of a decoder whose codes are not N(0, 1).</summary>
    /// <param name="mean">(latent)</param>
    /// <param name="deviation">(latent)</param>
    public void SetCodes(ReadOnlySpan<float> mean, ReadOnlySpan<float> deviation)
    {
        Device.Upload(_codeMean, mean);
        Device.Upload(_codeDeviation, deviation);
    }

    // Momentum 1, 1/2, 1/3, ...: the mean of the statistics of all batches, each normalised by its own as in training.
    private void Calibrate()
    {
        BatchNormLayer[] norms = [.. _network.Layers.OfType<BatchNormLayer>()];
        if (norms.Length == 0)
            return;
        float[] codes = new float[_code.Length];
        for (int i = 0; i < CalibrationBatches; i++)
        {
            DrawCodes(CalibrationSeed, (ulong)(i * Batch), codes);
            Device.Upload(_code, codes);
            foreach (BatchNormLayer norm in norms)
                norm.Momentum = 1f / (i + 1);
            _network.Forward(Device);
        }
    }

    /// <summary>Writes all that <see cref="Load"/> needs to one file.</summary>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public void Save(string path)
    {
        var file = new SafeTensors();
        file.Metadata["format"] = Format;
        file.Metadata["architecture"] = Spec.Architecture;
        file.Metadata["model"] = Model;
        file.Metadata["codes"] = Name(Spec.Codes);
        file.Metadata["range"] = Name(Spec.Range);
        file.Metadata["layout"] = "images (N,H,W,C); convolutions (out,kh,kw,in); transposed ones (in,kh,kw,out); dense (out,in)";
        foreach ((string key, int value) in Spec.Sizes)
            file.Metadata[SizePrefix + key] = value.ToString(CultureInfo.InvariantCulture);
        foreach (NamedTensor tensor in _planner.Groups[0].Tensors())
            file.Add(Device, tensor);
        file.Add(Device, new("code.mean", _codeMean));
        file.Add(Device, new("code.deviation", _codeDeviation));
        file.Write(path);
    }

    private const string SizePrefix = "size.";

    private static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    /// <summary>Reads a generator and plans it for a batch.</summary>
    /// <exception cref="InputException">The file is missing, damaged or of another kind.</exception>
    public static Generator Load(Device device, string path, int batch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        SafeTensors file = SafeTensors.Read(path);
        string format = file.ExpectMetadata("format");
        if (format != Format)
            throw new InputException($"{path}: found '{format}', expected '{Format}': a generator.safetensors of a run");
        GeneratorSpec spec = new(file.ExpectMetadata("architecture"), Sizes(file), Choice<CodeDistribution>(file, "codes"),
            Choice<OutputRange>(file, "range"));
        Generator generator;
        try
        {
            // No memory on the word of the metadata: first all tensors must be there in the shapes that the sizes ask for.
            Planner.Measure(device, 1, false, planner => Plan(planner, spec), file.Require).Dispose();
            generator = new Generator(device, file.ExpectMetadata("model"), spec, batch);
        }
        catch (Exception e) when (e is ShapeException || (e is InputException && !e.Message.StartsWith(path, StringComparison.Ordinal)))
        {
            throw new InputException($"{path}: {e.Message}", e);
        }
        try
        {
            foreach (NamedTensor tensor in generator._planner.Groups[0].Tensors())
                file.CopyTo(device, tensor);
            file.CopyTo(device, new NamedTensor("code.mean", generator._codeMean));
            file.CopyTo(device, new NamedTensor("code.deviation", generator._codeDeviation));
            file.RequireFinite();
            return generator;
        }
        catch
        {
            generator.Dispose();
            throw;
        }
    }

    private static Dictionary<string, int> Sizes(SafeTensors file)
    {
        Dictionary<string, int> sizes = [];
        foreach ((string key, string text) in file.Metadata.Where(m => m.Key.StartsWith(SizePrefix, StringComparison.Ordinal)))
        {
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) || value > SizeRange.Most)
                throw new InputException($"{file.Path}: metadata '{key}': found '{text}', expected a whole number from 0 to {SizeRange.Most}");
            sizes[key[SizePrefix.Length..]] = value;
        }
        return sizes;
    }

    private static T Choice<T>(SafeTensors file, string key) where T : struct, Enum
    {
        string text = file.ExpectMetadata(key);
        foreach (T value in Enum.GetValues<T>())
        {
            if (Name(value) == text)
                return value;
        }
        throw new InputException($"{file.Path}: metadata '{key}': found '{text}', expected {string.Join(" or ", Enum.GetValues<T>().Select(Name))}");
    }

    public void Dispose()
    {
        _disposed = true;
        _planner.Dispose();
    }
}
