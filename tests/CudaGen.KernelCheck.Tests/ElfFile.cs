using System.Buffers.Binary;
using System.Text;

namespace CudaGen.KernelCheck.Tests;

/// <summary>What a 64-bit little-endian ELF shared library says of itself in its dynamic section.</summary>
internal sealed class ElfFile
{
    private const uint DynSym = 11, Dynamic = 6;
    private const long Needed = 1, SoName = 14, RunPath = 29;
    private readonly byte[] _bytes;

    public ElfFile(string path)
    {
        _bytes = File.ReadAllBytes(path);
        Assert.Equal("\u007fELF\u0002\u0001"u8, _bytes.AsSpan(0, 6));
        long table = Number(0x28);
        int size = _bytes[0x3a] | _bytes[0x3b] << 8, count = _bytes[0x3c] | _bytes[0x3d] << 8;
        for (int i = 0; i < count; i++)
        {
            long header = table + i * size, kind = Number(header) >> 32;
            if (kind is not (DynSym or Dynamic))
                continue;
            long start = Number(header + 0x18), end = start + Number(header + 0x20), entry = Number(header + 0x38);
            long names = Number(table + (Number(header + 0x28) & 0xffffffff) * size + 0x18);
            for (long at = start; at < end; at += entry)
                if (kind == DynSym)
                    ReadSymbol(at, names);
                else
                    ReadDynamic(at, names);
        }
    }

    /// <summary>The names that the library defines for others, in ordinal order.</summary>
    public SortedSet<string> Exports { get; } = new(StringComparer.Ordinal);

    public List<string> NeededLibraries { get; } = [];

    public string? Name { get; private set; }

    public string? SearchPath { get; private set; }

    private void ReadSymbol(long at, long names)
    {
        bool isLocal = _bytes[at + 4] >> 4 == 0, isDefined = (_bytes[at + 6] | _bytes[at + 7] << 8) != 0;
        if (!isLocal && isDefined)
            Exports.Add(Text(names + (Number(at) & 0xffffffff)));
    }

    private void ReadDynamic(long at, long names)
    {
        string text(long offset) => Text(names + offset);
        switch (Number(at))
        {
            case Needed:
                NeededLibraries.Add(text(Number(at + 8)));
                break;
            case SoName:
                Name = text(Number(at + 8));
                break;
            case RunPath:
                SearchPath = text(Number(at + 8));
                break;
        }
    }

    private long Number(long at) => BinaryPrimitives.ReadInt64LittleEndian(_bytes.AsSpan((int)at));

    private string Text(long at) => Encoding.ASCII.GetString(_bytes, (int)at, Array.IndexOf(_bytes, (byte)0, (int)at) - (int)at);
}
