using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>A tensor of a safetensors file: its type as the file spells it, its extents, and its bytes.</summary>
public sealed record StoredTensor(string Type, int[] Extents, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Number of elements; 1 for a scalar.</summary>
    public int Length => Extents.Aggregate(1, (a, b) => checked(a * b));

    /// <summary>The elements of an F32 tensor.</summary>
    public ReadOnlySpan<float> Floats => MemoryMarshal.Cast<byte, float>(Bytes.Span);

    /// <summary>The elements of an I32 tensor.</summary>
    public ReadOnlySpan<int> Ints => MemoryMarshal.Cast<byte, int>(Bytes.Span);

    /// <summary>The elements of a U64 tensor.</summary>
    public ReadOnlySpan<ulong> Counters => MemoryMarshal.Cast<byte, ulong>(Bytes.Span);

    /// <summary>The extents as a person reads them.</summary>
    public string ShapeText => $"[{string.Join(", ", Extents)}]";
}

/// <summary>
/// A safetensors file: a uint64 length, that many bytes of JSON with name, type, extents and place of every tensor and
/// with text metadata, then the tensors, little endian. See https://huggingface.co/docs/safetensors.
/// </summary>
public sealed class SafeTensors
{
    // A header lists a few hundred tensors. A length beyond this is a file of another kind.
    private const long MaxHeader = 100_000_000;

    private readonly Dictionary<string, StoredTensor> _tensors = [];
    private readonly Dictionary<string, string> _metadata = [];

    /// <summary>An empty file to add to.</summary>
    public SafeTensors() => Path = "";

    private SafeTensors(string path) => Path = path;

    /// <summary>Where it was read from; empty for a new one.</summary>
    public string Path { get; }

    /// <summary>The tensors by name, in the order of the file.</summary>
    public IReadOnlyDictionary<string, StoredTensor> Tensors => _tensors;

    /// <summary>The metadata by key.</summary>
    public IDictionary<string, string> Metadata => _metadata;

    /// <summary>Adds float32 elements.</summary>
    public void Add(string name, ReadOnlySpan<int> extents, ReadOnlySpan<float> values)
        => Add(name, "F32", extents, MemoryMarshal.AsBytes(values));

    /// <summary>Adds a tensor or counter of a model; the elements are copied.</summary>
    public void Add(Device device, NamedTensor named)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (named.IsCounter)
            Add(named.Name, "U64", [(int)named.Counter.Length], MemoryMarshal.AsBytes(device.ToArray(named.Counter).AsSpan()));
        else
            Add(named.Name, Extents(named.Tensor.Shape), device.ToArray(named.Tensor));
    }

    /// <summary>Copies what the file has under this name into a tensor or counter of a model.</summary>
    /// <exception cref="InputException">It has none, or another type or shape.</exception>
    public void CopyTo(Device device, NamedTensor named)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (named.IsCounter)
            device.Upload(named.Counter, Expect(named.Name, "U64", [(int)named.Counter.Length]).Counters);
        else
            device.Upload(named.Tensor, Expect(named.Name, "F32", Extents(named.Tensor.Shape)).Floats);
    }

    /// <summary>The tensor with this name, type and extents.</summary>
    /// <exception cref="InputException">The file has none such.</exception>
    public StoredTensor Expect(string name, string type, ReadOnlySpan<int> extents)
    {
        string expected = $"{type} [{string.Join(", ", extents.ToArray())}]";
        if (!_tensors.TryGetValue(name, out StoredTensor? tensor))
            throw new InputException($"{Path}: found no tensor '{name}', expected {expected}");
        if (tensor.Type != type || !extents.SequenceEqual(tensor.Extents))
            throw new InputException($"{Path}: tensor '{name}': found {tensor.Type} {tensor.ShapeText}, expected {expected}");
        return tensor;
    }

    /// <summary>Refuses a file without a float32 tensor of this name and shape.</summary>
    /// <exception cref="InputException">The file has none such.</exception>
    internal void Require(string name, Shape shape) => Expect(name, "F32", Extents(shape));

    /// <summary>Refuses a file with a float32 number that is none, or is infinite.</summary>
    /// <exception cref="InputException">The file has one; the message names its tensor.</exception>
    internal void RequireFinite()
    {
        foreach ((string name, StoredTensor tensor) in _tensors.Where(t => t.Value.Type == "F32"))
        {
            foreach (float value in tensor.Floats)
            {
                if (!float.IsFinite(value))
                    throw new InputException($"{Path}: tensor '{name}': found {value}, expected finite numbers");
            }
        }
    }

    /// <summary>The metadata under a key.</summary>
    /// <exception cref="InputException">There is none.</exception>
    public string ExpectMetadata(string key) => _metadata.TryGetValue(key, out string? value)
        ? value
        : throw new InputException($"{Path}: found no metadata '{key}'; this is no file that CudaGen wrote");

    private static int[] Extents(Shape shape)
    {
        int[] extents = new int[shape.Rank];
        for (int i = 0; i < extents.Length; i++)
            extents[i] = shape[i];
        return extents;
    }

    private void Add(string name, string type, ReadOnlySpan<int> extents, ReadOnlySpan<byte> bytes)
        => _tensors.Add(name, new(type, extents.ToArray(), bytes.ToArray()));

    /// <summary>Writes the whole file or none of it.</summary>
    /// <exception cref="InputException">It cannot be written.</exception>
    public void Write(string path) => AtomicFile.Write(path, stream =>
    {
        var header = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(header))
        {
            json.WriteStartObject();
            if (_metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in _metadata)
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach ((string name, StoredTensor tensor) in _tensors)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", tensor.Type);
                json.WriteStartArray("shape");
                foreach (int extent in tensor.Extents)
                    json.WriteNumberValue(extent);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.Bytes.Length);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        int padding = -header.WrittenCount & 7;
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)(header.WrittenCount + padding));
        stream.Write(length);
        stream.Write(header.WrittenSpan);
        stream.Write("        "u8[..padding]);
        foreach (StoredTensor tensor in _tensors.Values)
            stream.Write(tensor.Bytes.Span);
    });

    /// <summary>Reads a file whole and checks that every tensor lies inside it.</summary>
    /// <exception cref="InputException">There is no such file, or it is no sound safetensors file.</exception>
    public static SafeTensors Read(string path)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputException($"{path}: no such file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw FileErrors.At(path, e);
        }
        if (bytes.Length < 8)
            throw new InputException($"{path}: found {bytes.Length} bytes, expected a safetensors file");
        ulong header = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        if (header > MaxHeader || header > (ulong)(bytes.Length - 8))
            throw new InputException($"{path}: found a header of {header} bytes in a file of {bytes.Length}, expected a safetensors file");
        var file = new SafeTensors(path);
        try
        {
            file.ReadHeader(bytes.AsMemory(8, (int)header), bytes.AsMemory(8 + (int)header));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or OverflowException or KeyNotFoundException
            or ArgumentException or IndexOutOfRangeException)
        {
            throw new InputException($"{path}: found a damaged safetensors header: {e.Message.ReplaceLineEndings(" ")}", e);
        }
        return file;
    }

    private void ReadHeader(ReadOnlyMemory<byte> header, ReadOnlyMemory<byte> data)
    {
        using JsonDocument document = JsonDocument.Parse(header);
        List<(long Start, long End, string Name)> places = [];
        foreach (JsonProperty entry in document.RootElement.EnumerateObject())
        {
            if (entry.Name == "__metadata__")
            {
                foreach (JsonProperty item in entry.Value.EnumerateObject())
                    _metadata[item.Name] = item.Value.GetString() ?? "";
                continue;
            }
            string type = entry.Value.GetProperty("dtype").GetString() ?? "";
            int[] extents = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(x => x.GetInt32())];
            JsonElement offsets = entry.Value.GetProperty("data_offsets");
            long start = offsets[0].GetInt64(), end = offsets[1].GetInt64();
            long length = extents.Aggregate((long)ElementSize(type), (a, b) => b < 0 ? throw new FormatException("a negative extent") : checked(a * b));
            if (start < 0 || end < start || end > data.Length)
                throw new InputException($"{Path}: tensor '{entry.Name}': found bytes {start} to {end}, the file has {data.Length}; it is cut short");
            if (offsets.GetArrayLength() != 2)
                throw new FormatException($"the place of '{entry.Name}' is no pair of offsets");
            if (end - start != length)
            {
                throw new InputException($"{Path}: tensor '{entry.Name}': found {end - start} bytes, expected {length} for {type} "
                    + $"[{string.Join(", ", extents)}]");
            }
            _tensors.Add(entry.Name, new(type, extents, data[(int)start..(int)end]));
            places.Add((start, end, entry.Name));
        }
        RequireNoOverlapsOrGaps(places, data.Length);
    }

    /// <summary>The format's own rule: every byte of the data belongs to one tensor.</summary>
    private void RequireNoOverlapsOrGaps(List<(long Start, long End, string Name)> places, long length)
    {
        places.Sort();
        long at = 0;
        foreach ((long start, long end, string name) in places)
        {
            if (start != at)
                throw new InputException($"{Path}: tensor '{name}': found it at byte {start}, expected byte {at}, where the one before ends");
            at = end;
        }
        if (at != length)
            throw new InputException($"{Path}: found {length} bytes of tensors, the header lists {at}");
    }

    private static int ElementSize(string type) => type switch
    {
        "F64" or "I64" or "U64" => 8,
        "F32" or "I32" or "U32" => 4,
        "F16" or "BF16" or "I16" or "U16" => 2,
        "I8" or "U8" or "BOOL" => 1,
        _ => throw new FormatException($"unknown type '{type}'"),
    };
}
