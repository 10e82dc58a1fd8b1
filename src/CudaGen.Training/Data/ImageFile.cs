using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// Reading of image files, JPEG and PNG, which the content tells and not the name. This class is the only one that knows the decoders.
/// </summary>
public static class ImageFile
{
    /// <summary>Larger images are refused, whatever their file holds.</summary>
    public const int MaxPixels = 1 << 27, MaxSide = ushort.MaxValue;

    internal static string SizeLimits => $"1 to {MaxSide} pixels a side and at most {MaxPixels} in all";

    /// <summary>Reads an image as 8-bit RGB. What is transparent lies on white. A JPEG image is turned as its camera says that it was held.</summary>
    /// <exception cref="InputException">The file cannot be read, or is no sound JPEG or PNG image.</exception>
    /// <exception cref="DeviceException">It is a JPEG image, and libjpeg-turbo is not installed.</exception>
    public static Picture Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(path, e);
        }
        return Decode(path, bytes);
    }

    /// <summary>The same for the bytes of a file that came from elsewhere.</summary>
    /// <param name="name">What errors call it.</param>
    /// <param name="bytes">The whole file.</param>
    public static Picture Decode(string name, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            throw new InputException($"{name}: the file is empty, expected a JPEG or PNG image");
        try
        {
            if (PngDecoder.IsPng(bytes))
                return PngDecoder.Decode(bytes);
            if (bytes is not [0xFF, 0xD8, 0xFF, ..])
                throw new InvalidDataException($"starts with 0x{Convert.ToHexString(bytes[..Math.Min(4, bytes.Length)])}, expected a JPEG or PNG image");
            byte[] pixels = Jpeg.Decode(bytes, MaxPixels, out int width, out int height);
            return Exif.Upright(new Picture(width, height, 3, pixels), Exif.Orientation(bytes));
        }
        catch (InvalidDataException e)
        {
            throw new InputException($"{name}: {e.Message}", e);
        }
    }
}
