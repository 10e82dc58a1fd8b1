using System.Runtime.InteropServices;
using System.Text;

namespace CudaGen.KernelCheck;

/// <summary>A call of the driver or of NVRTC that failed.</summary>
/// <param name="text">One line: the call, the status by name, NVIDIA's text.</param>
internal sealed class CudaCallException(string text) : Exception(text)
{
    /// <summary>The argument whose buffer was being read back; null at any other time.</summary>
    public string? ReadingBack { get; init; }
}

/// <summary>
/// The few functions of the CUDA driver and NVRTC that checking a kernel takes, from the stand-ins of a folder or from the
/// libraries that the system's loader finds. They are looked up by hand, as one program may want either.
/// </summary>
internal sealed unsafe class CudaLibraries
{
    private static readonly string[] NvrtcNames = ["libnvrtc.so.13", "libnvrtc.so.12"];

    private readonly nint _cuda, _nvrtc;

    private CudaLibraries(nint cuda, nint nvrtc, StandInControl? standIns) => (_cuda, _nvrtc, StandIns) = (cuda, nvrtc, standIns);

    /// <summary>Null for the real libraries.</summary>
    public StandInControl? StandIns { get; }

    /// <summary>Loads the stand-ins of a folder.</summary>
    public static CudaLibraries OpenStandIns(string folder)
    {
        var control = new StandInControl(folder);
        nint Load(string name) => NativeLibrary.Load(Path.Combine(folder, name));
        return new CudaLibraries(Load("libcuda.so.1"), Load("libnvrtc.so.12"), control);
    }

    /// <summary>
    /// Loads the real libraries, from the folder CUDAGEN_LIB_DIR or where the system's loader finds them; null, with the reason,
    /// where they are not.
    /// </summary>
    public static CudaLibraries? OpenReal(out string reason)
    {
        string folder = Environment.GetEnvironmentVariable("CUDAGEN_LIB_DIR") ?? "";
        if (folder.Length > 0 ? File.Exists(Path.Combine(folder, KernelCheck.StandIns.Emulator)) : TryLoad("", KernelCheck.StandIns.Emulator) != 0)
            reason = $"the libraries that {(folder.Length > 0 ? "CUDAGEN_LIB_DIR" : "the system")} offers are stand-ins";
        else if (TryLoad(folder, "libcuda.so.1") is not (nint cuda and not 0))
            reason = "no GPU driver is here (libcuda.so.1)";
        else if (NvrtcNames.Select(n => TryLoad(folder, n)).FirstOrDefault(h => h != 0) is not (nint nvrtc and not 0))
            reason = $"NVRTC is not here (tried {string.Join(", ", NvrtcNames)})";
        else
        {
            reason = "";
            return new CudaLibraries(cuda, nvrtc, null);
        }
        return null;
    }

    // The driver belongs to the system even where a folder holds the rest.
    private static nint TryLoad(string folder, string name) =>
        folder.Length > 0 && NativeLibrary.TryLoad(Path.Combine(folder, name), out nint there) ? there
        : NativeLibrary.TryLoad(name, out nint handle) ? handle : 0;

    /// <summary>A function of the driver by its name.</summary>
    public void* Cuda(string name) => (void*)NativeLibrary.GetExport(_cuda, name);

    /// <summary>The same, null in a driver that is older than the function.</summary>
    public void* CudaOrNull(string name) => NativeLibrary.TryGetExport(_cuda, name, out nint address) ? (void*)address : null;

    public void* Nvrtc(string name) => (void*)NativeLibrary.GetExport(_nvrtc, name);

    /// <summary>A string for C, with its zero at the end.</summary>
    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text + '\0');
}
