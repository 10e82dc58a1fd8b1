using System.Runtime.InteropServices;
using System.Text;

namespace CudaGen.KernelCheck;

/// <summary>A call of the driver or of NVRTC that failed.</summary>
/// <param name="text">One line: the call, the status by name, NVIDIA's text.</param>
internal sealed class CudaCallException(string text) : Exception(text);

/// <summary>
/// The few functions of the CUDA driver and NVRTC that checking a kernel takes, from the stand-ins of a folder or from the
/// libraries that the system's loader finds. They are looked up by hand, as one program may want either.
/// </summary>
internal sealed unsafe class CudaLibraries
{
    private const string Emulator = "libcudagen_emulator.so";
    private static readonly string[] NvrtcNames = ["libnvrtc.so.13", "libnvrtc.so.12"];

    private readonly nint _cuda, _nvrtc, _emulator;

    private CudaLibraries(nint cuda, nint nvrtc, nint emulator) => (_cuda, _nvrtc, _emulator) = (cuda, nvrtc, emulator);

    /// <summary>Whether these are stand-ins, whose reports can be read.</summary>
    public bool AreStandIns => _emulator != 0;

    /// <summary>Loads the stand-ins of a folder.</summary>
    public static CudaLibraries OpenStandIns(string folder)
    {
        nint emulator = NativeLibrary.Load(Path.Combine(folder, Emulator));
        return new CudaLibraries(NativeLibrary.Load(Path.Combine(folder, "libcuda.so.1")), NativeLibrary.Load(Path.Combine(folder, "libnvrtc.so.12")), emulator);
    }

    /// <summary>Loads the real libraries; null, with the reason, where they are not.</summary>
    public static CudaLibraries? OpenSystem(out string reason)
    {
        reason = "";
        if (!NativeLibrary.TryLoad("libcuda.so.1", out nint cuda))
            reason = "no GPU driver is here (libcuda.so.1)";
        else if (NativeLibrary.TryGetExport(cuda, "cudagen_description", out _) || NativeLibrary.TryLoad(Emulator, out _))
            reason = "the driver library that the system finds is a stand-in";
        else if (NvrtcNames.Select(n => NativeLibrary.TryLoad(n, out nint handle) ? handle : 0).FirstOrDefault(h => h != 0) is nint nvrtc and not 0)
            return new CudaLibraries(cuda, nvrtc, 0);
        else
            reason = $"NVRTC is not here (tried {string.Join(", ", NvrtcNames)})";
        return null;
    }

    /// <summary>A function of the driver by its name.</summary>
    public void* Cuda(string name) => (void*)NativeLibrary.GetExport(_cuda, name);

    /// <summary>The same, null in a driver that is older than the function.</summary>
    public void* CudaOrNull(string name) => NativeLibrary.TryGetExport(_cuda, name, out nint address) ? (void*)address : null;

    public void* Nvrtc(string name) => (void*)NativeLibrary.GetExport(_nvrtc, name);

    /// <summary>Sets an option of the stand-ins.</summary>
    public void Configure(string key, string value)
    {
        var configure = (delegate* unmanaged[Cdecl]<byte*, byte*, int>)Control("cudagen_configure");
        fixed (byte* k = Utf8(key), v = Utf8(value))
            if (configure(k, v) != 0)
                throw new InvalidOperationException($"the stand-ins do not take {key} = {value}");
    }

    /// <summary>The reports of the stand-ins since they were last cleared, and clears them.</summary>
    public List<string> TakeReports()
    {
        List<string> reports = [];
        int count = ((delegate* unmanaged[Cdecl]<int>)Control("cudagen_report_count"))();
        for (int i = 0; i < count; i++)
            reports.Add(Marshal.PtrToStringUTF8((nint)((delegate* unmanaged[Cdecl]<int, byte*>)Control("cudagen_report"))(i))!);
        ((delegate* unmanaged[Cdecl]<void>)Control("cudagen_clear_reports"))();
        return reports;
    }

    /// <summary>A string for C, with its zero at the end.</summary>
    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text + '\0');

    private void* Control(string name) => (void*)NativeLibrary.GetExport(_emulator, name);
}
