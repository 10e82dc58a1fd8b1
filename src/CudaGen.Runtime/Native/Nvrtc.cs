using System.Runtime.InteropServices;

namespace CudaGen.Runtime.Native;

// Names and values are those of nvrtc.h (CUDA 12 and 13): https://docs.nvidia.com/cuda/nvrtc/

internal readonly record struct nvrtcProgram(nint Value);

/// <summary>The values that the engine tells apart; a status can be any other number.</summary>
internal enum nvrtcResult
{
    NVRTC_SUCCESS = 0,
    NVRTC_ERROR_COMPILATION = 6,
}

/// <summary>NVIDIA's run-time compiler, <c>libnvrtc</c>.</summary>
internal static unsafe partial class Nvrtc
{
    internal const string Library = "nvrtc";

    [LibraryImport(Library)]
    internal static partial nvrtcResult nvrtcVersion(out int major, out int minor);

    [LibraryImport(Library)]
    internal static partial byte* nvrtcGetErrorString(nvrtcResult result);

    [LibraryImport(Library)]
    internal static partial nvrtcResult nvrtcCreateProgram(out nvrtcProgram prog, byte* src, byte* name, int numHeaders, byte** headers,
        byte** includeNames);

    [LibraryImport(Library)]
    internal static partial nvrtcResult nvrtcDestroyProgram(ref nvrtcProgram prog);

    [LibraryImport(Library)]
    internal static partial nvrtcResult nvrtcCompileProgram(nvrtcProgram prog, int numOptions, byte** options);

    [LibraryImport(Library)]
    internal static partial nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram prog, out nuint logSizeRet);

    [LibraryImport(Library)]
    internal static partial nvrtcResult nvrtcGetProgramLog(nvrtcProgram prog, byte* log);

    [LibraryImport(Library)]
    internal static partial nvrtcResult nvrtcGetCUBINSize(nvrtcProgram prog, out nuint cubinSizeRet);

    [LibraryImport(Library)]
    internal static partial nvrtcResult nvrtcGetCUBIN(nvrtcProgram prog, byte* cubin);
}
