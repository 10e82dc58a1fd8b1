using System.Runtime.InteropServices;

namespace CudaGen.Runtime.Native;

// Names, values and layouts are those of cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h (cuDNN 9):
// https://docs.nvidia.com/deeplearning/cudnn/ They are the same in cuDNN 8, but for the numbers of statuses.

internal readonly record struct cudnnHandle_t(nint Value);

internal readonly record struct cudnnTensorDescriptor_t(nint Value);

internal readonly record struct cudnnFilterDescriptor_t(nint Value);

internal readonly record struct cudnnConvolutionDescriptor_t(nint Value);

/// <summary>The value that cuDNN 8 and 9 share; a status can be any other number.</summary>
internal enum cudnnStatus_t
{
    CUDNN_STATUS_SUCCESS = 0,
}

internal enum cudnnDataType_t
{
    CUDNN_DATA_FLOAT = 0,
    CUDNN_DATA_BFLOAT16 = 9,
}

internal enum cudnnTensorFormat_t
{
    CUDNN_TENSOR_NCHW = 0,

    /// <summary>Of a filter: (K, R, S, C).</summary>
    CUDNN_TENSOR_NHWC = 1,
}

internal enum cudnnConvolutionMode_t
{
    CUDNN_CONVOLUTION = 0,

    /// <summary>What neural networks call a convolution: the kernel is not turned round.</summary>
    CUDNN_CROSS_CORRELATION = 1,
}

internal enum cudnnMathType_t
{
    /// <summary>Allows tensor cores, which keep 10 bits of the significand of a float32 (TF32).</summary>
    CUDNN_DEFAULT_MATH = 0,
    CUDNN_TENSOR_OP_MATH = 1,
    CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION = 2,

    /// <summary>float32 throughout.</summary>
    CUDNN_FMA_MATH = 3,
}

internal enum cudnnDeterminism_t
{
    CUDNN_NON_DETERMINISTIC = 0,
    CUDNN_DETERMINISTIC = 1,
}

internal enum cudnnConvolutionFwdAlgo_t
{
    CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM = 0,
    CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM = 1,
    CUDNN_CONVOLUTION_FWD_ALGO_GEMM = 2,
    CUDNN_CONVOLUTION_FWD_ALGO_DIRECT = 3,
    CUDNN_CONVOLUTION_FWD_ALGO_FFT = 4,
    CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING = 5,
    CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD = 6,
    CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED = 7,
    CUDNN_CONVOLUTION_FWD_ALGO_COUNT = 8,
}

internal enum cudnnConvolutionBwdDataAlgo_t
{
    /// <summary>Adds in no fixed order: not deterministic.</summary>
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_0 = 0,
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 = 1,
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT = 2,
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING = 3,
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD = 4,
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED = 5,
    CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT = 6,
}

internal enum cudnnConvolutionBwdFilterAlgo_t
{
    /// <summary>Adds in no fixed order: not deterministic.</summary>
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0 = 0,
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 = 1,
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT = 2,

    /// <summary>ALGO_0 with a workspace; not deterministic either.</summary>
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3 = 3,
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD = 4,
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED = 5,
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING = 6,
    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT = 7,
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct cudnnConvolutionFwdAlgoPerf_t
{
    internal cudnnConvolutionFwdAlgo_t algo;
    internal cudnnStatus_t status;
    internal float time;
    internal nuint memory;
    internal cudnnDeterminism_t determinism;
    internal cudnnMathType_t mathType;
    internal fixed int reserved[3];
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct cudnnConvolutionBwdDataAlgoPerf_t
{
    internal cudnnConvolutionBwdDataAlgo_t algo;
    internal cudnnStatus_t status;
    internal float time;
    internal nuint memory;
    internal cudnnDeterminism_t determinism;
    internal cudnnMathType_t mathType;
    internal fixed int reserved[3];
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct cudnnConvolutionBwdFilterAlgoPerf_t
{
    internal cudnnConvolutionBwdFilterAlgo_t algo;
    internal cudnnStatus_t status;
    internal float time;
    internal nuint memory;
    internal cudnnDeterminism_t determinism;
    internal cudnnMathType_t mathType;
    internal fixed int reserved[3];
}

/// <summary>cuDNN's convolutions: what the engine calls and nothing more. alpha and beta are float32 in host memory, read at once.</summary>
internal static unsafe partial class CuDnn
{
    internal const string Library = "cudnn";

    /// <summary>cuDNN 9: 10000 major + 100 minor + patch; cuDNN 8: 1000 major + 100 minor + patch.</summary>
    [LibraryImport(Library)]
    internal static partial nuint cudnnGetVersion();

    [LibraryImport(Library)]
    internal static partial byte* cudnnGetErrorString(cudnnStatus_t status);

    /// <summary>Why the last call of this thread failed. cuDNN 9 and later; see <see cref="NativeLibraries.HasExport"/>.</summary>
    [LibraryImport(Library)]
    internal static partial void cudnnGetLastErrorString(byte* message, nuint max_size);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnCreate(out cudnnHandle_t handle);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnDestroy(cudnnHandle_t handle);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, CUstream streamId);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnCreateTensorDescriptor(out cudnnTensorDescriptor_t tensorDesc);

    /// <summary>Extents in the order n, c, h, w, whatever the format.</summary>
    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensorDesc, cudnnTensorFormat_t format,
        cudnnDataType_t dataType, int n, int c, int h, int w);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensorDesc);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnCreateFilterDescriptor(out cudnnFilterDescriptor_t filterDesc);

    /// <summary>Extents in the order k, c, h, w, whatever the format, which here follows the type.</summary>
    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filterDesc, cudnnDataType_t dataType,
        cudnnTensorFormat_t format, int k, int c, int h, int w);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filterDesc);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnCreateConvolutionDescriptor(out cudnnConvolutionDescriptor_t convDesc);

    /// <summary>u and v are the vertical and the horizontal stride.</summary>
    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convDesc, int pad_h, int pad_w, int u, int v,
        int dilation_h, int dilation_w, cudnnConvolutionMode_t mode, cudnnDataType_t computeType);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convDesc, cudnnMathType_t mathType);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t convDesc);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t srcDesc,
        cudnnFilterDescriptor_t filterDesc, cudnnConvolutionDescriptor_t convDesc, cudnnTensorDescriptor_t destDesc, int requestedAlgoCount,
        out int returnedAlgoCount, cudnnConvolutionFwdAlgoPerf_t* perfResults);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t handle, cudnnFilterDescriptor_t filterDesc,
        cudnnTensorDescriptor_t diffDesc, cudnnConvolutionDescriptor_t convDesc, cudnnTensorDescriptor_t gradDesc, int requestedAlgoCount,
        out int returnedAlgoCount, cudnnConvolutionBwdDataAlgoPerf_t* perfResults);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t srcDesc,
        cudnnTensorDescriptor_t diffDesc, cudnnConvolutionDescriptor_t convDesc, cudnnFilterDescriptor_t gradDesc, int requestedAlgoCount,
        out int returnedAlgoCount, cudnnConvolutionBwdFilterAlgoPerf_t* perfResults);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc,
        cudnnFilterDescriptor_t wDesc, cudnnConvolutionDescriptor_t convDesc, cudnnTensorDescriptor_t yDesc, cudnnConvolutionFwdAlgo_t algo,
        out nuint sizeInBytes);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, cudnnFilterDescriptor_t wDesc,
        cudnnTensorDescriptor_t dyDesc, cudnnConvolutionDescriptor_t convDesc, cudnnTensorDescriptor_t dxDesc, cudnnConvolutionBwdDataAlgo_t algo,
        out nuint sizeInBytes);

    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t xDesc,
        cudnnTensorDescriptor_t dyDesc, cudnnConvolutionDescriptor_t convDesc, cudnnFilterDescriptor_t gradDesc,
        cudnnConvolutionBwdFilterAlgo_t algo, out nuint sizeInBytes);

    /// <summary>y = alpha conv(x, w) + beta y</summary>
    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, void* alpha, cudnnTensorDescriptor_t xDesc, void* x,
        cudnnFilterDescriptor_t wDesc, void* w, cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionFwdAlgo_t algo, void* workSpace,
        nuint workSpaceSizeInBytes, void* beta, cudnnTensorDescriptor_t yDesc, void* y);

    /// <summary>dx = alpha (gradient) + beta dx</summary>
    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, void* alpha, cudnnFilterDescriptor_t wDesc, void* w,
        cudnnTensorDescriptor_t dyDesc, void* dy, cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionBwdDataAlgo_t algo, void* workSpace,
        nuint workSpaceSizeInBytes, void* beta, cudnnTensorDescriptor_t dxDesc, void* dx);

    /// <summary>dw = alpha (gradient) + beta dw</summary>
    [LibraryImport(Library)]
    internal static partial cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, void* alpha, cudnnTensorDescriptor_t xDesc, void* x,
        cudnnTensorDescriptor_t dyDesc, void* dy, cudnnConvolutionDescriptor_t convDesc, cudnnConvolutionBwdFilterAlgo_t algo, void* workSpace,
        nuint workSpaceSizeInBytes, void* beta, cudnnFilterDescriptor_t dwDesc, void* dw);
}
