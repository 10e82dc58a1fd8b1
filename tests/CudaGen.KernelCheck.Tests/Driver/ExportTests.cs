namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>The libraries offer NVIDIA's names and nothing beside them.</summary>
public sealed class ExportTests
{
    /// <summary>As cuda.h of CUDA 12 maps them; a program that was linked against the real library finds exactly these.</summary>
    private static readonly string[] Cuda =
    [
        "cuCtxCreate_v2", "cuCtxDestroy_v2", "cuCtxGetApiVersion", "cuCtxGetCurrent", "cuCtxGetDevice", "cuCtxPopCurrent_v2",
        "cuCtxPushCurrent_v2", "cuCtxSetCurrent", "cuCtxSynchronize", "cuDeviceGet", "cuDeviceGetAttribute", "cuDeviceGetCount",
        "cuDeviceGetName", "cuDeviceGetUuid_v2", "cuDevicePrimaryCtxGetState", "cuDevicePrimaryCtxRelease_v2",
        "cuDevicePrimaryCtxReset_v2", "cuDevicePrimaryCtxRetain", "cuDeviceTotalMem_v2", "cuDriverGetVersion", "cuEventCreate",
        "cuEventDestroy_v2", "cuEventElapsedTime", "cuEventElapsedTime_v2", "cuEventQuery", "cuEventRecord", "cuEventSynchronize",
        "cuFuncGetAttribute", "cuFuncGetParamInfo", "cuFuncSetAttribute", "cuGetErrorName", "cuGetErrorString", "cuGraphDestroy",
        "cuGraphExecDestroy", "cuGraphGetNodes", "cuGraphInstantiateWithFlags", "cuGraphLaunch", "cuGraphUpload", "cuInit",
        "cuLaunchHostFunc", "cuLaunchKernel", "cuMemAllocAsync", "cuMemAllocHost_v2", "cuMemAlloc_v2", "cuMemFreeAsync", "cuMemFreeHost",
        "cuMemFree_v2", "cuMemGetInfo_v2", "cuMemHostAlloc", "cuMemHostGetDevicePointer_v2", "cuMemcpyDtoDAsync_v2", "cuMemcpyDtoD_v2",
        "cuMemcpyDtoHAsync_v2", "cuMemcpyDtoH_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyHtoD_v2", "cuMemsetD32Async", "cuMemsetD32_v2",
        "cuMemsetD8Async", "cuMemsetD8_v2", "cuModuleGetFunction", "cuModuleGetGlobal_v2", "cuModuleGetLoadingMode", "cuModuleLoadData",
        "cuModuleLoadDataEx", "cuModuleUnload", "cuOccupancyMaxActiveBlocksPerMultiprocessor", "cuOccupancyMaxPotentialBlockSize",
        "cuPointerGetAttribute", "cuProfilerStart", "cuProfilerStop", "cuStreamBeginCapture_v2", "cuStreamCreate",
        "cuStreamCreateWithPriority", "cuStreamDestroy_v2", "cuStreamEndCapture", "cuStreamIsCapturing", "cuStreamQuery",
        "cuStreamSynchronize", "cuStreamWaitEvent", "cuThreadExchangeStreamCaptureMode",
    ];

    [Fact]
    public void The_driver_exports_what_its_header_names() =>
        Assert.Equal(Cuda.Order(StringComparer.Ordinal), new ElfFile(Path.Combine(Session.Folder, "libcuda.so.1")).Exports);

    [Theory]
    [InlineData("libcuda.so.1", "cu"), InlineData("libnvrtc.so.12", "nvrtc")]
    public void Every_library_is_known_by_its_file_name_and_finds_the_emulator_beside_it(string name, string prefix)
    {
        var library = new ElfFile(Path.Combine(Session.Folder, name));
        Assert.Equal((name, "$ORIGIN"), (library.Name, library.SearchPath));
        Assert.Contains(StandIns.Emulator, library.NeededLibraries);
        Assert.NotEmpty(library.Exports);
        Assert.All(library.Exports, export => Assert.StartsWith(prefix, export, StringComparison.Ordinal));
    }
}
