// libcudnn_bias.cpp - the stand-in of cuDNN: adding a bias, and its gradient.
#include "libcudnn.h"

using namespace cudnn;
using library::Operand;

namespace
{

// What both functions ask of their arguments: a handle, two tensors of float32 that are set, and pointers.
cudnnStatus_t describe(const char* function, cudnnHandle_t handle, cudnnTensorDescriptor_t oneDesc,
                       cudnnTensorDescriptor_t otherDesc, std::initializer_list<const void*> pointers, Context& context,
                       Tensor& one, Tensor& other)
{
    for (const void* pointer : pointers)
        if (pointer == nullptr)
            return fail(CUDNN_STATUS_BAD_PARAM, function, "a pointer is null");
    if (handle == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "handle is null");
    const auto found = contexts().get(handle);
    if (!found)
        return fail(CUDNN_STATUS_NOT_INITIALIZED, function, "the handle does not exist");
    context = *found;
    one = tensors().get(oneDesc).value_or(Tensor());
    other = tensors().get(otherDesc).value_or(Tensor());
    if (!one.set || !other.set)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "a descriptor does not exist or was never set");
    if (one.type != other.type)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "the data types differ");
    for (const Tensor& tensor : {one, other})
        if (tensor.type != CUDNN_DATA_FLOAT ||
            !(tensor.has_layout(CUDNN_TENSOR_NHWC) || tensor.has_layout(CUDNN_TENSOR_NCHW)))
            return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "the stand-in takes float32 in NHWC or NCHW alone");
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t scalars(const char* function, const void* alpha, const void* beta, float& a, float& b)
{
    if (!library::on_host(alpha) || !library::on_host(beta))
        return fail(CUDNN_STATUS_BAD_PARAM, function, "alpha or beta is in device memory");
    a = *static_cast<const float*>(alpha);
    b = *static_cast<const float*>(beta);
    return CUDNN_STATUS_SUCCESS;
}

// c = alpha a + beta c, where extents of a that are 1 are repeated
void add(const Tensor& of_a, const float* a, const Tensor& of_c, float* c, float alpha, float beta)
{
    const long ns = of_a.n == 1 ? 0 : of_a.ns, cs = of_a.c == 1 ? 0 : of_a.cs;
    const long hs = of_a.h == 1 ? 0 : of_a.hs, ws = of_a.w == 1 ? 0 : of_a.ws;
    for (long n = 0; n < of_c.n; n++)
        for (long h = 0; h < of_c.h; h++)
            for (long w = 0; w < of_c.w; w++)
                for (long i = 0; i < of_c.c; i++)
                {
                    float& to = c[n * of_c.ns + h * of_c.hs + w * of_c.ws + i * of_c.cs];
                    const float from = a[n * ns + h * hs + w * ws + i * cs];
                    to = float(double(alpha) * from + (beta == 0 ? 0 : double(beta) * to));
                }
}

// db = alpha (sum of dy over all but channels) + beta db
void sum(const Tensor& of_dy, const float* dy, const Tensor& of_db, float* db, float alpha, float beta)
{
    std::vector<double> sums(of_dy.c);
    for (long n = 0; n < of_dy.n; n++)
        for (long h = 0; h < of_dy.h; h++)
            for (long w = 0; w < of_dy.w; w++)
                for (long i = 0; i < of_dy.c; i++)
                    sums[i] += dy[n * of_dy.ns + h * of_dy.hs + w * of_dy.ws + i * of_dy.cs];
    for (long i = 0; i < of_dy.c; i++)
        db[i * of_db.cs] = float(alpha * sums[i] + (beta == 0 ? 0 : double(beta) * db[i * of_db.cs]));
}

} // namespace

EXPORT cudnnStatus_t cudnnAddTensor(cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t aDesc,
                                    const void* A, const void* beta, cudnnTensorDescriptor_t cDesc, void* C)
{
    const char* function = __func__;
    if (const int injected = emu::call(function))
        return cudnnStatus_t(injected);
    Context context;
    Tensor a, c;
    float scale, keep;
    if (const cudnnStatus_t status = describe(function, handle, aDesc, cDesc, {alpha, A, beta, C}, context, a, c))
        return status;
    if (const cudnnStatus_t status = scalars(function, alpha, beta, scale, keep))
        return status;
    if ((a.n != c.n && a.n != 1) || (a.c != c.c && a.c != 1) || (a.h != c.h && a.h != 1) || (a.w != c.w && a.w != 1))
        return fail(CUDNN_STATUS_BAD_PARAM, function, "an extent of A is neither 1 nor that of C");
    return submit(context, function, [=] {
        const Operand::Use use = keep == 0 ? Operand::Write : Operand::Update;
        const emu::Status status = library::check(function, {a.operand("A", A, Operand::Read), c.operand("C", C, use)});
        if (status == emu::Success)
            add(a, static_cast<const float*>(A), c, static_cast<float*>(C), scale, keep);
        return status;
    });
}

EXPORT cudnnStatus_t cudnnConvolutionBackwardBias(cudnnHandle_t handle, const void* alpha,
                                                  cudnnTensorDescriptor_t dyDesc, const void* dy, const void* beta,
                                                  cudnnTensorDescriptor_t dbDesc, void* db)
{
    const char* function = __func__;
    if (const int injected = emu::call(function))
        return cudnnStatus_t(injected);
    Context context;
    Tensor of_dy, of_db;
    float scale, keep;
    if (const cudnnStatus_t status =
            describe(function, handle, dyDesc, dbDesc, {alpha, dy, beta, db}, context, of_dy, of_db))
        return status;
    if (const cudnnStatus_t status = scalars(function, alpha, beta, scale, keep))
        return status;
    if (of_db.n != 1 || of_db.h != 1 || of_db.w != 1 || of_db.c != of_dy.c)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "db is not (1, %d, 1, 1)", of_dy.c);
    return submit(context, function, [=] {
        const Operand::Use use = keep == 0 ? Operand::Write : Operand::Update;
        const emu::Status status =
            library::check(function, {of_dy.operand("dy", dy, Operand::Read), of_db.operand("db", db, use)});
        if (status == emu::Success)
            sum(of_dy, static_cast<const float*>(dy), of_db, static_cast<float*>(db), scale, keep);
        return status;
    });
}
