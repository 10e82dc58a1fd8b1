using System.Runtime.CompilerServices;
using CudaGen.Runtime;
using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Kernels.Cuda;

/// <summary>
/// A convolution by cuDNN: descriptors made and algorithms chosen once, only such as add in a fixed order, in float32
/// throughout. cuDNN pads both sides of an image alike; where that does not do, a padded copy in scratch memory takes the
/// place of x, before the workspace.
/// </summary>
internal sealed unsafe class CudnnConvolution : ICudaConvolution
{
    // An algorithm that wants more bytes is left out: scratch memory is for all layers, and int counts its floats.
    private const nuint MaximalWorkspace = 1 << 30;

    private static readonly Kernel PadKernel = new(KernelFiles.Convolution, "convolution_pad");
    private static readonly Kernel CropKernel = new(KernelFiles.Convolution, "convolution_crop");

    private readonly ConvolutionShape _shape;
    private readonly Shape? _padded;
    private readonly Dnn _dnn;
    private readonly cudnnTensorDescriptor_t _x, _y;
    private readonly cudnnFilterDescriptor_t _w;
    private readonly cudnnConvolutionDescriptor_t _convolution;
    private readonly (cudnnConvolutionFwdAlgo_t Algorithm, nuint Workspace) _forward;
    private readonly (cudnnConvolutionBwdDataAlgo_t Algorithm, nuint Workspace) _data;
    private readonly (cudnnConvolutionBwdFilterAlgo_t Algorithm, nuint Workspace) _filter;

    internal CudnnConvolution(Dnn dnn, ConvolutionShape g)
    {
        (_dnn, _shape) = (dnn, g);
        (int top, int left) = (g.Padding.Top, g.Padding.Left);
        if (!PadsAlike(g))
        {
            _padded = new Shape(g.X[0], g.X[1] + top + g.Padding.Bottom, g.X[2] + left + g.Padding.Right, g.X[3]);
            (top, left) = (0, 0);
        }
        try
        {
            dnn.Enter();
            Check(CuDnn.cudnnCreateTensorDescriptor(out _x));
            Describe(_x, _padded ?? g.X);
            Check(CuDnn.cudnnCreateTensorDescriptor(out _y));
            Describe(_y, g.Y);
            Check(CuDnn.cudnnCreateFilterDescriptor(out _w));
            Check(CuDnn.cudnnSetFilter4dDescriptor(_w, cudnnDataType_t.CUDNN_DATA_FLOAT, cudnnTensorFormat_t.CUDNN_TENSOR_NHWC, g.W[0], g.W[3],
                g.W[1], g.W[2]));
            Check(CuDnn.cudnnCreateConvolutionDescriptor(out _convolution));
            Check(CuDnn.cudnnSetConvolution2dDescriptor(_convolution, top, left, g.Stride, g.Stride, 1, 1,
                cudnnConvolutionMode_t.CUDNN_CROSS_CORRELATION, cudnnDataType_t.CUDNN_DATA_FLOAT));
            Check(CuDnn.cudnnSetConvolutionMathType(_convolution, cudnnMathType_t.CUDNN_FMA_MATH));
            (_forward, _data, _filter) = (ChooseForward(), ChooseBackwardData(), ChooseBackwardFilter());
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public int ScratchFloats
    {
        get
        {
            nuint workspace = Math.Max(Math.Max(_forward.Workspace, _data.Workspace), _filter.Workspace);
            return checked(PaddedFloats + (int)((workspace + sizeof(float) - 1) / sizeof(float)));
        }
    }

    // The workspace after it starts at a multiple of 256 bytes, as memory from the driver does.
    private int PaddedFloats => _padded is { } padded ? checked((padded.Length + 63) / 64 * 64) : 0;

    // Zeros that no window reaches do not matter: padding is alike when it gives the same number of windows.
    private static bool PadsAlike(ConvolutionShape g)
    {
        (int height, int width) = (g.X[1] + 2 * g.Padding.Top - g.W[1], g.X[2] + 2 * g.Padding.Left - g.W[2]);
        return height >= 0 && width >= 0 && height / g.Stride + 1 == g.Y[1] && width / g.Stride + 1 == g.Y[2];
    }

    public void Forward(Device device, Tensor y, Tensor x, Tensor w, Tensor? bias, Activation activation)
    {
        nint image = Image(device, x);
        if (_padded is { } padded)
            LaunchPad(device, image, x, padded);
        float one = 1, zero = 0;
        Check(CuDnn.cudnnConvolutionForward(_dnn.Enter(), &one, _x, (void*)image, _w, (void*)w.Address, _convolution, _forward.Algorithm,
            Workspace(device), _forward.Workspace, &zero, _y, (void*)y.Address));
        Finish(device, y, bias, activation);
    }

    public void BackwardData(Device device, Tensor dx, Tensor dy, Tensor w, Tensor? bias, Activation activation)
    {
        nint image = Image(device, dx);
        float one = 1, zero = 0;
        Check(CuDnn.cudnnConvolutionBackwardData(_dnn.Enter(), &one, _w, (void*)w.Address, _y, (void*)dy.Address, _convolution, _data.Algorithm,
            Workspace(device), _data.Workspace, &zero, _x, (void*)image));
        if (_padded is { } padded)
        {
            device.LaunchOver(CropKernel, dx.Length, dx, image, dx.Length, dx.Shape[1], dx.Shape[2], dx.Shape[3], padded[1], padded[2],
                _shape.Padding.Top, _shape.Padding.Left);
        }
        Finish(device, dx, bias, activation);
    }

    public void BackwardFilter(Device device, Tensor dw, Tensor dy, Tensor x)
    {
        nint image = Image(device, x);
        if (_padded is { } padded)
            LaunchPad(device, image, x, padded);
        float one = 1;
        Check(CuDnn.cudnnConvolutionBackwardFilter(_dnn.Enter(), &one, _x, (void*)image, _y, (void*)dy.Address, _convolution, _filter.Algorithm,
            Workspace(device), _filter.Workspace, &one, _w, (void*)dw.Address));
    }

    /// <summary>The tensor itself, or the place of its padded copy.</summary>
    private nint Image(Device device, Tensor x) => _padded is null ? x.Address : (nint)device.Scratch(ScratchFloats);

    private void* Workspace(Device device) => device.Scratch(ScratchFloats) + PaddedFloats;

    private void LaunchPad(Device device, nint image, Tensor x, Shape padded)
        => device.LaunchOver(PadKernel, padded.Length, image, x, padded.Length, x.Shape[1], x.Shape[2], x.Shape[3], padded[1], padded[2],
            _shape.Padding.Top, _shape.Padding.Left);

    private static void Finish(Device device, Tensor y, Tensor? bias, Activation activation)
    {
        if (bias is not null || activation.Kind != ActivationKind.Linear)
            BiasActivation.Forward(device, y, bias, activation);
    }

    private static void Describe(cudnnTensorDescriptor_t tensor, Shape shape)
        => Check(CuDnn.cudnnSetTensor4dDescriptor(tensor, cudnnTensorFormat_t.CUDNN_TENSOR_NHWC, cudnnDataType_t.CUDNN_DATA_FLOAT, shape[0],
            shape[3], shape[1], shape[2]));

    private (cudnnConvolutionFwdAlgo_t Algorithm, nuint Workspace) ChooseForward()
    {
        const int Most = (int)cudnnConvolutionFwdAlgo_t.CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
        var found = stackalloc cudnnConvolutionFwdAlgoPerf_t[Most];
        cudnnHandle_t handle = _dnn.Enter();
        Check(CuDnn.cudnnGetConvolutionForwardAlgorithm_v7(handle, _x, _w, _convolution, _y, Most, out int count, found));
        for (int i = 0; i < count; i++)
        {
            if (Serves(found[i].status, found[i].determinism, found[i].mathType) && Fits(CuDnn.cudnnGetConvolutionForwardWorkspaceSize(handle, _x,
                _w, _convolution, _y, found[i].algo, out nuint bytes), bytes))
                return (found[i].algo, bytes);
        }
        throw NoAlgorithm("forward");
    }

    private (cudnnConvolutionBwdDataAlgo_t Algorithm, nuint Workspace) ChooseBackwardData()
    {
        const int Most = (int)cudnnConvolutionBwdDataAlgo_t.CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
        var found = stackalloc cudnnConvolutionBwdDataAlgoPerf_t[Most];
        cudnnHandle_t handle = _dnn.Enter();
        Check(CuDnn.cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, _w, _y, _convolution, _x, Most, out int count, found));
        for (int i = 0; i < count; i++)
        {
            if (Serves(found[i].status, found[i].determinism, found[i].mathType) && Fits(CuDnn.cudnnGetConvolutionBackwardDataWorkspaceSize(
                handle, _w, _y, _convolution, _x, found[i].algo, out nuint bytes), bytes))
                return (found[i].algo, bytes);
        }
        throw NoAlgorithm("backward data");
    }

    private (cudnnConvolutionBwdFilterAlgo_t Algorithm, nuint Workspace) ChooseBackwardFilter()
    {
        const int Most = (int)cudnnConvolutionBwdFilterAlgo_t.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
        var found = stackalloc cudnnConvolutionBwdFilterAlgoPerf_t[Most];
        cudnnHandle_t handle = _dnn.Enter();
        Check(CuDnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, _x, _y, _convolution, _w, Most, out int count, found));
        for (int i = 0; i < count; i++)
        {
            if (Serves(found[i].status, found[i].determinism, found[i].mathType) && Fits(CuDnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(
                handle, _x, _y, _convolution, _w, found[i].algo, out nuint bytes), bytes))
                return (found[i].algo, bytes);
        }
        throw NoAlgorithm("backward filter");
    }

    // The math type of a result may say tensor cores although the descriptor forbids them.
    private static bool Serves(cudnnStatus_t status, cudnnDeterminism_t determinism, cudnnMathType_t math)
        => status == cudnnStatus_t.CUDNN_STATUS_SUCCESS && determinism == cudnnDeterminism_t.CUDNN_DETERMINISTIC
            && math is cudnnMathType_t.CUDNN_DEFAULT_MATH or cudnnMathType_t.CUDNN_FMA_MATH;

    // cuDNN 8 and 9 have different numbers for what an algorithm cannot do.
    private static bool Fits(cudnnStatus_t status, nuint bytes, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        const int NotSupported8 = 9, NotSupported9 = 3000;
        if ((int)status is NotSupported8 or (>= NotSupported9 and < 4000))
            return false;
        Check(status, call);
        return bytes <= MaximalWorkspace;
    }

    private CudaGenException NoAlgorithm(string pass)
        => new($"cuDNN {_dnn.Version} has no {pass} pass in float32 and in a fixed order for x {_shape.X}, weights {_shape.W}, stride "
            + $"{_shape.Stride}, padding {_shape.Padding}; the implementation 'kernel' has");

    // What was never made is null, which cuDNN refuses or ignores.
    public void Dispose()
    {
        _ = CuDnn.cudnnDestroyConvolutionDescriptor(_convolution);
        _ = CuDnn.cudnnDestroyFilterDescriptor(_w);
        _ = CuDnn.cudnnDestroyTensorDescriptor(_y);
        _ = CuDnn.cudnnDestroyTensorDescriptor(_x);
    }
}
