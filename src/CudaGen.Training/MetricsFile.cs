using System.Buffers;
using System.Text.Json;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// The log of a run, metrics.jsonl: one JSON object of numbers per line. It holds no times, so two runs with the same
/// seed write the same bytes.
/// </summary>
public sealed class MetricsFile : IDisposable
{
    private readonly FileStream _file;
    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly Utf8JsonWriter _json;

    internal MetricsFile(string path)
    {
        Path = path;
        _file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        _file.Seek(0, SeekOrigin.End);
        _json = new Utf8JsonWriter(_line);
    }

    public string Path { get; }

    /// <summary>Bytes so far, which a checkpoint remembers for <see cref="Truncate"/>.</summary>
    public long Length => _file.Length;

    /// <summary>
    /// Appends one line. Other processes can read it at once; to survive a power cut it needs <see cref="Flush"/>.
    /// </summary>
    /// <exception cref="InputException">The disk is full or gone; the half-written line is taken back.</exception>
    public void Append(params ReadOnlySpan<Metric> values)
    {
        _line.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartObject();
        foreach (Metric metric in values)
            metric.WriteTo(_json);
        _json.WriteEndObject();
        _json.Flush();
        _line.Write("\n"u8);
        long start = _file.Position;
        try
        {
            _file.Write(_line.WrittenSpan);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            TakeBack(start);
            throw FileErrors.At(Path, e);
        }
    }

    private void TakeBack(long length)
    {
        try
        {
            _file.SetLength(length);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException || FileErrors.IsFileError(e))
        {
            // The first failure is the one worth reporting.
        }
    }

    /// <summary>With <paramref name="toDisk"/>, waits until everything is on the disk.</summary>
    /// <exception cref="InputException">The disk is full or gone.</exception>
    public void Flush(bool toDisk)
    {
        try
        {
            _file.Flush(toDisk);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(Path, e);
        }
    }

    /// <summary>Forgets the lines that a run wrote after the checkpoint from which it resumes.</summary>
    /// <param name="bytes"><see cref="Length"/> at the time of the checkpoint.</param>
    /// <exception cref="InputException">The file is shorter than that.</exception>
    public void Truncate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (Length < bytes)
            throw new InputException($"{Path}: holds {Length} bytes, expected at least {bytes} as the checkpoint says");
        try
        {
            _file.SetLength(bytes);
            _file.Seek(0, SeekOrigin.End);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(Path, e);
        }
    }

    /// <summary>
    /// All lines of a metrics file, which a run may be writing at the same time: a last line without its end is
    /// ignored.
    /// </summary>
    /// <exception cref="InputException">The file cannot be read, or a line is not an object of numbers.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, double>> Read(string path)
    {
        byte[] bytes;
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            bytes = new byte[file.Length];
            file.ReadExactly(bytes);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(path, e);
        }
        var lines = new List<IReadOnlyDictionary<string, double>>();
        for (int start = 0, end; (end = Array.IndexOf(bytes, (byte)'\n', start)) >= 0; start = end + 1)
        {
            try
            {
                lines.Add(Parse(bytes.AsMemory(start, end - start)));
            }
            catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
            {
                throw new InputException(
                    $"{path}: line {lines.Count + 1} is damaged, expected a JSON object of numbers", e);
            }
        }
        return lines;
    }

    private static Dictionary<string, double> Parse(ReadOnlyMemory<byte> line)
    {
        using var document = JsonDocument.Parse(line);
        var values = new Dictionary<string, double>();
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
            values[property.Name] = Metric.Read(property.Value);
        return values;
    }

    public void Dispose()
    {
        _json.Dispose();
        _file.Dispose();
    }
}
