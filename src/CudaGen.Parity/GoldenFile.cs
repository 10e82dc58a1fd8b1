using System.Globalization;
using System.Text.Json;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>
/// What a golden file expects of one tensor: all its elements, or, of a large one, the elements at
/// <paramref name="Indices"/> and the sum, Euclidean norm and largest magnitude of them all.
/// </summary>
/// <param name="Name">Name without "expected.".</param>
/// <param name="Extents">Extents of the whole tensor; null where only samples are stored.</param>
/// <param name="Values">The elements, in PyTorch's order.</param>
/// <param name="Indices">Where the values are in the tensor; null where they are all of it.</param>
/// <param name="Statistics">Sum, norm and largest magnitude; null where all elements are stored.</param>
public sealed record ExpectedTensor(string Name, int[]? Extents, float[] Values, int[]? Indices, float[]? Statistics)
{
    /// <summary>The largest magnitude of the whole tensor.</summary>
    public double Largest { get; } = Statistics is null ? Values.Aggregate(0.0, (a, b) => Math.Max(a, Math.Abs((double)b))) : Statistics[2];

    /// <summary>The place of the i-th value in the tensor.</summary>
    public int IndexOf(int i) => Indices is null ? i : Indices[i];
}

/// <summary>
/// A file of golden vectors (format "peer-golden-1"): parameters and inputs of a network or of single operations, and
/// what PyTorch computed from them in float64. Parameters and inputs are stored or described by a recipe to generate
/// them. See tests/golden/make_golden.py.
/// </summary>
public sealed class GoldenFile
{
    /// <summary>Value of the metadata "model" of a file of single operations.</summary>
    public const string Operations = "ops";

    private const string ExpectedPrefix = "expected.", SamplePrefix = "sample.", CaseMarker = ".expected.";

    private readonly SafeTensors _file;
    private readonly Dictionary<string, double> _deviations = [];
    // Images of a batch, or training steps: of a damaged number there would be no end.
    private const int MostCounted = 65536;

    private readonly HashSet<string> _zeroGradients = [];
    private readonly Dictionary<string, JsonElement> _recipe = [];
    private readonly JsonElement _config, _hyper;

    private GoldenFile(SafeTensors file)
    {
        _file = file;
        Model = Text("model");
        Architecture = file.Metadata.TryGetValue("architecture", out string? architecture) ? architecture : Model;
        foreach (JsonProperty tensor in Fields("f32_deviation"))
            _deviations[tensor.Name.Replace(CaseMarker, ".", StringComparison.Ordinal)] = Number(tensor.Value, "abs", "f32_deviation", tensor.Name);
        foreach (JsonProperty tensor in Fields("recipe"))
            _recipe[tensor.Name] = tensor.Value;
        if (Json("analytic_zero_grad") is { } zero)
            _zeroGradients.UnionWith(zero.EnumerateArray().Select(name => name.GetString() ?? ""));
        (_config, _hyper) = (Json("config") ?? default, Json("hyper") ?? default);
        foreach (JsonProperty attributes in Fields("cases"))
            Cases[attributes.Name] = attributes.Value;
        Expected = [.. FindExpected().OrderBy(t => t.Name, StringComparer.Ordinal)];
        if (Expected.Count == 0)
            throw Wrong("found nothing that it expects, expected a file of golden vectors");
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">There is none, it is damaged, or it is no file of golden vectors.</exception>
    public static GoldenFile Read(string path)
    {
        SafeTensors file = SafeTensors.Read(path);
        try
        {
            return new GoldenFile(file);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new InputException($"{path}: found unreadable metadata, expected those of golden vectors: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    public string Path => _file.Path;

    /// <summary>Name of the file without its extension.</summary>
    public string Name => System.IO.Path.GetFileNameWithoutExtension(_file.Path);

    /// <summary>What the file is called after; several models can be of one architecture.</summary>
    public string Model { get; }

    public string Architecture { get; }

    /// <summary>Whether the parameters are generated: the full widths of a model.</summary>
    public bool IsFull => _recipe.Count > 0;

    /// <summary>What has to be computed, by name.</summary>
    public IReadOnlyList<ExpectedTensor> Expected { get; }

    /// <summary>The attributes of single operations, by name of the case.</summary>
    public Dictionary<string, JsonElement> Cases { get; } = [];

    /// <summary>Largest difference of torch's float32 from float64 in a tensor; 0 where the file does not say.</summary>
    public double Deviation(string name) => _deviations.GetValueOrDefault(name);

    /// <summary>Whether a gradient is zero in real arithmetic, so that all of it is round-off.</summary>
    public bool IsZeroGradient(string name) => _zeroGradients.Contains(name);

    /// <summary>The expected tensor of that name, or null.</summary>
    public ExpectedTensor? Find(string name) => Expected.FirstOrDefault(t => t.Name == name);

    /// <summary>A number of images in a batch, or a similar count, straight from the metadata.</summary>
    public int Count(string key, int? otherwise = null)
    {
        if (!_file.Metadata.TryGetValue(key, out string? text) && otherwise is { } value)
            return value;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is > 0 and <= MostCounted
            ? count
            : throw Wrong($"metadata '{key}': found '{text}', expected a whole number from 1 to {MostCounted}");
    }

    /// <summary>A size of the network.</summary>
    public int Size(string key) => _config.ValueKind == JsonValueKind.Object && _config.TryGetProperty(key, out JsonElement value)
        && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int size) && size > 0
        ? size
        : throw Wrong($"metadata 'config': found no whole number above 0 as '{key}', expected the sizes of the network");

    /// <summary>A number in the configuration of the network.</summary>
    public double Real(string key) => _config.ValueKind == JsonValueKind.Object && _config.TryGetProperty(key, out JsonElement value)
        && value.ValueKind == JsonValueKind.Number
        ? value.GetDouble()
        : throw Wrong($"metadata 'config': found no number '{key}', expected the numbers of the network");

    /// <summary>Several numbers, such as the widths of the layers.</summary>
    public IReadOnlyList<double> Reals(string key) => _config.ValueKind == JsonValueKind.Object && _config.TryGetProperty(key, out JsonElement value)
        && value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(e => e.ValueKind == JsonValueKind.Number)
        ? [.. value.EnumerateArray().Select(e => e.GetDouble())]
        : throw Wrong($"metadata 'config': found no list of numbers '{key}', expected the sizes of the network");

    /// <summary>Several sizes.</summary>
    public IReadOnlyList<int> Sizes(string key) => [.. Reals(key).Select(value => value is >= 1 and <= 1 << 20 && value == Math.Floor(value)
        ? (int)value
        : throw Wrong($"metadata 'config': found {value} in '{key}', expected whole numbers above 0"))];

    /// <summary>A number of the training, or null where the file has none.</summary>
    public double? HyperReal(string key)
    {
        if (_hyper.ValueKind != JsonValueKind.Object || !_hyper.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
            return null;
        return value.ValueKind == JsonValueKind.Number
            ? value.GetDouble()
            : throw Wrong($"metadata 'hyper': found {value.ValueKind.ToString().ToLowerInvariant()} '{key}', expected a number or null");
    }

    /// <summary>A count of the training.</summary>
    public int Hyper(string key, int otherwise) => HyperReal(key) is not { } value ? otherwise
        : value is >= 1 and <= 1000 && value == Math.Floor(value) ? (int)value
        : throw Wrong($"metadata 'hyper': found {key} {value}, expected a whole number from 1 to 1000");

    /// <summary>The bound of the discriminator's parameters, or null where they have none.</summary>
    public float? Clip => HyperReal("clip") is not { } value ? null
        : (float)value is > 0 and < float.PositiveInfinity ? (float)value
        : throw Wrong($"metadata 'hyper': found clip {value}, expected a number above 0 or null");

    /// <summary>Epsilon of a batch norm, and the share of a batch in its running statistics.</summary>
    public (float Epsilon, float Momentum) BatchNorm(string net, string layer)
    {
        JsonElement at = _hyper;
        foreach (string key in new[] { "bn", net, layer })
        {
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(key, out at))
                throw Wrong($"metadata 'hyper': found no batch norm '{net}.{layer}'");
        }
        return ((float)Of("eps"), (float)Of("momentum"));

        double Of(string key) => at.ValueKind == JsonValueKind.Object && at.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number
            ? value.GetDouble()
            : throw Wrong($"metadata 'hyper': found no '{key}' of batch norm '{net}.{layer}'");
    }

    /// <summary>A choice in the configuration of the network.</summary>
    public string Choice(string key, string otherwise) => _config.ValueKind == JsonValueKind.Object && _config.TryGetProperty(key, out JsonElement value)
        && value.ValueKind == JsonValueKind.String
        ? value.GetString()!
        : otherwise;

    /// <summary>The numbers of the optimiser of a network, as JSON.</summary>
    public JsonElement Optimiser(string net)
        => _hyper.ValueKind == JsonValueKind.Object && _hyper.TryGetProperty("optimizers", out JsonElement all) && all.ValueKind == JsonValueKind.Object
        && all.TryGetProperty(net, out JsonElement options)
        ? options
        : throw Wrong($"metadata 'hyper': found no optimizer of '{net}'");

    /// <summary>An initial parameter, stored or generated, in PyTorch's order.</summary>
    public float[] Parameter(string net, string name, Layout layout) => Given($"param.{net}.{name}", $"{net}.{name}", layout);

    /// <summary>An input, stored or generated, in PyTorch's order.</summary>
    public float[] Input(string name, Layout layout) => Given("input." + name, name, layout);

    /// <summary>A stored tensor of any shape.</summary>
    public StoredTensor Stored(string name) => _file.Tensors.TryGetValue(name, out StoredTensor? tensor)
        ? RequireType(name, tensor, "F32")
        : throw Wrong($"found no tensor '{name}'");

    /// <summary>The error of something that this file has wrong.</summary>
    public InputException Wrong(string what) => new($"{Path}: {what}");

    private float[] Given(string stored, string generated, Layout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        int[] extents = [.. layout.Extents];
        if (!_recipe.TryGetValue(generated, out JsonElement recipe))
            return _file.Expect(stored, "F32", extents).Floats.ToArray();
        try
        {
            int[] found = [.. recipe.GetProperty("shape").EnumerateArray().Select(e => e.GetInt32())];
            if (!found.SequenceEqual(extents))
                throw Wrong($"recipe of '{generated}': found [{string.Join(", ", found)}], expected [{string.Join(", ", extents)}]");
            ulong key = ulong.Parse(recipe.GetProperty("key").GetString() ?? "", NumberStyles.None, CultureInfo.InvariantCulture);
            return Replay(key, recipe.GetProperty("lo").GetDouble(), recipe.GetProperty("hi").GetDouble(), extents.Aggregate(1, (a, b) => checked(a * b)));
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new InputException($"{Path}: recipe of '{generated}': {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    /// <summary>Uniform numbers in [low, high): splitmix64 over a counter (Steele, Lea and Flood 2014).</summary>
    internal static float[] Replay(ulong key, double low, double high, int count)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            ulong z = unchecked(key + (ulong)(i + 1L) * 0x9E3779B97F4A7C15);
            z = unchecked((z ^ z >> 30) * 0xBF58476D1CE4E5B9);
            z = unchecked((z ^ z >> 27) * 0x94D049BB133111EB);
            z ^= z >> 31;
            values[i] = (float)(low + (high - low) * ((z >> 40) * (1.0 / (1 << 24))));
        }
        return values;
    }

    private IEnumerable<ExpectedTensor> FindExpected()
    {
        foreach ((string name, StoredTensor tensor) in _file.Tensors)
        {
            if (name.StartsWith(ExpectedPrefix, StringComparison.Ordinal))
                yield return Whole(name, name[ExpectedPrefix.Length..]);
            else if (name.StartsWith(SamplePrefix, StringComparison.Ordinal))
                yield return Sampled(name[SamplePrefix.Length..]);
            else if (Model == Operations && name.Contains(CaseMarker, StringComparison.Ordinal))
                yield return Whole(name, name.Replace(CaseMarker, ".", StringComparison.Ordinal));
        }
    }

    private ExpectedTensor Whole(string stored, string name)
    {
        StoredTensor tensor = Stored(stored);
        return new(name, tensor.Extents, tensor.Floats.ToArray(), null, null);
    }

    private ExpectedTensor Sampled(string name)
    {
        float[] values = Stored(SamplePrefix + name).Floats.ToArray();
        int[] indices = _file.Expect("sample_idx." + name, "I32", [values.Length]).Ints.ToArray();
        return new(name, null, values, indices, _file.Expect("stat." + name, "F32", [3]).Floats.ToArray());
    }

    private StoredTensor RequireType(string name, StoredTensor tensor, string type) => tensor.Type == type
        ? tensor
        : throw Wrong($"tensor '{name}': found {tensor.Type}, expected {type}");

    private string Text(string key) => _file.Metadata.TryGetValue(key, out string? text)
        ? text
        : throw Wrong($"found no metadata '{key}', expected a file of golden vectors");

    private JsonElement? Json(string key)
    {
        if (!_file.Metadata.TryGetValue(key, out string? text))
            return null;
        using JsonDocument document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    private IEnumerable<JsonProperty> Fields(string key) => Json(key)?.EnumerateObject() ?? Enumerable.Empty<JsonProperty>();

    private double Number(JsonElement parent, string field, string key, string name)
        => parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.Number
        ? value.GetDouble()
        : throw Wrong($"metadata '{key}': found no number '{field}' of '{name}'");
}
