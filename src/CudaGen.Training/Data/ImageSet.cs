namespace CudaGen.Training;

/// <summary>Labelled 8-bit images of one size, in host memory.</summary>
public sealed class ImageSet
{
    /// <param name="pixels">(N, H, W, C), row-major.</param>
    /// <param name="labels">(N), each below <paramref name="classes"/>.</param>
    /// <param name="height">H, at least 1.</param>
    /// <param name="width">W, at least 1.</param>
    /// <param name="channels">C, at least 1.</param>
    /// <param name="classes">Number of classes, 1 to 256.</param>
    /// <exception cref="ArgumentException">The lengths do not fit together, or a label is too large.</exception>
    public ImageSet(byte[] pixels, byte[] labels, int height, int width, int channels, int classes)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(classes, 256);
        if (pixels.LongLength != (long)labels.Length * height * width * channels)
            throw new ArgumentException(
                $"{pixels.Length} bytes for {labels.Length} images of {height}x{width}x{channels}", nameof(pixels));
        if (classes < 256 && labels.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)(classes - 1)) is >= 0 and int at)
            throw new ArgumentException($"label {at} is {labels[at]}, there are {classes} classes", nameof(labels));
        (Pixels, Labels, Height, Width, Channels, Classes) = (pixels, labels, height, width, channels, classes);
    }

    /// <summary>(N, H, W, C), row-major.</summary>
    public byte[] Pixels { get; }

    /// <summary>(N), each below <see cref="Classes"/>.</summary>
    public byte[] Labels { get; }

    public int Count => Labels.Length;

    public int Height { get; }

    public int Width { get; }

    public int Channels { get; }

    public int Classes { get; }

    /// <summary>Bytes of one image: H * W * C.</summary>
    public int ImageLength => Height * Width * Channels;

    /// <summary>The bytes of image <paramref name="index"/>, (H, W, C).</summary>
    public ReadOnlySpan<byte> Image(int index) => Pixels.AsSpan(index * ImageLength, ImageLength);
}
