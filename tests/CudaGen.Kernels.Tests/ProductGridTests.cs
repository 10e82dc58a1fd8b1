using CudaGen.Kernels.Cuda;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Kernels.Tests;

/// <summary>How products are cut into blocks. Rows of the table of operations have few blocks, so their parts are short.</summary>
public sealed class ProductGridTests
{
    private static readonly Kernel Product = new(KernelFiles.Dense, "dense_product");

    [Theory]
    [InlineData(1, 1, 0, 1)]
    [InlineData(1, 1, 1, 1)]
    [InlineData(1, 1, 128, 1)]
    [InlineData(1, 1, 129, 1)]
    [InlineData(128, 32, 100_000, 1)]
    [InlineData(129, 33, 100_000, 1)]
    [InlineData(256, 8, 65_537, 1)]
    [InlineData(30_000, 64, 800, 1)]
    [InlineData(50_176, 1, 800, 4)]
    [InlineData(1_000_000, 300, 5_000, 1)]
    public void The_parts_cover_all_terms_once(int rows, int columns, int terms, int planes)
    {
        int elements = 7;
        ProductGrid grid = new(rows, columns, terms, elements, planes);
        Assert.Equal(0, grid.Part % 128);
        Assert.InRange(terms, (grid.Parts - 1) * grid.Part + Math.Min(terms, 1), grid.Parts * grid.Part);
        int tiles = columns > 8 ? (rows + 127) / 128 * ((columns + 31) / 32) : (rows + 255) / 256 * ((columns + 7) / 8);
        Assert.Equal(tiles * planes * grid.Parts, grid.Blocks.X * grid.Blocks.Y * grid.Blocks.Z);
        Assert.Equal(grid.Parts == 1 ? 0 : grid.Parts * elements, grid.ScratchFloats);
        // More blocks than a large GPU takes are made by tiles alone.
        Assert.True(grid.Parts == 1 || tiles * planes * grid.Parts <= 512);
    }

    /// <summary>A part of one stretch of 128 terms, of several, and a shorter one at the end.</summary>
    [Theory, InlineData(12, 128), InlineData(12, 256), InlineData(12, 384), InlineData(3, 128), InlineData(3, 256), InlineData(3, 512)]
    public void A_part_may_have_several_stretches(int columns, int part)
    {
        const int Rows = 5, Terms = 300;
        using Device device = TestCuda.Open(Implementation.Kernel);
        int parts = (Terms + part - 1) / part;
        using Arena arena = new(device, "test", 1 << 18);
        Tensor a = arena.Take(new Shape(Rows, Terms)), b = arena.Take(new Shape(Terms, columns)), c = arena.Take(new Shape(parts, Rows * columns));
        float[] left = Sample.Floats("a", a.Length), right = Sample.Floats("b", b.Length);
        device.Upload(a, left);
        device.Upload(b, right);
        device.Launch(Product, new(1, 1, parts), 256, 0, c, a, b, (Tensor?)null, Rows, columns, Terms, Terms, 1, columns, 1, columns, 1, part,
            columns, 0, 0, 0f);
        float[] sums = device.ToArray(c);
        for (int i = 0; i < sums.Length; i++)
        {
            (int number, int element) = Math.DivRem(i, Rows * columns);
            (int row, int column) = Math.DivRem(element, columns);
            double sum = 0, magnitude = 0;
            for (int k = number * part; k < Math.Min((number + 1) * part, Terms); k++)
            {
                double term = (double)left[row * Terms + k] * right[k * columns + column];
                (sum, magnitude) = (sum + term, magnitude + Math.Abs(term));
            }
            Assert.Equal(sum, sums[i], Argument.Roundings5 * magnitude);
        }
    }
}
