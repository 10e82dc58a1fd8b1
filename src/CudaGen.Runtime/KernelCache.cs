using System.Security.Cryptography;

namespace CudaGen.Runtime;

/// <summary>
/// Compiled code on the disk, by a hash of all that it was compiled from. Two processes may use it at once: files are
/// written under another name and renamed, and what is read is verified, so a damaged file is compiled anew.
/// </summary>
internal sealed class KernelCache(string folder)
{
    /// <summary><c>CUDAGEN_CACHE</c>, or the folder that the system has for caches.</summary>
    internal static string DefaultFolder
    {
        get
        {
            if (Environment.GetEnvironmentVariable("CUDAGEN_CACHE") is { Length: > 0 } own)
                return own;
            string home = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } caches ? caches
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(home, "cudagen");
        }
    }

    private string FileOf(string key) => Path.Combine(folder, "kernels", key + ".cubin");

    /// <summary>The code, or null when it is not there or not whole.</summary>
    internal byte[]? Read(string key)
    {
        try
        {
            byte[] file = File.ReadAllBytes(FileOf(key));
            ReadOnlySpan<byte> digest = file.AsSpan(0, Math.Min(SHA256.HashSizeInBytes, file.Length)), code = file.AsSpan(digest.Length);
            return code.Length > 0 && digest.SequenceEqual(SHA256.HashData(code)) ? code.ToArray() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps the code. Where the folder cannot be written, the next process compiles again: slower, not wrong.</summary>
    internal void Write(string key, byte[] code)
    {
        string path = FileOf(key), temporary = $"{path}.{Environment.ProcessId}-{Guid.NewGuid():N}";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using (FileStream stream = new(temporary, FileMode.CreateNew))
            {
                stream.Write(SHA256.HashData(code));
                stream.Write(code);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(temporary);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It was never made, or the folder went away; either way nothing is left to do.
        }
    }
}
