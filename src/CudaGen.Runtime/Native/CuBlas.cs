using System.Runtime.InteropServices;

namespace CudaGen.Runtime.Native;

// Names and values are those of cublas_api.h (CUDA 12 and 13): https://docs.nvidia.com/cuda/cublas/

internal readonly record struct cublasHandle_t(nint Value);

/// <summary>The value that the engine tells apart; a status can be any other number.</summary>
internal enum cublasStatus_t
{
    CUBLAS_STATUS_SUCCESS = 0,
}

internal enum cublasOperation_t
{
    CUBLAS_OP_N = 0,
    CUBLAS_OP_T = 1,
}

internal enum cublasMath_t
{
    CUBLAS_DEFAULT_MATH = 0,

    /// <summary>No other number formats or orders than the standard ones.</summary>
    CUBLAS_PEDANTIC_MATH = 2,

    /// <summary>Tensor cores, which keep 10 bits of the significand of a float32.</summary>
    CUBLAS_TF32_TENSOR_OP_MATH = 3,
}

internal enum cudaDataType
{
    CUDA_R_32F = 0,
    CUDA_R_16BF = 14,
}

internal enum cublasComputeType_t
{
    CUBLAS_COMPUTE_32F = 68,
}

internal enum cublasGemmAlgo_t
{
    CUBLAS_GEMM_DEFAULT = -1,
}

internal enum libraryPropertyType
{
    MAJOR_VERSION = 0,
    MINOR_VERSION = 1,
    PATCH_LEVEL = 2,
}

/// <summary>cuBLAS: what the engine calls and nothing more. Matrices lie by columns.</summary>
internal static unsafe partial class CuBlas
{
    internal const string Library = "cublas";

    [LibraryImport(Library)]
    internal static partial cublasStatus_t cublasCreate_v2(out cublasHandle_t handle);

    [LibraryImport(Library)]
    internal static partial cublasStatus_t cublasDestroy_v2(cublasHandle_t handle);

    [LibraryImport(Library)]
    internal static partial cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, out int version);

    /// <summary>A part of the version, without a handle.</summary>
    [LibraryImport(Library)]
    internal static partial cublasStatus_t cublasGetProperty(libraryPropertyType type, out int value);

    /// <summary>Also takes back the workspace that was set: set it after the stream.</summary>
    [LibraryImport(Library)]
    internal static partial cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, CUstream streamId);

    /// <summary>The workspace is aligned to 256 bytes. Without one, cuBLAS allocates its own, also while a stream is captured.</summary>
    [LibraryImport(Library)]
    internal static partial cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, nuint workspaceSizeInBytes);

    [LibraryImport(Library)]
    internal static partial cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);

    /// <summary>C = alpha op(A) op(B) + beta C; alpha and beta are in host memory and read at once.</summary>
    [LibraryImport(Library)]
    internal static partial cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
        int k, float* alpha, float* A, int lda, float* B, int ldb, float* beta, float* C, int ldc);

    /// <summary>The same for other types of matrices; alpha and beta are float32 where that is what is computed in.</summary>
    [LibraryImport(Library)]
    internal static partial cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
        int k, void* alpha, void* A, cudaDataType Atype, int lda, void* B, cudaDataType Btype, int ldb, void* beta, void* C, cudaDataType Ctype,
        int ldc, cublasComputeType_t computeType, cublasGemmAlgo_t algo);

    [LibraryImport(Library)]
    internal static partial byte* cublasGetStatusName(cublasStatus_t status);

    [LibraryImport(Library)]
    internal static partial byte* cublasGetStatusString(cublasStatus_t status);
}
