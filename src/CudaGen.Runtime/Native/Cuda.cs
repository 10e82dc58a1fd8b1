using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace CudaGen.Runtime.Native;

// Names, values and layouts are those of cuda.h (CUDA 12 and 13): https://docs.nvidia.com/cuda/cuda-driver-api/

internal readonly record struct CUdevice(int Value);

internal readonly record struct CUcontext(nint Value);

internal readonly record struct CUstream(nint Value);

internal readonly record struct CUevent(nint Value);

internal readonly record struct CUmodule(nint Value);

internal readonly record struct CUfunction(nint Value);

internal readonly record struct CUgraph(nint Value);

internal readonly record struct CUgraphExec(nint Value);

internal readonly record struct CUdeviceptr(nuint Value);

/// <summary>The values that the engine tells apart; a status can be any other number.</summary>
internal enum CUresult
{
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_READY = 600,
}

internal enum CUdevice_attribute
{
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
}

[Flags]
internal enum CUstream_flags : uint
{
    CU_STREAM_DEFAULT = 0,

    /// <summary>Does not wait for the legacy default stream, nor that for it.</summary>
    CU_STREAM_NON_BLOCKING = 1,
}

[Flags]
internal enum CUevent_flags : uint
{
    CU_EVENT_DEFAULT = 0,
    CU_EVENT_BLOCKING_SYNC = 1,
    CU_EVENT_DISABLE_TIMING = 2,
}

internal enum CUstreamCaptureMode
{
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0,
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
    CU_STREAM_CAPTURE_MODE_RELAXED = 2,
}

/// <summary>The CUDA driver, <c>libcuda.so.1</c>: what the engine calls and nothing more.</summary>
internal static unsafe partial class Cuda
{
    internal const string Library = "cuda";

    [LibraryImport(Library)]
    internal static partial CUresult cuInit(uint Flags);

    [LibraryImport(Library)]
    internal static partial CUresult cuDriverGetVersion(out int driverVersion);

    [LibraryImport(Library)]
    internal static partial CUresult cuGetErrorName(CUresult error, out byte* pStr);

    [LibraryImport(Library)]
    internal static partial CUresult cuGetErrorString(CUresult error, out byte* pStr);

    [LibraryImport(Library)]
    internal static partial CUresult cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    internal static partial CUresult cuDeviceGet(out CUdevice device, int ordinal);

    [LibraryImport(Library)]
    internal static partial CUresult cuDeviceGetName(byte* name, int len, CUdevice dev);

    [LibraryImport(Library)]
    internal static partial CUresult cuDeviceGetAttribute(out int pi, CUdevice_attribute attrib, CUdevice dev);

    [LibraryImport(Library)]
    internal static partial CUresult cuDevicePrimaryCtxRetain(out CUcontext pctx, CUdevice dev);

    [LibraryImport(Library)]
    internal static partial CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev);

    [LibraryImport(Library)]
    internal static partial CUresult cuCtxGetCurrent(out CUcontext pctx);

    [LibraryImport(Library)]
    internal static partial CUresult cuCtxSetCurrent(CUcontext ctx);

    [LibraryImport(Library)]
    internal static partial CUresult cuCtxGetDevice(out CUdevice device);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemAlloc_v2(out CUdeviceptr dptr, nuint bytesize);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemFree_v2(CUdeviceptr dptr);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemGetInfo_v2(out nuint free, out nuint total);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemAllocHost_v2(out void* pp, nuint bytesize);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemFreeHost(void* p);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, void* srcHost, nuint ByteCount, CUstream hStream);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemcpyDtoHAsync_v2(void* dstHost, CUdeviceptr srcDevice, nuint ByteCount, CUstream hStream);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, nuint ByteCount, CUstream hStream);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemsetD8Async(CUdeviceptr dstDevice, byte uc, nuint N, CUstream hStream);

    [LibraryImport(Library)]
    internal static partial CUresult cuMemsetD32Async(CUdeviceptr dstDevice, uint ui, nuint N, CUstream hStream);

    [LibraryImport(Library)]
    internal static partial CUresult cuStreamCreate(out CUstream phStream, CUstream_flags Flags);

    [LibraryImport(Library)]
    internal static partial CUresult cuStreamDestroy_v2(CUstream hStream);

    [LibraryImport(Library)]
    internal static partial CUresult cuStreamSynchronize(CUstream hStream);

    [LibraryImport(Library)]
    internal static partial CUresult cuStreamBeginCapture_v2(CUstream hStream, CUstreamCaptureMode mode);

    [LibraryImport(Library)]
    internal static partial CUresult cuStreamEndCapture(CUstream hStream, out CUgraph phGraph);

    [LibraryImport(Library)]
    internal static partial CUresult cuGraphInstantiateWithFlags(out CUgraphExec phGraphExec, CUgraph hGraph, ulong flags);

    [LibraryImport(Library)]
    internal static partial CUresult cuGraphGetNodes(CUgraph hGraph, nint* nodes, ref nuint numNodes);

    [LibraryImport(Library)]
    internal static partial CUresult cuGraphLaunch(CUgraphExec hGraphExec, CUstream hStream);

    [LibraryImport(Library)]
    internal static partial CUresult cuGraphExecDestroy(CUgraphExec hGraphExec);

    [LibraryImport(Library)]
    internal static partial CUresult cuGraphDestroy(CUgraph hGraph);

    [LibraryImport(Library)]
    internal static partial CUresult cuEventCreate(out CUevent phEvent, CUevent_flags Flags);

    [LibraryImport(Library)]
    internal static partial CUresult cuEventDestroy_v2(CUevent hEvent);

    [LibraryImport(Library)]
    internal static partial CUresult cuEventRecord(CUevent hEvent, CUstream hStream);

    [LibraryImport(Library)]
    internal static partial CUresult cuEventSynchronize(CUevent hEvent);

    [LibraryImport(Library)]
    internal static partial CUresult cuEventQuery(CUevent hEvent);

    [LibraryImport(Library)]
    internal static partial CUresult cuEventElapsedTime(out float pMilliseconds, CUevent hStart, CUevent hEnd);

    [LibraryImport(Library)]
    internal static partial CUresult cuModuleLoadData(out CUmodule module, void* image);

    [LibraryImport(Library)]
    internal static partial CUresult cuModuleUnload(CUmodule hmod);

    [LibraryImport(Library)]
    internal static partial CUresult cuModuleGetFunction(out CUfunction hfunc, CUmodule hmod, byte* name);

    /// <summary>CUDA 12.4 and later; see <see cref="NativeLibraries.HasExport"/>.</summary>
    [LibraryImport(Library)]
    internal static partial CUresult cuFuncGetParamInfo(CUfunction func, nuint paramIndex, out nuint paramOffset, out nuint paramSize);

    [LibraryImport(Library)]
    internal static partial CUresult cuLaunchKernel(CUfunction f, uint gridDimX, uint gridDimY, uint gridDimZ, uint blockDimX, uint blockDimY,
        uint blockDimZ, uint sharedMemBytes, CUstream hStream, void** kernelParams, void** extra);
}
