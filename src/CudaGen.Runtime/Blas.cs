using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Runtime;

/// <summary>cuBLAS on the stream of a context: the matrix products of dense layers.</summary>
internal sealed unsafe class Blas : IDisposable
{
    // cuBLAS's own default on most GPUs. It is ours so that a captured graph has nothing to allocate, and its address stays.
    private const int WorkspaceBytes = 8 << 20;

    private readonly CudaContext _cuda;
    private readonly cublasHandle_t _handle;
    private readonly nint _workspace;
    private readonly Precision _precision;

    internal Blas(CudaContext cuda, Precision precision)
    {
        (_cuda, _precision) = (cuda, precision);
        Check(CuBlas.cublasCreate_v2(out _handle));
        try
        {
            Check(CuBlas.cublasGetVersion_v2(_handle, out int version));
            Version = $"{version / 10000}.{version % 10000 / 100}";
            _workspace = cuda.Allocate(WorkspaceBytes);
            // In this order: a new stream takes the workspace back.
            Check(CuBlas.cublasSetStream_v2(_handle, cuda.Stream));
            Check(CuBlas.cublasSetWorkspace_v2(_handle, (void*)_workspace, WorkspaceBytes));
            Check(CuBlas.cublasSetMathMode(_handle,
                precision == Precision.Tf32 ? cublasMath_t.CUBLAS_TF32_TENSOR_OP_MATH : cublasMath_t.CUBLAS_DEFAULT_MATH));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Such as <c>13.1</c>.</summary>
    internal string Version { get; } = "";

    /// <summary>
    /// c = a b or c += a b; a (m, k), b (k, n) and c (m, n) lie row by row in memory, or a and b transposed. a and b are bfloat16 with
    /// that precision, otherwise float32.
    /// </summary>
    internal void Multiply(Tensor c, nint a, bool transposedA, nint b, bool transposedB, int m, int n, int k, bool accumulate)
    {
        if (m == 0 || n == 0)
            return;
        _cuda.Enter();
        float one = 1, beta = accumulate ? 1 : 0;
        // cuBLAS reads our rows as columns, which is the transpose: c^T = b^T a^T. Leading dimensions are at least 1.
        (int ldb, int lda) = (Math.Max(transposedB ? k : n, 1), Math.Max(transposedA ? m : k, 1));
        bool rounded = _precision == Precision.Bf16;
        if (_cuda.Profile is { } profile)
        {
            profile.Describe($"{m} x {n} x {k}", 2L * m * n * k);
            profile.Begin(rounded ? nameof(CuBlas.cublasGemmEx) : nameof(CuBlas.cublasSgemm_v2), 4L * m * n + (rounded ? 2 : 4) * ((long)m * k + (long)k * n));
        }
        if (rounded)
        {
            Check(CuBlas.cublasGemmEx(_handle, Operation(transposedB), Operation(transposedA), n, m, k, &one, (void*)b, cudaDataType.CUDA_R_16BF,
                ldb, (void*)a, cudaDataType.CUDA_R_16BF, lda, &beta, (void*)c.Address, cudaDataType.CUDA_R_32F, n,
                cublasComputeType_t.CUBLAS_COMPUTE_32F, cublasGemmAlgo_t.CUBLAS_GEMM_DEFAULT));
        }
        else
        {
            Check(CuBlas.cublasSgemm_v2(_handle, Operation(transposedB), Operation(transposedA), n, m, k, &one, (float*)b, ldb, (float*)a, lda,
                &beta, (float*)c.Address, n));
        }
        _cuda.Profile?.End();
    }

    private static cublasOperation_t Operation(bool transposed) => transposed ? cublasOperation_t.CUBLAS_OP_T : cublasOperation_t.CUBLAS_OP_N;

    // As in CudaContext: after a failure of the context every call fails, and that failure was thrown already.
    public void Dispose()
    {
        _ = CuBlas.cublasDestroy_v2(_handle);
        if (_workspace != 0)
            _cuda.Free(_workspace);
    }
}
