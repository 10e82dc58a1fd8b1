using CudaGen.Runtime;

namespace CudaGen.Kernels.Cuda;

/// <summary>
/// c = f(a b + bias) or c += a b on a GPU; a (m, k), b (k, n) and c (m, n) lie row by row in memory, or a and b transposed.
/// </summary>
/// <param name="M">Rows of a and c.</param>
/// <param name="N">Columns of b and c.</param>
/// <param name="K">Columns of a, rows of b.</param>
/// <param name="TransposedA">Whether the memory of a is (k, m).</param>
/// <param name="TransposedB">Whether the memory of b is (n, k).</param>
internal readonly record struct DenseProduct(int M, int N, int K, bool TransposedA, bool TransposedB)
{
    private static readonly Kernel ProductKernel = new(KernelFiles.Dense, "dense_product");

    // Rows and columns change places where that leaves less of the tiles empty: c^T = b^T a^T.
    private bool Exchanged => ProductGrid.TiledArea(N, M) < ProductGrid.TiledArea(M, N);

    private ProductGrid Grid => Exchanged ? new(N, M, K, M * N) : new(M, N, K, M * N);

    internal int ScratchFloats => Grid.ScratchFloats;

    internal void Overwrite(Device device, Tensor c, Tensor a, Tensor b, Tensor? bias, Activation activation)
    {
        if (device.Cuda!.Blas is not { } blas)
        {
            Launch(device, c, a, b, bias, accumulate: false, activation);
            return;
        }
        blas.Multiply(c, a, TransposedA, b, TransposedB, M, N, K, accumulate: false);
        if (bias is not null || activation.Kind != ActivationKind.Linear)
            BiasActivation.Forward(device, c.Reshape(new(M, N)), bias, activation);
    }

    internal void Accumulate(Device device, Tensor c, Tensor a, Tensor b)
    {
        if (K == 0)
            return;
        if (device.Cuda!.Blas is { } blas)
            blas.Multiply(c, a, TransposedA, b, TransposedB, M, N, K, accumulate: true);
        else
            Launch(device, c, a, b, null, accumulate: true, Activation.Linear);
    }

    private void Launch(Device device, Tensor c, Tensor a, Tensor b, Tensor? bias, bool accumulate, Activation activation)
    {
        ProductGrid grid = Grid;
        bool whole = grid.Parts == 1;
        (Tensor? add, Activation f) = whole ? (bias, activation) : default;
        (int am, int ak) = TransposedA ? (1, M) : (K, 1);
        (int bk, int bn) = TransposedB ? (1, K) : (N, 1);
        if (Exchanged)
        {
            device.Launch(ProductKernel, grid.Blocks, ProductGrid.Threads, 0, grid.Target(device, c), b, a, add, N, M, K, bn, bk, ak, am, 1, N,
                grid.Part, N, whole && accumulate ? 1 : 0, (int)f.Kind, f.Slope);
        }
        else
        {
            device.Launch(ProductKernel, grid.Blocks, ProductGrid.Threads, 0, grid.Target(device, c), a, b, add, M, N, K, am, ak, bk, bn, N, 1,
                grid.Part, N, whole && accumulate ? 1 : 0, (int)f.Kind, f.Slope);
        }
        grid.AddParts(device, c, bias, accumulate, activation);
    }
}
