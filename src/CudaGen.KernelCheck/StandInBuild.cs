using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>One run of the compiler over the sources of the stand-ins, in a folder that becomes theirs.</summary>
/// <param name="compiler">The C++ compiler.</param>
/// <param name="folder">Where sources and libraries go.</param>
/// <param name="objects">Where object files stay: the two builds differ in few of them.</param>
/// <param name="sources">All files, by their path.</param>
/// <param name="defines">Macros, by name, for the files that name them.</param>
internal sealed class StandInBuild(CxxCompiler compiler, string folder, string objects, SortedDictionary<string, byte[]> sources,
    SortedDictionary<string, string> defines)
{
    /// <summary>A library, how the names of its sources begin, and which names it exports; the emulator's are marked in its text.</summary>
    private sealed record Library(string Name, string[] Prefixes, string? Exports = null);

    private static readonly Library[] Libraries =
    [
        new(StandIns.Emulator, ["emulator/", "stream", "calls."]),
        new("libcuda.so.1", ["libcuda.", "libcuda_"], "cu*"),
        new("libnvrtc.so.12", ["libnvrtc"], "nvrtc*"),
        new("libcublas.so.12", ["libcublas"], "cublas*"),
        new("libcudnn.so.9", ["libcudnn"], "cudnn*"),
    ];

    private static readonly string[] CompileFlags =
        ["-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-fno-math-errno", "-pthread", "-I."];

    // No library may go before the process does: fibers, modules and handlers at exit live in them.
    private static readonly string[] LinkFlags = ["-shared", "-pthread", "-Wl,-z,defs", "-Wl,-z,nodelete", "-Wl,-rpath,$ORIGIN"];

    private const int Compilers = 2;

    public void Run()
    {
        Directory.CreateDirectory(objects);
        foreach ((string name, byte[] content) in sources)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, name))!);
            File.WriteAllBytes(Path.Combine(folder, name), content);
        }
        Compile([.. Libraries.SelectMany(SourcesOf)]);
        foreach (Library library in Libraries)
            if (SourcesOf(library).Length > 0)
                Link(library);
    }

    /// <summary>Changes with everything that the libraries are made of.</summary>
    public static string Hash(CxxCompiler compiler, SortedDictionary<string, byte[]> sources, IEnumerable<string> options)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Add(ReadOnlySpan<byte> bytes)
        {
            hash.AppendData(BitConverter.GetBytes((long)bytes.Length));
            hash.AppendData(bytes);
        }
        string[] flags = [compiler.Program, compiler.Version, .. CompileFlags, .. LinkFlags, .. Libraries.SelectMany(l => l.Prefixes), .. options];
        foreach (string text in flags)
            Add(Encoding.UTF8.GetBytes(text));
        foreach ((string name, byte[] content) in sources)
        {
            Add(Encoding.UTF8.GetBytes(name));
            Add(content);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..32];
    }

    private static bool IsSource(string name) => name.EndsWith(".cpp", StringComparison.Ordinal);

    private string[] SourcesOf(Library library) =>
        [.. sources.Keys.Where(name => IsSource(name) && library.Prefixes.Any(p => name.StartsWith(p, StringComparison.Ordinal)))];

    private string[] DefinesOf(string file)
    {
        string text = Encoding.UTF8.GetString(sources[file]);
        return [.. defines.Where(d => text.Contains(d.Key, StringComparison.Ordinal)).Select(d => $"-D{d.Key}={d.Value}")];
    }

    private string ObjectOf(string file)
    {
        // The file itself and all headers.
        var parts = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach ((string name, byte[] content) in sources)
            if (name == file || !IsSource(name))
                parts[name] = content;
        return Path.Combine(objects, Hash(compiler, parts, DefinesOf(file)) + ".o");
    }

    private void Compile(string[] files)
    {
        var errors = new ConcurrentQueue<string>();
        Parallel.ForEach(files, new ParallelOptions { MaxDegreeOfParallelism = Compilers }, (file, loop) =>
        {
            string done = ObjectOf(file), work = Path.Combine(folder, Path.GetFileName(done));
            if (File.Exists(done))
                return;
            if (compiler.Run(folder, [.. CompileFlags, .. DefinesOf(file), "-c", file, "-o", work]) is string error)
            {
                errors.Enqueue(error);
                loop.Stop();
                return;
            }
            File.Move(work, done, overwrite: true);
        });
        if (errors.TryDequeue(out string? first))
            throw new CudaGenException($"building the CUDA stand-ins failed:\n{first}");
    }

    private void Link(Library library)
    {
        string script = Path.Combine(folder, library.Name + ".map");
        List<string> arguments =
            [.. LinkFlags, $"-Wl,-soname,{library.Name}", "-o", library.Name, .. SourcesOf(library).Select(ObjectOf), "-ldl"];
        if (library.Exports is string names)
        {
            // Without the list, instances of the standard library's templates would be exported too.
            File.WriteAllText(script, $"{{ global: {names}; local: *; }};\n");
            arguments.AddRange([StandIns.Emulator, $"-Wl,--version-script={script}"]);
        }
        string? error = compiler.Run(folder, arguments);
        File.Delete(script);
        if (error is not null)
            throw new CudaGenException($"linking {library.Name} of the CUDA stand-ins failed:\n{error}");
    }
}
