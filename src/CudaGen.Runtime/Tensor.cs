namespace CudaGen.Runtime;

/// <summary>
/// float32 elements in an <see cref="Arena"/>: a pointer and a shape. It owns nothing, so it can be copied and dropped
/// freely, and is valid as long as its arena.
/// </summary>
/// <param name="Address">Address on the device; 0 while a plan is only measured.</param>
/// <param name="Shape">Extents, the last one contiguous.</param>
/// <param name="Kind">Where the address is one.</param>
public readonly record struct Tensor(nint Address, Shape Shape, DeviceKind Kind = DeviceKind.Cpu)
{
    public int Length => Shape.Length;

    /// <summary>The elements, for a tensor whose device is the CPU.</summary>
    /// <exception cref="DeviceException">
    /// The tensor is on a GPU (see <see cref="Device.Download(Tensor, System.Span{float})"/>), or has no memory yet: its plan was only measured.
    /// </exception>
    public unsafe Span<float> Span => Kind != DeviceKind.Cpu
        ? throw new DeviceException($"the tensor {Shape} is in the memory of a GPU; Device.Download copies it")
        : Address == 0 && Length > 0
        ? throw new DeviceException($"the tensor {Shape} has no memory: its plan was measured, not allocated")
        : new((void*)Address, Length);

    /// <summary>The same elements in another shape.</summary>
    /// <exception cref="ShapeException">The number of elements differs.</exception>
    public Tensor Reshape(Shape shape) => shape.Length == Length
        ? new(Address, shape, Kind)
        : throw new ShapeException($"Reshape: {Shape} has {Length} elements, {shape} has {shape.Length}");

    /// <summary>The <paramref name="shape"/> that starts <paramref name="offset"/> elements further on.</summary>
    /// <exception cref="ShapeException">It does not end within this tensor.</exception>
    public Tensor Slice(int offset, Shape shape) => offset >= 0 && offset <= Length - shape.Length
        ? new(Address == 0 ? 0 : Address + (nint)offset * sizeof(float), shape, Kind)
        : throw new ShapeException($"Slice: {shape} from element {offset} of {Shape}");

    /// <summary><paramref name="count"/> rows from row <paramref name="start"/> on.</summary>
    /// <exception cref="ShapeException">There are not that many.</exception>
    public Tensor Rows(int start, int count) => start >= 0 && count >= 0 && start <= Shape.Rows - count
        ? new(Address == 0 ? 0 : Address + (nint)start * Shape.RowLength * sizeof(float), Shape.WithRows(count), Kind)
        : throw new ShapeException($"Rows: {count} rows from {start} of {Shape}");
}

/// <summary>Elements of any plain type in an <see cref="Arena"/>: data set bytes, counters. Owns nothing.</summary>
/// <param name="Address">Address on the device; 0 while a plan is only measured.</param>
/// <param name="Length">Number of elements; unlike that of a tensor it may be 2^31 or more, as data sets are that large.</param>
/// <param name="Kind">Where the address is one.</param>
public readonly record struct Buffer<T>(nint Address, long Length, DeviceKind Kind = DeviceKind.Cpu) where T : unmanaged
{
    /// <summary>The pointer of the buffer.</summary>
    public static implicit operator KernelArgument(Buffer<T> value) => value.Address;

    /// <summary>The elements, for a buffer whose device is the CPU.</summary>
    /// <exception cref="DeviceException">
    /// The buffer is on a GPU (see <see cref="Device.Download{T}(Buffer{T}, System.Span{T})"/>), has no memory yet, as its plan was only
    /// measured, or is longer than a span can be.
    /// </exception>
    public unsafe Span<T> Span => Kind != DeviceKind.Cpu
        ? throw new DeviceException($"the buffer of {Length} is in the memory of a GPU; Device.Download copies it")
        : Address == 0 && Length > 0
        ? throw new DeviceException($"the buffer of {Length} has no memory: its plan was measured, not allocated")
        : Length > int.MaxValue
        ? throw new DeviceException($"the buffer of {Length} is longer than a span can be; Slice takes a part of it")
        : new((void*)Address, (int)Length);

    /// <summary><paramref name="length"/> elements from element <paramref name="offset"/> on.</summary>
    /// <exception cref="ShapeException">There are not that many.</exception>
    public unsafe Buffer<T> Slice(long offset, long length) => offset >= 0 && length >= 0 && offset <= Length - length
        ? new(Address == 0 ? 0 : Address + (nint)(offset * sizeof(T)), length, Kind)
        : throw new ShapeException($"Slice: {length} elements from element {offset} of {Length}");
}
