// libcudnn_convolution.cpp - the stand-in of cuDNN: the calls that compute a pass of a convolution.
#include "libcudnn_convolution.h"
#include <atomic>

using namespace cudnn;
using library::Operand;

namespace
{

// What a call brings besides its descriptors.
struct Request
{
    Problem problem;
    const void *alpha, *beta; // beta is the factor of what is added: the old output, or z
    int algorithm;
    void* workspace;
    size_t size;
    std::vector<Operand> inputs;
    Operand output;
};

cudnnStatus_t check_pointers(const Request& request)
{
    const char* function = request.problem.function;
    if (request.alpha == nullptr || request.beta == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "alpha or beta is null");
    if (!library::on_host(request.alpha) || !library::on_host(request.beta))
        return fail(CUDNN_STATUS_BAD_PARAM, function, "alpha or beta is in device memory");
    for (const Operand& input : request.inputs)
        if (input.data == nullptr)
            return fail(CUDNN_STATUS_BAD_PARAM, function, "%s is null", input.name);
    if (request.output.data == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "%s is null", request.output.name);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t check_algorithm(const Request& request)
{
    const char* function = request.problem.function;
    if (const char* reason = unsupported(request.problem, request.algorithm))
        return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "algorithm %d: %s", request.algorithm, reason);
    const size_t needed = workspace_size(request.problem, request.algorithm);
    if (needed > 0 && (request.workspace == nullptr || request.size < needed))
        return fail(CUDNN_STATUS_BAD_PARAM, function, "algorithm %d needs a workspace of %zu bytes, not %zu at %p",
                    request.algorithm, needed, request.size, request.workspace);
    return CUDNN_STATUS_SUCCESS;
}

// Checks the request and lets compute(alpha, beta, turn) run when the stream gets there.
template <class Compute> cudnnStatus_t run(const Request& request, Compute compute)
{
    if (const cudnnStatus_t status = check_pointers(request))
        return status;
    if (const cudnnStatus_t status = check_algorithm(request))
        return status;
    const char* function = request.problem.function;
    const float alpha = *static_cast<const float*>(request.alpha), beta = *static_cast<const float*>(request.beta);
    const size_t needed = workspace_size(request.problem, request.algorithm);
    std::vector<Operand> operands = request.inputs;
    operands.push_back(request.output);
    if (needed > 0)
        operands.push_back({"workspace", request.workspace, Operand::Write, request.size});
    const Operand scratch = {"workspace", request.workspace, Operand::Write, needed};
    const bool fixed_order = deterministic(request.problem.pass, request.algorithm);
    return submit(request.problem.context, function, [=] {
        static std::atomic<unsigned> turns{0};
        if (const emu::Status status = library::check(function, operands))
            return status;
        library::spoil(scratch);
        compute(alpha, beta, fixed_order ? 0 : ++turns);
        return emu::Success;
    });
}

// The output is read where something of it is kept.
Operand::Use use_of_output(const void* beta)
{
    return beta != nullptr && library::on_host(beta) && *static_cast<const float*>(beta) == 0 ? Operand::Write
                                                                                              : Operand::Update;
}

// What a convolution with a fused bias asks beyond one without.
cudnnStatus_t check_fused(const Problem& problem, const Tensor& z, const Tensor& bias, const Activation& activation,
                          int algorithm)
{
    const char* function = problem.function;
    const Tensor& y = problem.geometry.y;
    if (!z.set || !bias.set || !activation.set)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "a descriptor does not exist or was never set");
    if (y.type != CUDNN_DATA_FLOAT)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "the stand-in adds a bias to float32 alone");
    if (activation.mode != CUDNN_ACTIVATION_RELU && activation.mode != CUDNN_ACTIVATION_IDENTITY)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "activation mode %d; it does ReLU and identity",
                    int(activation.mode));
    if (activation.nan != CUDNN_NOT_PROPAGATE_NAN)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "the activation propagates NaN");
    if (activation.mode == CUDNN_ACTIVATION_IDENTITY && algorithm != 1)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "identity needs the algorithm IMPLICIT_PRECOMP_GEMM (1)");
    if (bias.n != 1 || bias.h != 1 || bias.w != 1 || bias.c != y.c || (bias.c > 1 && bias.cs != 1))
        return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "the bias is not (1, %d, 1, 1)", y.c);
    if (z.n != y.n || z.c != y.c || z.h != y.h || z.w != y.w || z.ns != y.ns || z.cs != y.cs || z.hs != y.hs ||
        z.ws != y.ws || z.type != y.type || bias.type != y.type)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "the descriptors of z and y, or the types, differ");
    return CUDNN_STATUS_SUCCESS;
}

} // namespace

EXPORT cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t xDesc,
                                             const void* x, cudnnFilterDescriptor_t wDesc, const void* w,
                                             cudnnConvolutionDescriptor_t convDesc, int algorithm, void* workspace,
                                             size_t size, const void* beta, cudnnTensorDescriptor_t yDesc, void* y)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::Forward};
    if (const cudnnStatus_t status = describe(handle, xDesc, wDesc, convDesc, yDesc, problem))
        return status;
    const Geometry geometry = problem.geometry;
    const Request request = {problem,
                             alpha,
                             beta,
                             algorithm,
                             workspace,
                             size,
                             {geometry.x.operand("x", x, Operand::Read), geometry.w.operand("w", w, Operand::Read)},
                             geometry.y.operand("y", y, use_of_output(beta))};
    return run(request, [=](float scale, float keep, unsigned) {
        Floats of_x(geometry.x, x), of_w(geometry.w, w), of_y(geometry.y, y, keep != 0);
        forward(geometry, of_x.data(), of_w.data(), of_y.data(),
                {scale, keep, keep == 0 ? nullptr : of_y.data(), nullptr, false});
        of_y.store();
    });
}

EXPORT cudnnStatus_t cudnnConvolutionBiasActivationForward(
    cudnnHandle_t handle, const void* alpha1, cudnnTensorDescriptor_t xDesc, const void* x,
    cudnnFilterDescriptor_t wDesc, const void* w, cudnnConvolutionDescriptor_t convDesc, int algorithm, void* workspace,
    size_t size, const void* alpha2, cudnnTensorDescriptor_t zDesc, const void* z, cudnnTensorDescriptor_t biasDesc,
    const void* bias, cudnnActivationDescriptor_t activationDesc, cudnnTensorDescriptor_t yDesc, void* y)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::Forward};
    if (const cudnnStatus_t status = describe(handle, xDesc, wDesc, convDesc, yDesc, problem))
        return status;
    const Tensor of_z = tensors().get(zDesc).value_or(Tensor()), of_bias = tensors().get(biasDesc).value_or(Tensor());
    const Activation activation = activations().get(activationDesc).value_or(Activation());
    if (const cudnnStatus_t status = check_fused(problem, of_z, of_bias, activation, algorithm))
        return status;
    const Geometry geometry = problem.geometry;
    const bool adds_z = use_of_output(alpha2) == Operand::Update, in_place = z == y;
    Request request = {problem,
                       alpha1,
                       alpha2,
                       algorithm,
                       workspace,
                       size,
                       {geometry.x.operand("x", x, Operand::Read), geometry.w.operand("w", w, Operand::Read),
                        of_bias.operand("bias", bias, Operand::Read)},
                       geometry.y.operand("y", y, adds_z && in_place ? Operand::Update : Operand::Write)};
    if (z == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "z is null");
    if (adds_z && !in_place)
        request.inputs.push_back(of_z.operand("z", z, Operand::Read));
    return run(request, [=](float scale, float keep, unsigned) {
        forward(geometry, static_cast<const float*>(x), static_cast<const float*>(w), static_cast<float*>(y),
                {scale, keep, keep == 0 ? nullptr : static_cast<const float*>(z), static_cast<const float*>(bias),
                 activation.mode == CUDNN_ACTIVATION_RELU});
    });
}

EXPORT cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                                  cudnnFilterDescriptor_t wDesc, const void* w,
                                                  cudnnTensorDescriptor_t dyDesc, const void* dy,
                                                  cudnnConvolutionDescriptor_t convDesc, int algorithm, void* workspace,
                                                  size_t size, const void* beta, cudnnTensorDescriptor_t dxDesc,
                                                  void* dx)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::BackwardData};
    if (const cudnnStatus_t status = describe(handle, dxDesc, wDesc, convDesc, dyDesc, problem))
        return status;
    const Geometry geometry = problem.geometry;
    const Request request = {problem,
                             alpha,
                             beta,
                             algorithm,
                             workspace,
                             size,
                             {geometry.w.operand("w", w, Operand::Read), geometry.y.operand("dy", dy, Operand::Read)},
                             geometry.x.operand("dx", dx, use_of_output(beta))};
    return run(request, [=](float scale, float keep, unsigned turn) {
        Floats of_w(geometry.w, w), of_dy(geometry.y, dy), of_dx(geometry.x, dx, keep != 0);
        backward_data(geometry, of_w.data(), of_dy.data(), of_dx.data(), scale, keep, turn);
        of_dx.store();
    });
}

EXPORT cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                                    cudnnTensorDescriptor_t xDesc, const void* x,
                                                    cudnnTensorDescriptor_t dyDesc, const void* dy,
                                                    cudnnConvolutionDescriptor_t convDesc, int algorithm,
                                                    void* workspace, size_t size, const void* beta,
                                                    cudnnFilterDescriptor_t dwDesc, void* dw)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::BackwardFilter};
    if (const cudnnStatus_t status = describe(handle, xDesc, dwDesc, convDesc, dyDesc, problem))
        return status;
    const Geometry geometry = problem.geometry;
    const Request request = {problem,
                             alpha,
                             beta,
                             algorithm,
                             workspace,
                             size,
                             {geometry.x.operand("x", x, Operand::Read), geometry.y.operand("dy", dy, Operand::Read)},
                             geometry.w.operand("dw", dw, use_of_output(beta))};
    return run(request, [=](float scale, float keep, unsigned turn) {
        Floats of_x(geometry.x, x), of_dy(geometry.y, dy), of_dw(geometry.w, dw, keep != 0);
        backward_filter(geometry, of_x.data(), of_dy.data(), of_dw.data(), scale, keep, turn);
        of_dw.store();
    });
}
