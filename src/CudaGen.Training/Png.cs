using System.Buffers.Binary;
using System.IO.Compression;

namespace CudaGen.Training;

/// <summary>Writer of PNG images: 8 bits, grey or RGB.</summary>
public static class Png
{
    private static readonly uint[] CrcTable = MakeCrcTable();

    /// <summary>Writes one image.</summary>
    /// <param name="stream">Where to; it stays open.</param>
    /// <param name="width">Pixels across, at least 1.</param>
    /// <param name="height">Pixels down, at least 1.</param>
    /// <param name="channels">1 for grey, 3 for RGB.</param>
    /// <param name="pixels">(H, W, C), row-major.</param>
    /// <exception cref="ArgumentException">The pixels do not fit the size.</exception>
    public static void Write(Stream stream, int width, int height, int channels, ReadOnlySpan<byte> pixels)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "a PNG is written with 1 or 3 channels");
        if (pixels.Length != (long)width * height * channels)
            throw new ArgumentException(
                $"{pixels.Length} bytes for {width}x{height}x{channels} pixels", nameof(pixels));

        stream.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        header[8] = 8; // bits per sample
        header[9] = channels == 1 ? (byte)0 : (byte)2; // colour type
        header[10..].Clear(); // deflate, the standard filters, not interlaced
        WriteChunk(stream, "IHDR"u8, header);
        WriteChunk(stream, "IDAT"u8, Compress(pixels, width * channels));
        WriteChunk(stream, "IEND"u8, []);
    }

    // Every row starts with its filter; 0 leaves the bytes as they are.
    private static ReadOnlySpan<byte> Compress(ReadOnlySpan<byte> pixels, int rowLength)
    {
        var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            for (; !pixels.IsEmpty; pixels = pixels[rowLength..])
            {
                zlib.WriteByte(0);
                zlib.Write(pixels[..rowLength]);
            }
        }
        return packed.GetBuffer().AsSpan(0, (int)packed.Length);
    }

    private static void WriteChunk(Stream stream, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(word, data.Length);
        stream.Write(word);
        stream.Write(type);
        stream.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(word, ~Crc(Crc(uint.MaxValue, type), data));
        stream.Write(word);
    }

    internal static uint Crc(uint crc, ReadOnlySpan<byte> data)
    {
        foreach (byte b in data)
            crc = CrcTable[(byte)(crc ^ b)] ^ (crc >> 8);
        return crc;
    }

    // CRC-32 of ISO 3309, the polynomial bit-reversed.
    private static uint[] MakeCrcTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            uint c = i;
            for (int bit = 0; bit < 8; bit++)
                c = (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1;
            table[i] = c;
        }
        return table;
    }
}
