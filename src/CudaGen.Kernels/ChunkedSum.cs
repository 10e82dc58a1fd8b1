using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// A sum on the GPU in two stages of fixed order: a kernel writes one partial sum of each chunk of terms to
/// <see cref="Partial"/>, then <see cref="Finish"/> adds them. A single partial sum is the sum, and goes there at once.
/// </summary>
internal readonly unsafe struct ChunkedSum
{
    /// <summary>Threads of a block.</summary>
    internal const int Block = 256;

    // CHUNK of common.cuh.
    private const int ChunkLength = 4096;

    private static readonly Kernel SumPartialsKernel = new(KernelFiles.Reduce, "sum_partials");

    private readonly Device _device;
    private readonly Tensor _sum;
    private readonly int _chunks;

    internal ChunkedSum(Device device, Tensor sum, int terms)
    {
        (_device, _sum, _chunks) = (device, sum, Chunks(terms));
        Partial = _chunks == 1 ? sum.Address : (nint)device.Scratch(_chunks);
    }

    /// <summary>Partial sums of this many terms, each a float of scratch memory.</summary>
    internal static int Chunks(int terms) => (int)(((long)terms + ChunkLength - 1) / ChunkLength);

    /// <summary>Blocks of the first stage.</summary>
    internal int Grid => Math.Min(_chunks, _device.BlockLimit);

    /// <summary>Where the first stage writes.</summary>
    internal nint Partial { get; }

    /// <summary>The second stage.</summary>
    internal void Finish()
    {
        if (_chunks != 1)
            _device.Launch(SumPartialsKernel, 1, Block, 0, _sum, Partial, _chunks);
    }
}
