using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.InteropServices;

namespace CudaGen.Runtime.Native;

/// <summary>
/// Finds native libraries: NVIDIA's, and libjpeg-turbo. One table says under which names and in which folders; nothing is guessed elsewhere, and a
/// library that is not found is reported with every name that was tried.
/// </summary>
internal static class NativeLibraries
{
    // Beside it lie the stand-ins of CudaGen.KernelCheck; they share their state through it.
    private const string Emulator = "libcudagen_emulator.so";

    // Versions newest first. The folder names are those of NVIDIA's Python packages under site-packages/nvidia:
    // "cu13" of CUDA 13, one for each library of CUDA 12. What a library opens by its bare name lies beside it, where the
    // system's loader does not look in a Python environment; once loaded, it is found by that name.
    private static readonly Entry[] Table =
    [
        new(Cuda.Library, "CUDAGEN_CUDA_PATH", "libcuda.so", [1], [], ""),
        new(Nvrtc.Library, "CUDAGEN_NVRTC_PATH", "libnvrtc.so", [13, 12], ["cu13", "cuda_nvrtc"], "libnvrtc-builtins.so.*"),
        new(CuBlas.Library, "CUDAGEN_CUBLAS_PATH", "libcublas.so", [13, 12], ["cu13", "cublas"], "libcublasLt.so.*"),
        // It opens cuBLAS and NVRTC, which a device loads before.
        new(CuDnn.Library, "CUDAGEN_CUDNN_PATH", "libcudnn.so", [9, 8], ["cudnn"], ""),
        new(TurboJpeg.Library, "CUDAGEN_TURBOJPEG_PATH", "libturbojpeg.so", [0], [], ""),
    ];

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, Found> Loaded = [];
    private static bool _resolving;

    private sealed record Entry(string Library, string Override, string FileName, int[] Versions, string[] PythonFolders, string Beside);

    /// <summary>A library that was loaded.</summary>
    /// <param name="Handle">For <see cref="NativeLibrary"/>.</param>
    /// <param name="Path">The name under which the loader took it: a path, or a file name that the system's loader knows.</param>
    internal sealed record Found(nint Handle, string Path);

    /// <summary>What surrounds this process, as the search sees it; tests put their own here.</summary>
    /// <param name="Variable">An environment variable, or null.</param>
    /// <param name="Folders">The folders that match a path whose components may hold '*'.</param>
    /// <param name="Link">The file that a symbolic link names, or null for what is no link.</param>
    /// <param name="StandIns">The folder of the driver that was loaded, when that is a stand-in.</param>
    internal sealed record Surroundings(Func<string, string?> Variable, Func<string, IEnumerable<string>> Folders, Func<string, string?> Link,
        Func<string?> StandIns)
    {
        internal static Surroundings OfProcess { get; } = new(Environment.GetEnvironmentVariable, Expand, Follow,
            () => Loaded.GetValueOrDefault(Cuda.Library) is { } driver ? StandInFolder(driver) : null);

        private static IEnumerable<string> Expand(string pattern)
        {
            IEnumerable<string> folders = ["/"];
            foreach (string part in pattern.Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                folders = part.Contains('*', StringComparison.Ordinal)
                    ? folders.SelectMany(f => Subfolders(f, part))
                    : folders.Select(f => Path.Combine(f, part));
            }
            return folders.Where(Directory.Exists);
        }

        private static string? Follow(string path)
        {
            try
            {
                return new FileInfo(path).LinkTarget is { } target ? Path.GetFullPath(target, Path.GetDirectoryName(path)!) : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }

        private static string[] Subfolders(string folder, string pattern)
        {
            try
            {
                string[] found = Directory.GetDirectories(folder, pattern);
                Array.Sort(found, (a, b) => StringComparer.Ordinal.Compare(b, a)); // python3.12 before python3.11
                return found;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return [];
            }
        }
    }

    /// <summary>
    /// The names that are tried for a library, in order. <paramref name="major"/> is the CUDA version that the driver runs:
    /// what is newer than the driver comes last, because its code may not load.
    /// </summary>
    internal static IEnumerable<string> Candidates(string library, int major, Surroundings around)
    {
        Entry entry = Table.Single(e => e.Library == library);
        if (around.Variable(entry.Override) is { Length: > 0 } path)
            return [path]; // An explicit choice is the only one.
        bool follows = library is "nvrtc" or "cublas";
        string[] names = [.. entry.Versions.OrderBy(v => follows && major > 0 && v > major).Select(v => $"{entry.FileName}.{v}")];
        if (library == TurboJpeg.Library)
            return names; // Not NVIDIA's: it comes with the system, also beside stand-ins.
        string[] own = Split(around.Variable("CUDAGEN_LIB_DIR"));
        if (around.StandIns() is { } standIns)
            own = [standIns];
        if (own.Length > 0 && File.Exists(Path.Combine(own[0], Emulator)))
            return In(own[..1]); // Stand-ins work with each other only.
        return In(own).Concat(names).Concat(In(Folders(entry, around))).Distinct();

        IEnumerable<string> In(IEnumerable<string> folders) => folders.SelectMany(f => names.Select(n => Path.Combine(f, n)));
    }

    private static IEnumerable<string> Folders(Entry entry, Surroundings around)
    {
        foreach (string variable in (string[])["CUDA_PATH", "CUDA_HOME"])
        {
            if (around.Variable(variable) is { Length: > 0 } root)
            {
                yield return Path.Combine(root, "lib64");
                foreach (string found in around.Folders($"{root}/targets/*-linux/lib"))
                    yield return found;
            }
        }
        // A toolkit of the system, one version or several; the driver of a container; that of WSL.
        List<string> patterns =
        [
            "/usr/local/cuda/lib64", "/usr/local/cuda/targets/*-linux/lib", "/usr/local/cuda-*/lib64", "/usr/local/cuda-*/targets/*-linux/lib",
            "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib",
        ];
        if (around.Variable("CONDA_PREFIX") is { Length: > 0 } conda)
            patterns.AddRange([$"{conda}/lib", $"{conda}/targets/*-linux/lib"]);
        foreach (string prefix in PythonPrefixes(around))
        {
            foreach (string package in entry.PythonFolders)
                patterns.AddRange(from packages in (string[])["site-packages", "dist-packages"] select $"{prefix}/lib/python3*/{packages}/nvidia/{package}/lib");
        }
        foreach (string found in patterns.SelectMany(around.Folders))
            yield return found;
    }

    private static IEnumerable<string> PythonPrefixes(Surroundings around)
    {
        foreach (string variable in (string[])["VIRTUAL_ENV", "CONDA_PREFIX"])
        {
            if (around.Variable(variable) is { Length: > 0 } prefix)
                yield return prefix;
        }
        // <prefix>/bin/python3 is how a Python that was put on the path shows, and where a link to it leads: from /usr/local/bin
        // to an environment, from there to the Python that it was made with.
        const int LinksFollowed = 8;
        foreach (string folder in Split(around.Variable("PATH")))
        {
            string? python = Path.Combine(folder, "python3");
            for (int i = 0; i < LinksFollowed && python is not null; i++, python = around.Link(python))
            {
                string? bin = Path.GetDirectoryName(python);
                if (Path.GetFileName(bin) == "bin" && Path.GetDirectoryName(bin) is { Length: > 1 } prefix)
                    yield return prefix;
            }
        }
        if (around.Variable("HOME") is { Length: > 0 } home)
            yield return Path.Combine(home, ".local");
    }

    private static string[] Split(string? list) => list?.Split(':', StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>Loads a library, or returns what was loaded before.</summary>
    /// <exception cref="DeviceException">It is not to be had; the message lists every name that was tried.</exception>
    internal static Found Load(string library, int major = 0)
        => TryLoad(library, major, out Found? found, out string failure) ? found : throw new DeviceException(failure);

    /// <summary>Loads a library if it is there; otherwise says what was tried.</summary>
    internal static bool TryLoad(string library, int major, [NotNullWhen(true)] out Found? found, out string failure)
    {
        lock (Gate)
        {
            failure = "";
            if (Loaded.TryGetValue(library, out found))
                return true;
            if (!_resolving)
            {
                NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Resolve);
                _resolving = true;
            }
            if (!TryLoadFirst(library, Candidates(library, major, Surroundings.OfProcess), out found, out failure))
                return false;
            Loaded.Add(library, found);
            return true;
        }
    }

    /// <summary>Loads the first of these that is a library; otherwise says what was tried.</summary>
    internal static bool TryLoadFirst(string library, IEnumerable<string> candidates, [NotNullWhen(true)] out Found? found, out string failure)
    {
        List<string> tried = [];
        foreach (string candidate in candidates)
        {
            tried.Add(candidate);
            LoadBeside(library, candidate);
            if (NativeLibrary.TryLoad(candidate, out nint handle))
            {
                (found, failure) = (new(handle, candidate), "");
                return true;
            }
        }
        (found, failure) = (null, $"no library '{library}'; tried {string.Join(", ", tried)}");
        return false;
    }

    // What does not load is reported by the library that needs it.
    private static void LoadBeside(string library, string candidate)
    {
        string pattern = Table.Single(e => e.Library == library).Beside;
        if (pattern.Length == 0 || !File.Exists(candidate) || Path.GetDirectoryName(candidate) is not { Length: > 0 } folder)
            return;
        foreach (string file in Directory.GetFiles(folder, pattern))
            _ = NativeLibrary.TryLoad(file, out _);
    }

    /// <summary>The stand-ins' own library, when the driver that was loaded is one of them.</summary>
    internal static bool TryLoadEmulator(out nint emulator)
    {
        emulator = 0;
        return StandInFolder(Load(Cuda.Library)) is { } folder && NativeLibrary.TryLoad(Path.Combine(folder, Emulator), out emulator);
    }

    /// <summary>Whether a library that was loaded has a function, for those that older versions lack.</summary>
    internal static bool HasExport(string library, string function) => NativeLibrary.TryGetExport(Load(library).Handle, function, out _);

    private static string? StandInFolder(Found driver)
        => Path.GetDirectoryName(driver.Path) is { Length: > 0 } folder && File.Exists(Path.Combine(folder, Emulator)) ? folder : null;

    private static nint Resolve(string library, Assembly assembly, DllImportSearchPath? search)
        => Loaded.TryGetValue(library, out Found? found) ? found.Handle : 0;
}
