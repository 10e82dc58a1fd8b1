using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace CudaGen.Training;

/// <summary>
/// Reader of PNG images of every kind that the standard has (https://www.w3.org/TR/png-3), as 8-bit RGB. Of 16 bits the upper 8 are taken,
/// what is transparent is laid on white, and notes about colour spaces and gamma are ignored.
/// </summary>
internal sealed class PngDecoder
{
    private const byte Grey = 0, Rgb = 2, Palette = 3, GreyAlpha = 4, RgbAlpha = 6;

    // Deflate codes at best 258 bytes in two bits.
    private const long LargestRatio = 1032;

    private static readonly SearchValues<byte> Letters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private static readonly Pass[] Adam7 =
        [new(0, 0, 8, 8), new(4, 0, 8, 8), new(0, 4, 4, 8), new(2, 0, 4, 4), new(0, 2, 2, 4), new(1, 0, 2, 2), new(0, 1, 1, 2)];

    private readonly int _width, _height, _depth, _samples;
    private readonly byte _kind;
    private readonly bool _interlaced;
    private readonly byte[] _packed;
    private int _packedLength;
    private byte[] _palette = [];

    // For a palette the opacity of its first entries, otherwise the samples of the one colour that is transparent, 16 bits each.
    private byte[] _transparency = [];

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    private int BitsPerPixel => _samples * _depth;

    private PngDecoder(ReadOnlySpan<byte> header, int fileLength)
    {
        _packed = new byte[fileLength];
        if (header.Length != 13)
            throw new InvalidDataException($"a PNG header of {header.Length} bytes, expected 13");
        uint width = BinaryPrimitives.ReadUInt32BigEndian(header), height = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        if (width is 0 or > ImageFile.MaxSide || height is 0 or > ImageFile.MaxSide || (long)width * height > ImageFile.MaxPixels)
            throw new InvalidDataException($"a PNG image of {width}x{height}, expected {ImageFile.SizeLimits}");
        (_width, _height, _depth, _kind) = ((int)width, (int)height, header[8], header[9]);
        _samples = (_kind, _depth) switch
        {
            (Grey, 1 or 2 or 4 or 8 or 16) or (Palette, 1 or 2 or 4 or 8) => 1,
            (GreyAlpha, 8 or 16) => 2,
            (Rgb, 8 or 16) => 3,
            (RgbAlpha, 8 or 16) => 4,
            _ => throw new InvalidDataException($"a PNG image of colour type {_kind} with {_depth} bits, which the format does not have"),
        };
        if (header[10] != 0 || header[11] != 0 || header[12] > 1)
            throw new InvalidDataException(
                $"a PNG image with compression {header[10]}, filter {header[11]}, interlace {header[12]}, expected 0, 0 and 0 or 1");
        _interlaced = header[12] == 1;
    }

    /// <summary>Whether a file starts as PNG images do.</summary>
    internal static bool IsPng(ReadOnlySpan<byte> file) => file.StartsWith(Signature);

    /// <summary>Decodes a whole file.</summary>
    /// <param name="file">Starts with the signature.</param>
    /// <exception cref="InvalidDataException">Something about it is wrong; one line.</exception>
    internal static Picture Decode(ReadOnlySpan<byte> file)
    {
        PngDecoder? image = null;
        string last = "";
        for (int at = Signature.Length; last != "IEND";)
        {
            ReadOnlySpan<byte> rest = file[at..];
            if (rest.Length < 12 || BinaryPrimitives.ReadUInt32BigEndian(rest) is var length && length > rest.Length - 12)
                throw new InvalidDataException("the PNG image is cut short");
            ReadOnlySpan<byte> chunk = rest.Slice(4, 4 + (int)length), data = chunk[4..];
            uint crc = BinaryPrimitives.ReadUInt32BigEndian(rest[(8 + (int)length)..]);
            if (~Png.Crc(uint.MaxValue, chunk) != crc || chunk[..4].ContainsAnyExcept(Letters))
                throw new InvalidDataException($"the PNG chunk at byte {at} is damaged");
            string type = Encoding.ASCII.GetString(chunk[..4]);
            if (type == "IHDR" != image is null)
                throw new InvalidDataException($"the PNG chunk {type} at byte {at}, expected IHDR at the start and nowhere else");
            image ??= new PngDecoder(data, file.Length);
            image.Take(type, data, last);
            last = type;
            at += 12 + (int)length;
        }
        return image!.Unpack();
    }

    private void Take(string type, ReadOnlySpan<byte> data, string last)
    {
        switch (type)
        {
            case "IHDR" or "IEND":
                break;
            case "IDAT" when _packedLength > 0 && last != "IDAT":
                throw new InvalidDataException("the pixels of the PNG image are in two places");
            case "IDAT" when _kind == Palette && _palette.Length == 0:
                throw new InvalidDataException("the PNG image has no palette before its pixels");
            case "IDAT":
                data.CopyTo(_packed.AsSpan(_packedLength));
                _packedLength += data.Length;
                break;
            case "PLTE" when data.IsEmpty || data.Length % 3 != 0 || data.Length > 3 * 256:
                throw new InvalidDataException($"a PNG palette of {data.Length} bytes, expected 1 to 256 times 3");
            case "PLTE":
                _palette = data.ToArray();
                break;
            case "tRNS" when _kind == Palette ? data.Length > _palette.Length / 3 : data.Length != 2 * _samples || _kind >= GreyAlpha:
                throw new InvalidDataException($"{data.Length} bytes of transparency, which do not fit the kind of the PNG image");
            case "tRNS":
                _transparency = data.ToArray();
                break;
            case [>= 'A' and <= 'Z', ..]:
                throw new InvalidDataException($"the PNG chunk {type}, which this reader does not know and the image needs");
        }
    }

    private Picture Unpack()
    {
        Pass[] passes = _interlaced ? Adam7 : [new(0, 0, 1, 1)];
        long said = passes.Sum(pass => pass.Columns(_width) == 0 ? 0 : pass.Rows(_height) * (1 + RowLength(pass)));
        if (said > _packedLength * LargestRatio)
            throw new InvalidDataException($"a PNG header that says {_width}x{_height}, more than {_packedLength} compressed bytes can hold");
        byte[] rgb = new byte[_width * _height * 3];
        using var zlib = new ZLibStream(new MemoryStream(_packed, 0, _packedLength), CompressionMode.Decompress);
        foreach (Pass pass in passes)
            Unpack(zlib, pass, rgb);
        // Reading on to the end also checks the checksum.
        if (Read(zlib, stackalloc byte[1]) > 0)
            throw new InvalidDataException($"the PNG image holds more than its {_width}x{_height} pixels");
        return new Picture(_width, _height, 3, rgb);
    }

    private long RowLength(Pass pass) => ((long)pass.Columns(_width) * BitsPerPixel + 7) / 8;

    private static int Read(ZLibStream zlib, Span<byte> target)
    {
        try
        {
            return zlib.ReadAtLeast(target, target.Length, throwOnEndOfStream: false);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException("the compressed pixels of the PNG image are damaged", e);
        }
    }

    private void Unpack(ZLibStream zlib, Pass pass, byte[] rgb)
    {
        int columns = pass.Columns(_width), rows = pass.Rows(_height), length = (int)RowLength(pass), distance = Math.Max(1, BitsPerPixel / 8);
        if (columns == 0)
            return;
        // Zeros lie above the first row and, as the filters look back by one pixel, to the left of each.
        byte[] row = new byte[distance + length], above = new byte[distance + length], filter = new byte[1];
        for (int y = 0; y < rows; y++, (row, above) = (above, row))
        {
            if (Read(zlib, filter) < 1 || Read(zlib, row.AsSpan(distance)) < length)
                throw new InvalidDataException($"the PNG image holds fewer than its {_width}x{_height} pixels");
            Unfilter(filter[0], row, above, distance);
            Span<byte> target = rgb.AsSpan(((pass.Y + y * pass.StepY) * _width + pass.X) * 3);
            ReadOnlySpan<byte> bytes = row.AsSpan(distance);
            if (_kind == Rgb && _depth == 8 && _transparency.Length == 0 && pass.StepX == 1)
            {
                bytes.CopyTo(target);
                continue;
            }
            for (int x = 0; x < columns; x++)
                Store(bytes, x, target.Slice(x * pass.StepX * 3, 3));
        }
    }

    private static void Unfilter(byte filter, Span<byte> row, ReadOnlySpan<byte> above, int distance)
    {
        switch (filter)
        {
            case 0:
                break;
            case 1:
                for (int i = distance; i < row.Length; i++)
                    row[i] += row[i - distance];
                break;
            case 2:
                for (int i = distance; i < row.Length; i++)
                    row[i] += above[i];
                break;
            case 3:
                for (int i = distance; i < row.Length; i++)
                    row[i] += (byte)((row[i - distance] + above[i]) / 2);
                break;
            case 4:
                for (int i = distance; i < row.Length; i++)
                    row[i] += Paeth(row[i - distance], above[i], above[i - distance]);
                break;
            default:
                throw new InvalidDataException($"a row of the PNG image has filter {filter}, expected 0 to 4");
        }
    }

    // Whichever of the three is nearest to left + up - corner.
    private static byte Paeth(byte left, byte up, byte corner)
    {
        int toLeft = Math.Abs(up - corner), toUp = Math.Abs(left - corner), toCorner = Math.Abs(left + up - 2 * corner);
        return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    }

    private void Store(ReadOnlySpan<byte> row, int pixel, Span<byte> rgb)
    {
        int opacity = 255;
        if (_kind == Palette)
        {
            int entry = Sample(row, pixel);
            if (3 * entry >= _palette.Length)
                throw new InvalidDataException($"a pixel of the PNG image has colour {entry}, the palette has {_palette.Length / 3} from 0");
            _palette.AsSpan(3 * entry, 3).CopyTo(rgb);
            opacity = entry < _transparency.Length ? _transparency[entry] : 255;
        }
        else
        {
            bool isKey = _transparency.Length > 0;
            for (int c = 0; c < 3; c++)
            {
                int place = _samples < 3 ? 0 : c, sample = Sample(row, pixel * _samples + place);
                isKey = isKey && sample == (BinaryPrimitives.ReadUInt16BigEndian(_transparency.AsSpan(2 * place)) & ((1 << _depth) - 1));
                rgb[c] = ToByte(sample);
            }
            opacity = isKey ? 0 : _kind >= GreyAlpha ? ToByte(Sample(row, (pixel + 1) * _samples - 1)) : 255;
        }
        for (int c = 0; c < 3 && opacity < 255; c++)
            rgb[c] = (byte)((rgb[c] * opacity + 255 * (255 - opacity) + 127) / 255);
    }

    private int Sample(ReadOnlySpan<byte> row, int index)
    {
        if (_depth == 8)
            return row[index];
        if (_depth == 16)
            return BinaryPrimitives.ReadUInt16BigEndian(row[(2 * index)..]);
        int bit = index * _depth;
        return (row[bit / 8] >> (8 - _depth - bit % 8)) & ((1 << _depth) - 1);
    }

    private byte ToByte(int sample) => (byte)(_depth == 16 ? sample >> 8 : sample * 255 / ((1 << _depth) - 1));

    /// <summary>The pixels that come together: the first one and the step, across and down.</summary>
    private readonly record struct Pass(int X, int Y, int StepX, int StepY)
    {
        public int Columns(int width) => (width - X + StepX - 1) / StepX;

        public int Rows(int height) => (height - Y + StepY - 1) / StepY;
    }
}
