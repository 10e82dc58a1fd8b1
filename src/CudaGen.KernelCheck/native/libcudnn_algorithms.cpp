// libcudnn_algorithms.cpp - the stand-in of cuDNN: whether descriptors fit each other, which algorithms can compute
// what they describe, and how much workspace that takes.
//
// An algorithm does here what NVIDIA documents for NHWC tensors of float32 (FLOAT_CONFIG) or bfloat16
// (PSEUDO_BFLOAT16_CONFIG: all three tensors, computed in float32) with NHWC filters: forward IMPLICIT_GEMM and
// IMPLICIT_PRECOMP_GEMM, backward ALGO_0 and ALGO_1. Others are not supported, in NCHW neither.
#include "libcudnn_convolution.h"
#include <algorithm>
#include <numeric>

using namespace cudnn;
using library::Operand;

int cudnn::output_extent(int input, int pad, int kernel, int dilation, int stride)
{
    return 1 + (input + 2 * pad - ((kernel - 1) * dilation + 1)) / stride;
}

static cudnnStatus_t read_descriptors(cudnnTensorDescriptor_t xDesc, cudnnFilterDescriptor_t wDesc,
                                      cudnnConvolutionDescriptor_t convDesc, cudnnTensorDescriptor_t yDesc,
                                      Problem& problem)
{
    Geometry& geometry = problem.geometry;
    geometry.x = tensors().get(xDesc).value_or(Tensor());
    geometry.w = filters().get(wDesc).value_or(Tensor());
    geometry.convolution = convolutions().get(convDesc).value_or(Convolution());
    geometry.y = tensors().get(yDesc).value_or(Tensor());
    const char* missing = !geometry.x.set             ? "image"
                          : !geometry.w.set           ? "filter"
                          : !geometry.convolution.set ? "convolution"
                          : !geometry.y.set           ? "output"
                                                      : nullptr;
    if (missing != nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, problem.function,
                    "the descriptor of the %s does not exist or was never set", missing);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_channels(const Problem& problem)
{
    const Tensor &x = problem.geometry.x, &w = problem.geometry.w, &y = problem.geometry.y;
    const int groups = problem.geometry.convolution.groups;
    if (x.type != w.type || x.type != y.type)
        return fail(CUDNN_STATUS_BAD_PARAM, problem.function, "the data types %d, %d and %d differ", x.type, w.type,
                    y.type);
    if (long(w.c) * groups != x.c)
        return fail(CUDNN_STATUS_BAD_PARAM, problem.function,
                    "the image has %d channels, the filter %d for each of %d groups", x.c, w.c, groups);
    if (w.n % groups != 0)
        return fail(problem.pass == Pass::BackwardData ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_BAD_PARAM,
                    problem.function, "%d output channels are no multiple of %d groups", w.n, groups);
    if (y.c != w.n || y.n != x.n)
        return fail(CUDNN_STATUS_BAD_PARAM, problem.function,
                    "the output has %d images of %d channels; image and filter make %d of %d", y.n, y.c, x.n, w.n);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_extents(const Problem& problem)
{
    const Tensor &x = problem.geometry.x, &w = problem.geometry.w, &y = problem.geometry.y;
    const Convolution& with = problem.geometry.convolution;
    if (x.h + 2 * with.pad_h < (w.h - 1) * with.dilation_h + 1 ||
        x.w + 2 * with.pad_w < (w.w - 1) * with.dilation_w + 1)
        return fail(CUDNN_STATUS_BAD_PARAM, problem.function, "the kernel %d x %d is larger than the padded image", w.h,
                    w.w);
    const int height = output_extent(x.h, with.pad_h, w.h, with.dilation_h, with.stride_h);
    const int width = output_extent(x.w, with.pad_w, w.w, with.dilation_w, with.stride_w);
    if (y.h != height || y.w != width)
        return fail(problem.pass == Pass::Forward ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_BAD_PARAM,
                    problem.function, "the output is %d x %d; image, filter and convolution make %d x %d", y.h, y.w,
                    height, width);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnn::describe(cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc, cudnnFilterDescriptor_t wDesc,
                              cudnnConvolutionDescriptor_t convDesc, cudnnTensorDescriptor_t yDesc, Problem& problem)
{
    if (handle == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, problem.function, "handle is null");
    const auto context = contexts().get(handle);
    if (!context)
        return fail(CUDNN_STATUS_NOT_INITIALIZED, problem.function, "the handle does not exist");
    problem.context = *context;
    if (const cudnnStatus_t status = read_descriptors(xDesc, wDesc, convDesc, yDesc, problem))
        return status;
    if (const cudnnStatus_t status = check_channels(problem))
        return status;
    return check_extents(problem);
}

const char* cudnn::unsupported(const Problem& problem, int algorithm)
{
    const Geometry& geometry = problem.geometry;
    const cudnnTensorFormat_t format = geometry.w.format;
    if (algorithm < 0 || algorithm > 1)
        return "the algorithm does not do NHWC, or the stand-in lacks it";
    if ((geometry.x.type != CUDNN_DATA_FLOAT && geometry.x.type != CUDNN_DATA_BFLOAT16) ||
        geometry.convolution.compute != CUDNN_DATA_FLOAT)
        return "the stand-in has tensors of float32 or bfloat16, and computes in float32";
    if (!geometry.x.has_layout(format) || !geometry.y.has_layout(format))
        return "the tensors do not have the filter's layout, or have gaps within an image";
    return nullptr;
}

bool cudnn::deterministic(Pass pass, int algorithm)
{
    return pass == Pass::Forward || algorithm == 1;
}

size_t cudnn::workspace_size(const Problem& problem, int algorithm)
{
    const Tensor &w = problem.geometry.w, &y = problem.geometry.y;
    if (algorithm == 0)
        return 0;
    // Forward: tables of offsets. Backward: a filter, turned round or with the sums of a part of the batch.
    const size_t floats = problem.pass == Pass::Forward ? size_t(y.h) * y.w + w.floats() : size_t(w.n) * w.floats();
    return (floats * sizeof(float) + 255) / 256 * 256;
}

// Algorithms as a query lists them. The backward passes begin with the non-deterministic one: a program that wants the
// same bits in every run has to look at `determinism`, and not to take the first.
static std::vector<int> listing(Pass pass)
{
    std::vector<int> order(pass == Pass::Forward ? 8 : pass == Pass::BackwardData ? 6 : 7);
    std::iota(order.begin(), order.end(), 0);
    if (pass == Pass::Forward)
        std::swap(order[0], order[1]);
    return order;
}

static AlgorithmPerformance performance(const Problem& problem, int algorithm)
{
    AlgorithmPerformance result = {};
    result.algo = algorithm;
    result.time = -1;
    result.mathType = problem.geometry.convolution.math;
    result.determinism = deterministic(problem.pass, algorithm) ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
    if (unsupported(problem, algorithm) != nullptr)
        result.status = CUDNN_STATUS_NOT_SUPPORTED;
    else
        result.memory = workspace_size(problem, algorithm);
    return result;
}

static cudnnStatus_t list_algorithms(const Problem& problem, int requested, int* returned,
                                     AlgorithmPerformance* results)
{
    if (requested < 1 || returned == nullptr || results == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, problem.function, "no room for results");
    const std::vector<int> order = listing(problem.pass);
    *returned = std::min(requested, int(order.size()));
    for (int i = 0; i < *returned; i++)
        results[i] = performance(problem, order[i]);
    return CUDNN_STATUS_SUCCESS;
}

// What a search by measurement does, without measuring: times are made up in the order of the list. As on a GPU the
// output is overwritten; here with NaN, so that a search over live data shows.
static cudnnStatus_t find_algorithms(const Problem& problem, Operand x, Operand w, Operand y, int requested,
                                     int* returned, AlgorithmPerformance* results, void* workspace, size_t size)
{
    for (const Operand& operand : {x, w, y})
        if (operand.data == nullptr)
            return fail(CUDNN_STATUS_BAD_PARAM, problem.function, "%s is null", operand.name);
    if (workspace == nullptr && size > 0)
        return fail(CUDNN_STATUS_BAD_PARAM, problem.function, "the workspace is null");
    if (emu::capturing(problem.context.stream))
        return fail(CUDNN_STATUS_EXECUTION_FAILED, problem.function, "it measures, which a capture forbids");
    if (const cudnnStatus_t status = list_algorithms(problem, requested, returned, results))
        return status;
    for (int i = 0; i < *returned; i++)
        if (results[i].memory > size)
            results[i].status = CUDNN_STATUS_ALLOC_FAILED;
        else if (results[i].status == CUDNN_STATUS_SUCCESS)
            results[i].time = 0.1f * float(i + 1);
    std::sort(results, results + *returned, [](const AlgorithmPerformance& one, const AlgorithmPerformance& other) {
        const bool works = one.status == CUDNN_STATUS_SUCCESS, also = other.status == CUDNN_STATUS_SUCCESS;
        return works && also ? one.time < other.time : works && !also;
    });
    std::vector<Operand> operands = {x, w, y};
    if (size > 0)
        operands.push_back({"workspace", workspace, Operand::Write, size});
    return submit(problem.context, problem.function, [operands, function = problem.function] {
        if (const emu::Status status = library::check(function, operands))
            return status;
        for (const Operand& operand : operands)
            if (operand.use != Operand::Read)
                library::spoil(operand);
        return emu::Success;
    });
}

static cudnnStatus_t query_workspace(const Problem& problem, int algorithm, size_t* size)
{
    if (size == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, problem.function, "the pointer to the size is null");
    if (const char* reason = unsupported(problem, algorithm))
        return fail(CUDNN_STATUS_NOT_SUPPORTED, problem.function, "algorithm %d: %s", algorithm, reason);
    *size = workspace_size(problem, algorithm);
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(cudnnConvolutionDescriptor_t convDesc,
                                                           cudnnTensorDescriptor_t xDesc, cudnnFilterDescriptor_t wDesc,
                                                           int* n, int* c, int* h, int* w)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    const Tensor x = tensors().get(xDesc).value_or(Tensor()), filter = filters().get(wDesc).value_or(Tensor());
    const Convolution with = convolutions().get(convDesc).value_or(Convolution());
    if (!x.set || !filter.set || !with.set || n == nullptr || c == nullptr || h == nullptr || w == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "a descriptor was never set, or a pointer is null");
    if (long(filter.c) * with.groups != x.c)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "the image has %d channels, the filter %d for each of %d groups",
                    x.c, filter.c, with.groups);
    *n = x.n;
    *c = filter.n;
    *h = output_extent(x.h, with.pad_h, filter.h, with.dilation_h, with.stride_h);
    *w = output_extent(x.w, with.pad_w, filter.w, with.dilation_w, with.stride_w);
    return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc,
                                                            cudnnFilterDescriptor_t wDesc,
                                                            cudnnConvolutionDescriptor_t convDesc,
                                                            cudnnTensorDescriptor_t yDesc, int requested, int* returned,
                                                            AlgorithmPerformance* results)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::Forward};
    const cudnnStatus_t status = describe(handle, xDesc, wDesc, convDesc, yDesc, problem);
    return status ? status : list_algorithms(problem, requested, returned, results);
}

EXPORT cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t handle, cudnnFilterDescriptor_t wDesc,
                                                                 cudnnTensorDescriptor_t dyDesc,
                                                                 cudnnConvolutionDescriptor_t convDesc,
                                                                 cudnnTensorDescriptor_t dxDesc, int requested,
                                                                 int* returned, AlgorithmPerformance* results)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::BackwardData};
    const cudnnStatus_t status = describe(handle, dxDesc, wDesc, convDesc, dyDesc, problem);
    return status ? status : list_algorithms(problem, requested, returned, results);
}

EXPORT cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc,
                                                                   cudnnTensorDescriptor_t dyDesc,
                                                                   cudnnConvolutionDescriptor_t convDesc,
                                                                   cudnnFilterDescriptor_t dwDesc, int requested,
                                                                   int* returned, AlgorithmPerformance* results)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::BackwardFilter};
    const cudnnStatus_t status = describe(handle, xDesc, dwDesc, convDesc, dyDesc, problem);
    return status ? status : list_algorithms(problem, requested, returned, results);
}

EXPORT cudnnStatus_t cudnnFindConvolutionForwardAlgorithmEx(cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc,
                                                            const void* x, cudnnFilterDescriptor_t wDesc, const void* w,
                                                            cudnnConvolutionDescriptor_t convDesc,
                                                            cudnnTensorDescriptor_t yDesc, void* y, int requested,
                                                            int* returned, AlgorithmPerformance* results,
                                                            void* workspace, size_t size)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::Forward};
    if (const cudnnStatus_t status = describe(handle, xDesc, wDesc, convDesc, yDesc, problem))
        return status;
    const Geometry& geometry = problem.geometry;
    return find_algorithms(problem, geometry.x.operand("x", x, Operand::Read),
                           geometry.w.operand("w", w, Operand::Read), geometry.y.operand("y", y, Operand::Write),
                           requested, returned, results, workspace, size);
}

EXPORT cudnnStatus_t cudnnFindConvolutionBackwardDataAlgorithmEx(
    cudnnHandle_t handle, cudnnFilterDescriptor_t wDesc, const void* w, cudnnTensorDescriptor_t dyDesc, const void* dy,
    cudnnConvolutionDescriptor_t convDesc, cudnnTensorDescriptor_t dxDesc, void* dx, int requested, int* returned,
    AlgorithmPerformance* results, void* workspace, size_t size)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::BackwardData};
    if (const cudnnStatus_t status = describe(handle, dxDesc, wDesc, convDesc, dyDesc, problem))
        return status;
    const Geometry& geometry = problem.geometry;
    return find_algorithms(problem, geometry.y.operand("dy", dy, Operand::Read),
                           geometry.w.operand("w", w, Operand::Read), geometry.x.operand("dx", dx, Operand::Write),
                           requested, returned, results, workspace, size);
}

EXPORT cudnnStatus_t cudnnFindConvolutionBackwardFilterAlgorithmEx(
    cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc, const void* x, cudnnTensorDescriptor_t dyDesc, const void* dy,
    cudnnConvolutionDescriptor_t convDesc, cudnnFilterDescriptor_t dwDesc, void* dw, int requested, int* returned,
    AlgorithmPerformance* results, void* workspace, size_t size)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::BackwardFilter};
    if (const cudnnStatus_t status = describe(handle, xDesc, dwDesc, convDesc, dyDesc, problem))
        return status;
    const Geometry& geometry = problem.geometry;
    return find_algorithms(problem, geometry.x.operand("x", x, Operand::Read),
                           geometry.y.operand("dy", dy, Operand::Read), geometry.w.operand("dw", dw, Operand::Write),
                           requested, returned, results, workspace, size);
}

EXPORT cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc,
                                                             cudnnFilterDescriptor_t wDesc,
                                                             cudnnConvolutionDescriptor_t convDesc,
                                                             cudnnTensorDescriptor_t yDesc, int algorithm, size_t* size)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::Forward};
    const cudnnStatus_t status = describe(handle, xDesc, wDesc, convDesc, yDesc, problem);
    return status ? status : query_workspace(problem, algorithm, size);
}

EXPORT cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, cudnnFilterDescriptor_t wDesc,
                                                                  cudnnTensorDescriptor_t dyDesc,
                                                                  cudnnConvolutionDescriptor_t convDesc,
                                                                  cudnnTensorDescriptor_t dxDesc, int algorithm,
                                                                  size_t* size)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::BackwardData};
    const cudnnStatus_t status = describe(handle, dxDesc, wDesc, convDesc, dyDesc, problem);
    return status ? status : query_workspace(problem, algorithm, size);
}

EXPORT cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc,
                                                                    cudnnTensorDescriptor_t dyDesc,
                                                                    cudnnConvolutionDescriptor_t convDesc,
                                                                    cudnnFilterDescriptor_t dwDesc, int algorithm,
                                                                    size_t* size)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    Problem problem = {__func__, Pass::BackwardFilter};
    const cudnnStatus_t status = describe(handle, xDesc, dwDesc, convDesc, dyDesc, problem);
    return status ? status : query_workspace(problem, algorithm, size);
}
