namespace CudaGen.Training;

/// <summary>Many small images as one picture.</summary>
public static class ImageGrid
{
    /// <summary>
    /// Puts up to rows * columns images side by side, row by row; places without an image stay background.
    /// </summary>
    /// <param name="images">(N, H, W, C) bytes, row-major.</param>
    /// <param name="height">H of one image.</param>
    /// <param name="width">W of one image.</param>
    /// <param name="channels">C: 1 or 3.</param>
    /// <param name="rows">Images down.</param>
    /// <param name="columns">Images across.</param>
    /// <param name="scale">Every pixel becomes scale x scale pixels.</param>
    /// <param name="gap">Pixels between images and around them, not scaled.</param>
    /// <param name="background">Grey of the gaps.</param>
    /// <exception cref="ArgumentException">The bytes are not whole images, or a size is out of range.</exception>
    public static Picture Compose(ReadOnlySpan<byte> images, int height, int width, int channels, int rows, int columns,
        int scale = 2, int gap = 2, byte background = 48)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(scale, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(gap);
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "a picture has 1 or 3 channels");
        int imageLength = height * width * channels;
        if (images.Length % imageLength != 0)
            throw new ArgumentException(
                $"{images.Length} bytes are not whole images of {height}x{width}x{channels}", nameof(images));

        int totalWidth = columns * (width * scale + gap) + gap, totalHeight = rows * (height * scale + gap) + gap;
        var pixels = new byte[checked(totalWidth * totalHeight * channels)];
        Array.Fill(pixels, background);
        int count = Math.Min(images.Length / imageLength, rows * columns);
        for (int n = 0; n < count; n++)
        {
            int left = gap + n % columns * (width * scale + gap), top = gap + n / columns * (height * scale + gap);
            ReadOnlySpan<byte> image = images.Slice(n * imageLength, imageLength);
            for (int y = 0; y < height * scale; y++)
            {
                ReadOnlySpan<byte> source = image.Slice(y / scale * width * channels, width * channels);
                Span<byte> row = pixels.AsSpan(((top + y) * totalWidth + left) * channels, width * scale * channels);
                for (int x = 0; x < width * scale; x++)
                    source.Slice(x / scale * channels, channels).CopyTo(row[(x * channels)..]);
            }
        }
        return new Picture(totalWidth, totalHeight, channels, pixels);
    }

    /// <summary>Values from 0 to 1 as bytes from 0 to 255, rounded and clamped; NaN becomes 0.</summary>
    public static byte[] ToBytes(ReadOnlySpan<float> values)
    {
        var bytes = new byte[values.Length];
        for (int i = 0; i < values.Length; i++)
            bytes[i] = float.IsNaN(values[i]) ? (byte)0 : (byte)(Math.Clamp(values[i], 0f, 1f) * 255f + 0.5f);
        return bytes;
    }
}
