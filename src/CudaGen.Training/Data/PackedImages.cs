using System.Buffers.Binary;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// Images of one size in one file: a header of 32 bytes, then the pixels, uint8, (count, height, width, channels). The header is
/// <c>CUDAGENI</c>, then version, count, height, width and channels as little-endian uint32, and four zero bytes.
/// </summary>
public static class PackedImages
{
    /// <summary>Bytes before the first pixel.</summary>
    public const int HeaderLength = 32;

    private const uint Version = 1;

    // Of the arrays that images are read into, at most, if one image is not larger: far below the 2^31 bytes that no array reaches.
    private const int PartLength = 1 << 28;

    private const int FewestToSplit = 10;

    private static ReadOnlySpan<byte> Magic => "CUDAGENI"u8;

    /// <summary>Whether a file starts like one.</summary>
    public static bool Is(string path)
    {
        if (FileFacts.Length(path) < HeaderLength)
            return false;
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        Span<byte> start = stackalloc byte[8];
        return file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual(Magic);
    }

    /// <summary>The header of a file.</summary>
    public static byte[] Header(int count, int height, int width, int channels)
    {
        byte[] header = new byte[HeaderLength];
        Magic.CopyTo(header);
        foreach ((int i, uint value) in new[] { Version, (uint)count, (uint)height, (uint)width, (uint)channels }.Index())
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8 + 4 * i), value);
        return header;
    }

    /// <summary>
    /// All images, the last tenth of them, at most a thousand, as the test set. Fewer than ten are too few to be split: they are the
    /// training set and the test set as well.
    /// </summary>
    /// <exception cref="InputException">
    /// The file cannot be read, is no such file, its length is not what the header says, or it does not fit into memory.
    /// </exception>
    public static DataSource Load(string path) => Load(path, PartLength);

    internal static DataSource Load(string path, int partLength)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            (int count, int height, int width, int channels) = ReadHeader(file, path);
            int image = height * width * channels, held = count < FewestToSplit ? 0 : Math.Min(1000, count / 10);
            ImageSet train = Read(count - held), test = held == 0 ? train : Read(held);
            return DataSource.Describe($"images from {path}", train, test, builtIn: false);

            ImageSet Read(int images)
            {
                List<byte[]> parts = [];
                for (int left = images, most = Math.Max(1, partLength / image); left > 0; left -= most)
                {
                    byte[] part = new byte[Math.Min(left, most) * image];
                    file.ReadExactly(part);
                    parts.Add(part);
                }
                return new(parts, new byte[images], height, width, channels, 1);
            }
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(path, e);
        }
    }

    private static (int Count, int Height, int Width, int Channels) ReadHeader(FileStream file, string path)
    {
        byte[] header = new byte[HeaderLength];
        if (file.ReadAtLeast(header, HeaderLength, throwOnEndOfStream: false) < HeaderLength || !header.AsSpan(0, 8).SequenceEqual(Magic))
            throw new InputException($"{path}: found no packed images, expected a file that tools/data.cs prepared");
        uint[] words = [.. Enumerable.Range(0, 5).Select(i => BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8 + 4 * i)))];
        if (words[0] != Version)
            throw new InputException($"{path}: found version {words[0]}, expected {Version}");
        UInt128 bytes = (UInt128)words[1] * words[2] * words[3] * words[4];
        string said = $"the header says {words[1]} images of {words[2]}x{words[3]}x{words[4]} = {bytes} bytes";
        if (bytes != (UInt128)(file.Length - HeaderLength))
            throw new InputException($"{path}: {said}, the file holds {file.Length - HeaderLength}");
        if (bytes == 0 || words[1] > Array.MaxLength || bytes / words[1] > (UInt128)Array.MaxLength || words[4] is not (1 or 3))
            throw new InputException($"{path}: {said}, expected 1 or 3 channels, 1 to {Array.MaxLength} images and as many bytes in one");
        // The system may grant more than it has, and end the process when it is used.
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > (UInt128)memory)
            throw new InputException($"{path}: {said}, this machine has {memory} of memory; a smaller --size takes less");
        return ((int)words[1], (int)words[2], (int)words[3], (int)words[4]);
    }
}
