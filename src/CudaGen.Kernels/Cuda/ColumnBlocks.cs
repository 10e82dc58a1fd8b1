using CudaGen.Runtime;

namespace CudaGen.Kernels.Cuda;

/// <summary>Blocks of the kernels that sum the columns of (rows, C): 256 threads, for some channels and some rows at a time.</summary>
internal static class ColumnBlocks
{
    /// <summary>Rows that one narrow block still takes by itself; of more, blocks make partial sums.</summary>
    public const int FewRows = 512;

    /// <summary>8 channels, which are one sector of memory, x 32 rows.</summary>
    public static Dim3 Narrow => new(8, 32);

    /// <summary>32 channels x 8 rows.</summary>
    public static Dim3 Wide => new(32, 8);

    /// <summary>Blocks for so many channels.</summary>
    public static int Over(int channels, Dim3 block) => (channels + block.X - 1) / block.X;
}
