// libcudnn.h - the types of cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h (cuDNN 9) that the stand-in of cuDNN uses, and
// its state behind handles and descriptors. Names and values are NVIDIA's: https://docs.nvidia.com/deeplearning/cudnn/
#pragma once
#include "library.h"

typedef struct cudnnContext* cudnnHandle_t;
typedef struct cudnnTensorStruct* cudnnTensorDescriptor_t;
typedef struct cudnnFilterStruct* cudnnFilterDescriptor_t;
typedef struct cudnnConvolutionStruct* cudnnConvolutionDescriptor_t;
typedef struct cudnnActivationStruct* cudnnActivationDescriptor_t;

enum cudnnStatus_t : int
{
    CUDNN_STATUS_SUCCESS = 0,
    CUDNN_STATUS_NOT_INITIALIZED = 1001,
    CUDNN_STATUS_BAD_PARAM = 2000,
    CUDNN_STATUS_NOT_SUPPORTED = 3000,
    CUDNN_STATUS_INTERNAL_ERROR = 4000,
    CUDNN_STATUS_ALLOC_FAILED = 4003, // CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED
    CUDNN_STATUS_EXECUTION_FAILED = 5000,
};

enum cudnnDataType_t : int
{
    CUDNN_DATA_FLOAT = 0,
    CUDNN_DATA_BFLOAT16 = 9,
    CUDNN_DATA_FAST_FLOAT_FOR_FP8 = 14, // the last
};

enum cudnnMathType_t : int
{
    CUDNN_DEFAULT_MATH = 0, // TF32 where the device has tensor cores for it
    CUDNN_TENSOR_OP_MATH = 1,
    CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION = 2,
    CUDNN_FMA_MATH = 3, // float32 throughout
};

enum cudnnNanPropagation_t : int
{
    CUDNN_NOT_PROPAGATE_NAN = 0,
    CUDNN_PROPAGATE_NAN = 1,
};

enum cudnnTensorFormat_t : int
{
    CUDNN_TENSOR_NCHW = 0,
    CUDNN_TENSOR_NHWC = 1,
    CUDNN_TENSOR_NCHW_VECT_C = 2,
};

enum cudnnActivationMode_t : int
{
    CUDNN_ACTIVATION_SIGMOID = 0,
    CUDNN_ACTIVATION_RELU = 1,
    CUDNN_ACTIVATION_IDENTITY = 5,
    CUDNN_ACTIVATION_SWISH = 6, // the last
};

enum cudnnConvolutionMode_t : int
{
    CUDNN_CONVOLUTION = 0,
    CUDNN_CROSS_CORRELATION = 1,
};

enum cudnnDeterminism_t : int
{
    CUDNN_NON_DETERMINISTIC = 0,
    CUDNN_DETERMINISTIC = 1,
};

// cudnnConvolutionFwdAlgoPerf_t, cudnnConvolutionBwdDataAlgoPerf_t and cudnnConvolutionBwdFilterAlgoPerf_t: the three
// differ in the enumeration of `algo` alone.
struct AlgorithmPerformance
{
    int algo;
    cudnnStatus_t status;
    float time;
    size_t memory;
    cudnnDeterminism_t determinism;
    cudnnMathType_t mathType;
    int reserved[3];
};
static_assert(sizeof(AlgorithmPerformance) == 48, "as in cudnn_cnn.h");

namespace cudnn
{

// A tensor (n, c, h, w), or a filter (k, c, h, w), and the distance between neighbours along each extent, in elements.
struct Tensor
{
    bool set = false;
    int type = CUDNN_DATA_FLOAT;
    cudnnTensorFormat_t format = CUDNN_TENSOR_NCHW; // of a filter
    int n = 0, c = 0, h = 0, w = 0;
    long ns = 0, cs = 0, hs = 0, ws = 0;

    void pack(cudnnTensorFormat_t layout);
    bool has_layout(cudnnTensorFormat_t layout) const; // images whole; between images there may be gaps
    size_t floats() const                              // of one image
    {
        return size_t(c) * h * w;
    }
    size_t element() const // bytes
    {
        return type == CUDNN_DATA_BFLOAT16 ? 2 : 4;
    }
    library::Operand operand(const char* name, const void* data, library::Operand::Use use) const;
};

struct Convolution
{
    bool set = false;
    int pad_h = 0, pad_w = 0, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
    cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    int compute = CUDNN_DATA_FLOAT;
    int groups = 1;
    cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

struct Activation
{
    bool set = false;
    cudnnActivationMode_t mode = CUDNN_ACTIVATION_IDENTITY;
    cudnnNanPropagation_t nan = CUDNN_NOT_PROPAGATE_NAN;
};

struct Context
{
    CUstream stream = nullptr;
};

library::Handles<Context>& contexts();
library::Handles<Tensor>& tensors();
library::Handles<Tensor>& filters();
library::Handles<Convolution>& convolutions();
library::Handles<Activation>& activations();

// Keeps the reason for cudnnGetLastErrorString and returns the status.
cudnnStatus_t fail(cudnnStatus_t status, const char* function, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

// Lets work run when the stream gets there.
cudnnStatus_t submit(const Context& context, const char* function, std::function<emu::Status()> work);

} // namespace cudnn
