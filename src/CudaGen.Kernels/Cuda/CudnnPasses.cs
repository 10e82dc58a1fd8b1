using System.Runtime.CompilerServices;
using CudaGen.Runtime;
using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Kernels.Cuda;

/// <summary>cuDNN cannot compute a convolution under the conditions that are set here.</summary>
internal sealed class NoAlgorithmException(string message) : CudaGenException(message);

/// <summary>
/// The three passes of cuDNN over one geometry: descriptors made and algorithms chosen once, only such as add in a fixed order
/// and multiply as the precision says. All tensors are bfloat16 with that precision, otherwise float32.
/// </summary>
internal sealed unsafe class CudnnPasses : IDisposable
{
    // An algorithm that wants more bytes is left out: scratch memory is for all layers, and int counts its floats.
    private const nuint MaximalWorkspace = 1 << 30;

    private readonly ConvolutionShape _shape;
    private readonly Precision _precision;
    private readonly Dnn _dnn;
    private readonly cudnnTensorDescriptor_t _x, _y;
    private readonly cudnnFilterDescriptor_t _w;
    private readonly List<cudnnConvolutionDescriptor_t> _convolutions = [];
    private readonly Pass<cudnnConvolutionFwdAlgo_t> _forward;
    private readonly Pass<cudnnConvolutionBwdDataAlgo_t> _data;
    private readonly Pass<cudnnConvolutionBwdFilterAlgo_t> _filter;

    /// <summary>An algorithm, the convolution with the math type that it was found with, and the bytes that it wants.</summary>
    private readonly record struct Pass<TAlgorithm>(cudnnConvolutionDescriptor_t Convolution, TAlgorithm Algorithm, nuint Workspace);

    internal CudnnPasses(Dnn dnn, ConvolutionShape g, Precision precision)
    {
        (_dnn, _shape, _precision) = (dnn, g, precision);
        if (!PadsAlike(g))
            Padded = new Shape(g.X[0], g.X[1] + g.Padding.Top + g.Padding.Bottom, g.X[2] + g.Padding.Left + g.Padding.Right, g.X[3]);
        try
        {
            dnn.Enter();
            Check(CuDnn.cudnnCreateTensorDescriptor(out _x));
            Describe(_x, Image);
            Check(CuDnn.cudnnCreateTensorDescriptor(out _y));
            Describe(_y, g.Y);
            Check(CuDnn.cudnnCreateFilterDescriptor(out _w));
            Check(CuDnn.cudnnSetFilter4dDescriptor(_w, Type, cudnnTensorFormat_t.CUDNN_TENSOR_NHWC, g.W[0], g.W[3], g.W[1], g.W[2]));
            (_forward, _data, _filter) = (ChooseForward(), ChooseBackwardData(), ChooseBackwardFilter());
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Shape of x with all zeros around it in memory, where cuDNN's own padding, alike on both sides, does not do; otherwise null.</summary>
    internal Shape? Padded { get; }

    /// <summary>What cuDNN gets for x: x itself or the padded copy.</summary>
    internal Shape Image => Padded ?? _shape.X;

    /// <summary>Floats of the memory that a pass wants beside its tensors, from a multiple of 256 bytes on.</summary>
    internal int WorkspaceFloats
        => (int)((Math.Max(Math.Max(_forward.Workspace, _data.Workspace), _filter.Workspace) + sizeof(float) - 1) / sizeof(float));

    private cudnnDataType_t Type => _precision == Precision.Bf16 ? cudnnDataType_t.CUDNN_DATA_BFLOAT16 : cudnnDataType_t.CUDNN_DATA_FLOAT;

    // Zeros that no window reaches do not matter: padding is alike when it gives the same number of windows.
    private static bool PadsAlike(ConvolutionShape g)
    {
        (int height, int width) = (g.X[1] + 2 * g.Padding.Top - g.W[1], g.X[2] + 2 * g.Padding.Left - g.W[2]);
        return height >= 0 && width >= 0 && height / g.Stride + 1 == g.Y[1] && width / g.Stride + 1 == g.Y[2];
    }

    /// <summary>y = image * w</summary>
    internal void Forward(nint y, nint image, nint w, nint workspace)
    {
        float one = 1, zero = 0;
        BeginProfile(nameof(CuDnn.cudnnConvolutionForward));
        Check(CuDnn.cudnnConvolutionForward(_dnn.Enter(), &one, _x, (void*)image, _w, (void*)w, _forward.Convolution, _forward.Algorithm,
            (void*)workspace, _forward.Workspace, &zero, _y, (void*)y));
        _dnn.Profile?.End();
    }

    /// <summary>image = dy *' w</summary>
    internal void BackwardData(nint image, nint dy, nint w, nint workspace)
    {
        float one = 1, zero = 0;
        BeginProfile(nameof(CuDnn.cudnnConvolutionBackwardData));
        Check(CuDnn.cudnnConvolutionBackwardData(_dnn.Enter(), &one, _w, (void*)w, _y, (void*)dy, _data.Convolution, _data.Algorithm,
            (void*)workspace, _data.Workspace, &zero, _x, (void*)image));
        _dnn.Profile?.End();
    }

    /// <summary>dw = sum over pixels of dy image, or dw += that.</summary>
    internal void BackwardFilter(nint dw, nint dy, nint image, nint workspace, bool accumulate)
    {
        float one = 1, kept = accumulate ? 1 : 0;
        BeginProfile(nameof(CuDnn.cudnnConvolutionBackwardFilter));
        Check(CuDnn.cudnnConvolutionBackwardFilter(_dnn.Enter(), &one, _x, (void*)image, _y, (void*)dy, _filter.Convolution, _filter.Algorithm,
            (void*)workspace, _filter.Workspace, &kept, _w, (void*)dw));
        _dnn.Profile?.End();
    }

    private void BeginProfile(string function)
    {
        if (_dnn.Profile is not { } profile)
            return;
        profile.Describe(_shape.ToString(), _shape.Flops);
        profile.Begin(function, (_precision == Precision.Bf16 ? 2 : 4) * ((long)Image.Length + _shape.W.Length + _shape.Y.Length));
    }

    private void Describe(cudnnTensorDescriptor_t tensor, Shape shape)
        => Check(CuDnn.cudnnSetTensor4dDescriptor(tensor, cudnnTensorFormat_t.CUDNN_TENSOR_NHWC, Type, shape[0], shape[3], shape[1], shape[2]));

    private cudnnConvolutionDescriptor_t NewConvolution()
    {
        Check(CuDnn.cudnnCreateConvolutionDescriptor(out cudnnConvolutionDescriptor_t convolution));
        _convolutions.Add(convolution);
        (int top, int left) = Padded is null ? (_shape.Padding.Top, _shape.Padding.Left) : (0, 0);
        Check(CuDnn.cudnnSetConvolution2dDescriptor(convolution, top, left, _shape.Stride, _shape.Stride, 1, 1,
            cudnnConvolutionMode_t.CUDNN_CROSS_CORRELATION, cudnnDataType_t.CUDNN_DATA_FLOAT));
        Check(CuDnn.cudnnSetConvolutionMathType(convolution, _precision switch
        {
            Precision.Fp32 => cudnnMathType_t.CUDNN_FMA_MATH,
            Precision.Tf32 => cudnnMathType_t.CUDNN_DEFAULT_MATH,
            _ => cudnnMathType_t.CUDNN_TENSOR_OP_MATH,
        }));
        return convolution;
    }

    private Pass<cudnnConvolutionFwdAlgo_t> ChooseForward()
    {
        const int Most = (int)cudnnConvolutionFwdAlgo_t.CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
        var found = stackalloc cudnnConvolutionFwdAlgoPerf_t[Most];
        cudnnHandle_t handle = _dnn.Enter();
        cudnnConvolutionDescriptor_t convolution = NewConvolution();
        bool any = IsSupported(CuDnn.cudnnGetConvolutionForwardAlgorithm_v7(handle, _x, _w, convolution, _y, Most, out int count, found));
        for (int i = 0; any && i < count; i++)
        {
            if (Accept(convolution, found[i].status, found[i].determinism, found[i].mathType)
                && Fits(CuDnn.cudnnGetConvolutionForwardWorkspaceSize(handle, _x, _w, convolution, _y, found[i].algo,
                    out nuint bytes), bytes))
                return new(convolution, found[i].algo, bytes);
        }
        throw NoAlgorithm("forward");
    }

    private Pass<cudnnConvolutionBwdDataAlgo_t> ChooseBackwardData()
    {
        const int Most = (int)cudnnConvolutionBwdDataAlgo_t.CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
        var found = stackalloc cudnnConvolutionBwdDataAlgoPerf_t[Most];
        cudnnHandle_t handle = _dnn.Enter();
        cudnnConvolutionDescriptor_t convolution = NewConvolution();
        bool any = IsSupported(CuDnn.cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, _w, _y, convolution, _x, Most, out int count, found));
        for (int i = 0; any && i < count; i++)
        {
            if (Accept(convolution, found[i].status, found[i].determinism, found[i].mathType)
                && Fits(CuDnn.cudnnGetConvolutionBackwardDataWorkspaceSize(handle, _w, _y, convolution, _x, found[i].algo,
                    out nuint bytes), bytes))
                return new(convolution, found[i].algo, bytes);
        }
        throw NoAlgorithm("backward data");
    }

    private Pass<cudnnConvolutionBwdFilterAlgo_t> ChooseBackwardFilter()
    {
        const int Most = (int)cudnnConvolutionBwdFilterAlgo_t.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
        var found = stackalloc cudnnConvolutionBwdFilterAlgoPerf_t[Most];
        cudnnHandle_t handle = _dnn.Enter();
        cudnnConvolutionDescriptor_t convolution = NewConvolution();
        bool any = IsSupported(CuDnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, _x, _y, convolution, _w, Most, out int count, found));
        for (int i = 0; any && i < count; i++)
        {
            if (Accept(convolution, found[i].status, found[i].determinism, found[i].mathType)
                && Fits(CuDnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, _x, _y, convolution, _w, found[i].algo,
                    out nuint bytes), bytes))
                return new(convolution, found[i].algo, bytes);
        }
        throw NoAlgorithm("backward filter");
    }

    // Whether what was found may be taken; then the convolution gets its math type, as cuDNN asks, but in float32, where that may
    // say DEFAULT although the convolution forbids tensor cores. ALLOW_CONVERSION turns float32 into float16, which has another range.
    private bool Accept(cudnnConvolutionDescriptor_t convolution, cudnnStatus_t status, cudnnDeterminism_t determinism, cudnnMathType_t math)
    {
        if (status != cudnnStatus_t.CUDNN_STATUS_SUCCESS || determinism != cudnnDeterminism_t.CUDNN_DETERMINISTIC
            || math == cudnnMathType_t.CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION)
            return false;
        if (_precision == Precision.Fp32)
            return math != cudnnMathType_t.CUDNN_TENSOR_OP_MATH;
        Check(CuDnn.cudnnSetConvolutionMathType(convolution, math));
        return true;
    }

    private static bool Fits(cudnnStatus_t status, nuint bytes, [CallerArgumentExpression(nameof(status))] string call = "")
        => IsSupported(status, call) && bytes <= MaximalWorkspace;

    // cuDNN 8 and 9 have different numbers for what it, or one of its algorithms, cannot do.
    private static bool IsSupported(cudnnStatus_t status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        const int NotSupported8 = 9, NotSupported9 = 3000;
        if ((int)status is NotSupported8 or (>= NotSupported9 and < 4000))
            return false;
        Check(status, call);
        return true;
    }

    private NoAlgorithmException NoAlgorithm(string pass)
        => new($"cuDNN {_dnn.Version} has no {pass} pass in {Device.Name(_precision)} and in a fixed order for x {_shape.X}, "
            + $"weights {_shape.W}, stride {_shape.Stride}, padding {_shape.Padding}; the implementation 'kernel' has, in fp32");

    // What was never made is null, which cuDNN refuses or ignores.
    public void Dispose()
    {
        foreach (cudnnConvolutionDescriptor_t convolution in _convolutions)
            _ = CuDnn.cudnnDestroyConvolutionDescriptor(convolution);
        _ = CuDnn.cudnnDestroyFilterDescriptor(_w);
        _ = CuDnn.cudnnDestroyTensorDescriptor(_y);
        _ = CuDnn.cudnnDestroyTensorDescriptor(_x);
    }
}
