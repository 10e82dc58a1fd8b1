using System.Runtime.InteropServices;
using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Runtime;

/// <summary>
/// The CUDA half of a <see cref="Device"/>: a context, the one stream that everything is given to, the compiler and the
/// kernels that were loaded.
/// </summary>
internal sealed unsafe class CudaContext : IDisposable
{
    // https://docs.nvidia.com/cuda/cublas/: 0 keeps the libraries from TF32, whatever a program asks for.
    private const string Tf32Override = "NVIDIA_TF32_OVERRIDE";

    [ThreadStatic]
    private static nint _current;

    private readonly CUdevice _device;
    private readonly CUcontext _context;
    private readonly bool _ownsContext, _ownsStream;
    private readonly Dictionary<KernelSource, CUmodule> _modules = [];
    private readonly KernelCompiler _compiler;
    private LoadedKernel?[] _kernels = new LoadedKernel?[64];
    private CUresult _unreported;

    /// <summary>A kernel in this context.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Function">Its handle.</param>
    /// <param name="ParameterSizes">Bytes of each parameter; null with drivers before 12.4, which do not tell.</param>
    private sealed record LoadedKernel(string Name, CUfunction Function, int[]? ParameterSizes);

    /// <summary>Retains the primary context of a GPU, the one that cuBLAS, cuDNN and other users of the runtime API share.</summary>
    internal CudaContext(int ordinal, Implementation implementation, Precision precision) : this(ordinal, default, default, implementation, precision)
    {
    }

    /// <summary>Takes part in a context, and in a stream of it unless that is null; both stay their owner's.</summary>
    internal CudaContext(CUcontext context, CUstream stream, Implementation implementation, Precision precision)
        : this(0, context, stream, implementation, precision)
    {
    }

    private CudaContext(int ordinal, CUcontext foreign, CUstream stream, Implementation implementation, Precision precision)
    {
        NativeLibraries.Load(Cuda.Library);
        Emulator.Find();
        Check(Cuda.cuInit(0));
        Check(Cuda.cuDriverGetVersion(out int version));
        (DriverMajor, DriverMinor) = (version / 1000, version % 1000 / 10);
        _ownsContext = foreign == default;
        if (_ownsContext)
        {
            Check(Cuda.cuDeviceGetCount(out int count));
            if (ordinal < 0 || ordinal >= count)
                throw new DeviceException($"GPU {ordinal}: the driver has {count}");
            Check(Cuda.cuDeviceGet(out _device, ordinal));
            Check(Cuda.cuDevicePrimaryCtxRetain(out _context, _device));
        }
        else
            _context = foreign;
        try
        {
            Check(Cuda.cuCtxSetCurrent(_context));
            _current = _context.Value;
            if (!_ownsContext)
                Check(Cuda.cuCtxGetDevice(out _device));
            Multiprocessors = Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
            int capability = Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
            Architecture = $"sm_{capability}{Attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)}";
            byte* name = stackalloc byte[256];
            Check(Cuda.cuDeviceGetName(name, 256, _device));
            Name = Text(name);
            _compiler = new KernelCompiler(Architecture, DriverMajor);
            Stream = stream;
            if (stream == default)
            {
                Check(Cuda.cuStreamCreate(out stream, CUstream_flags.CU_STREAM_NON_BLOCKING));
                (Stream, _ownsStream) = (stream, true);
            }
            RequireTensorCores(precision, capability, Environment.GetEnvironmentVariable(Tf32Override));
            // Nothing but the libraries has another precision: where they do not load, that is an error.
            Implementation asked = precision == Precision.Fp32 ? implementation : Implementation.Library;
            if (TakesLibraries(asked, library => NativeLibraries.TryLoad(library, DriverMajor, out _, out string failure) ? "" : failure))
            {
                Blas = new Blas(this, precision);
                Dnn = new Dnn(this);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Whether cuBLAS and cuDNN are taken: both or neither.</summary>
    /// <param name="implementation">What was asked for.</param>
    /// <param name="load">Loads a library and returns why it did not, or nothing.</param>
    /// <exception cref="DeviceException">They were asked for and one does not load.</exception>
    internal static bool TakesLibraries(Implementation implementation, Func<string, string> load)
    {
        if (implementation == Implementation.Kernel)
            return false;
        string failure = load(CuBlas.Library);
        if (failure.Length == 0)
            failure = load(CuDnn.Library);
        return failure.Length == 0 || (implementation == Implementation.Library ? throw new DeviceException(failure) : false);
    }

    /// <summary>Refuses what the libraries would silently compute in float32.</summary>
    /// <exception cref="DeviceException">The GPU has no tensor cores of that precision, or the environment forbids them.</exception>
    internal static void RequireTensorCores(Precision precision, int capability, string? tf32Override)
    {
        if (precision != Precision.Fp32 && capability < 8)
            throw new DeviceException($"{Device.Name(precision)}: found a GPU of compute capability {capability}.x, expected 8.0 or later");
        if (precision == Precision.Tf32 && tf32Override == "0")
            throw new DeviceException($"tf32: found {Tf32Override}=0 in the environment, which forbids it to NVIDIA's libraries; expected it unset");
    }

    internal string Name { get; }

    /// <summary>Such as <c>sm_90</c>.</summary>
    internal string Architecture { get; }

    internal int DriverMajor { get; }

    internal int DriverMinor { get; }

    internal string CompilerVersion => _compiler.Version;

    internal CompilationSummary Compilation => _compiler.Summary;

    /// <summary>Names of the kernels that were launched so far.</summary>
    internal IEnumerable<string> LaunchedKernels => _kernels.OfType<LoadedKernel>().Select(k => k.Name);

    internal int Multiprocessors { get; }

    internal CUstream Stream { get; }

    /// <summary>Null where the handwritten kernels multiply matrices.</summary>
    internal Blas? Blas { get; }

    /// <summary>Null where the handwritten kernels convolve.</summary>
    internal Dnn? Dnn { get; }

    internal nint Context => _context.Value;

    /// <summary>Whether the stream records instead of working.</summary>
    internal bool IsCapturing { get; private set; }

    /// <summary>Who is told of all work; null where nobody is, and in a capture, which has no times.</summary>
    internal DeviceProfile? Profile
    {
        get => IsCapturing ? null : field;
        set;
    }

    /// <summary>Makes the context current on this thread. Cheap when it is already, as far as this class knows.</summary>
    internal void Enter()
    {
        if (_unreported != CUresult.CUDA_SUCCESS)
            ThrowUnreported();
        if (_current != _context.Value)
            MakeCurrent();
    }

    private void ThrowUnreported()
    {
        CUresult status = _unreported;
        _unreported = CUresult.CUDA_SUCCESS;
        Check(status, "cuMemFree_v2, after cuStreamSynchronize");
    }

    /// <summary>Makes the context current on this thread, whatever others did to it in between.</summary>
    internal void MakeCurrent()
    {
        Check(Cuda.cuCtxSetCurrent(_context));
        _current = _context.Value;
    }

    internal nint Allocate(nuint bytes)
    {
        Enter();
        Check(Cuda.cuMemAlloc_v2(out CUdeviceptr pointer, bytes));
        return (nint)pointer.Value;
    }

    /// <summary>Gives memory back, after all work that may use it.</summary>
    internal void Free(nint pointer)
    {
        // Often something failed and that is why memory is given back: what fails here must not hide it, and surfaces at
        // the next call. What the device may still be using is not freed under it.
        _ = Cuda.cuCtxSetCurrent(_context);
        _current = _context.Value;
        CUresult status = Cuda.cuStreamSynchronize(Stream);
        if (status == CUresult.CUDA_SUCCESS)
            status = Cuda.cuMemFree_v2(new((nuint)pointer));
        if (_unreported == CUresult.CUDA_SUCCESS)
            _unreported = status;
    }

    internal void Synchronize()
    {
        Enter();
        Check(Cuda.cuStreamSynchronize(Stream));
    }

    internal void Upload(nint destination, void* source, nuint bytes)
    {
        RefuseInCapture("Upload");
        Enter();
        Check(Cuda.cuMemcpyHtoDAsync_v2(new((nuint)destination), source, bytes, Stream));
        Check(Cuda.cuStreamSynchronize(Stream));
    }

    internal void Download(void* destination, nint source, nuint bytes)
    {
        RefuseInCapture("Download");
        Enter();
        Check(Cuda.cuMemcpyDtoHAsync_v2(destination, new((nuint)source), bytes, Stream));
        Check(Cuda.cuStreamSynchronize(Stream));
    }

    internal void Copy(nint destination, nint source, nuint bytes)
    {
        Enter();
        Profile?.Begin(nameof(Cuda.cuMemcpyDtoDAsync_v2), 2 * (long)bytes);
        Check(Cuda.cuMemcpyDtoDAsync_v2(new((nuint)destination), new((nuint)source), bytes, Stream));
        Profile?.End();
    }

    internal void Clear(nint destination, nuint bytes)
    {
        Enter();
        Profile?.Begin(nameof(Cuda.cuMemsetD8Async), (long)bytes);
        Check(Cuda.cuMemsetD8Async(new((nuint)destination), 0, bytes, Stream));
        Profile?.End();
    }

    internal void Launch(Kernel kernel, Dim3 grid, Dim3 block, int sharedBytes, ReadOnlySpan<KernelArgument> arguments)
    {
        Enter();
        LoadedKernel loaded = Find(kernel);
        if (loaded.ParameterSizes is { } sizes)
            CheckArguments(kernel, sizes, arguments);
        void** pointers = stackalloc void*[Math.Max(arguments.Length, 1)];
        fixed (KernelArgument* first = arguments)
        {
            // The value lies at the start of an argument.
            for (int i = 0; i < arguments.Length; i++)
                pointers[i] = first + i;
            Profile?.Begin(kernel.Name, arguments);
            CUresult status = Cuda.cuLaunchKernel(loaded.Function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)block.X, (uint)block.Y,
                (uint)block.Z, (uint)sharedBytes, Stream, pointers, null);
            if (status != CUresult.CUDA_SUCCESS)
                Check(status, $"cuLaunchKernel({kernel.Name}, grid {grid}, block {block}, {sharedBytes} bytes shared)");
            Profile?.End();
        }
    }

    private static void CheckArguments(Kernel kernel, int[] sizes, ReadOnlySpan<KernelArgument> arguments)
    {
        if (arguments.Length != sizes.Length)
            throw new CudaGenException($"{kernel.Name}: {arguments.Length} arguments, the kernel has {sizes.Length}");
        for (int i = 0; i < sizes.Length; i++)
        {
            if (arguments[i].Size != sizes[i])
                throw new CudaGenException($"{kernel.Name}: argument {i} has {arguments[i].Size} bytes, the kernel's has {sizes[i]}");
        }
    }

    private LoadedKernel Find(Kernel kernel)
    {
        if (kernel.Index >= _kernels.Length)
            Array.Resize(ref _kernels, Math.Max(kernel.Index + 1, 2 * _kernels.Length));
        return _kernels[kernel.Index] ??= Load(kernel);
    }

    private LoadedKernel Load(Kernel kernel)
    {
        if (!_modules.TryGetValue(kernel.Source, out CUmodule module))
        {
            RefuseInCapture($"Loading {kernel.Source.Name}");
            fixed (byte* code = _compiler.Compile(kernel.Source))
                Check(Cuda.cuModuleLoadData(out module, code), $"cuModuleLoadData({kernel.Source.Name})");
            _modules.Add(kernel.Source, module);
        }
        byte* name = (byte*)Marshal.StringToCoTaskMemUTF8(kernel.Name);
        try
        {
            Check(Cuda.cuModuleGetFunction(out CUfunction function, module, name), $"cuModuleGetFunction({kernel.Source.Name}, {kernel.Name})");
            return new(kernel.Name, function, ParameterSizes(function));
        }
        finally
        {
            Marshal.FreeCoTaskMem((nint)name);
        }
    }

    private static int[]? ParameterSizes(CUfunction function)
    {
        if (!NativeLibraries.HasExport(Cuda.Library, nameof(Cuda.cuFuncGetParamInfo)))
            return null;
        List<int> sizes = [];
        while (true)
        {
            CUresult status = Cuda.cuFuncGetParamInfo(function, (nuint)sizes.Count, out _, out nuint size);
            // The number of parameters is where the driver refuses the index.
            if (status == CUresult.CUDA_ERROR_INVALID_VALUE)
                return [.. sizes];
            Check(status, "cuFuncGetParamInfo");
            sizes.Add((int)size);
        }
    }

    internal void BeginCapture()
    {
        RefuseInCapture("Capture");
        Enter();
        // Thread-local: what other threads of the process do on the GPU does not spoil the recording.
        Check(Cuda.cuStreamBeginCapture_v2(Stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
        IsCapturing = true;
    }

    internal CUgraph EndCapture()
    {
        IsCapturing = false;
        Check(Cuda.cuStreamEndCapture(Stream, out CUgraph graph));
        return graph;
    }

    /// <summary>Ends a capture in which something failed, whatever state it is in.</summary>
    internal void AbandonCapture()
    {
        IsCapturing = false;
        if (Cuda.cuStreamEndCapture(Stream, out CUgraph graph) == CUresult.CUDA_SUCCESS && graph != default)
            _ = Cuda.cuGraphDestroy(graph);
    }

    internal void RefuseInCapture(string what)
    {
        if (IsCapturing)
            throw new CudaGenException($"{what}: not while a graph is captured; it would not be part of the graph");
    }

    private int Attribute(CUdevice_attribute attribute)
    {
        Check(Cuda.cuDeviceGetAttribute(out int value, attribute, _device));
        return value;
    }

    // Statuses are ignored here: after a failure of the context every call fails, and that failure was thrown already.
    public void Dispose()
    {
        _ = Cuda.cuCtxSetCurrent(_context);
        _ = Cuda.cuStreamSynchronize(Stream);
        Dnn?.Dispose();
        Blas?.Dispose();
        foreach (CUmodule module in _modules.Values)
            _ = Cuda.cuModuleUnload(module);
        if (_ownsStream)
            _ = Cuda.cuStreamDestroy_v2(Stream);
        _current = 0;
        if (_ownsContext)
            _ = Cuda.cuDevicePrimaryCtxRelease_v2(_device);
    }
}
