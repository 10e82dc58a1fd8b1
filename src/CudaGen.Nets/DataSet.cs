using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>What a model learns from, in device memory.</summary>
public abstract class DataSet : IDisposable
{
    private readonly Arena _arena;

    private protected DataSet(Device device, string name, long bytes) => _arena = new Arena(device, name, bytes);

    private protected Arena Arena => _arena;

    /// <summary>Images or points.</summary>
    public int Count { get; private protected init; }

    public void Dispose()
    {
        _arena.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>Images as they are on disk: uint8, (count, H, W, C), with a label each where there are labels.</summary>
public sealed class ImageData : DataSet
{
    /// <summary>Copies images to the device.</summary>
    /// <param name="device">Where to.</param>
    /// <param name="pixels">(count, H, W, C)</param>
    /// <param name="height">H</param>
    /// <param name="width">W</param>
    /// <param name="channels">C</param>
    /// <param name="labels">(count), or empty.</param>
    /// <exception cref="ShapeException">The bytes are no whole number of images, or none, or the labels are not as many.</exception>
    public ImageData(Device device, byte[] pixels, int height, int width, int channels, ReadOnlySpan<byte> labels = default)
        : this(device, [pixels], height, width, channels, labels)
    {
    }

    /// <summary>Copies images to the device.</summary>
    /// <param name="device">Where to.</param>
    /// <param name="parts">(count, H, W, C), cut anywhere, as one array holds less than 2^31 bytes.</param>
    /// <param name="height">H</param>
    /// <param name="width">W</param>
    /// <param name="channels">C</param>
    /// <param name="labels">(count), or empty.</param>
    /// <exception cref="ShapeException">The bytes are no whole number of images, or none, or the labels are not as many.</exception>
    public ImageData(Device device, IReadOnlyList<byte[]> parts, int height, int width, int channels, ReadOnlySpan<byte> labels = default)
        : base(device, "images", Bytes(parts) + labels.Length + 2L * Arena.Alignment)
    {
        try
        {
            int image = checked(height * width * channels);
            long bytes = Bytes(parts);
            if (image <= 0 || bytes == 0 || bytes % image != 0)
                throw new ShapeException($"{bytes} bytes are no whole number of images {height}x{width}x{channels}");
            (Height, Width, Channels, Count) = (height, width, channels, checked((int)(bytes / image)));
            if (!labels.IsEmpty && labels.Length != Count)
                throw new ShapeException($"{labels.Length} labels for {Count} images");
            (Pixels, Labels) = (Arena.Take<byte>(bytes), Arena.Take<byte>(labels.Length));
            long at = 0;
            foreach (byte[] part in parts)
            {
                device.Upload<byte>(Pixels.Slice(at, part.Length), part);
                at += part.Length;
            }
            device.Upload(Labels, labels);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private static long Bytes(IReadOnlyList<byte[]> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts.Sum(part => part.LongLength);
    }

    /// <summary>(count, H, W, C); may be 2^31 bytes and more.</summary>
    public Buffer<byte> Pixels { get; }

    /// <summary>(count), or empty.</summary>
    public Buffer<byte> Labels { get; }

    public int Height { get; }

    public int Width { get; }

    public int Channels { get; }
}

/// <summary>Points of float32, (count, dimensions).</summary>
public sealed class PointData : DataSet
{
    /// <summary>Copies points to the device.</summary>
    /// <exception cref="ShapeException">The numbers are no whole number of points, or none.</exception>
    public PointData(Device device, ReadOnlySpan<float> points, int dimensions)
        : base(device, "points", (long)points.Length * sizeof(float))
    {
        try
        {
            if (dimensions <= 0 || points.IsEmpty || points.Length % dimensions != 0)
                throw new ShapeException($"{points.Length} numbers are no whole number of points of {dimensions}");
            Count = points.Length / dimensions;
            Points = Arena.Take(new Shape(Count, dimensions));
            device.Upload(Points, points);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>(count, dimensions)</summary>
    public Tensor Points { get; }
}
