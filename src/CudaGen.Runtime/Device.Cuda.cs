using CudaGen.Runtime.Native;

namespace CudaGen.Runtime;

public sealed unsafe partial class Device
{
    /// <summary>The CUDA half; null on the CPU.</summary>
    internal CudaContext? Cuda { get; }

    /// <summary>Handle of the <c>CUcontext</c>, for other CUDA libraries of the application; 0 on the CPU.</summary>
    public nint ContextHandle => Cuda?.Context ?? 0;

    /// <summary>Handle of the <c>CUstream</c> that all work is given to; 0 on the CPU.</summary>
    public nint StreamHandle => Cuda?.Stream.Value ?? 0;

    /// <summary>What compiling kernels has cost so far.</summary>
    public CompilationSummary Compilation => Cuda?.Compilation ?? default;

    /// <summary>Who is told of all that the device is given; null, as at first, for nobody. It belongs to whoever set it.</summary>
    /// <exception cref="DeviceException">Set where the device is no GPU.</exception>
    public DeviceProfile? Profile
    {
        get => Cuda?.Profile;
        set => RequireCuda("a profile").Profile = value;
    }

    /// <summary>Whether the driver's work runs on a CPU stand-in that checks it, instead of on a GPU.</summary>
    public bool IsStandIn => Cuda is not null && Emulator.Current is not null;

    /// <summary>
    /// A CUDA device in a context that someone else owns, such as <c>CudaContext</c> of ManagedCuda, and in one of its
    /// streams; with <paramref name="stream"/> 0 it makes a stream of its own. Neither is released with the device.
    /// </summary>
    /// <param name="context">A <c>CUcontext</c>.</param>
    /// <param name="stream">A <c>CUstream</c> of that context, or 0.</param>
    /// <param name="implementation">As for <see cref="Open"/>.</param>
    /// <param name="precision">As for <see cref="Open"/>.</param>
    /// <exception cref="DeviceException">The device does not have that implementation or precision.</exception>
    public static Device FromHandles(nint context, nint stream = 0, Implementation implementation = Implementation.Auto,
        Precision precision = Precision.Fp32)
    {
        if (context == 0)
            throw new ArgumentException("a context handle is not 0", nameof(context));
        RequireCuda(implementation, precision);
        return NewCuda(new CudaContext(new CUcontext(context), new CUstream(stream), implementation, precision), implementation, precision);
    }

    private static Device OpenCuda(int ordinal, Implementation implementation, Precision precision)
    {
        RequireCuda(implementation, precision);
        try
        {
            return NewCuda(new CudaContext(ordinal, implementation, precision), implementation, precision);
        }
        catch (DeviceException e)
        {
            throw new DeviceException($"device 'cuda': {e.Message}");
        }
    }

    private static Device NewCuda(CudaContext cuda, Implementation implementation, Precision precision)
    {
        // One worker: nothing but the host's own bookkeeping runs on it.
        Device device = new(DeviceKind.Cuda, new Workers(1), cuda) { Implementation = implementation, Precision = precision };
        LiveObjects.Add(LiveObject.Device);
        return device;
    }

    private string DescribeCuda(CudaContext cuda)
    {
        string where = Emulator.Current is { } emulator ? $"{emulator.Description}, no GPU" : cuda.Name;
        string how = cuda.Blas is { } blas && cuda.Dnn is { } dnn ? $"cuBLAS {blas.Version}, cuDNN {dnn.Version}" : "handwritten kernels";
        if (Precision != Precision.Fp32)
            how += $", {Name(Precision)}";
        return $"cuda ({where}, {cuda.Architecture}, driver {cuda.DriverMajor}.{cuda.DriverMinor}, NVRTC {cuda.CompilerVersion}; {how})";
    }

    private static void RequireCuda(Implementation implementation, Precision precision)
    {
        if (implementation is Implementation.Reference or Implementation.Cpu)
            throw new DeviceException($"a GPU has no implementation '{Name(implementation)}'; it has auto, kernel and library");
        if (implementation == Implementation.Kernel && precision != Precision.Fp32)
            throw new DeviceException($"the implementation 'kernel' has no precision '{Name(precision)}'; it computes in fp32");
    }

    internal CudaContext RequireCuda(string what)
        => Cuda ?? throw new DeviceException($"{what} asks for a CUDA device; this is {Description}");

    /// <summary>
    /// Gives a kernel to the device. No memory is allocated on either side, but for the first launch of a kernel on this
    /// device, which compiles and loads its source.
    /// </summary>
    /// <param name="kernel">What to run.</param>
    /// <param name="grid">Blocks. None: nothing is launched.</param>
    /// <param name="block">Threads of a block.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block.</param>
    /// <param name="arguments">In the order of the kernel's parameters, of their sizes.</param>
    /// <exception cref="DeviceException">The device is no GPU.</exception>
    /// <exception cref="CudaGenException">The number or the size of an argument is not the kernel's.</exception>
    /// <exception cref="CudaException">The source does not compile, or the driver refuses.</exception>
    public void Launch(Kernel kernel, Dim3 grid, Dim3 block, int sharedBytes, params ReadOnlySpan<KernelArgument> arguments)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ThrowIfDisposed();
        // The text is only made where it is needed: a launch allocates nothing.
        CudaContext cuda = Cuda ?? RequireCuda($"the kernel {kernel.Name}");
        if (grid.X != 0 && grid.Y != 0 && grid.Z != 0)
            cuda.Launch(kernel, grid, block, sharedBytes, arguments);
    }

    /// <summary>
    /// The most blocks that a kernel with a grid-stride loop is launched with: enough to fill the GPU several times.
    /// Results do not depend on it.
    /// </summary>
    public int BlockLimit
    {
        get => field > 0 ? field : 16 * (Cuda?.Multiprocessors ?? 1);
        set;
    }

    /// <summary>Launches a kernel with a grid-stride loop over <paramref name="length"/> items; nothing when there are none.</summary>
    internal void LaunchOver(Kernel kernel, int length, params ReadOnlySpan<KernelArgument> arguments)
    {
        const int Threads = 256;
        Launch(kernel, (int)Math.Min((length + Threads - 1L) / Threads, BlockLimit), Threads, 0, arguments);
    }

    /// <summary>
    /// Records what <paramref name="work"/> gives to the device, without running it. Whatever it needs must be loaded and
    /// allocated already: run it once before.
    /// </summary>
    /// <exception cref="DeviceException">The device is no GPU.</exception>
    public CudaGraph Capture(Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        ThrowIfDisposed();
        return new(this, RequireCuda("a graph"), work);
    }

    /// <summary>Makes the context current on this thread, after other code of the application made another one current.</summary>
    public void MakeCurrent() => Cuda?.MakeCurrent();

    /// <summary>Free and total bytes of the GPU's memory; zeros on the CPU.</summary>
    public (long Free, long Total) GpuMemory
    {
        get
        {
            if (Cuda is not { } cuda)
                return default;
            cuda.Enter();
            Status.Check(Native.Cuda.cuMemGetInfo_v2(out nuint free, out nuint total));
            return ((long)free, (long)total);
        }
    }

    private static bool CudaIsHere()
    {
        if (!NativeLibraries.TryLoad(Native.Cuda.Library, 0, out _, out _))
            return false;
        return Native.Cuda.cuInit(0) == CUresult.CUDA_SUCCESS && Native.Cuda.cuDeviceGetCount(out int count) == CUresult.CUDA_SUCCESS && count > 0;
    }
}
