using System.Runtime.InteropServices;

namespace CudaGen.KernelCheck;

/// <summary>Launches compiled kernels through the CUDA driver's interface: a GPU's or the stand-ins'.</summary>
internal sealed unsafe class KernelHost : IDisposable
{
    private const int ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76; // of CUdevice_attribute
    private const int MaxDynamicSharedSize = 8;                                 // of CUfunction_attribute
    private const int SharedWithoutOptIn = 48 * 1024;
    private const int InvalidValue = 1;

    private readonly CudaLibraries _libraries;
    private readonly int _device;
    private readonly delegate* unmanaged[Cdecl]<ulong*, nuint, int> _memAlloc;
    private readonly delegate* unmanaged[Cdecl]<ulong, int> _memFree;
    private readonly delegate* unmanaged[Cdecl]<ulong, void*, nuint, int> _memcpyHtoD;
    private readonly delegate* unmanaged[Cdecl]<void*, ulong, nuint, int> _memcpyDtoH;
    private readonly delegate* unmanaged[Cdecl]<nint*, void*, int> _moduleLoadData;
    private readonly delegate* unmanaged[Cdecl]<nint, int> _moduleUnload;
    private readonly delegate* unmanaged[Cdecl]<nint*, nint, byte*, int> _moduleGetFunction;
    private readonly delegate* unmanaged[Cdecl]<nint, nuint, nuint*, nuint*, int> _funcGetParamInfo; // null before CUDA 12.4
    private readonly delegate* unmanaged[Cdecl]<nint, int, int, int> _funcSetAttribute;
    private readonly delegate* unmanaged[Cdecl]<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> _launchKernel;
    private readonly delegate* unmanaged[Cdecl]<int> _ctxSynchronize;
    private readonly delegate* unmanaged[Cdecl]<int, int> _primaryCtxRelease;
    private readonly delegate* unmanaged[Cdecl]<int, byte**, int> _getErrorName, _getErrorString;

    /// <exception cref="CudaCallException">There is no device, or it does not open.</exception>
    public KernelHost(CudaLibraries libraries)
    {
        _libraries = libraries;
        _getErrorName = (delegate* unmanaged[Cdecl]<int, byte**, int>)libraries.Cuda("cuGetErrorName");
        _getErrorString = (delegate* unmanaged[Cdecl]<int, byte**, int>)libraries.Cuda("cuGetErrorString");
        _memAlloc = (delegate* unmanaged[Cdecl]<ulong*, nuint, int>)libraries.Cuda("cuMemAlloc_v2");
        _memFree = (delegate* unmanaged[Cdecl]<ulong, int>)libraries.Cuda("cuMemFree_v2");
        _memcpyHtoD = (delegate* unmanaged[Cdecl]<ulong, void*, nuint, int>)libraries.Cuda("cuMemcpyHtoD_v2");
        _memcpyDtoH = (delegate* unmanaged[Cdecl]<void*, ulong, nuint, int>)libraries.Cuda("cuMemcpyDtoH_v2");
        _moduleLoadData = (delegate* unmanaged[Cdecl]<nint*, void*, int>)libraries.Cuda("cuModuleLoadData");
        _moduleUnload = (delegate* unmanaged[Cdecl]<nint, int>)libraries.Cuda("cuModuleUnload");
        _moduleGetFunction = (delegate* unmanaged[Cdecl]<nint*, nint, byte*, int>)libraries.Cuda("cuModuleGetFunction");
        _funcGetParamInfo = (delegate* unmanaged[Cdecl]<nint, nuint, nuint*, nuint*, int>)libraries.CudaOrNull("cuFuncGetParamInfo");
        _funcSetAttribute = (delegate* unmanaged[Cdecl]<nint, int, int, int>)libraries.Cuda("cuFuncSetAttribute");
        _launchKernel = (delegate* unmanaged[Cdecl]<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)
            libraries.Cuda("cuLaunchKernel");
        _ctxSynchronize = (delegate* unmanaged[Cdecl]<int>)libraries.Cuda("cuCtxSynchronize");
        _primaryCtxRelease = (delegate* unmanaged[Cdecl]<int, int>)libraries.Cuda("cuDevicePrimaryCtxRelease_v2");

        _device = OpenDevice();
        Architecture = 10 * Attribute(ComputeCapabilityMajor) + Attribute(ComputeCapabilityMinor);
    }

    /// <summary>Of the device: 90 for sm_90.</summary>
    public int Architecture { get; }

    // The first device, with its primary context current to this thread.
    private int OpenDevice()
    {
        var init = (delegate* unmanaged[Cdecl]<uint, int>)_libraries.Cuda("cuInit");
        var get = (delegate* unmanaged[Cdecl]<int*, int, int>)_libraries.Cuda("cuDeviceGet");
        var retain = (delegate* unmanaged[Cdecl]<nint*, int, int>)_libraries.Cuda("cuDevicePrimaryCtxRetain");
        var setCurrent = (delegate* unmanaged[Cdecl]<nint, int>)_libraries.Cuda("cuCtxSetCurrent");
        int device;
        nint context;
        Check(init(0), "cuInit");
        Check(get(&device, 0), "cuDeviceGet");
        Check(retain(&context, device), "cuDevicePrimaryCtxRetain");
        Check(setCurrent(context), "cuCtxSetCurrent");
        return device;
    }

    private int Attribute(int attribute)
    {
        var get = (delegate* unmanaged[Cdecl]<int*, int, int, int>)_libraries.Cuda("cuDeviceGetAttribute");
        int value;
        Check(get(&value, attribute, _device), "cuDeviceGetAttribute");
        return value;
    }

    /// <summary>
    /// Runs a case once, in a module of its own so that the kernel's own variables are fresh. Returns what is in its buffers
    /// afterwards, null for those that are not read back.
    /// </summary>
    /// <exception cref="CudaCallException">A call failed, or the arguments do not fit the kernel.</exception>
    public byte[]?[] Run(byte[] image, KernelCase kernelCase)
    {
        nint module, function;
        fixed (byte* bytes = image)
            Check(_moduleLoadData(&module, bytes), "cuModuleLoadData");
        var buffers = new Buffer[kernelCase.Arguments.Count];
        try
        {
            fixed (byte* name = CudaLibraries.Utf8(kernelCase.Kernel))
                Check(_moduleGetFunction(&function, module, name), $"cuModuleGetFunction(\"{kernelCase.Kernel}\")");
            CheckArguments(function, kernelCase.Arguments);
            for (int i = 0; i < buffers.Length; i++)
                buffers[i] = MakeBuffer(kernelCase.Arguments[i]);
            Launch(function, kernelCase, buffers);
            return [.. kernelCase.Arguments.Select((a, i) => ReadBack(a, buffers[i]))];
        }
        finally
        {
            // After an error these fail too, which says nothing new.
            foreach (Buffer buffer in buffers)
                Free(buffer);
            _ = _moduleUnload(module);
        }
    }

    public void Dispose() => _ = _primaryCtxRelease(_device);

    // What is passed for an argument, and what has to be freed for it.
    private struct Buffer
    {
        public ulong Device;
        public void* Host;
        public ulong Passed;
    }

    private Buffer MakeBuffer(CaseArgument argument)
    {
        var buffer = new Buffer();
        nuint size = (nuint)(argument.Offset + argument.Size);
        if (!argument.IsPointer || argument.Place == Place.Null)
            return buffer;
        if (argument.Place == Place.Host)
        {
            buffer.Host = NativeMemory.AllocZeroed(nuint.Max(size, 1));
            buffer.Passed = (ulong)buffer.Host + (ulong)argument.Offset;
            return buffer;
        }
        ulong device;
        Check(_memAlloc(&device, nuint.Max(size, 1)), "cuMemAlloc_v2");
        buffer.Device = device;
        buffer.Passed = device + (ulong)argument.Offset;
        // The stand-ins know which memory is unset. On a GPU it is made what theirs looks like.
        byte[]? content = argument.Content;
        if (content is null && _libraries.StandIns is null)
            (content = new byte[argument.Size]).AsSpan().Fill(0xFF);
        if (content is { Length: > 0 })
            fixed (byte* bytes = content)
                Check(_memcpyHtoD(buffer.Passed, bytes, (nuint)content.Length), "cuMemcpyHtoD_v2");
        return buffer;
    }

    private void Free(Buffer buffer)
    {
        if (buffer.Device != 0)
            _ = _memFree(buffer.Device);
        NativeMemory.Free(buffer.Host);
    }

    // The driver takes a list of addresses and reads as many bytes as the kernel's parameters have.
    private void CheckArguments(nint function, IReadOnlyList<CaseArgument> arguments)
    {
        if (_funcGetParamInfo is null)
            return;
        nuint offset, size;
        int count = 0, status;
        for (; (status = _funcGetParamInfo(function, (nuint)count, &offset, &size)) == 0; count++)
        {
            if (count >= arguments.Count)
                continue;
            int given = arguments[count].IsPointer ? sizeof(ulong) : arguments[count].Size;
            if (given != (int)size)
                throw new CudaCallException($"argument '{arguments[count].Name}' has {given} bytes, the kernel's has {size}");
        }
        if (status != InvalidValue)
            Check(status, "cuFuncGetParamInfo");
        if (count != arguments.Count)
            throw new CudaCallException($"the case has {arguments.Count} arguments, the kernel has {count}");
    }

    private void Launch(nint function, KernelCase kernelCase, Buffer[] buffers)
    {
        if (kernelCase.Shared > SharedWithoutOptIn)
            Check(_funcSetAttribute(function, MaxDynamicSharedSize, kernelCase.Shared), "cuFuncSetAttribute");
        int count = buffers.Length;
        const int Largest = 32; // a double4
        byte* values = stackalloc byte[Largest * count + Largest];
        void** pointers = stackalloc void*[count + 1];
        for (int i = 0; i < count; i++)
        {
            pointers[i] = values + Largest * i;
            if (kernelCase.Arguments[i].IsPointer)
                *(ulong*)pointers[i] = buffers[i].Passed;
            else
                kernelCase.Arguments[i].Content.CopyTo(new Span<byte>(pointers[i], Largest));
        }
        (Extent grid, Extent block) = (kernelCase.Grid, kernelCase.Block);
        Check(_launchKernel(function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)block.X, (uint)block.Y, (uint)block.Z,
            (uint)kernelCase.Shared, 0, pointers, null), "cuLaunchKernel");
        Check(_ctxSynchronize(), "cuCtxSynchronize");
    }

    // Outputs too of which nothing is expected: the stand-ins then tell what the kernel left unset.
    private byte[]? ReadBack(CaseArgument argument, Buffer buffer)
    {
        if (buffer.Device == 0 || (argument.Role == Role.InOut && argument.Expected is null))
            return null;
        var bytes = new byte[argument.Size];
        int status = 0;
        fixed (byte* p = bytes)
            if (bytes.Length > 0)
                status = _memcpyDtoH(p, buffer.Passed, (nuint)bytes.Length);
        return status == 0 ? bytes : throw new CudaCallException(Describe(status, "cuMemcpyDtoH_v2")) { ReadingBack = argument.Name };
    }

    private void Check(int status, string call)
    {
        if (status != 0)
            throw new CudaCallException(Describe(status, call));
    }

    private string Describe(int status, string call)
    {
        // The stand-ins can say more than a status: "2048 threads in a block, 1024 at most".
        string why = _libraries.StandIns is { Explanation.Length: > 0 } standIns ? $" ({standIns.Explanation})" : "";
        byte* name = null, text = null;
        _ = _getErrorName(status, &name);
        _ = _getErrorString(status, &text);
        return $"{call}: {Marshal.PtrToStringUTF8((nint)name) ?? $"status {status}"}: {Marshal.PtrToStringUTF8((nint)text)}{why}";
    }
}
