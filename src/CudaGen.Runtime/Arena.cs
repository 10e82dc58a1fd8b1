using System.Runtime.InteropServices;
using CudaGen.Runtime.Native;

namespace CudaGen.Runtime;

/// <summary>
/// One allocation on a device from which tensors are carved, one after the other, and which is freed as a whole. The
/// size is found by carving the same tensors from <see cref="Measure"/> first, so an arena fits exactly and nothing is
/// allocated after planning.
/// </summary>
/// <remarks>
/// Every tensor starts at a multiple of <see cref="Alignment"/> bytes. The gaps are zero and stay zero under every
/// element-wise update, so an optimiser may treat an arena as one flat tensor (<see cref="AsTensor"/>).
/// </remarks>
public sealed unsafe class Arena : IDisposable
{
    /// <summary>Start of every tensor, in bytes: a cache line, two AVX-512 vectors of a CUDA transaction.</summary>
    public const int Alignment = 64;

    // Vector code of the CPU path may read, never write, up to one vector past the end of the last tensor.
    internal const int Slack = 256;

    private readonly Device? _device;
    private readonly bool _owns = true;
    private nint _base;

    private Arena(string name) => Name = name;

    private Arena(Device device, string name, nint memory, long capacity)
        => (Name, Capacity, _device, _base, _owns) = (name, capacity, device, memory, false);

    /// <summary>Allocates <paramref name="capacity"/> bytes, rounded up to the alignment and zeroed.</summary>
    /// <exception cref="DeviceException">The memory is not to be had.</exception>
    public Arena(Device device, string name, long capacity)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        device.ThrowIfDisposed();
        (Name, Capacity, _device) = (name, Padded(capacity), device);
        if (device.Cuda is { } cuda)
        {
            nuint bytes = (nuint)Math.Max(Capacity, 1);
            cuda.RefuseInCapture($"Allocating the arena '{name}'");
            try
            {
                _base = cuda.Allocate(bytes);
            }
            catch (CudaException e) when (e.Status == (int)CUresult.CUDA_ERROR_OUT_OF_MEMORY)
            {
                throw new DeviceException($"arena '{name}': {capacity} bytes are not to be had on {device.Description}: {e.Message}");
            }
            try
            {
                cuda.Clear(_base, bytes);
            }
            catch
            {
                cuda.Free(_base);
                throw;
            }
        }
        else
        {
            nuint bytes = (nuint)Capacity + Slack;
            try
            {
                _base = (nint)NativeMemory.AlignedAlloc(bytes, Alignment);
            }
            catch (OutOfMemoryException)
            {
                throw new DeviceException($"arena '{name}': {capacity} bytes are not to be had");
            }
            NativeMemory.Clear((void*)_base, bytes);
        }
        device.Attach();
        LiveObjects.Add(LiveObject.Arena);
    }

    /// <summary>
    /// An arena in memory that someone else owns, such as another CUDA library of the application. The memory must stay as
    /// long as the arena, and start at a multiple of <see cref="Alignment"/>.
    /// </summary>
    public static Arena Wrap(Device device, string name, nint memory, long capacity)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        if (memory == 0 || memory % Alignment != 0)
            throw new ArgumentException($"the memory of an arena starts at a multiple of {Alignment}, found 0x{memory:x}", nameof(memory));
        device.ThrowIfDisposed();
        device.Attach();
        LiveObjects.Add(LiveObject.Arena);
        return new(device, name, memory, capacity);
    }

    /// <summary>An arena without memory that only counts what is taken from it.</summary>
    public static Arena Measure(string name) => new(name) { Capacity = long.MaxValue, IsMeasure = true };

    public string Name { get; }

    /// <summary>Bytes allocated.</summary>
    public long Capacity { get; private init; }

    /// <summary>Bytes carved so far, gaps included.</summary>
    public long Used { get; private set; }

    /// <summary>Whether this arena only counts.</summary>
    public bool IsMeasure { get; private init; }

    /// <summary>Carves a tensor.</summary>
    /// <exception cref="CudaGenException">The arena is full.</exception>
    public Tensor Take(Shape shape) => new(Carve((long)shape.Length * sizeof(float)), shape, Kind);

    /// <summary>Carves a buffer.</summary>
    /// <exception cref="CudaGenException">The arena is full.</exception>
    public Buffer<T> Take<T>(long length) where T : unmanaged => new(Carve(checked(length * sizeof(T))), length, Kind);

    private DeviceKind Kind => _device?.Kind ?? DeviceKind.Cpu;

    /// <summary>All that was carved, gaps included, as one flat tensor.</summary>
    /// <exception cref="ShapeException">It is more than a tensor can hold.</exception>
    public Tensor AsTensor()
    {
        long length = Used / sizeof(float);
        return length <= int.MaxValue
            ? new(_base, new Shape((int)length), Kind)
            : throw new ShapeException($"arena '{Name}' has {length} elements; a tensor holds at most {int.MaxValue}");
    }

    private static long Padded(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private nint Carve(long bytes)
    {
        ObjectDisposedException.ThrowIf(!IsMeasure && _base == 0, this);
        long padded = Padded(bytes);
        if (padded > Capacity - Used)
            throw new CudaGenException(
                $"arena '{Name}' is full: {padded} bytes asked for, {Capacity - Used} of {Capacity} left");
        nint pointer = IsMeasure ? 0 : _base + (nint)Used;
        Used += padded;
        return pointer;
    }

    public void Dispose()
    {
        if (_base == 0)
            return;
        if (_owns && _device!.Cuda is { } cuda)
            cuda.Free(_base);
        else if (_owns)
            NativeMemory.AlignedFree((void*)_base);
        _base = 0;
        _device!.Detach();
        LiveObjects.Remove(LiveObject.Arena);
    }
}
