using System.Runtime.InteropServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

/// <summary>
/// Tensors with a wall of NaN around each: what an operation reads beyond a tensor shows in its results, what it writes
/// there shows in <see cref="Complaint"/>.
/// </summary>
/// <param name="device">Where the tensors are.</param>
/// <param name="bare">
/// Without walls, and with outputs that hold nothing: for a checker below, which knows the size of an allocation and what was written.
/// </param>
internal sealed unsafe class GuardedMemory(Device device, bool bare = false) : IDisposable
{
    private const int Wall = 64;
    private const uint Brick = 0x7FC0DEAD;

    private readonly List<(string Name, nint Block, int Start, int Bytes, int Floats)> _blocks = [];

    // A stand-in guards each allocation to the byte by itself, and reports reads too.
    private int WallFloats => bare || device.IsStandIn ? 0 : Wall;

    /// <summary>Copies the values behind a wall, <paramref name="offset"/> floats after a multiple of 64 bytes.</summary>
    public Tensor Place(string name, Shape shape, ReadOnlySpan<float> values, int offset, Role role = Role.Input)
        => new(Place(name, MemoryMarshal.AsBytes(values), offset, bare && role == Role.Output), shape, device.Kind);

    /// <summary>The same for elements of any type.</summary>
    public Buffer<T> Place<T>(string name, ReadOnlySpan<T> values) where T : unmanaged
        => new(Place(name, MemoryMarshal.AsBytes(values), 0, false), values.Length, device.Kind);

    private nint Place(string name, ReadOnlySpan<byte> bytes, int offset, bool unset)
    {
        int start = WallFloats + offset, floats = start + (bytes.Length + 3) / 4 + WallFloats;
        uint[] content = new uint[Math.Max(floats, 1)];
        content.AsSpan().Fill(Brick);
        bytes.CopyTo(MemoryMarshal.AsBytes(content.AsSpan())[(start * sizeof(float))..]);
        nuint size = (nuint)content.Length * sizeof(float);
        nint block;
        fixed (uint* p = content)
        {
            if (device.Cuda is { } cuda)
            {
                size = WallFloats == 0 ? (nuint)Math.Max(offset * sizeof(float) + bytes.Length, 1) : size;
                block = cuda.Allocate(size);
                if (!unset)
                    cuda.Upload(block, p, size);
            }
            else
            {
                block = (nint)NativeMemory.AlignedAlloc(size, Arena.Alignment);
                content.CopyTo(new Span<uint>((void*)block, content.Length));
            }
        }
        _blocks.Add((name, block, start, bytes.Length, floats));
        return block + start * sizeof(float);
    }

    /// <summary>Where a wall was damaged, or null.</summary>
    public string? Complaint()
    {
        foreach ((string name, nint block, int start, int bytes, int floats) in _blocks)
        {
            byte[] content = new byte[WallFloats == 0 ? start * sizeof(float) + bytes : floats * sizeof(float)];
            device.Download(new Buffer<byte>(block, content.Length, device.Kind), content);
            for (int i = 0; i < content.Length; i++)
            {
                int inside = i - start * sizeof(float);
                if (inside >= 0 && inside < bytes)
                    continue;
                if (content[i] != (byte)(Brick >> i % 4 * 8))
                    return inside < 0 ? $"byte {-inside} before {name} was overwritten" : $"byte {inside - bytes} after {name} was overwritten";
            }
        }
        return null;
    }

    public void Dispose()
    {
        foreach ((_, nint block, _, _, _) in _blocks)
        {
            if (device.Cuda is { } cuda)
                cuda.Free(block);
            else
                NativeMemory.AlignedFree((void*)block);
        }
        _blocks.Clear();
    }
}
