using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace CudaGen.Training.Tests;

/// <summary>Reads the PNG files that the library writes, and is strict about the format.</summary>
internal static class PngReader
{
    public static Picture Read(ReadOnlySpan<byte> file)
    {
        Assert.Equal([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], file[..8].ToArray());
        file = file[8..];
        int width = 0, height = 0, channels = 0;
        var packed = new MemoryStream();
        for (string type = ""; type != "IEND";)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(file);
            type = Encoding.ASCII.GetString(file.Slice(4, 4));
            ReadOnlySpan<byte> data = file.Slice(8, length);
            Assert.Equal(Crc(file.Slice(4, length + 4)), BinaryPrimitives.ReadUInt32BigEndian(file[(length + 8)..]));
            file = file[(length + 12)..];
            switch (type)
            {
                case "IHDR":
                    (width, height) = (BinaryPrimitives.ReadInt32BigEndian(data), BinaryPrimitives.ReadInt32BigEndian(data[4..]));
                    Assert.Equal(8, data[8]);
                    channels = data[9] switch { 0 => 1, 2 => 3, _ => 0 };
                    Assert.Equal([0, 0, 0], data[10..].ToArray());
                    break;
                case "IDAT":
                    packed.Write(data);
                    break;
            }
        }
        Assert.True(file.IsEmpty, "bytes after IEND");
        packed.Position = 0;
        using var zlib = new ZLibStream(packed, CompressionMode.Decompress);
        var pixels = new byte[width * height * channels];
        int stride = width * channels;
        for (int y = 0; y < height; y++)
        {
            Assert.Equal(0, zlib.ReadByte());
            zlib.ReadExactly(pixels, y * stride, stride);
        }
        Assert.Equal(-1, zlib.ReadByte());
        return new Picture(width, height, channels, pixels);
    }

    // Bit by bit, so that it shares nothing with the table of the writer.
    private static uint Crc(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in data)
        {
            crc ^= b;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ (0xEDB88320 & (0 - (crc & 1)));
        }
        return ~crc;
    }
}
