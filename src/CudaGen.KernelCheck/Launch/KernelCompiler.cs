using System.Runtime.InteropServices;
using System.Text;

namespace CudaGen.KernelCheck;

/// <summary>Compiles CUDA C++ with NVRTC, or with its stand-in.</summary>
internal sealed unsafe class KernelCompiler(CudaLibraries libraries)
{
    private readonly delegate* unmanaged[Cdecl]<int, byte*> _errorString =
        (delegate* unmanaged[Cdecl]<int, byte*>)libraries.Nvrtc("nvrtcGetErrorString");
    private readonly delegate* unmanaged[Cdecl]<nint*, byte*, byte*, int, byte**, byte**, int> _create =
        (delegate* unmanaged[Cdecl]<nint*, byte*, byte*, int, byte**, byte**, int>)libraries.Nvrtc("nvrtcCreateProgram");
    private readonly delegate* unmanaged[Cdecl]<nint*, int> _destroy = (delegate* unmanaged[Cdecl]<nint*, int>)libraries.Nvrtc("nvrtcDestroyProgram");
    private readonly delegate* unmanaged[Cdecl]<nint, int, byte**, int> _compile =
        (delegate* unmanaged[Cdecl]<nint, int, byte**, int>)libraries.Nvrtc("nvrtcCompileProgram");
    private readonly Getter _log = new(libraries, "ProgramLog"), _cubin = new(libraries, "CUBIN");

    /// <summary>What came of a compilation: an image for the driver, or the errors of the log.</summary>
    public sealed record Result(byte[]? Image, IReadOnlyList<string> Errors);

    /// <param name="source">The kernel file.</param>
    /// <param name="headers">Names and texts of what it includes.</param>
    /// <param name="architecture">90 for sm_90.</param>
    public Result Compile(CudaSource source, IReadOnlyList<(string Name, string Text)> headers, int architecture)
    {
        using var texts = new Utf8Array(headers.Select(h => h.Text));
        using var names = new Utf8Array(headers.Select(h => h.Name));
        using var options = new Utf8Array([$"--gpu-architecture=sm_{architecture}", "--std=c++17"]);
        nint program;
        fixed (byte* text = CudaLibraries.Utf8(source.Text), name = CudaLibraries.Utf8(source.Name))
            Check(_create(&program, text, name, headers.Count, texts.Pointers, names.Pointers), "nvrtcCreateProgram");
        try
        {
            int status = _compile(program, options.Count, options.Pointers);
            if (status == 0)
                return new Result(_cubin.Get(program), []);
            return new Result(null, Errors(Encoding.UTF8.GetString(_log.Get(program)).TrimEnd('\0'), status));
        }
        finally
        {
            Check(_destroy(&program), "nvrtcDestroyProgram");
        }
    }

    // The lines that name an error; the whole log if it names none.
    private string[] Errors(string log, int status)
    {
        string[] lines = log.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string[] errors = [.. lines.Where(l => l.Contains("error", StringComparison.OrdinalIgnoreCase))];
        return errors.Length > 0 ? errors : lines.Length > 0 ? lines : [$"nvrtcCompileProgram: {ErrorText(status)}"];
    }

    private string ErrorText(int status) => Marshal.PtrToStringUTF8((nint)_errorString(status)) ?? $"status {status}";

    private void Check(int status, string call)
    {
        if (status != 0)
            throw new CudaCallException($"{call}: {ErrorText(status)}");
    }

    // nvrtcGetXSize and nvrtcGetX.
    private readonly struct Getter(CudaLibraries libraries, string what)
    {
        private readonly delegate* unmanaged[Cdecl]<nint, nuint*, int> _size =
            (delegate* unmanaged[Cdecl]<nint, nuint*, int>)libraries.Nvrtc($"nvrtcGet{what}Size");
        private readonly delegate* unmanaged[Cdecl]<nint, byte*, int> _get =
            (delegate* unmanaged[Cdecl]<nint, byte*, int>)libraries.Nvrtc($"nvrtcGet{what}");

        public byte[] Get(nint program)
        {
            nuint size;
            int status = _size(program, &size);
            var bytes = new byte[(int)size];
            fixed (byte* p = bytes)
                if (status != 0 || (status = _get(program, p)) != 0)
                    throw new CudaCallException($"nvrtcGet{what}: status {status}");
            return bytes;
        }
    }

    // An array of C strings.
    private sealed class Utf8Array : IDisposable
    {
        private readonly nint[] _strings;
        private GCHandle _pin;

        public Utf8Array(IEnumerable<string> texts)
        {
            _strings = [.. texts.Select(Marshal.StringToCoTaskMemUTF8)];
            _pin = GCHandle.Alloc(_strings, GCHandleType.Pinned);
        }

        public int Count => _strings.Length;

        public byte** Pointers => (byte**)_pin.AddrOfPinnedObject();

        public void Dispose()
        {
            _pin.Free();
            foreach (nint text in _strings)
                Marshal.FreeCoTaskMem(text);
        }
    }
}
