using System.Runtime.CompilerServices;

namespace CudaGen.Runtime;

// Between the host's memory and the device's; on the CPU they are the same and these are plain copies.
public sealed unsafe partial class Device
{
    /// <summary>Waits until everything that the device was given is done.</summary>
    /// <exception cref="CudaException">Some of it failed.</exception>
    public void Synchronize() => Cuda?.Synchronize();

    /// <summary>Copies elements to the device and waits for it.</summary>
    /// <exception cref="ShapeException">The lengths differ.</exception>
    public void Upload(Tensor destination, ReadOnlySpan<float> source) => Upload(AsBuffer(destination), source);

    /// <summary>Copies elements to the device and waits for it.</summary>
    /// <exception cref="ShapeException">The lengths differ.</exception>
    public void Upload<T>(Buffer<T> destination, ReadOnlySpan<T> source) where T : unmanaged
    {
        RequireLength(destination.Length, source.Length);
        if (Cuda is not { } cuda)
            source.CopyTo(destination.Span);
        else if (source.Length > 0)
        {
            fixed (T* p = source)
                cuda.Upload(destination.Address, p, (nuint)source.Length * (nuint)sizeof(T));
        }
    }

    /// <summary>Waits for the device and copies elements from it.</summary>
    /// <exception cref="ShapeException">The lengths differ.</exception>
    public void Download(Tensor source, Span<float> destination) => Download(AsBuffer(source), destination);

    /// <summary>Waits for the device and copies elements from it.</summary>
    /// <exception cref="ShapeException">The lengths differ.</exception>
    public void Download<T>(Buffer<T> source, Span<T> destination) where T : unmanaged
    {
        RequireLength(source.Length, destination.Length);
        if (Cuda is not { } cuda)
            source.Span.CopyTo(destination);
        else if (destination.Length > 0)
        {
            fixed (T* p = destination)
                cuda.Download(p, source.Address, (nuint)destination.Length * (nuint)sizeof(T));
        }
    }

    /// <summary>Waits for the device and returns a copy of the elements.</summary>
    public float[] ToArray(Tensor source) => ToArray(AsBuffer(source));

    /// <summary>Waits for the device and returns a copy of the elements.</summary>
    public T[] ToArray<T>(Buffer<T> source) where T : unmanaged
    {
        T[] values = new T[source.Length];
        Download(source, values.AsSpan());
        return values;
    }

    /// <summary>Waits for the device and returns the only element.</summary>
    /// <exception cref="ShapeException">It has not exactly one.</exception>
    public T Read<T>(Buffer<T> source) where T : unmanaged
    {
        T value = default;
        Download(source, new Span<T>(ref value));
        return value;
    }

    /// <summary>Waits for the device and returns the only element.</summary>
    /// <exception cref="ShapeException">It has not exactly one.</exception>
    public float Read(Tensor source) => Read(AsBuffer(source));

    /// <summary>Copies elements within the device.</summary>
    /// <exception cref="ShapeException">The lengths differ.</exception>
    public void Copy(Tensor destination, Tensor source) => Copy(AsBuffer(destination), AsBuffer(source));

    /// <summary>Copies elements within the device.</summary>
    /// <exception cref="ShapeException">The lengths differ.</exception>
    public void Copy<T>(Buffer<T> destination, Buffer<T> source) where T : unmanaged
    {
        RequireLength(destination.Length, source.Length);
        if (Cuda is not { } cuda)
            source.Span.CopyTo(destination.Span);
        else if (source.Length > 0)
            cuda.Copy(destination.Address, source.Address, (nuint)source.Length * (nuint)sizeof(T));
    }

    /// <summary>Sets elements to zero.</summary>
    public void Clear(Tensor destination)
    {
        if (Cuda is not { } cuda)
            destination.Span.Clear();
        else if (destination.Length > 0)
            cuda.Clear(destination.Address, (nuint)destination.Length * sizeof(float));
    }

    private static Buffer<float> AsBuffer(Tensor tensor) => new(tensor.Address, tensor.Length, tensor.Kind);

    private static void RequireLength(long device, long host, [CallerMemberName] string what = "")
    {
        if (device != host)
            throw new ShapeException($"{what}: {device} elements on the device, {host} in the other place");
    }
}
