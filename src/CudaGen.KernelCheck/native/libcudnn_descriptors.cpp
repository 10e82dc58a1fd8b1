// libcudnn_descriptors.cpp - the stand-in of cuDNN: descriptors of tensors, filters, convolutions and activations.
#include "libcudnn.h"

using namespace cudnn;

library::Handles<Tensor>& cudnn::tensors()
{
    static auto& handles = *new library::Handles<Tensor>("cuDNN tensor descriptor", 0xd1000000000);
    return handles;
}

library::Handles<Tensor>& cudnn::filters()
{
    static auto& handles = *new library::Handles<Tensor>("cuDNN filter descriptor", 0xd2000000000);
    return handles;
}

library::Handles<Convolution>& cudnn::convolutions()
{
    static auto& handles = *new library::Handles<Convolution>("cuDNN convolution descriptor", 0xd3000000000);
    return handles;
}

library::Handles<Activation>& cudnn::activations()
{
    static auto& handles = *new library::Handles<Activation>("cuDNN activation descriptor", 0xd4000000000);
    return handles;
}

void Tensor::pack(cudnnTensorFormat_t layout)
{
    const bool nhwc = layout == CUDNN_TENSOR_NHWC;
    ns = long(floats());
    cs = nhwc ? 1 : long(h) * w;
    hs = nhwc ? long(w) * c : w;
    ws = nhwc ? c : 1;
}

bool Tensor::has_layout(cudnnTensorFormat_t layout) const
{
    Tensor packed = *this;
    packed.pack(layout);
    // Between neighbours that do not exist any distance will do.
    return (n == 1 || ns >= packed.ns) && (c == 1 || cs == packed.cs) && (h == 1 || hs == packed.hs) &&
           (w == 1 || ws == packed.ws);
}

library::Operand Tensor::operand(const char* name, const void* data, library::Operand::Use use) const
{
    const size_t image = floats() * element();
    if (n == 1 || ns == long(floats()))
        return {name, data, use, image * n, 1, 0, element()};
    return {name, data, use, image, size_t(n), ns * element(), element()};
}

template <class Handle, class Object>
static cudnnStatus_t create(const char* function, Handle* handle, library::Handles<Object>& objects)
{
    if (const int injected = emu::call(function))
        return cudnnStatus_t(injected);
    if (handle == nullptr)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "the pointer to the descriptor is null");
    *handle = static_cast<Handle>(objects.add());
    return CUDNN_STATUS_SUCCESS;
}

template <class Object>
static cudnnStatus_t destroy(const char* function, const void* handle, library::Handles<Object>& objects)
{
    if (const int injected = emu::call(function))
        return cudnnStatus_t(injected);
    if (handle == nullptr || objects.remove(handle))
        return CUDNN_STATUS_SUCCESS; // documented: null destroys nothing
    return fail(CUDNN_STATUS_BAD_PARAM, function, "the descriptor does not exist");
}

template <class Object, class Change>
static cudnnStatus_t change(const char* function, const void* handle, library::Handles<Object>& objects, Change change)
{
    return objects.change(handle, change) ? CUDNN_STATUS_SUCCESS
                                          : fail(CUDNN_STATUS_BAD_PARAM, function, "the descriptor does not exist");
}

EXPORT cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor)
{
    return create(__func__, descriptor, tensors());
}

EXPORT cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor)
{
    return destroy(__func__, descriptor, tensors());
}

EXPORT cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* descriptor)
{
    return create(__func__, descriptor, filters());
}

EXPORT cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor)
{
    return destroy(__func__, descriptor, filters());
}

EXPORT cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* descriptor)
{
    return create(__func__, descriptor, convolutions());
}

EXPORT cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor)
{
    return destroy(__func__, descriptor, convolutions());
}

EXPORT cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t* descriptor)
{
    return create(__func__, descriptor, activations());
}

EXPORT cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t descriptor)
{
    return destroy(__func__, descriptor, activations());
}

// Extents and type of a tensor or filter, which obey the same rules.
static cudnnStatus_t check_extents(const char* function, int type, int n, int c, int h, int w)
{
    if (type < CUDNN_DATA_FLOAT || type > CUDNN_DATA_FAST_FLOAT_FOR_FP8)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "there is no data type %d", type);
    if (n < 1 || c < 1 || h < 1 || w < 1)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "an extent of (%d, %d, %d, %d) is not positive", n, c, h, w);
    if (double(n) * c * h * w >= 2147483648.0)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "(%d, %d, %d, %d) has 2^31 elements or more", n, c, h, w);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t set(const char* function, const void* descriptor, library::Handles<Tensor>& objects, int type,
                         cudnnTensorFormat_t format, int n, int c, int h, int w)
{
    if (const int injected = emu::call(function))
        return cudnnStatus_t(injected);
    if (const cudnnStatus_t status = check_extents(function, type, n, c, h, w))
        return status;
    if (format < CUDNN_TENSOR_NCHW || format > CUDNN_TENSOR_NCHW_VECT_C)
        return fail(CUDNN_STATUS_BAD_PARAM, function, "there is no tensor format %d", int(format));
    if (format == CUDNN_TENSOR_NCHW_VECT_C)
        return fail(CUDNN_STATUS_NOT_SUPPORTED, function, "the format NCHW_VECT_C is for 8-bit integers");
    return change(function, descriptor, objects, [&](Tensor& tensor) {
        tensor = {true, type, format, n, c, h, w};
        tensor.pack(format);
    });
}

EXPORT cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                                cudnnDataType_t type, int n, int c, int h, int w)
{
    return set(__func__, descriptor, tensors(), type, format, n, c, h, w);
}

EXPORT cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                                cudnnTensorFormat_t format, int k, int c, int h, int w)
{
    return set(__func__, descriptor, filters(), type, format, k, c, h, w);
}

EXPORT cudnnStatus_t cudnnSetTensor4dDescriptorEx(cudnnTensorDescriptor_t descriptor, cudnnDataType_t type, int n,
                                                  int c, int h, int w, int nStride, int cStride, int hStride,
                                                  int wStride)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    if (const cudnnStatus_t status = check_extents(__func__, type, n, c, h, w))
        return status;
    if (nStride < 1 || cStride < 1 || hStride < 1 || wStride < 1)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "a stride of (%d, %d, %d, %d) is not positive", nStride, cStride,
                    hStride, wStride);
    return change(__func__, descriptor, tensors(), [&](Tensor& tensor) {
        tensor = {true, type, CUDNN_TENSOR_NCHW, n, c, h, w, nStride, cStride, hStride, wStride};
    });
}

EXPORT cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t descriptor, int pad_h, int pad_w,
                                                     int stride_h, int stride_w, int dilation_h, int dilation_w,
                                                     cudnnConvolutionMode_t mode, cudnnDataType_t computeType)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    if (pad_h < 0 || pad_w < 0)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "padding (%d, %d) is negative", pad_h, pad_w);
    if (stride_h < 1 || stride_w < 1 || dilation_h < 1 || dilation_w < 1)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "stride (%d, %d) or dilation (%d, %d) is not positive", stride_h,
                    stride_w, dilation_h, dilation_w);
    if (mode != CUDNN_CONVOLUTION && mode != CUDNN_CROSS_CORRELATION)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "there is no convolution mode %d", int(mode));
    if (computeType < CUDNN_DATA_FLOAT || computeType > CUDNN_DATA_FAST_FLOAT_FOR_FP8)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "there is no data type %d", int(computeType));
    return change(__func__, descriptor, convolutions(), [&](Convolution& convolution) {
        convolution = {true,       pad_h, pad_w,       stride_h,           stride_w,        dilation_h,
                       dilation_w, mode,  computeType, convolution.groups, convolution.math};
    });
}

EXPORT cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor, cudnnMathType_t math)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    if (math < CUDNN_DEFAULT_MATH || math > CUDNN_FMA_MATH)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "there is no math type %d", int(math));
    return change(__func__, descriptor, convolutions(), [&](Convolution& convolution) { convolution.math = math; });
}

EXPORT cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    if (groups < 1)
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "%d groups", groups);
    return change(__func__, descriptor, convolutions(), [&](Convolution& convolution) { convolution.groups = groups; });
}

EXPORT cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t descriptor, cudnnActivationMode_t mode,
                                                  cudnnNanPropagation_t nan, double)
{
    if (const int injected = emu::call(__func__))
        return cudnnStatus_t(injected);
    if (mode < CUDNN_ACTIVATION_SIGMOID || mode > CUDNN_ACTIVATION_SWISH ||
        (nan != CUDNN_NOT_PROPAGATE_NAN && nan != CUDNN_PROPAGATE_NAN))
        return fail(CUDNN_STATUS_BAD_PARAM, __func__, "there is no activation mode %d or no NaN propagation %d",
                    int(mode), int(nan));
    return change(__func__, descriptor, activations(), [&](Activation& activation) { activation = {true, mode, nan}; });
}
