using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>An 8-bit image to be looked at.</summary>
/// <param name="Width">Pixels across.</param>
/// <param name="Height">Pixels down.</param>
/// <param name="Channels">1 for grey, 3 for RGB.</param>
/// <param name="Pixels">(H, W, C), row-major.</param>
public sealed record Picture(int Width, int Height, int Channels, byte[] Pixels)
{
    /// <summary>Writes the picture as PNG.</summary>
    public void WritePng(Stream stream) => Png.Write(stream, Width, Height, Channels, Pixels);

    /// <summary>Writes the picture to a PNG file, whole or not at all.</summary>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public void SavePng(string path) => AtomicFile.Write(path, WritePng);

    /// <summary>Two pictures of the same height and kind next to each other, with a white gap of 16 pixels.</summary>
    /// <exception cref="ArgumentException">They differ in height or channels.</exception>
    public static Picture SideBySide(Picture left, Picture right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        if (left.Height != right.Height || left.Channels != right.Channels)
            throw new ArgumentException($"{left.Height} rows of {left.Channels} channels beside {right.Height} of {right.Channels}");
        const int gap = 16;
        int channels = left.Channels, width = left.Width + gap + right.Width;
        byte[] pixels = new byte[left.Height * width * channels];
        Array.Fill(pixels, (byte)255);
        for (int y = 0; y < left.Height; y++)
        {
            Span<byte> row = pixels.AsSpan(y * width * channels, width * channels);
            left.Pixels.AsSpan(y * left.Width * channels, left.Width * channels).CopyTo(row);
            right.Pixels.AsSpan(y * right.Width * channels, right.Width * channels).CopyTo(row[((left.Width + gap) * channels)..]);
        }
        return new(width, left.Height, channels, pixels);
    }
}
