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
}
