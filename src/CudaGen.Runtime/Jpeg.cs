using System.Runtime.InteropServices;
using CudaGen.Runtime.Native;

namespace CudaGen.Runtime;

/// <summary>
/// Decoder of JPEG images by libjpeg-turbo, a library of the system. It lives here because a binding takes unsafe code; no device has a part in it.
/// </summary>
internal static unsafe class Jpeg
{
    // Huffman's codes take at least a bit for each block of 8x8.
    private const long PixelsPerByte = 8 * 64;

    /// <summary>
    /// The image as (H, W, 3) bytes: grey becomes RGB, and so does CMYK, which is taken as Adobe's programs store it, 255 for no ink.
    /// </summary>
    /// <param name="file">The whole file.</param>
    /// <param name="maxPixels">More than these are refused before memory is taken.</param>
    /// <param name="width">W.</param>
    /// <param name="height">H.</param>
    /// <exception cref="InvalidDataException">The image is damaged, cut short, too large, or of a kind that libjpeg-turbo does not know.</exception>
    /// <exception cref="DeviceException">libjpeg-turbo is not installed.</exception>
    internal static byte[] Decode(ReadOnlySpan<byte> file, long maxPixels, out int width, out int height)
    {
        RequireLibrary();
        nint handle = TurboJpeg.tjInitDecompress();
        if (handle == 0)
            throw new InvalidDataException(Words(handle));
        try
        {
            fixed (byte* bytes = file)
            {
                var length = new CULong((nuint)file.Length);
                Check(handle, TurboJpeg.tjDecompressHeader3(handle, bytes, length, out width, out height, out _, out int colours));
                long pixels = (long)width * height;
                if (pixels == 0)
                    throw new InvalidDataException($"damaged JPEG data (cut off after {file.Length} bytes, before the size of the image)");
                if (pixels > maxPixels)
                    throw new InvalidDataException($"a JPEG image of {width}x{height}, expected at most {maxPixels} pixels");
                if (pixels / PixelsPerByte > file.Length)
                    throw new InvalidDataException($"a JPEG header that says {width}x{height}, more than {file.Length} bytes can hold");
                bool inks = colours is TurboJpeg.TJCS_CMYK or TurboJpeg.TJCS_YCCK;
                byte[] decoded = new byte[pixels * (inks ? 4 : 3)];
                fixed (byte* target = decoded)
                {
                    Check(handle, TurboJpeg.tjDecompress2(handle, bytes, length, target, width, 0, height,
                        inks ? TurboJpeg.TJPF_CMYK : TurboJpeg.TJPF_RGB, TurboJpeg.TJFLAG_ACCURATEDCT | TurboJpeg.TJFLAG_LIMITSCANS));
                }
                return inks ? FromInks(decoded) : decoded;
            }
        }
        finally
        {
            _ = TurboJpeg.tjDestroy(handle);
        }
    }

    /// <summary>Makes sure that JPEG images can be decoded here.</summary>
    /// <exception cref="DeviceException">libjpeg-turbo is not installed; the message names its package.</exception>
    internal static void RequireLibrary()
    {
        if (!NativeLibraries.TryLoad(TurboJpeg.Library, 0, out _, out string failure))
            throw new DeviceException($"JPEG images need libjpeg-turbo (apt-get install libturbojpeg0): {failure}");
    }

    private static byte[] FromInks(byte[] cmyk)
    {
        byte[] rgb = new byte[cmyk.Length / 4 * 3];
        for (int from = 0, to = 0; from < cmyk.Length; from += 4, to += 3)
        {
            for (int c = 0; c < 3; c++)
                rgb[to + c] = (byte)((cmyk[from + c] * cmyk[from + 3] + 127) / 255);
        }
        return rgb;
    }

    // What libjpeg calls a warning, such as the premature end of the file, leaves grey areas in the image.
    private static void Check(nint handle, int status)
    {
        if (status != 0)
            throw new InvalidDataException($"damaged JPEG data ({Words(handle)})");
    }

    private static string Words(nint handle) => Marshal.PtrToStringUTF8((nint)TurboJpeg.tjGetErrorStr2(handle)) ?? "";
}
