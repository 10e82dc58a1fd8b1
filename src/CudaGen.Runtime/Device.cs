using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace CudaGen.Runtime;

/// <summary>Where tensors live and operations run.</summary>
public enum DeviceKind
{
    Cpu,
    Cuda,
}

/// <summary>
/// Which of the implementations of an operation runs. On the CPU <see cref="Auto"/> is <see cref="Cpu"/>; nothing falls
/// back silently: an implementation that the device does not have is refused when it is selected.
/// </summary>
public enum Implementation
{
    /// <summary>The fastest one of the device.</summary>
    Auto,

    /// <summary>The naive loops that every other implementation is compared with. Correct and slow.</summary>
    Reference,

    /// <summary>Vectorised and multi-threaded C#.</summary>
    Cpu,

    /// <summary>The handwritten CUDA kernels.</summary>
    Kernel,

    /// <summary>cuDNN and cuBLAS.</summary>
    Library,
}

/// <summary>
/// Owner of everything that runs work: the worker threads of the CPU path, or a CUDA context with one stream. One thread
/// uses a device at a time. Dispose it last, after every arena and plan made on it.
/// </summary>
/// <remarks>
/// What a CUDA device is given runs later and in order; <see cref="Download{T}(Buffer{T}, Span{T})"/> and <see cref="Synchronize"/> wait.
/// On the CPU everything has happened when a call returns.
/// </remarks>
public sealed unsafe partial class Device : IDisposable
{
    private int _attached, _busy;
    private bool _disposed;
    private readonly List<nint> _retired = [];
    private readonly List<string> _notes = [];
    private float* _scratch;
    private int _scratchLength;

    private Device(DeviceKind kind, Workers workers, CudaContext? cuda = null) => (Kind, Workers, Cuda) = (kind, workers, cuda);

    public DeviceKind Kind { get; }

    /// <summary>The threads that the CPU path splits its loops over.</summary>
    public Workers Workers { get; }

    /// <summary>Which implementation operations take on this device.</summary>
    public Implementation Implementation { get; private init; }

    /// <summary>How dense layers and convolutions multiply on this device.</summary>
    public Precision Precision { get; private init; }

    /// <summary>Whether operations run their reference loops.</summary>
    public bool IsReference => Implementation == Implementation.Reference;

    /// <summary>
    /// The CPU as a device. <paramref name="threads"/> is the number of threads that compute, this one included;
    /// 0 takes one for each processor. Results do not depend on it.
    /// </summary>
    /// <exception cref="DeviceException">The implementation is one of a GPU.</exception>
    public static Device Cpu(int threads = 0, Implementation implementation = Implementation.Auto)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        if (implementation is Implementation.Kernel or Implementation.Library)
            throw new DeviceException($"the CPU has no implementation '{Name(implementation)}'; it has auto, cpu and reference");
        var device = new Device(DeviceKind.Cpu, new Workers(threads == 0 ? Environment.ProcessorCount : threads))
        {
            Implementation = implementation,
        };
        LiveObjects.Add(LiveObject.Device);
        return device;
    }

    /// <summary>
    /// Opens the device that a person named: <c>cpu</c>, <c>cuda</c>, <c>cuda:N</c>, or <c>auto</c>, which is the first GPU
    /// where the driver loads and has one, and otherwise the CPU. The description says which it became.
    /// </summary>
    /// <param name="name">The device.</param>
    /// <param name="threads">As for <see cref="Cpu"/>.</param>
    /// <param name="implementation">Which implementation operations take.</param>
    /// <param name="precision">How dense layers and convolutions multiply; all but float32 make <c>auto</c> a GPU.</param>
    /// <exception cref="DeviceException">There is no such device here, or it does not have that implementation or precision.</exception>
    public static Device Open(string name, int threads = 0, Implementation implementation = Implementation.Auto, Precision precision = Precision.Fp32)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name == "auto")
        {
            name = implementation switch
            {
                Implementation.Reference or Implementation.Cpu => "cpu",
                Implementation.Kernel or Implementation.Library => "cuda",
                _ => precision != Precision.Fp32 || CudaIsHere() ? "cuda" : "cpu",
            };
        }
        if (name == "cpu")
        {
            return precision == Precision.Fp32 ? Cpu(threads, implementation)
                : throw new DeviceException($"the CPU has no precision '{Name(precision)}'; it computes in fp32");
        }
        if (name == "cuda")
            return OpenCuda(0, implementation, precision);
        return name.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(name.AsSpan(5), NumberStyles.None, null, out int ordinal)
            ? OpenCuda(ordinal, implementation, precision)
            : throw new DeviceException($"device '{name}': expected auto, cpu, cuda or cuda:N");
    }

    /// <summary>One line for a person: what computes, and how wide.</summary>
    public string Description
    {
        get
        {
            if (Cuda is { } cuda)
                return DescribeCuda(cuda);
            int bits = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;
            string how = IsReference ? "reference loops" : $"{bits}-bit vectors";
            return $"cpu ({Workers.Count} {(Workers.Count == 1 ? "thread" : "threads")}, {how})";
        }
    }

    /// <summary>
    /// What runs otherwise than the description says, one line each: with <see cref="Implementation.Auto"/>, a convolution that
    /// cuDNN cannot compute. Complete once a model is planned.
    /// </summary>
    public IReadOnlyList<string> Notes => _notes;

    internal void AddNote(string note)
    {
        // A network is planned twice, and once more for its evaluation.
        if (!_notes.Contains(note))
            _notes.Add(note);
    }

    /// <summary>How often the scratch memory had to grow. A plan reserves it, so a training step never adds to this.</summary>
    public int ScratchGrowths { get; private set; }

    /// <summary>Makes sure that <see cref="Scratch"/> will not have to grow for this many floats.</summary>
    public void ReserveScratch(int floats) => Scratch(floats);

    /// <summary>
    /// At least <paramref name="floats"/> floats of uninitialised memory on the device for the inside of one operation. The
    /// next call hands out the same memory again.
    /// </summary>
    public float* Scratch(int floats)
    {
        ThrowIfDisposed();
        if (floats > _scratchLength)
        {
            Cuda?.RefuseInCapture($"Growing the scratch memory from {_scratchLength} to {floats} floats");
            nuint bytes = checked((nuint)floats * sizeof(float));
            RetireScratch();
            _scratch = Cuda is { } cuda ? (float*)cuda.Allocate(bytes) : (float*)NativeMemory.AlignedAlloc(bytes + Arena.Slack, Arena.Alignment);
            _scratchLength = floats;
            ScratchGrowths++;
        }
        return _scratch;
    }

    // A graph that was captured holds the address of the scratch memory of its time, which must stay valid.
    private void RetireScratch()
    {
        if (Cuda is null)
            NativeMemory.AlignedFree(_scratch);
        else if (_scratch != null)
            _retired.Add((nint)_scratch);
        _scratch = null;
        _scratchLength = 0;
    }

    /// <summary>An implementation or a precision as a person types it.</summary>
    internal static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    internal void Attach() => Interlocked.Increment(ref _attached);

    internal void Detach() => Interlocked.Decrement(ref _attached);

    /// <summary>
    /// Begins a call that uses the device for long; <see cref="Leave"/> ends it. Two threads at once would read each other's numbers, or
    /// wait for chunks of work that nobody does.
    /// </summary>
    /// <exception cref="InvalidOperationException">Another thread is in such a call.</exception>
    public void Enter()
    {
        if (Interlocked.Exchange(ref _busy, 1) != 0)
            throw new InvalidOperationException("the device is at work for another thread; one thread at a time uses a device");
    }

    /// <summary>Ends a call that <see cref="Enter"/> began.</summary>
    public void Leave() => Volatile.Write(ref _busy, 0);

    /// <summary>Throws when the device is closed.</summary>
    public void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_disposed, this);

    /// <summary>Stops the worker threads; gives the context back.</summary>
    /// <exception cref="DeviceException">Arenas made on this device are still alive.</exception>
    public void Dispose()
    {
        if (_disposed)
            return;
        if (Volatile.Read(ref _attached) is > 0 and int alive)
            throw new DeviceException($"the device is closed while {alive} of its arenas, graphs, events or pinned buffers are alive; dispose them first");
        _disposed = true;
        Workers.Dispose();
        RetireScratch();
        foreach (nint scratch in _retired)
            Cuda!.Free(scratch);
        Cuda?.Dispose();
        LiveObjects.Remove(LiveObject.Device);
    }
}
