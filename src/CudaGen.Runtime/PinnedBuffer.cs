using System.Runtime.InteropServices;
using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Runtime;

/// <summary>
/// Host memory that the GPU copies from and to by itself: page-locked on a CUDA device, ordinary memory on the CPU. A copy
/// is only given to the device; <see cref="Device.Synchronize"/> or an event says when it is done, and until then the
/// elements belong to the device.
/// </summary>
public sealed unsafe class PinnedBuffer<T> : IDisposable where T : unmanaged
{
    private readonly Device _device;
    private void* _memory;

    /// <exception cref="CudaException">The memory is not to be had.</exception>
    public PinnedBuffer(Device device, int length)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        device.ThrowIfDisposed();
        (_device, Length) = (device, length);
        nuint bytes = Math.Max(checked((nuint)length * (nuint)sizeof(T)), 1);
        if (device.Cuda is { } cuda)
        {
            cuda.Enter();
            Check(Cuda.cuMemAllocHost_v2(out _memory, bytes));
        }
        else
            _memory = NativeMemory.AlignedAlloc(bytes, Arena.Alignment);
        Span.Clear();
        device.Attach();
        LiveObjects.Add(LiveObject.Pinned);
    }

    public int Length { get; }

    /// <summary>The elements.</summary>
    public Span<T> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(_memory == null, this);
            return new(_memory, Length);
        }
    }

    /// <summary>Gives a copy of the elements to the device.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public void CopyTo(Buffer<T> destination) => Transfer(destination.Address, destination.Length, true);

    /// <summary>Gives a copy into the elements to the device.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public void CopyFrom(Buffer<T> source) => Transfer(source.Address, source.Length, false);

    private void Transfer(nint address, long length, bool up)
    {
        if (length != Length)
            throw new ArgumentException($"the pinned buffer has {Length} elements, the device's has {length}");
        nuint bytes = (nuint)length * (nuint)sizeof(T);
        if (bytes == 0)
            return;
        if (_device.Cuda is not { } cuda)
        {
            if (up)
                Span.CopyTo(new Span<T>((void*)address, Length));
            else
                new Span<T>((void*)address, Length).CopyTo(Span);
            return;
        }
        cuda.Enter();
        if (up)
            Check(Cuda.cuMemcpyHtoDAsync_v2(new((nuint)address), _memory, bytes, cuda.Stream));
        else
            Check(Cuda.cuMemcpyDtoHAsync_v2(_memory, new((nuint)address), bytes, cuda.Stream));
    }

    public void Dispose()
    {
        if (_memory == null)
            return;
        if (_device.Cuda is { } cuda)
        {
            _ = Cuda.cuStreamSynchronize(cuda.Stream);
            _ = Cuda.cuMemFreeHost(_memory);
        }
        else
            NativeMemory.AlignedFree(_memory);
        _memory = null;
        _device.Detach();
        LiveObjects.Remove(LiveObject.Pinned);
    }
}
