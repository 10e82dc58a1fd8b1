using System.Runtime.InteropServices;

namespace CudaGen.Runtime.Native;

/// <summary>
/// What the CPU stand-ins of CudaGen.KernelCheck tell beyond NVIDIA's interface: that they are stand-ins, and what they
/// found wrong.
/// </summary>
internal sealed unsafe class Emulator
{
    private readonly delegate* unmanaged[Cdecl]<byte*> _description, _buildId, _explanation;
    private readonly delegate* unmanaged[Cdecl]<int> _count;
    private readonly delegate* unmanaged[Cdecl]<int, byte*> _report;

    private Emulator(nint library)
    {
        _description = (delegate* unmanaged[Cdecl]<byte*>)NativeLibrary.GetExport(library, "cudagen_description");
        _buildId = (delegate* unmanaged[Cdecl]<byte*>)NativeLibrary.GetExport(library, "cudagen_build_id");
        _explanation = (delegate* unmanaged[Cdecl]<byte*>)NativeLibrary.GetExport(library, "cudagen_explanation");
        _count = (delegate* unmanaged[Cdecl]<int>)NativeLibrary.GetExport(library, "cudagen_report_count");
        _report = (delegate* unmanaged[Cdecl]<int, byte*>)NativeLibrary.GetExport(library, "cudagen_report");
    }

    /// <summary>The emulator behind the driver that was loaded; null when that is NVIDIA's.</summary>
    internal static Emulator? Current { get; private set; }

    internal static void Find() => Current ??= NativeLibraries.TryLoadEmulator(out nint library) ? new(library) : null;

    internal string Description => Marshal.PtrToStringUTF8((nint)_description())!;

    /// <summary>Changes when the stand-ins do, so that what they compiled is not taken for the work of others.</summary>
    internal string BuildId => Marshal.PtrToStringUTF8((nint)_buildId())!;

    /// <summary>Why the last call of this thread failed, where that is no finding about a kernel; may be empty.</summary>
    internal string Explanation => Marshal.PtrToStringUTF8((nint)_explanation()) ?? "";

    /// <summary>What was found wrong, one line each.</summary>
    internal IEnumerable<string> Reports
    {
        get
        {
            for (int i = 0; i < Count(); i++)
                yield return Report(i);
        }
    }

    private int Count() => _count();

    private string Report(int i) => Marshal.PtrToStringUTF8((nint)_report(i)) ?? "";
}
