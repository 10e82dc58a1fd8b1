using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>
/// Builds the libraries that stand in for NVIDIA's on a machine without a GPU, with the system's C++ compiler, and keeps
/// them. Programs take them for the real ones when their folder comes first in the search for libraries.
/// </summary>
public static class StandIns
{
    /// <summary>What carries the emulator; every other library needs it.</summary>
    public const string Emulator = "libcudagen_emulator.so";

    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(50);

    /// <summary>Builds what is not there yet and returns the folder of the libraries.</summary>
    /// <param name="check">
    /// Whether kernels are checked unless CUDAGEN_CHECK_MODE says otherwise: slow, with reports. Without it they run fast.
    /// </param>
    /// <exception cref="CudaGenException">There is no C++ compiler, or it finds errors; the message has its text.</exception>
    public static string Build(bool check)
    {
        if (!OperatingSystem.IsLinux())
            throw new CudaGenException("the CUDA stand-ins are libraries for Linux");
        SortedDictionary<string, byte[]> sources = NativeFiles.All();
        CxxCompiler compiler = CxxCompiler.Find();
        var defines = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["CUDAGEN_CHECKED_DEFAULT"] = check ? "1" : "0" };
        string id = StandInBuild.Hash(compiler, sources, defines.Values);
        defines["CUDAGEN_BUILD_ID"] = $"\"{id}\"";
        string parent = Path.Combine(CacheFolder(), "standins"), folder = Path.Combine(parent, id);
        if (Directory.Exists(folder))
            return folder;
        Directory.CreateDirectory(parent);
        // The lock only spares a second process the work; the rename at the end is what makes the folder whole.
        using FileStream held = Lock(Path.Combine(parent, "lock"));
        if (Directory.Exists(folder))
            return folder;
        string work = Directory.CreateDirectory(Path.Combine(parent, $".{id}-{Environment.ProcessId}-{Guid.NewGuid():N}")).FullName;
        try
        {
            new StandInBuild(compiler, work, Path.Combine(parent, "objects"), sources, defines).Run();
            MoveUnlessThere(work, folder);
        }
        finally
        {
            if (Directory.Exists(work))
                Directory.Delete(work, recursive: true);
        }
        return folder;
    }

    /// <summary>CUDAGEN_CACHE, or else the folder cudagen in the user's folder for caches.</summary>
    internal static string CacheFolder()
    {
        if (Environment.GetEnvironmentVariable("CUDAGEN_CACHE") is { Length: > 0 } given)
            return Path.GetFullPath(given);
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } caches)
            return Path.Combine(caches, "cudagen");
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (home.Length == 0)
            throw new CudaGenException("there is no home folder to cache the stand-ins in; CUDAGEN_CACHE can name a folder");
        return Path.Combine(home, ".cache", "cudagen");
    }

    private static FileStream Lock(string path)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (IOException) when (File.Exists(path))
            {
                Thread.Sleep(LockPoll);
            }
        }
    }

    private static void MoveUnlessThere(string from, string to)
    {
        try
        {
            Directory.Move(from, to);
        }
        catch (IOException) when (Directory.Exists(to))
        {
            // Another process was as fast, where locks do not reach it; its libraries are the same.
        }
    }
}
