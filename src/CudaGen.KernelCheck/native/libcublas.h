// libcublas.h - the types of cublas_api.h (CUDA 12) that the stand-in of cuBLAS uses, and its state behind a handle.
// Names and values are NVIDIA's: https://docs.nvidia.com/cuda/cublas/
#pragma once
#include "library.h"

typedef struct cublasContext* cublasHandle_t;

enum cublasStatus_t : int
{
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_ALLOC_FAILED = 3,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_ARCH_MISMATCH = 8,
    CUBLAS_STATUS_MAPPING_ERROR = 11,
    CUBLAS_STATUS_EXECUTION_FAILED = 13,
    CUBLAS_STATUS_INTERNAL_ERROR = 14,
    CUBLAS_STATUS_NOT_SUPPORTED = 15,
    CUBLAS_STATUS_LICENSE_ERROR = 16,
};

enum cublasOperation_t : int
{
    CUBLAS_OP_N = 0,
    CUBLAS_OP_T = 1,
    CUBLAS_OP_C = 2,
};

enum cublasPointerMode_t : int
{
    CUBLAS_POINTER_MODE_HOST = 0,
    CUBLAS_POINTER_MODE_DEVICE = 1,
};

enum cublasMath_t : int
{
    CUBLAS_DEFAULT_MATH = 0,
    CUBLAS_TENSOR_OP_MATH = 1,
    CUBLAS_PEDANTIC_MATH = 2,
    CUBLAS_TF32_TENSOR_OP_MATH = 3,
    CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16, // a flag beside one of the others
};

enum libraryPropertyType : int
{
    MAJOR_VERSION = 0,
    MINOR_VERSION = 1,
    PATCH_LEVEL = 2,
};

enum cublasComputeType_t : int
{
    CUBLAS_COMPUTE_32F = 68,
    CUBLAS_COMPUTE_32F_PEDANTIC = 69,
    CUBLAS_COMPUTE_32F_FAST_TF32 = 77,
};

enum cublasGemmAlgo_t : int
{
    CUBLAS_GEMM_DEFAULT = -1,
    CUBLAS_GEMM_ALGO23 = 23,
    CUBLAS_GEMM_DEFAULT_TENSOR_OP = 99,
    CUBLAS_GEMM_ALGO15_TENSOR_OP = 115,
};

enum cudaDataType : int
{
    CUDA_R_32F = 0,
    CUDA_R_16BF = 14,
};

namespace cublas
{

struct Context
{
    CUstream stream = nullptr;
    cublasPointerMode_t pointer_mode = CUBLAS_POINTER_MODE_HOST;
    int math_mode = CUBLAS_DEFAULT_MATH;
    void* workspace = nullptr; // the caller's, or null for the library's own, which is not modelled
    size_t workspace_size = 0;
};

library::Handles<Context>& contexts();

// Keeps the reason, as cuBLAS itself has no words for it, and returns the status.
inline cublasStatus_t fail(cublasStatus_t status, const std::string& reason)
{
    emu::explain(reason);
    return status;
}

} // namespace cublas
