using CudaGen.Runtime;

namespace CudaGen.Kernels.Cuda;

/// <summary>
/// How a product of <c>product.cuh</c> is cut into blocks: tiles of the result, and parts of the sum where there are too
/// few tiles for a GPU. It depends on the extents alone, so results do not depend on the GPU.
/// </summary>
internal readonly record struct ProductGrid
{
    // STRETCH and NARROW of product.cuh, and its two tiles.
    private const int Stretch = 128, NarrowColumns = 8;
    private static readonly (int Height, int Width) Wide = (128, 32), Narrow = (256, 8);

    /// <summary>Threads of a block: BLOCK of <c>common.cuh</c>.</summary>
    internal const int Threads = 256;

    // Blocks that fill a large GPU.
    private const int ManyBlocks = 512;

    private static readonly Kernel SumKernel = new(KernelFiles.Dense, "dense_sum");

    private readonly int _tilesOfRows, _tilesOfColumns, _planes, _elements;

    /// <param name="rows">Rows of the result.</param>
    /// <param name="columns">Columns of the result.</param>
    /// <param name="terms">Terms of each sum.</param>
    /// <param name="elements">Elements of the tensor that it is written to.</param>
    /// <param name="planes">Products that run side by side, with at most that many rows and terms each.</param>
    internal ProductGrid(int rows, int columns, int terms, int elements, int planes = 1)
    {
        (int height, int width) = TileFor(columns);
        (_tilesOfRows, _tilesOfColumns, _planes, _elements) = (Ceiling(rows, height), Ceiling(columns, width), planes, elements);
        int tiles = Math.Max(_tilesOfRows * _tilesOfColumns * planes, 1), stretches = Math.Max(Ceiling(terms, Stretch), 1);
        int parts = Math.Clamp(ManyBlocks / tiles, 1, stretches);
        Part = Ceiling(stretches, parts) * Stretch;
        Parts = Math.Max(Ceiling(terms, Part), 1);
    }

    /// <summary>Terms of one part.</summary>
    internal int Part { get; }

    internal int Parts { get; }

    internal Dim3 Blocks => new(_tilesOfRows, _tilesOfColumns, Parts * _planes);

    /// <summary>Floats that the parts take before they are added; none when there is one part.</summary>
    internal int ScratchFloats => Parts > 1 ? checked(Parts * _elements) : 0;

    /// <summary>Elements of the result's tiles, whether it has them or not: what the product costs, for each term.</summary>
    internal static long TiledArea(int rows, int columns)
    {
        (int height, int width) = TileFor(columns);
        return (long)Ceiling(rows, height) * height * Ceiling(columns, width) * width;
    }

    /// <summary>Where the kernel writes: the result itself, or the parts, which <see cref="AddParts"/> then adds.</summary>
    internal unsafe KernelArgument Target(Device device, Tensor result) => Parts > 1 ? (nint)device.Scratch(ScratchFloats) : result;

    /// <summary>result = f(sum of the parts + bias), or result += that sum; nothing when there is one part.</summary>
    internal void AddParts(Device device, Tensor result, Tensor? bias, bool accumulate, Activation activation)
    {
        if (Parts == 1)
            return;
        int channels = bias is { } b ? b.Length : 1;
        device.LaunchOver(SumKernel, _elements, result, Target(device, result), bias, _elements, Parts, channels, accumulate ? 1 : 0,
            (int)activation.Kind, activation.Slope);
    }

    private static (int Height, int Width) TileFor(int columns) => columns > NarrowColumns ? Wide : Narrow;

    private static int Ceiling(int n, int divisor) => (int)(((long)n + divisor - 1) / divisor);
}
