// libcublas_gemm.cpp - the stand-in of cuBLAS: C = alpha op(A) op(B) + beta C, matrices by columns.
//
// As documented: alpha and beta are read when the call is made (host pointers) or when it runs (device pointers); A and
// B are not read when alpha is 0 and C is not when beta is 0, so it may hold NaN. TF32 is what tensor cores make of
// float32.
#include "libcublas.h"
#include "product.h"

using library::Operand;

namespace
{

// A workspace that a caller lends has at least this many bytes, or calls may fail.
constexpr size_t SmallestWorkspace = 16 * 1024;

struct Matrix
{
    const char* name;
    char* data;
    cudaDataType type;
    long rows, columns, ld; // as they lie in memory: columns of `rows` elements, `ld` elements from one to the next
    long long stride = 0;   // elements to the same matrix of the next batch

    size_t element() const
    {
        return type == CUDA_R_16BF ? 2 : 4;
    }

    Matrix of_batch(long batch) const
    {
        Matrix matrix = *this;
        matrix.data += batch * stride * static_cast<long long>(element());
        return matrix;
    }

    Operand operand(Operand::Use use) const
    {
        const bool compact = rows == ld || columns == 1;
        const size_t run = rows * element();
        return compact ? Operand{name, data, use, run * columns, 1, 0, element()}
                       : Operand{name, data, use, run, size_t(columns), ld * element(), element()};
    }

    float get(long i) const
    {
        return type == CUDA_R_32F ? reinterpret_cast<const float*>(data)[i]
                                  : product::from_bfloat16(reinterpret_cast<const uint16_t*>(data)[i]);
    }

    void set(long i, float value) const
    {
        if (type == CUDA_R_32F)
            reinterpret_cast<float*>(data)[i] = value;
        else
            reinterpret_cast<uint16_t*>(data)[i] = product::to_bfloat16(value);
    }
};

// One side of the product. Its lines are rows or columns of the stored matrix.
struct Side
{
    Matrix matrix;
    bool along_inner; // the elements of a stored column have consecutive inner indices
    bool tf32;

    void gather(long column, long first, long count, float* to, long stride) const
    {
        const long at = column * matrix.ld + first;
        if (matrix.type == CUDA_R_32F)
            product::copy(reinterpret_cast<const float*>(matrix.data) + at, 1, count, to, stride, tf32);
        else
            for (long i = 0; i < count; i++)
                to[i * stride] = matrix.get(at + i);
    }
};

struct Scalar
{
    const void* device; // where it is read when the product runs, or null
    float value;

    // Into `value`, which a product then uses.
    bool read(const char* function, const char* name)
    {
        if (device == nullptr)
            return true;
        if (library::check(function, {{name, device, Operand::Read, sizeof value}}) != emu::Success)
            return false;
        std::memcpy(&value, device, sizeof value);
        return true;
    }
};

struct Gemm
{
    const char* function;
    cublasOperation_t transa, transb;
    long m, n, k;
    Scalar alpha = {}, beta = {};
    Matrix a = {}, b = {}, c = {};
    long batches = 1;
    bool may_use_tf32 = true; // a compute type can forbid what the math mode allows
    bool tf32 = false;
    void* workspace = nullptr;
    size_t workspace_size = 0;

    emu::Status check() const;
    void compute() const;
    emu::Status run();
};

emu::Status Gemm::check() const
{
    std::vector<Operand> operands = {c.operand(beta.value == 0 ? Operand::Write : Operand::Update)};
    if (alpha.value != 0 && k > 0)
    {
        operands.push_back(a.operand(Operand::Read));
        operands.push_back(b.operand(Operand::Read));
    }
    if (workspace != nullptr)
        operands.push_back({"workspace", workspace, Operand::Write, workspace_size});
    return library::check(function, operands);
}

// By rows C is op(B)^T op(A)^T, transposed, so that a stored column is a row of the product.
void Gemm::compute() const
{
    const Side left = {b, transb == CUBLAS_OP_N, tf32}, right = {a, transa != CUBLAS_OP_N, tf32};
    const long inner = alpha.value == 0 ? 0 : k;
    const double scale = inner == 0 ? 0 : alpha.value, keep = beta.value;
    product::run(n, m, inner, left, right, [&](long column, long first, long count, const double* values) {
        const long at = column * c.ld + first;
        for (long i = 0; i < count; i++)
            c.set(at + i, float(scale * values[i] + (keep == 0 ? 0 : keep * c.get(at + i))));
    });
}

emu::Status Gemm::run()
{
    if (!alpha.read(function, "alpha") || !beta.read(function, "beta"))
        return emu::sticky_status();
    for (long batch = 0; batch < batches; batch++)
    {
        // Two batches overlap when the first overlaps the one that lies as far from it.
        if (batch > 0 && library::overlap(c.operand(Operand::Write), c.of_batch(batch).operand(Operand::Write)))
            return library::failed(emu::LaunchFailed,
                                   std::string(function) + ": the matrices C of the batches overlap");
        Gemm one = *this;
        one.a = a.of_batch(batch), one.b = b.of_batch(batch), one.c = c.of_batch(batch);
        if (const emu::Status status = one.check())
            return status;
        // Partial sums go there: enough to show a workspace that something else uses as well.
        if (workspace != nullptr)
            std::memset(workspace, 0xff, std::min(workspace_size, std::max(SmallestWorkspace, size_t(4 * m * n))));
        one.compute();
    }
    return emu::Success;
}

bool valid(cublasOperation_t operation)
{
    return operation == CUBLAS_OP_N || operation == CUBLAS_OP_T || operation == CUBLAS_OP_C;
}

bool supported(cudaDataType type)
{
    return type == CUDA_R_32F || type == CUDA_R_16BF;
}

// What is wrong with the arguments; empty when nothing is.
std::string complaint(const Gemm& gemm, const void* alpha, const void* beta)
{
    for (const long extent : {gemm.m, gemm.n, gemm.k, gemm.batches})
        if (extent < 0)
            return "an extent, " + std::to_string(extent) + ", is negative";
    if (!valid(gemm.transa) || !valid(gemm.transb))
        return "there is no such operation on A or B";
    const bool empty = gemm.m == 0 || gemm.n == 0 || gemm.batches == 0;
    for (const Matrix& matrix : {gemm.a, gemm.b, gemm.c})
    {
        if (matrix.ld < std::max(1L, matrix.rows))
            return std::string("the leading dimension of ") + matrix.name + ", " + std::to_string(matrix.ld) +
                   ", is less than its " + std::to_string(matrix.rows) + " rows";
        if (matrix.data == nullptr && !empty && matrix.rows > 0 && matrix.columns > 0)
            return std::string(matrix.name) + " is null";
    }
    return alpha == nullptr || beta == nullptr ? "alpha or beta is null" : "";
}

cublasStatus_t submit(cublasHandle_t handle, Gemm gemm, const void* alpha, const void* beta)
{
    const auto context = cublas::contexts().get(handle);
    if (!context)
        return cublas::fail(CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
    if (const std::string wrong = complaint(gemm, alpha, beta); !wrong.empty())
        return cublas::fail(CUBLAS_STATUS_INVALID_VALUE, wrong);
    const bool host = context->pointer_mode == CUBLAS_POINTER_MODE_HOST;
    if (host && !(library::on_host(alpha) && library::on_host(beta)))
        return cublas::fail(CUBLAS_STATUS_INVALID_VALUE, "alpha or beta is in device memory");
    if (gemm.m == 0 || gemm.n == 0 || gemm.batches == 0)
        return CUBLAS_STATUS_SUCCESS;
    if (context->workspace != nullptr && context->workspace_size < SmallestWorkspace)
        return cublas::fail(CUBLAS_STATUS_ALLOC_FAILED, "the workspace has less than 16 KiB");
    gemm.alpha = host ? Scalar{nullptr, *static_cast<const float*>(alpha)} : Scalar{alpha, 0};
    gemm.beta = host ? Scalar{nullptr, *static_cast<const float*>(beta)} : Scalar{beta, 0};
    gemm.workspace = context->workspace;
    gemm.workspace_size = context->workspace_size;
    if (gemm.may_use_tf32 && (context->math_mode & 3) == CUBLAS_TF32_TENSOR_OP_MATH)
        gemm.tf32 = true;
    const int status = emu::enqueue(context->stream, gemm.function, [gemm]() mutable { return gemm.run(); });
    return status == 0 ? CUBLAS_STATUS_SUCCESS
                       : cublas::fail(CUBLAS_STATUS_EXECUTION_FAILED,
                                      "the stream answered with CUresult " + std::to_string(status));
}

Matrix matrix(const char* name, const void* data, cudaDataType type, bool transposed, long rows, long columns, long ld,
              long long stride = 0)
{
    return {name,
            static_cast<char*>(const_cast<void*>(data)),
            type,
            transposed ? columns : rows,
            transposed ? rows : columns,
            ld,
            stride};
}

} // namespace

EXPORT cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa,
                                                cublasOperation_t transb, int m, int n, int k, const float* alpha,
                                                const float* a, int lda, long long strideA, const float* b, int ldb,
                                                long long strideB, const float* beta, float* c, int ldc,
                                                long long strideC, int batchCount)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    Gemm gemm = {__func__, transa, transb, m, n, k};
    gemm.a = matrix("A", a, CUDA_R_32F, transa != CUBLAS_OP_N, m, k, lda, strideA);
    gemm.b = matrix("B", b, CUDA_R_32F, transb != CUBLAS_OP_N, k, n, ldb, strideB);
    gemm.c = matrix("C", c, CUDA_R_32F, false, m, n, ldc, strideC);
    gemm.batches = batchCount;
    return submit(handle, gemm, alpha, beta);
}

EXPORT cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,
                                     int n, int k, const float* alpha, const float* a, int lda, const float* b, int ldb,
                                     const float* beta, float* c, int ldc)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    Gemm gemm = {__func__, transa, transb, m, n, k};
    gemm.a = matrix("A", a, CUDA_R_32F, transa != CUBLAS_OP_N, m, k, lda);
    gemm.b = matrix("B", b, CUDA_R_32F, transb != CUBLAS_OP_N, k, n, ldb);
    gemm.c = matrix("C", c, CUDA_R_32F, false, m, n, ldc);
    return submit(handle, gemm, alpha, beta);
}

EXPORT cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,
                                   int n, int k, const void* alpha, const void* a, cudaDataType typeA, int lda,
                                   const void* b, cudaDataType typeB, int ldb, const void* beta, void* c,
                                   cudaDataType typeC, int ldc, cublasComputeType_t computeType, cublasGemmAlgo_t algo)
{
    if (const int injected = emu::call(__func__))
        return cublasStatus_t(injected);
    const bool numbered = (algo >= CUBLAS_GEMM_DEFAULT && algo <= CUBLAS_GEMM_ALGO23) ||
                          (algo >= CUBLAS_GEMM_DEFAULT_TENSOR_OP && algo <= CUBLAS_GEMM_ALGO15_TENSOR_OP);
    if (!numbered)
        return cublas::fail(CUBLAS_STATUS_INVALID_VALUE, "there is no such algorithm");
    const bool plain = computeType == CUBLAS_COMPUTE_32F || computeType == CUBLAS_COMPUTE_32F_PEDANTIC;
    const bool fast = computeType == CUBLAS_COMPUTE_32F_FAST_TF32;
    // The rows of NVIDIA's table of types that this stand-in computes.
    const bool floats = typeA == CUDA_R_32F && typeB == CUDA_R_32F && typeC == CUDA_R_32F && (plain || fast);
    const bool bfloats = typeA == CUDA_R_16BF && typeB == CUDA_R_16BF && supported(typeC) && plain;
    if (!floats && !bfloats)
        return cublas::fail(CUBLAS_STATUS_NOT_SUPPORTED, "not with these types of matrices and this compute type");
    Gemm gemm = {__func__, transa, transb, m, n, k};
    gemm.a = matrix("A", a, typeA, transa != CUBLAS_OP_N, m, k, lda);
    gemm.b = matrix("B", b, typeB, transb != CUBLAS_OP_N, k, n, ldb);
    gemm.c = matrix("C", c, typeC, false, m, n, ldc);
    gemm.tf32 = fast;
    gemm.may_use_tf32 = computeType != CUBLAS_COMPUTE_32F_PEDANTIC;
    return submit(handle, gemm, alpha, beta);
}
