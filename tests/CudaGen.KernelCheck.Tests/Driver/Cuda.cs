using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>The driver API of one libcuda.so.1, by NVIDIA's names; handles and device addresses are plain numbers.</summary>
internal sealed unsafe class Cuda(string folder)
{
    private readonly nint _library = NativeLibrary.Load(Path.Combine(folder, "libcuda.so.1"));
    private readonly Dictionary<string, nint> _functions = [];

    private nint F([CallerMemberName] string name = "")
    {
        lock (_functions)
            return _functions.TryGetValue(name, out nint found) ? found : _functions[name] = NativeLibrary.GetExport(_library, name);
    }

    public int cuInit(uint flags) => ((delegate* unmanaged[Cdecl]<uint, int>)F())(flags);
    public int cuDriverGetVersion(int* version) => ((delegate* unmanaged[Cdecl]<int*, int>)F())(version);
    public int cuGetErrorName(int error, byte** text) => ((delegate* unmanaged[Cdecl]<int, byte**, int>)F())(error, text);
    public int cuGetErrorString(int error, byte** text) => ((delegate* unmanaged[Cdecl]<int, byte**, int>)F())(error, text);
    public int cuDeviceGetCount(int* count) => ((delegate* unmanaged[Cdecl]<int*, int>)F())(count);
    public int cuDeviceGet(int* device, int ordinal) => ((delegate* unmanaged[Cdecl]<int*, int, int>)F())(device, ordinal);
    public int cuDeviceGetName(byte* name, int size, int device) => ((delegate* unmanaged[Cdecl]<byte*, int, int, int>)F())(name, size, device);
    public int cuDeviceTotalMem_v2(nuint* bytes, int device) => ((delegate* unmanaged[Cdecl]<nuint*, int, int>)F())(bytes, device);
    public int cuDeviceGetAttribute(int* value, int attribute, int device) =>
        ((delegate* unmanaged[Cdecl]<int*, int, int, int>)F())(value, attribute, device);
    public int cuDeviceGetUuid_v2(byte* uuid, int device) => ((delegate* unmanaged[Cdecl]<byte*, int, int>)F())(uuid, device);
    public int cuProfilerStart() => ((delegate* unmanaged[Cdecl]<int>)F())();
    public int cuProfilerStop() => ((delegate* unmanaged[Cdecl]<int>)F())();
    public int cuDevicePrimaryCtxRetain(nint* context, int device) => ((delegate* unmanaged[Cdecl]<nint*, int, int>)F())(context, device);
    public int cuDevicePrimaryCtxRelease_v2(int device) => ((delegate* unmanaged[Cdecl]<int, int>)F())(device);
    public int cuDevicePrimaryCtxReset_v2(int device) => ((delegate* unmanaged[Cdecl]<int, int>)F())(device);
    public int cuDevicePrimaryCtxGetState(int device, uint* flags, int* active) =>
        ((delegate* unmanaged[Cdecl]<int, uint*, int*, int>)F())(device, flags, active);
    public int cuCtxCreate_v2(nint* context, uint flags, int device) =>
        ((delegate* unmanaged[Cdecl]<nint*, uint, int, int>)F())(context, flags, device);
    public int cuCtxDestroy_v2(nint context) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(context);
    public int cuCtxGetCurrent(nint* context) => ((delegate* unmanaged[Cdecl]<nint*, int>)F())(context);
    public int cuCtxSetCurrent(nint context) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(context);
    public int cuCtxPushCurrent_v2(nint context) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(context);
    public int cuCtxPopCurrent_v2(nint* context) => ((delegate* unmanaged[Cdecl]<nint*, int>)F())(context);
    public int cuCtxSynchronize() => ((delegate* unmanaged[Cdecl]<int>)F())();
    public int cuCtxGetDevice(int* device) => ((delegate* unmanaged[Cdecl]<int*, int>)F())(device);
    public int cuCtxGetApiVersion(nint context, uint* version) => ((delegate* unmanaged[Cdecl]<nint, uint*, int>)F())(context, version);

    public int cuMemAlloc_v2(ulong* address, nuint size) => ((delegate* unmanaged[Cdecl]<ulong*, nuint, int>)F())(address, size);
    public int cuMemFree_v2(ulong address) => ((delegate* unmanaged[Cdecl]<ulong, int>)F())(address);
    public int cuMemAllocAsync(ulong* address, nuint size, nint stream) =>
        ((delegate* unmanaged[Cdecl]<ulong*, nuint, nint, int>)F())(address, size, stream);
    public int cuMemFreeAsync(ulong address, nint stream) => ((delegate* unmanaged[Cdecl]<ulong, nint, int>)F())(address, stream);
    public int cuMemGetInfo_v2(nuint* free, nuint* total) => ((delegate* unmanaged[Cdecl]<nuint*, nuint*, int>)F())(free, total);
    public int cuMemAllocHost_v2(void** address, nuint size) => ((delegate* unmanaged[Cdecl]<void**, nuint, int>)F())(address, size);
    public int cuMemHostAlloc(void** address, nuint size, uint flags) =>
        ((delegate* unmanaged[Cdecl]<void**, nuint, uint, int>)F())(address, size, flags);
    public int cuMemFreeHost(void* address) => ((delegate* unmanaged[Cdecl]<void*, int>)F())(address);
    public int cuMemHostGetDevicePointer_v2(ulong* address, void* host, uint flags) =>
        ((delegate* unmanaged[Cdecl]<ulong*, void*, uint, int>)F())(address, host, flags);
    public int cuPointerGetAttribute(void* value, int attribute, ulong address) =>
        ((delegate* unmanaged[Cdecl]<void*, int, ulong, int>)F())(value, attribute, address);

    public int cuMemcpyHtoD_v2(ulong to, void* from, nuint size) => ((delegate* unmanaged[Cdecl]<ulong, void*, nuint, int>)F())(to, from, size);
    public int cuMemcpyDtoH_v2(void* to, ulong from, nuint size) => ((delegate* unmanaged[Cdecl]<void*, ulong, nuint, int>)F())(to, from, size);
    public int cuMemcpyDtoD_v2(ulong to, ulong from, nuint size) => ((delegate* unmanaged[Cdecl]<ulong, ulong, nuint, int>)F())(to, from, size);
    public int cuMemcpyHtoDAsync_v2(ulong to, void* from, nuint size, nint stream) =>
        ((delegate* unmanaged[Cdecl]<ulong, void*, nuint, nint, int>)F())(to, from, size, stream);
    public int cuMemcpyDtoHAsync_v2(void* to, ulong from, nuint size, nint stream) =>
        ((delegate* unmanaged[Cdecl]<void*, ulong, nuint, nint, int>)F())(to, from, size, stream);
    public int cuMemcpyDtoDAsync_v2(ulong to, ulong from, nuint size, nint stream) =>
        ((delegate* unmanaged[Cdecl]<ulong, ulong, nuint, nint, int>)F())(to, from, size, stream);
    public int cuMemsetD8_v2(ulong to, byte value, nuint count) => ((delegate* unmanaged[Cdecl]<ulong, byte, nuint, int>)F())(to, value, count);
    public int cuMemsetD8Async(ulong to, byte value, nuint count, nint stream) =>
        ((delegate* unmanaged[Cdecl]<ulong, byte, nuint, nint, int>)F())(to, value, count, stream);
    public int cuMemsetD32_v2(ulong to, uint value, nuint count) => ((delegate* unmanaged[Cdecl]<ulong, uint, nuint, int>)F())(to, value, count);
    public int cuMemsetD32Async(ulong to, uint value, nuint count, nint stream) =>
        ((delegate* unmanaged[Cdecl]<ulong, uint, nuint, nint, int>)F())(to, value, count, stream);

    public int cuStreamCreate(nint* stream, uint flags) => ((delegate* unmanaged[Cdecl]<nint*, uint, int>)F())(stream, flags);
    public int cuStreamCreateWithPriority(nint* stream, uint flags, int priority) =>
        ((delegate* unmanaged[Cdecl]<nint*, uint, int, int>)F())(stream, flags, priority);
    public int cuStreamDestroy_v2(nint stream) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(stream);
    public int cuStreamSynchronize(nint stream) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(stream);
    public int cuStreamQuery(nint stream) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(stream);
    public int cuStreamWaitEvent(nint stream, nint @event, uint flags) =>
        ((delegate* unmanaged[Cdecl]<nint, nint, uint, int>)F())(stream, @event, flags);
    public int cuStreamBeginCapture_v2(nint stream, int mode) => ((delegate* unmanaged[Cdecl]<nint, int, int>)F())(stream, mode);
    public int cuStreamEndCapture(nint stream, nint* graph) => ((delegate* unmanaged[Cdecl]<nint, nint*, int>)F())(stream, graph);
    public int cuStreamIsCapturing(nint stream, int* status) => ((delegate* unmanaged[Cdecl]<nint, int*, int>)F())(stream, status);
    public int cuThreadExchangeStreamCaptureMode(int* mode) => ((delegate* unmanaged[Cdecl]<int*, int>)F())(mode);
    public int cuLaunchHostFunc(nint stream, delegate* unmanaged[Cdecl]<void*, void> function, void* data) =>
        ((delegate* unmanaged[Cdecl]<nint, delegate* unmanaged[Cdecl]<void*, void>, void*, int>)F())(stream, function, data);

    public int cuEventCreate(nint* @event, uint flags) => ((delegate* unmanaged[Cdecl]<nint*, uint, int>)F())(@event, flags);
    public int cuEventDestroy_v2(nint @event) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(@event);
    public int cuEventRecord(nint @event, nint stream) => ((delegate* unmanaged[Cdecl]<nint, nint, int>)F())(@event, stream);
    public int cuEventSynchronize(nint @event) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(@event);
    public int cuEventQuery(nint @event) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(@event);
    public int cuEventElapsedTime(float* time, nint start, nint end) => ((delegate* unmanaged[Cdecl]<float*, nint, nint, int>)F())(time, start, end);
    public int cuEventElapsedTime_v2(float* time, nint start, nint end) =>
        ((delegate* unmanaged[Cdecl]<float*, nint, nint, int>)F())(time, start, end);

    public int cuModuleGetLoadingMode(int* mode) => ((delegate* unmanaged[Cdecl]<int*, int>)F())(mode);
    public int cuModuleLoadData(nint* module, void* image) => ((delegate* unmanaged[Cdecl]<nint*, void*, int>)F())(module, image);
    public int cuModuleLoadDataEx(nint* module, void* image, uint count, int* options, void** values) =>
        ((delegate* unmanaged[Cdecl]<nint*, void*, uint, int*, void**, int>)F())(module, image, count, options, values);
    public int cuModuleUnload(nint module) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(module);
    public int cuModuleGetFunction(nint* function, nint module, byte* name) =>
        ((delegate* unmanaged[Cdecl]<nint*, nint, byte*, int>)F())(function, module, name);
    public int cuModuleGetGlobal_v2(ulong* address, nuint* size, nint module, byte* name) =>
        ((delegate* unmanaged[Cdecl]<ulong*, nuint*, nint, byte*, int>)F())(address, size, module, name);
    public int cuFuncGetAttribute(int* value, int attribute, nint function) =>
        ((delegate* unmanaged[Cdecl]<int*, int, nint, int>)F())(value, attribute, function);
    public int cuFuncSetAttribute(nint function, int attribute, int value) =>
        ((delegate* unmanaged[Cdecl]<nint, int, int, int>)F())(function, attribute, value);
    public int cuFuncGetParamInfo(nint function, nuint index, nuint* offset, nuint* size) =>
        ((delegate* unmanaged[Cdecl]<nint, nuint, nuint*, nuint*, int>)F())(function, index, offset, size);
    public int cuLaunchKernel(nint function, uint gx, uint gy, uint gz, uint bx, uint by, uint bz, uint shared, nint stream,
        void** arguments, void** extra) =>
        ((delegate* unmanaged[Cdecl]<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)F())(
            function, gx, gy, gz, bx, by, bz, shared, stream, arguments, extra);
    public int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, nint function, int threads, nuint shared) =>
        ((delegate* unmanaged[Cdecl]<int*, nint, int, nuint, int>)F())(blocks, function, threads, shared);
    public int cuOccupancyMaxPotentialBlockSize(int* grid, int* block, nint function, void* sharedOf, nuint shared, int limit) =>
        ((delegate* unmanaged[Cdecl]<int*, int*, nint, void*, nuint, int, int>)F())(grid, block, function, sharedOf, shared, limit);

    public int cuGraphInstantiateWithFlags(nint* exec, nint graph, ulong flags) =>
        ((delegate* unmanaged[Cdecl]<nint*, nint, ulong, int>)F())(exec, graph, flags);
    public int cuGraphLaunch(nint exec, nint stream) => ((delegate* unmanaged[Cdecl]<nint, nint, int>)F())(exec, stream);
    public int cuGraphUpload(nint exec, nint stream) => ((delegate* unmanaged[Cdecl]<nint, nint, int>)F())(exec, stream);
    public int cuGraphDestroy(nint graph) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(graph);
    public int cuGraphExecDestroy(nint exec) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(exec);
    public int cuGraphGetNodes(nint graph, nint* nodes, nuint* count) =>
        ((delegate* unmanaged[Cdecl]<nint, nint*, nuint*, int>)F())(graph, nodes, count);
}
