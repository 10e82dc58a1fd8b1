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

    /// <summary>Floats of scratch memory that the product needs on a GPU with this precision.</summary>
    internal int ScratchFloats(Precision precision)
        => precision == Precision.Bf16 ? checked(Bfloat16.ScratchFloats(M * K) + Bfloat16.ScratchFloats(K * N)) : Grid.ScratchFloats;

    internal void Overwrite(Device device, Tensor c, Tensor a, Tensor b, Tensor? bias, Activation activation)
    {
        if (device.Cuda!.Blas is not { } blas)
        {
            Launch(device, c, a, b, bias, accumulate: false, activation);
            return;
        }
        Multiply(device, blas, c, a, b, accumulate: false);
        if (bias is not null || activation.Kind != ActivationKind.Linear)
            BiasActivation.Forward(device, c.Reshape(new(M, N)), bias, activation);
    }

    internal void Accumulate(Device device, Tensor c, Tensor a, Tensor b)
    {
        if (K == 0)
            return;
        if (device.Cuda!.Blas is { } blas)
            Multiply(device, blas, c, a, b, accumulate: true);
        else
            Launch(device, c, a, b, null, accumulate: true, Activation.Linear);
    }

    private unsafe void Multiply(Device device, Blas blas, Tensor c, Tensor a, Tensor b, bool accumulate)
    {
        (nint left, nint right) = (a.Address, b.Address);
        if (device.Precision == Precision.Bf16)
        {
            float* scratch = device.Scratch(ScratchFloats(device.Precision));
            (left, right) = ((nint)scratch, (nint)(scratch + Bfloat16.ScratchFloats(a.Length)));
            Bfloat16.Round(device, left, a);
            Bfloat16.Round(device, right, b);
        }
        blas.Multiply(c, left, TransposedA, right, TransposedB, M, N, K, accumulate);
    }

    private void Launch(Device device, Tensor c, Tensor a, Tensor b, Tensor? bias, bool accumulate, Activation activation)
    {
        ProductGrid grid = Grid;
        bool whole = grid.Parts == 1;
        (Tensor? add, Activation f) = whole ? (bias, activation) : default;
        (int am, int ak) = TransposedA ? (1, M) : (K, 1);
        (int bk, int bn) = TransposedB ? (1, K) : (N, 1);
        device.Profile?.Describe($"{M} x {N} x {K}", 2L * M * N * K);
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
