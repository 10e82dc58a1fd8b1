using System.Buffers.Binary;
using System.IO.Compression;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>The content of an IDX file.</summary>
/// <param name="Extents">Slowest first, (N, H, W) for images.</param>
/// <param name="Data">The elements, row-major.</param>
public sealed record IdxArray(int[] Extents, byte[] Data);

/// <summary>
/// IDX files of unsigned bytes (http://yann.lecun.com/exdb/mnist): two zero bytes, the type 8, the number of
/// dimensions, their big-endian 32-bit extents, the elements. They may be compressed with gzip, which the content tells
/// and not the name, as some tools unpack files and leave the name.
/// </summary>
public static class Idx
{
    // Deflate codes at best 258 bytes in two bits, so a header that says more than this is wrong.
    private const int LargestRatio = 1032;

    private const int FirstBlock = 64 << 20;

    /// <summary>Reads a whole file that must have <paramref name="rank"/> dimensions, 1 to 4.</summary>
    /// <exception cref="InputException">
    /// The file cannot be read, is damaged, or its header does not fit its length. No memory is taken on the word of a
    /// header alone.
    /// </exception>
    public static IdxArray Read(string path, int rank)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rank, 4);
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
            Span<byte> start = stackalloc byte[2];
            int got = file.ReadAtLeast(start, 2, throwOnEndOfStream: false);
            if (got == 0)
                throw new InputException($"{path}: the file is empty, expected {Expected(rank)}");
            file.Position = 0;
            if (start is not [0x1F, 0x8B])
                return Read(file, path, rank, file.Length, compressed: false);
            IdxArray array;
            using (var unpacked = new GZipStream(file, CompressionMode.Decompress, leaveOpen: true))
                array = Read(unpacked, path, rank, file.Length, compressed: true);
            CheckTrailer(file, path, (uint)(4 + 4 * rank + array.Data.Length));
            return array;
        }
        catch (InvalidDataException e)
        {
            throw new InputException($"{path}: the gzip data is damaged or cut short ({e.Message.TrimEnd('.')})", e);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(path, e);
        }
    }

    private static IdxArray Read(Stream stream, string path, int rank, long fileLength, bool compressed)
    {
        Span<byte> header = stackalloc byte[4 + 4 * rank];
        int got = stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
        uint magic = got < 4 ? 0 : BinaryPrimitives.ReadUInt32BigEndian(header);
        if (got >= 4 && magic != 0x0800u + (uint)rank)
            throw new InputException($"{path}: starts with 0x{magic:X8}, expected {Expected(rank)}");
        if (got < header.Length)
            throw new InputException(
                $"{path}: {got} bytes and no more, expected {Expected(rank)}, whose header has {header.Length}");

        var extents = new uint[rank];
        UInt128 said = 1;
        for (int i = 0; i < rank; i++)
        {
            extents[i] = BinaryPrimitives.ReadUInt32BigEndian(header[(4 + 4 * i)..]);
            said *= extents[i];
        }
        string claim = $"the header says {string.Join('x', extents)} = {said} bytes";
        if (said > (UInt128)Array.MaxLength)
            throw new InputException($"{path}: {claim}, more than the {Array.MaxLength} that can be read");
        int length = (int)said;
        byte[] data = compressed
            ? Unpack(stream, path, length, fileLength, claim)
            : ReadPlain(stream, path, length, fileLength - header.Length, claim);
        return new IdxArray(Array.ConvertAll(extents, e => (int)e), data);
    }

    private static byte[] ReadPlain(Stream stream, string path, int length, long available, string claim)
    {
        if (available != length)
            throw new InputException($"{path}: {claim}, the file holds {available}");
        var data = new byte[length];
        stream.ReadExactly(data);
        return data;
    }

    private static byte[] Unpack(Stream stream, string path, int length, long fileLength, string claim)
    {
        if (length > fileLength * LargestRatio)
            throw new InputException($"{path}: {claim}, more than {fileLength} compressed bytes can hold");
        var data = new byte[Math.Min(length, FirstBlock)];
        int filled = 0;
        while (true)
        {
            filled += stream.ReadAtLeast(data.AsSpan(filled), data.Length - filled, throwOnEndOfStream: false);
            if (filled < data.Length)
                throw new InputException($"{path}: {claim}, the file holds {filled}");
            if (filled == length)
                break;
            Array.Resize(ref data, (int)Math.Min(length, 2L * data.Length));
        }
        // Reading on to the end also checks the checksum.
        if (stream.ReadByte() >= 0)
            throw new InputException($"{path}: {claim}, the file holds more");
        return data;
    }

    // GZipStream checks the trailer, a checksum and the length, but does not miss it in a file that ends before it.
    private static void CheckTrailer(FileStream file, string path, uint length)
    {
        Span<byte> trailer = stackalloc byte[4];
        file.Position = file.Length - trailer.Length;
        file.ReadExactly(trailer);
        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer) is uint said && said != length)
            throw new InputException(
                $"{path}: the gzip data is damaged or cut short (it ends with the length {said}, expected {length})");
    }

    private static string Expected(int rank) =>
        $"an IDX file of unsigned bytes in {rank} {(rank == 1 ? "dimension" : "dimensions")} (0x{0x0800 + rank:X8})";
}
