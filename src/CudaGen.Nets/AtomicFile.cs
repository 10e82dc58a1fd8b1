using System.Text.Json;
using System.Text.Json.Nodes;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Files that are there as a whole or not at all.</summary>
public static class AtomicFile
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true };

    /// <summary>
    /// Lets <paramref name="write"/> fill a temporary file in the same folder, flushes it to disk and renames it to
    /// <paramref name="path"/>. Until then an older file of that name stays as it is; after any failure the temporary
    /// file is gone. The stream can seek.
    /// </summary>
    /// <exception cref="InputException">The system refused: disk full, no permission, no such folder; or the path is that of a folder.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        if (Directory.Exists(path))
            throw new InputException($"{path}: this is a folder, expected a file");
        string temporary = $"{path}.tmp-{Environment.ProcessId}";
        try
        {
            using (var file = new FileStream(temporary, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                write(file);
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e)
        {
            TryDelete(temporary);
            if (FileErrors.IsFileError(e))
                throw FileErrors.At(path, e);
            // A mistake of the writer is not one of the person at the keyboard, so it keeps its type.
            throw;
        }
    }

    /// <summary>Writes JSON that a person can read, with a line for each value, in the same way.</summary>
    /// <exception cref="InputException">As for <see cref="Write"/>.</exception>
    public static void WriteJson(string path, JsonNode json)
    {
        ArgumentNullException.ThrowIfNull(json);
        Write(path, stream =>
        {
            using (var writer = new Utf8JsonWriter(stream, Indented))
                json.WriteTo(writer);
            stream.WriteByte((byte)'\n');
        });
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            // The first failure is the one worth reporting.
        }
    }
}
