using System.Runtime.InteropServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

/// <summary>
/// Tensors with a wall of NaN around each: what an operation reads beyond a tensor shows in its results, what it writes
/// there shows in <see cref="Complaint"/>.
/// </summary>
internal sealed unsafe class GuardedMemory : IDisposable
{
    private const int Wall = 64;
    private const uint Brick = 0x7FC0DEAD;

    private readonly List<(string Name, nint Block, int Start, int Bytes, int Floats)> _blocks = [];

    /// <summary>Copies the values behind a wall, <paramref name="offset"/> floats after a multiple of 64 bytes.</summary>
    public Tensor Place(string name, Shape shape, ReadOnlySpan<float> values, int offset)
        => new(Place(name, MemoryMarshal.AsBytes(values), offset), shape);

    /// <summary>The same for elements of any type.</summary>
    public Buffer<T> Place<T>(string name, ReadOnlySpan<T> values) where T : unmanaged
        => new(Place(name, MemoryMarshal.AsBytes(values), 0), values.Length);

    private nint Place(string name, ReadOnlySpan<byte> bytes, int offset)
    {
        int floats = Wall + offset + (bytes.Length + 3) / 4 + Wall;
        uint* block = (uint*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), Arena.Alignment);
        new Span<uint>(block, floats).Fill(Brick);
        byte* start = (byte*)(block + Wall + offset);
        bytes.CopyTo(new Span<byte>(start, bytes.Length));
        _blocks.Add((name, (nint)block, Wall + offset, bytes.Length, floats));
        return (nint)start;
    }

    /// <summary>Where a wall was damaged, or null.</summary>
    public string? Complaint()
    {
        foreach ((string name, nint block, int start, int bytes, int floats) in _blocks)
        {
            byte* p = (byte*)block;
            for (int i = 0; i < floats * sizeof(float); i++)
            {
                int inside = i - start * sizeof(float);
                if (inside >= 0 && inside < bytes)
                    continue;
                if (p[i] != (byte)(Brick >> i % 4 * 8))
                    return inside < 0 ? $"byte {-inside} before {name} was overwritten" : $"byte {inside - bytes} after {name} was overwritten";
            }
        }
        return null;
    }

    public void Dispose()
    {
        foreach ((_, nint block, _, _, _) in _blocks)
            NativeMemory.AlignedFree((void*)block);
        _blocks.Clear();
    }
}
