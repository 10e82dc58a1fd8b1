using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Runtime;

/// <summary>What compiling has cost a device so far.</summary>
/// <param name="Compiled">Texts that NVRTC compiled.</param>
/// <param name="Cached">Texts whose code was found on the disk.</param>
/// <param name="Seconds">Time spent on both.</param>
public readonly record struct CompilationSummary(int Compiled, int Cached, double Seconds);

/// <summary>Compiles sources to CUBIN code for one architecture and keeps the code on the disk.</summary>
internal sealed unsafe class KernelCompiler
{
    private readonly string[] _options;
    private readonly KernelCache _cache;

    /// <param name="architecture">Such as <c>sm_90</c>.</param>
    /// <param name="driverMajor">CUDA version of the driver: its NVRTC comes first.</param>
    internal KernelCompiler(string architecture, int driverMajor)
    {
        NativeLibraries.Load(Nvrtc.Library, driverMajor);
        Check(Nvrtc.nvrtcVersion(out int major, out int minor));
        Version = $"{major}.{minor}";
        // No --use_fast_math: the kernels say themselves where an approximation is good enough.
        _options = [$"--gpu-architecture={architecture}", "--std=c++17", "-lineinfo"];
        _cache = new KernelCache(KernelCache.DefaultFolder);
    }

    /// <summary>Version of NVRTC.</summary>
    internal string Version { get; }

    internal CompilationSummary Summary { get; private set; }

    /// <summary>The code of a text: from the disk, or compiled now.</summary>
    /// <exception cref="CudaException">The text does not compile; the message has the compiler's log and the numbered lines.</exception>
    internal byte[] Compile(KernelSource source)
    {
        long start = Stopwatch.GetTimestamp();
        string key = Key(source);
        byte[]? code = _cache.Read(key);
        bool cached = code is not null;
        if (code is null)
            _cache.Write(key, code = Run(source));
        double seconds = Summary.Seconds + Stopwatch.GetElapsedTime(start).TotalSeconds;
        Summary = cached ? new(Summary.Compiled, Summary.Cached + 1, seconds) : new(Summary.Compiled + 1, Summary.Cached, seconds);
        return code;
    }

    // All that the code depends on. Each part is written with its length, so that no two sets of parts look alike.
    private string Key(KernelSource source)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Add(string part)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(part);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
        Add($"nvrtc {Version}");
        if (Emulator.Current is { } emulator)
            Add($"{emulator.Description} {emulator.BuildId}");
        foreach (string option in _options)
            Add(option);
        foreach ((string name, string text) in source.Headers.Prepend((source.Name, source.Text)))
        {
            Add(name);
            Add(text);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private byte[] Run(KernelSource source)
    {
        using CStrings text = new([source.Text, source.Name]);
        using CStrings headers = new([.. source.Headers.Select(h => h.Text)]), names = new([.. source.Headers.Select(h => h.Name)]);
        using CStrings options = new(_options);
        Check(Nvrtc.nvrtcCreateProgram(out nvrtcProgram program, text.Pointers[0], text.Pointers[1], headers.Count, headers.Pointers,
            names.Pointers));
        try
        {
            nvrtcResult status = Nvrtc.nvrtcCompileProgram(program, options.Count, options.Pointers);
            if (status != nvrtcResult.NVRTC_SUCCESS)
            {
                string reason = Text(Nvrtc.nvrtcGetErrorString(status));
                throw new CudaException($"{source.Name}: {reason} ({(int)status}): {Log(program)}\n\n{Numbered(source.Text)}", (int)status);
            }
            Check(Nvrtc.nvrtcGetCUBINSize(program, out nuint size));
            byte[] code = new byte[size];
            fixed (byte* p = code)
                Check(Nvrtc.nvrtcGetCUBIN(program, p));
            return code;
        }
        finally
        {
            _ = Nvrtc.nvrtcDestroyProgram(ref program);
        }
    }

    private static string Log(nvrtcProgram program)
    {
        if (Nvrtc.nvrtcGetProgramLogSize(program, out nuint size) != nvrtcResult.NVRTC_SUCCESS || size == 0)
            return "";
        byte[] log = new byte[size + 1];
        fixed (byte* p = log)
        {
            _ = Nvrtc.nvrtcGetProgramLog(program, p);
            return Text(p).TrimEnd();
        }
    }

    private static string Numbered(string text)
    {
        StringBuilder numbered = new();
        int line = 0;
        foreach (ReadOnlySpan<char> content in text.AsSpan().EnumerateLines())
            numbered.Append(CultureInfo.InvariantCulture, $"{++line,4}  {content}\n");
        return numbered.ToString();
    }

    /// <summary>An array of zero-terminated UTF-8 strings outside of the managed heap.</summary>
    private sealed class CStrings : IDisposable
    {
        internal CStrings(IReadOnlyList<string> strings)
        {
            Count = strings.Count;
            Pointers = (byte**)NativeMemory.AllocZeroed((nuint)Math.Max(Count, 1), (nuint)sizeof(byte*));
            for (int i = 0; i < Count; i++)
                Pointers[i] = (byte*)Marshal.StringToCoTaskMemUTF8(strings[i]);
        }

        internal int Count { get; }

        internal byte** Pointers { get; }

        public void Dispose()
        {
            for (int i = 0; i < Count; i++)
                Marshal.FreeCoTaskMem((nint)Pointers[i]);
            NativeMemory.Free(Pointers);
        }
    }
}
