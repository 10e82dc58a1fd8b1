using System.Text.Json;
using System.Text.Json.Nodes;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// What one training run leaves on disk: a folder OUT/NAME-0001 with config.json, metrics.jsonl and whatever else the
/// program saves. One process at a time holds it.
/// </summary>
public sealed class RunFolder : IDisposable
{
    private const string ConfigName = "config.json", MetricsName = "metrics.jsonl", LockName = ".lock";

    // Locked while this object lives. A file of its own, as a lock on the log would keep readers out too; it is not
    // deleted at the end, as another process may already wait with the same file open.
    private readonly FileStream _lock;

    private RunFolder(string path)
    {
        Path = path;
        try
        {
            _lock = new FileStream(PathOf(LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists(PathOf(LockName)))
        {
            throw new InputException($"{path}: another process is at work in this folder", e);
        }
        try
        {
            Metrics = new MetricsFile(PathOf(MetricsName));
        }
        catch
        {
            _lock.Dispose();
            throw;
        }
    }

    public string Path { get; }

    /// <summary>The log of the run.</summary>
    public MetricsFile Metrics { get; }

    /// <summary>
    /// Makes the folder with the next number after those that are there. OUT itself is made where only it is missing.
    /// </summary>
    /// <param name="outDir">OUT.</param>
    /// <param name="name">NAME, such as "vae".</param>
    /// <exception cref="InputException">The folder cannot be made.</exception>
    public static RunFolder Create(string outDir, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(outDir);
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (File.Exists(outDir))
            throw new InputException($"{outDir}: this is a file, expected a folder for runs");
        string parent = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(outDir)) ?? outDir;
        if (!Directory.Exists(parent))
            throw new InputException($"{outDir}: the folder '{parent}' does not exist");
        try
        {
            Directory.CreateDirectory(outDir);
            for (int number = LastNumber(outDir, name) + 1; ; number++)
            {
                string path = System.IO.Path.Combine(outDir, $"{name}-{number:D4}");
                if (Directory.Exists(path))
                    continue;
                Directory.CreateDirectory(path);
                if (TryClaim(path))
                    return new RunFolder(path);
            }
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(outDir, e);
        }
    }

    // Two processes may both make the folder, as making one that exists is no error; the one that makes this file owns
    // it.
    private static bool TryClaim(string path)
    {
        string metrics = System.IO.Path.Combine(path, MetricsName);
        try
        {
            using var file = new FileStream(metrics, FileMode.CreateNew);
            return true;
        }
        catch (IOException) when (File.Exists(metrics))
        {
            return false;
        }
    }

    private static int LastNumber(string outDir, string name)
    {
        int last = 0;
        foreach (string path in Directory.EnumerateFileSystemEntries(outDir, $"{name}-*"))
        {
            if (int.TryParse(System.IO.Path.GetFileName(path)[(name.Length + 1)..], out int number))
                last = Math.Max(last, number);
        }
        return last;
    }

    /// <summary>Opens the folder of an earlier run, to go on with it.</summary>
    /// <exception cref="InputException">It is not one, or another process holds it.</exception>
    public static RunFolder Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path))
            throw new InputException($"{path}: there is no such folder");
        string metrics = System.IO.Path.Combine(path, MetricsName);
        if (!File.Exists(metrics))
            throw new InputException($"{path}: this is not the folder of a run, it holds no {MetricsName}");
        try
        {
            return new RunFolder(path);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(metrics, e);
        }
    }

    /// <summary>The path of a file in the folder.</summary>
    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Writes config.json, whole or not at all.</summary>
    /// <exception cref="InputException">It cannot be written.</exception>
    public void WriteConfig(JsonObject config)
    {
        ArgumentNullException.ThrowIfNull(config);
        AtomicFile.WriteJson(PathOf(ConfigName), config);
    }

    /// <summary>Reads config.json.</summary>
    /// <exception cref="InputException">It is missing or damaged.</exception>
    public JsonObject ReadConfig()
    {
        string path = PathOf(ConfigName);
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject
                ?? throw new InputException($"{path}: expected a JSON object");
        }
        catch (JsonException e)
        {
            throw new InputException($"{path}: damaged at line {e.LineNumber + 1}, expected a JSON object", e);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(path, e);
        }
    }

    /// <summary>Removes the folder of a run that did not get as far as a checkpoint.</summary>
    public void Abandon()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            // What kept the run from beginning is the failure worth reporting.
        }
    }

    /// <summary>Closes the log and lets other processes have the folder.</summary>
    public void Dispose()
    {
        Metrics.Dispose();
        _lock.Dispose();
    }
}
