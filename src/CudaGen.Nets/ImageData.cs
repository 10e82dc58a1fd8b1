using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Images in device memory as they are on disk: uint8, (count, H, W, C).</summary>
public sealed class ImageData : IDisposable
{
    private readonly Arena _arena;

    /// <summary>Copies images to the device.</summary>
    /// <exception cref="ShapeException">The bytes are no whole number of images, or none.</exception>
    public ImageData(Device device, ReadOnlySpan<byte> pixels, int height, int width, int channels)
    {
        int image = checked(height * width * channels);
        if (image <= 0 || pixels.IsEmpty || pixels.Length % image != 0)
            throw new ShapeException($"{pixels.Length} bytes are no whole number of images {height}x{width}x{channels}");
        (Height, Width, Channels, Count) = (height, width, channels, pixels.Length / image);
        _arena = new Arena(device, "images", pixels.Length + Arena.Alignment);
        Pixels = _arena.Take<byte>(pixels.Length);
        try
        {
            device.Upload(Pixels, pixels);
        }
        catch
        {
            _arena.Dispose();
            throw;
        }
    }

    public Buffer<byte> Pixels { get; }

    public int Count { get; }

    public int Height { get; }

    public int Width { get; }

    public int Channels { get; }

    public void Dispose() => _arena.Dispose();
}
