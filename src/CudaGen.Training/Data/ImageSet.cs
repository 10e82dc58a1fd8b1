namespace CudaGen.Training;

/// <summary>Labelled 8-bit images of one size, in host memory.</summary>
public sealed class ImageSet
{
    private readonly int _imagesPerPart;

    /// <param name="pixels">(N, H, W, C), row-major.</param>
    /// <param name="labels">(N), each below <paramref name="classes"/>.</param>
    /// <param name="height">H, at least 1.</param>
    /// <param name="width">W, at least 1.</param>
    /// <param name="channels">C, at least 1.</param>
    /// <param name="classes">Number of classes, 1 to 256.</param>
    /// <exception cref="ArgumentException">The lengths do not fit together, or a label is too large.</exception>
    public ImageSet(byte[] pixels, byte[] labels, int height, int width, int channels, int classes)
        : this([pixels], labels, height, width, channels, classes)
    {
    }

    /// <summary>A set that may be larger than one array, which holds less than 2^31 bytes.</summary>
    /// <param name="parts">(N, H, W, C), row-major, cut between images. All parts have as many images, but the last, which may have fewer.</param>
    /// <param name="labels">(N), each below <paramref name="classes"/>.</param>
    /// <param name="height">H, at least 1.</param>
    /// <param name="width">W, at least 1.</param>
    /// <param name="channels">C, at least 1.</param>
    /// <param name="classes">Number of classes, 1 to 256.</param>
    /// <exception cref="ArgumentException">The lengths do not fit together, or a label is too large.</exception>
    public ImageSet(IReadOnlyList<byte[]> parts, byte[] labels, int height, int width, int channels, int classes)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentOutOfRangeException.ThrowIfZero(parts.Count, nameof(parts));
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(channels, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(classes, 256);
        int image = checked(height * width * channels);
        _imagesPerPart = Math.Max(1, parts[0].Length / image);
        long bytes = parts.Sum(part => part.LongLength);
        if (bytes != (long)labels.Length * image)
            throw new ArgumentException($"{bytes} bytes for {labels.Length} images of {height}x{width}x{channels}", nameof(parts));
        for (int i = 0; i < parts.Count - 1; i++)
        {
            if (parts[i].Length != _imagesPerPart * image || parts[i + 1].Length > parts[i].Length)
                throw new ArgumentException($"part {i} has {parts[i].Length} bytes, the next {parts[i + 1].Length}, "
                    + $"expected {_imagesPerPart} images of {image} in all but the last", nameof(parts));
        }
        if (classes < 256 && labels.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)(classes - 1)) is >= 0 and int at)
            throw new ArgumentException($"label {at} is {labels[at]}, there are {classes} classes", nameof(labels));
        (Parts, Labels, Height, Width, Channels, Classes) = (parts, labels, height, width, channels, classes);
    }

    /// <summary>The pixels (N, H, W, C), row-major, cut between images into arrays that follow each other.</summary>
    public IReadOnlyList<byte[]> Parts { get; }

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
    public ReadOnlySpan<byte> Image(int index) => Parts[index / _imagesPerPart].AsSpan(index % _imagesPerPart * ImageLength, ImageLength);
}
