using System.Buffers.Binary;

namespace CudaGen.Training;

/// <summary>How a camera was held, which stands in its JPEG files beside pixels that are always stored as the sensor lies (Exif 2.3, tag 0x0112).</summary>
internal static class Exif
{
    private const byte StartOfScan = 0xDA, App1 = 0xE1;
    private const ushort OrientationTag = 0x0112;
    private const int EntryLength = 12;

    private static ReadOnlySpan<byte> Signature => "Exif\0\0"u8;

    /// <summary>1 to 8; 1, as it is stored, where the file says nothing that can be read.</summary>
    /// <param name="jpeg">The whole file, which may be damaged.</param>
    public static int Orientation(ReadOnlySpan<byte> jpeg)
    {
        // A segment: 0xFF, its kind, its length with these two bytes.
        for (int at = 2; at + 4 <= jpeg.Length && jpeg[at] == 0xFF && jpeg[at + 1] != StartOfScan;)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(jpeg[(at + 2)..]);
            if (length < 2 || at + 2 + length > jpeg.Length)
                return 1;
            ReadOnlySpan<byte> content = jpeg.Slice(at + 4, length - 2);
            if (jpeg[at + 1] == App1 && content.StartsWith(Signature))
                return OfTiff(content[Signature.Length..]);
            at += 2 + length;
        }
        return 1;
    }

    private static int OfTiff(ReadOnlySpan<byte> tiff)
    {
        if (tiff.Length < 8)
            return 1;
        bool little = tiff[0] == 'I';
        uint first = little ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (first > tiff.Length - 2)
            return 1;
        ReadOnlySpan<byte> entries = tiff[((int)first + 2)..];
        for (int left = Read(tiff[(int)first..], little); left > 0 && entries.Length >= EntryLength; left--, entries = entries[EntryLength..])
        {
            if (Read(entries, little) == OrientationTag)
                return Read(entries[8..], little) is >= 1 and <= 8 and int orientation ? orientation : 1;
        }
        return 1;
    }

    private static int Read(ReadOnlySpan<byte> bytes, bool little)
        => little ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : BinaryPrimitives.ReadUInt16BigEndian(bytes);

    /// <summary>The picture as it was seen.</summary>
    /// <param name="picture">As it is stored.</param>
    /// <param name="orientation">1 to 8: where the first row and the first column belong.</param>
    public static Picture Upright(Picture picture, int orientation)
    {
        if (orientation == 1)
            return picture;
        bool turned = orientation >= 5, fromRight = orientation is 2 or 3 or 7 or 8, fromBottom = orientation is 3 or 4 or 6 or 7;
        (int width, int height) = turned ? (picture.Height, picture.Width) : (picture.Width, picture.Height);
        int channels = picture.Channels;
        byte[] pixels = new byte[picture.Pixels.Length];
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                (int column, int row) = turned ? (y, x) : (x, y);
                int from = (fromBottom ? picture.Height - 1 - row : row) * picture.Width + (fromRight ? picture.Width - 1 - column : column);
                picture.Pixels.AsSpan(from * channels, channels).CopyTo(pixels.AsSpan((y * width + x) * channels));
            }
        }
        return new(width, height, channels, pixels);
    }
}
