using CudaGen.KernelCheck.Tests.Driver;
using CudaGen.KernelCheck.Tests.Libraries;
using static CudaGen.KernelCheck.Tests.Libraries.CuDnn;

namespace CudaGen.KernelCheck.Tests;

/// <summary>The stand-in of cuDNN: its passes against the definition in double, and what it refuses or reports.</summary>
[Collection(OneProcess.Name)]
public sealed unsafe class CuDnnStandInTests
{
    private static readonly string[] Exports =
    [
        "cudnnAddTensor", "cudnnConvolutionBackwardBias", "cudnnConvolutionBackwardData", "cudnnConvolutionBackwardFilter",
        "cudnnConvolutionBiasActivationForward", "cudnnConvolutionForward", "cudnnCreate", "cudnnCreateActivationDescriptor",
        "cudnnCreateConvolutionDescriptor", "cudnnCreateFilterDescriptor", "cudnnCreateTensorDescriptor", "cudnnDestroy",
        "cudnnDestroyActivationDescriptor", "cudnnDestroyConvolutionDescriptor", "cudnnDestroyFilterDescriptor",
        "cudnnDestroyTensorDescriptor", "cudnnFindConvolutionBackwardDataAlgorithmEx", "cudnnFindConvolutionBackwardFilterAlgorithmEx",
        "cudnnFindConvolutionForwardAlgorithmEx", "cudnnGetConvolution2dForwardOutputDim", "cudnnGetConvolutionBackwardDataAlgorithm_v7",
        "cudnnGetConvolutionBackwardDataWorkspaceSize", "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
        "cudnnGetConvolutionBackwardFilterWorkspaceSize", "cudnnGetConvolutionForwardAlgorithm_v7",
        "cudnnGetConvolutionForwardWorkspaceSize", "cudnnGetErrorString", "cudnnGetLastErrorString", "cudnnGetStream", "cudnnGetVersion",
        "cudnnSetActivationDescriptor", "cudnnSetConvolution2dDescriptor", "cudnnSetConvolutionGroupCount", "cudnnSetConvolutionMathType",
        "cudnnSetFilter4dDescriptor", "cudnnSetStream", "cudnnSetTensor4dDescriptor", "cudnnSetTensor4dDescriptorEx",
    ];

    private static readonly Lazy<CuDnn> LazyApi = new(() => new CuDnn(Session.Folder));

    /// <summary>3 x 3 with stride 2 on images of 8 x 8: enough for what is not about numbers.</summary>
    private static readonly Geometry Small = new(2, 3, 8, 8, 4, 3, 3) { PadH = 1, PadW = 1, StrideH = 2, StrideW = 2 };

    private static CuDnn Dnn => LazyApi.Value;

    public static TheoryData<Geometry> Geometries => new()
    {
        new Geometry(1, 1, 1, 1, 1, 1, 1),
        new Geometry(1, 3, 5, 7, 4, 3, 3) { PadH = 1, PadW = 1, StrideH = 2, StrideW = 2 },
        new Geometry(3, 5, 9, 6, 7, 5, 4) { PadH = 2, PadW = 1, StrideH = 2, StrideW = 3 },
        new Geometry(2, 3, 7, 5, 5, 3, 2) { PadW = 1, StrideW = 2, DilationH = 2 },
        new Geometry(1, 40, 4, 4, 300, 2, 2) { StrideH = 2, StrideW = 2 },
        new Geometry(3, 17, 13, 11, 9, 5, 5) { PadH = 2, PadW = 2, StrideH = 2, StrideW = 2 },
        new Geometry(130, 2, 3, 3, 3, 3, 3) { PadH = 1, PadW = 1 },
        new Geometry(2, 4, 8, 8, 6, 3, 3) { PadH = 1, PadW = 1, DilationW = 2, Groups = 2 },
        new Geometry(2, 5, 6, 7, 3, 3, 4) { PadH = 1, PadW = 2, Turned = true },
        new Geometry(3, 3, 5, 4, 2, 2, 3) { Gap = 3, StrideH = 2 },
        new Geometry(2, 6, 5, 7, 4, 3, 2) { Nchw = true, PadH = 1, StrideW = 2, Groups = 2 },
        new Geometry(2, 3, 5, 4, 2, 2, 3) { Nchw = true, Gap = 5, Turned = true },
    };

    /// <summary>Gives a test a handle on the default stream.</summary>
    private static void Run(Action<nint> test) => Session.Run(() =>
    {
        nint handle;
        Assert.Equal(Success, Dnn.cudnnCreate(&handle));
        test(handle);
        Assert.Equal(Success, Dnn.cudnnDestroy(handle));
    });

    /// <summary>Waits, and expects one report that holds a text; the next test finds none.</summary>
    private static void Reports(string text)
    {
        Assert.NotEqual(Success, Session.Api.cuCtxSynchronize());
        Assert.Contains(text, Assert.Single(Session.Control.Reports), StringComparison.Ordinal);
        Session.Control.Clear();
    }

    /// <summary>Expects a status and, as cuDNN's words for it, a text.</summary>
    private static void Refused(int expected, string reason, int status)
    {
        Assert.Equal(expected, status);
        Assert.Contains(reason, Dnn.cudnnGetLastErrorString(), StringComparison.Ordinal);
    }

    private static int Forward(nint handle, ConvolutionCase on, float* x, float* w, float* y, int algorithm = 0, float alpha = 1, float beta = 0,
        void* workspace = null, nuint size = 0) =>
        Dnn.cudnnConvolutionForward(handle, &alpha, on.X, x, on.W, w, on.Convolution, algorithm, workspace, size, &beta, on.Y, y);

    private static int BackwardData(nint handle, ConvolutionCase on, float* w, float* dy, float* dx, int algorithm = 0, float alpha = 1, float beta = 0,
        void* workspace = null, nuint size = 0) =>
        Dnn.cudnnConvolutionBackwardData(handle, &alpha, on.W, w, on.Y, dy, on.Convolution, algorithm, workspace, size, &beta, on.X, dx);

    private static int BackwardFilter(nint handle, ConvolutionCase on, float* x, float* dy, float* dw, int algorithm = 0, float alpha = 1, float beta = 0,
        void* workspace = null, nuint size = 0) =>
        Dnn.cudnnConvolutionBackwardFilter(handle, &alpha, on.X, x, on.Y, dy, on.Convolution, algorithm, workspace, size, &beta, on.W, dw);

    private static (nuint Forward, nuint Data, nuint Filter) WorkspaceSizes(nint handle, ConvolutionCase on, int algorithm)
    {
        nuint forward, data, filter;
        Assert.Equal(Success, Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, on.X, on.W, on.Convolution, on.Y, algorithm, &forward));
        Assert.Equal(Success, Dnn.cudnnGetConvolutionBackwardDataWorkspaceSize(handle, on.W, on.Y, on.Convolution, on.X, algorithm, &data));
        Assert.Equal(Success, Dnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, on.X, on.Y, on.Convolution, on.W, algorithm, &filter));
        return (forward, data, filter);
    }

    [Fact]
    public void It_exports_the_names_of_its_headers() =>
        Assert.Equal(Exports, new ElfFile(Path.Combine(Session.Folder, "libcudnn.so.9")).Exports);

    [Theory, MemberData(nameof(Geometries))]
    public void Every_pass_is_what_its_definition_says(Geometry geometry) => Run(handle =>
    {
        for (int algorithm = 0; algorithm < 2; algorithm++)
            foreach ((float alpha, float beta) in ((float, float)[])[(1, 0), (0.5f, -2), (-1, 1)])
                Passes(handle, geometry, algorithm, alpha, beta);
    });

    private static void Passes(nint handle, Geometry geometry, int algorithm, float alpha, float beta)
    {
        using var on = new ConvolutionCase(Dnn, geometry);
        float[] x = DeviceFloats.Random(1, geometry.XLength), w = DeviceFloats.Random(2, geometry.WLength), y = DeviceFloats.Random(3, geometry.YLength);
        using DeviceFloats onX = new(x), onW = new(w), onY = new(y);
        (nuint forward, nuint data, nuint filter) = WorkspaceSizes(handle, on, algorithm);
        using DeviceFloats workspace = new((int)Math.Max(forward, Math.Max(data, filter)) / sizeof(float));
        float[] Old(int length) => beta == 0 ? DeviceFloats.NaN(length) : DeviceFloats.Random(4, length);
        float[] oldX = Old(x.Length), oldW = Old(w.Length), oldY = Old(y.Length);
        using DeviceFloats newX = new(oldX), newW = new(oldW), newY = new(oldY);
        Assert.Equal(Success, Forward(handle, on, onX.Address, onW.Address, newY.Address, algorithm, alpha, beta, workspace.Address, forward));
        Assert.Equal(Success, BackwardData(handle, on, onW.Address, onY.Address, newX.Address, algorithm, alpha, beta, workspace.Address, data));
        Assert.Equal(Success, BackwardFilter(handle, on, onX.Address, onY.Address, newW.Address, algorithm, alpha, beta, workspace.Address, filter));

        Expected ofY = new(oldY, beta), ofX = new(oldX, beta), ofW = new(oldW, beta);
        on.EachProduct((i, j, o) =>
        {
            ofY.Add(o, alpha * (double)x[i] * w[j]);
            ofX.Add(i, alpha * (double)y[o] * w[j]);
            ofW.Add(j, alpha * (double)x[i] * y[o]);
        });
        string what = $"algorithm {algorithm}, alpha {alpha}, beta {beta}";
        ofY.Compare(newY.Read(), geometry.YStride, geometry.YStride - geometry.Gap, $"y, {what}");
        ofX.Compare(newX.Read(), geometry.XStride, geometry.XStride - geometry.Gap, $"dx, {what}");
        ofW.Compare(newW.Read(), w.Length, w.Length, $"dw, {what}");
    }

    /// <summary>A tensor that is computed in double.</summary>
    private sealed class Expected(float[] old, float beta)
    {
        private readonly double[] _values = [.. old.Select(v => beta == 0 ? 0 : (double)beta * v)];
        private readonly double[] _magnitudes = [.. old.Select(v => beta == 0 ? 0 : Math.Abs((double)beta * v))];

        public void Add(int at, double term) => (_values[at], _magnitudes[at]) = (_values[at] + term, _magnitudes[at] + Math.Abs(term));

        /// <summary>Images of some length lie a stride apart; what is between them must be as before.</summary>
        public void Compare(float[] actual, int stride, int length, string what)
        {
            for (int i = 0; i < actual.Length; i++)
                if (i % stride < length)
                    Libraries.Compare.Near(_values[i], _magnitudes[i], actual[i], $"{what}, element {i}");
                else
                    Assert.Equal(old[i], actual[i]);
        }
    }

    [Fact]
    public void The_shape_of_the_output_is_computed() => Run(_ =>
    {
        using var on = new ConvolutionCase(Dnn, new Geometry(3, 5, 9, 6, 7, 5, 4) { PadH = 2, PadW = 1, StrideH = 2, StrideW = 3 });
        int n, c, h, w;
        Assert.Equal(Success, Dnn.cudnnGetConvolution2dForwardOutputDim(on.Convolution, on.X, on.W, &n, &c, &h, &w));
        Assert.Equal((3, 7, 5, 2), (n, c, h, w));
        Assert.Equal(BadParam, Dnn.cudnnGetConvolution2dForwardOutputDim(on.Convolution, on.X, on.W, &n, &c, &h, null));
        Assert.Equal(BadParam, Dnn.cudnnGetConvolution2dForwardOutputDim(on.Convolution, on.X, on.X, &n, &c, &h, &w));
    });

    [Fact]
    public void Work_waits_for_its_stream() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        using DeviceFloats x = new(DeviceFloats.Random(1, Small.XLength)), w = new(DeviceFloats.Random(2, Small.WLength));
        using DeviceFloats y = new(DeviceFloats.NaN(Small.YLength));
        nint stream = Session.Stream(flags: 1), set;
        Assert.Equal(Success, Dnn.cudnnSetStream(handle, stream));
        Assert.Equal(Success, Dnn.cudnnGetStream(handle, &set));
        Assert.Equal(stream, set);
        Assert.Equal(Success, Forward(handle, on, x.Address, w.Address, y.Address));
        // What the descriptors become later is of no matter.
        Assert.Equal(Success, Dnn.cudnnSetTensor4dDescriptor(on.Y, Nhwc, Float32, 9, 9, 9, 9));
        Assert.True(float.IsNaN(y.Read()[0]));
        Session.Check(Session.Api.cuStreamSynchronize(stream));
        Assert.All(y.Read(), value => Assert.False(float.IsNaN(value)));
        Session.Check(Session.Api.cuStreamDestroy_v2(stream));
    });

    [Fact]
    public void A_captured_pass_is_replayed() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        float[] ones = [.. Enumerable.Repeat(1f, Small.YLength)];
        using DeviceFloats x = new(ones[..1].Concat(new float[Small.XLength - 1]).ToArray()), dy = new(ones), dw = new(new float[Small.WLength]);
        nint stream = Session.Stream(flags: 1), graph, exec, other;
        Assert.Equal(Success, Dnn.cudnnSetStream(handle, stream));
        Session.Check(Session.Api.cuStreamBeginCapture_v2(stream, 0));
        Assert.Equal(Success, BackwardFilter(handle, on, x.Address, dy.Address, dw.Address, beta: 1));
        Refused(InternalError, "capture", Dnn.cudnnCreate(&other));
        int count;
        Performance performance;
        Refused(ExecutionFailed, "capture", Dnn.cudnnFindConvolutionBackwardFilterAlgorithmEx(handle, on.X, x.Address, on.Y, dy.Address, on.Convolution, on.W,
            dw.Address, 1, &count, &performance, null, 0));
        Session.Check(Session.Api.cuStreamEndCapture(stream, &graph));
        Session.Check(Session.Api.cuGraphInstantiateWithFlags(&exec, graph, 0));
        for (int i = 0; i < 3; i++)
            Session.Check(Session.Api.cuGraphLaunch(exec, stream));
        Session.Check(Session.Api.cuStreamSynchronize(stream));
        // The pixel at the corner meets the middle of the kernel alone.
        Assert.Equal(3, dw.Read()[Small.Filter(0, 0, 1, 1)]);
        Session.Check(Session.Api.cuGraphExecDestroy(exec));
        Session.Check(Session.Api.cuGraphDestroy(graph));
        Session.Check(Session.Api.cuStreamDestroy_v2(stream));
    });

    [Fact]
    public void Descriptors_take_what_is_documented() => Run(_ =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        Refused(BadParam, "not positive", Dnn.cudnnSetTensor4dDescriptor(on.X, Nhwc, Float32, 0, 3, 8, 8));
        Refused(BadParam, "not positive", Dnn.cudnnSetTensor4dDescriptorEx(on.X, Float32, 1, 3, 8, 8, 192, 1, 0, 3));
        Refused(BadParam, "data type", Dnn.cudnnSetTensor4dDescriptor(on.X, Nhwc, 99, 1, 3, 8, 8));
        Refused(BadParam, "format", Dnn.cudnnSetTensor4dDescriptor(on.X, 7, Float32, 1, 3, 8, 8));
        Refused(NotSupported, "2^31", Dnn.cudnnSetTensor4dDescriptor(on.X, Nhwc, Float32, 65536, 3, 128, 128));
        Refused(BadParam, "not positive", Dnn.cudnnSetFilter4dDescriptor(on.W, Float32, Nhwc, 4, 3, -3, 3));
        Refused(BadParam, "negative", Dnn.cudnnSetConvolution2dDescriptor(on.Convolution, -1, 1, 2, 2, 1, 1, CrossCorrelation, Float32));
        Refused(BadParam, "not positive", Dnn.cudnnSetConvolution2dDescriptor(on.Convolution, 1, 1, 2, 0, 1, 1, CrossCorrelation, Float32));
        Refused(BadParam, "not positive", Dnn.cudnnSetConvolution2dDescriptor(on.Convolution, 1, 1, 2, 2, 1, 0, CrossCorrelation, Float32));
        Refused(BadParam, "mode", Dnn.cudnnSetConvolution2dDescriptor(on.Convolution, 1, 1, 2, 2, 1, 1, 2, Float32));
        Refused(BadParam, "math type", Dnn.cudnnSetConvolutionMathType(on.Convolution, 4));
        Refused(BadParam, "groups", Dnn.cudnnSetConvolutionGroupCount(on.Convolution, 0));
        Refused(BadParam, "does not exist", Dnn.cudnnSetTensor4dDescriptor(on.W, Nhwc, Float32, 1, 3, 8, 8)); // a filter's
        Refused(BadParam, "null", Dnn.cudnnCreateTensorDescriptor(null));
        Assert.Equal(Success, Dnn.cudnnDestroyTensorDescriptor(0));
        nint dead;
        Assert.Equal(Success, Dnn.cudnnCreateTensorDescriptor(&dead));
        Assert.Equal(Success, Dnn.cudnnDestroyTensorDescriptor(dead));
        Refused(BadParam, "does not exist", Dnn.cudnnDestroyTensorDescriptor(dead));
        Refused(BadParam, "does not exist", Dnn.cudnnSetTensor4dDescriptor(dead, Nhwc, Float32, 1, 3, 8, 8));
    });

    public static TheoryData<string, int, int, int, string> Misfits => new()
    {
        // what is changed; the statuses of the passes forward, backward data and backward filter; the reason
        { "rows of y", NotSupported, BadParam, BadParam, "5 x 4" },
        { "channels of y", BadParam, BadParam, BadParam, "5 channels" },
        { "images of y", BadParam, BadParam, BadParam, "3 images" },
        { "type of y", BadParam, BadParam, BadParam, "data types" },
        { "float32 from bfloat16", BadParam, BadParam, BadParam, "data types" },
        { "sums in bfloat16", NotSupported, NotSupported, NotSupported, "computes in float32" },
        { "channels of w", BadParam, BadParam, BadParam, "the filter 2" },
        { "outputs of a group", BadParam, NotSupported, BadParam, "no multiple" },
        { "kernel", BadParam, BadParam, BadParam, "larger" },
        { "layout of y", NotSupported, NotSupported, NotSupported, "layout" },
        { "layout of w", NotSupported, NotSupported, NotSupported, "layout" },
        { "rows of x apart", NotSupported, NotSupported, NotSupported, "gaps" },
        { "types", NotSupported, NotSupported, NotSupported, "float32" },
    };

    [Theory, MemberData(nameof(Misfits))]
    public void Descriptors_that_do_not_fit_are_refused(string change, int forward, int data, int filter, string reason) => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, change == "outputs of a group" ? Small with { C = 6, K = 5 } : Small);
        Assert.Equal(Success, change switch
        {
            "rows of y" => Dnn.cudnnSetTensor4dDescriptor(on.Y, Nhwc, Float32, 2, 4, 5, 4),
            "channels of y" => Dnn.cudnnSetTensor4dDescriptor(on.Y, Nhwc, Float32, 2, 5, 4, 4),
            "images of y" => Dnn.cudnnSetTensor4dDescriptor(on.Y, Nhwc, Float32, 3, 4, 4, 4),
            "type of y" => Dnn.cudnnSetTensor4dDescriptor(on.Y, Nhwc, Float16, 2, 4, 4, 4),
            "float32 from bfloat16" => Dnn.cudnnSetTensor4dDescriptor(on.X, Nhwc, BFloat16, 2, 3, 8, 8)
                | Dnn.cudnnSetFilter4dDescriptor(on.W, BFloat16, Nhwc, 4, 3, 3, 3),
            "sums in bfloat16" => Dnn.cudnnSetConvolution2dDescriptor(on.Convolution, 1, 1, 2, 2, 1, 1, CrossCorrelation, BFloat16),
            "channels of w" => Dnn.cudnnSetFilter4dDescriptor(on.W, Float32, Nhwc, 4, 2, 3, 3),
            "outputs of a group" => Dnn.cudnnSetFilter4dDescriptor(on.W, Float32, Nhwc, 5, 3, 3, 3) | Dnn.cudnnSetConvolutionGroupCount(on.Convolution, 2),
            "kernel" => Dnn.cudnnSetFilter4dDescriptor(on.W, Float32, Nhwc, 4, 3, 11, 3),
            "layout of y" => Dnn.cudnnSetTensor4dDescriptor(on.Y, Nchw, Float32, 2, 4, 4, 4),
            "layout of w" => Dnn.cudnnSetFilter4dDescriptor(on.W, Float32, Nchw, 4, 3, 3, 3),
            "rows of x apart" => Dnn.cudnnSetTensor4dDescriptorEx(on.X, Float32, 2, 3, 8, 8, 256, 1, 32, 3),
            "types" => Dnn.cudnnSetTensor4dDescriptor(on.X, Nhwc, Float16, 2, 3, 8, 8) | Dnn.cudnnSetTensor4dDescriptor(on.Y, Nhwc, Float16, 2, 4, 4, 4)
                | Dnn.cudnnSetFilter4dDescriptor(on.W, Float16, Nhwc, 4, 3, 3, 3),
            _ => -1,
        });
        nuint size;
        float* memory = (float*)256; // is not touched
        Refused(forward, reason, Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, on.X, on.W, on.Convolution, on.Y, 0, &size));
        Refused(forward, reason, Forward(handle, on, memory, memory, memory));
        Refused(data, reason, Dnn.cudnnGetConvolutionBackwardDataWorkspaceSize(handle, on.W, on.Y, on.Convolution, on.X, 0, &size));
        Refused(data, reason, BackwardData(handle, on, memory, memory, memory));
        Refused(filter, reason, Dnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, on.X, on.Y, on.Convolution, on.W, 0, &size));
        Refused(filter, reason, BackwardFilter(handle, on, memory, memory, memory));
    });

    [Fact]
    public void Descriptors_that_were_never_set_and_handles_that_do_not_exist_are_refused() => Session.Run(() =>
    {
        nint handle, unset;
        nuint size;
        using var on = new ConvolutionCase(Dnn, Small);
        Assert.Equal(Success, Dnn.cudnnCreateTensorDescriptor(&unset));
        Assert.Equal(Success, Dnn.cudnnCreate(&handle));
        Refused(BadParam, "output", Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, on.X, on.W, on.Convolution, unset, 0, &size));
        Refused(BadParam, "image", Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, 12345, on.W, on.Convolution, on.Y, 0, &size));
        Refused(BadParam, "filter", Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, on.X, on.Y, on.Convolution, on.Y, 0, &size));
        Refused(BadParam, "convolution", Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, on.X, on.W, 0, on.Y, 0, &size));
        Refused(BadParam, "null", Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, on.X, on.W, on.Convolution, on.Y, 0, null));
        Assert.Equal(Success, Dnn.cudnnDestroy(handle));
        Refused(NotInitialized, "does not exist", Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, on.X, on.W, on.Convolution, on.Y, 0, &size));
        Refused(NotInitialized, "does not exist", Dnn.cudnnSetStream(handle, 0));
        Refused(NotInitialized, "does not exist", Dnn.cudnnDestroy(handle));
        Refused(BadParam, "null", Dnn.cudnnGetConvolutionForwardWorkspaceSize(0, on.X, on.W, on.Convolution, on.Y, 0, &size));
        Refused(BadParam, "null", Dnn.cudnnCreate(null));
        Assert.Equal(Success, Dnn.cudnnDestroyTensorDescriptor(unset));
    });

    [Fact]
    public void Algorithms_that_do_not_do_it_are_listed_last_and_refused() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        Performance* results = stackalloc Performance[8];
        int count;
        Assert.Equal(Success, Dnn.cudnnGetConvolutionForwardAlgorithm_v7(handle, on.X, on.W, on.Convolution, on.Y, 8, &count, results));
        Assert.Equal((8, 1, Success, -1f, FmaMath), (count, results[0].Algo, results[0].Status, results[0].Time, results[0].MathType));
        Assert.Equal(WorkspaceSizes(handle, on, 1).Forward, results[0].Memory);
        for (int i = 2; i < 8; i++)
        {
            Assert.Equal(NotSupported, results[i].Status);
            Refused(NotSupported, $"algorithm {results[i].Algo}", Forward(handle, on, (float*)256, (float*)256, (float*)256, results[i].Algo));
        }
        // A program that wants the same bits in every run must look before it takes the first.
        Assert.Equal(Success, Dnn.cudnnGetConvolutionBackwardDataAlgorithm_v7(handle, on.W, on.Y, on.Convolution, on.X, 8, &count, results));
        Assert.Equal((6, 0, 0, 1, 1), (count, results[0].Algo, results[0].Determinism, results[1].Algo, results[1].Determinism));
        Assert.Equal(Success, Dnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle, on.X, on.Y, on.Convolution, on.W, 1, &count, results));
        Assert.Equal((1, 0, 0), (count, results[0].Algo, results[0].Determinism));
        Refused(BadParam, "room", Dnn.cudnnGetConvolutionForwardAlgorithm_v7(handle, on.X, on.W, on.Convolution, on.Y, 0, &count, results));
        Refused(BadParam, "room", Dnn.cudnnGetConvolutionForwardAlgorithm_v7(handle, on.X, on.W, on.Convolution, on.Y, 1, null, results));
    });

    [Fact]
    public void A_search_overwrites_the_output() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        using DeviceFloats x = new(new float[Small.XLength]), w = new(new float[Small.WLength]), y = new(new float[Small.YLength]);
        nuint size = WorkspaceSizes(handle, on, 1).Forward;
        using DeviceFloats workspace = new((int)size / sizeof(float));
        Performance* results = stackalloc Performance[8];
        int count;
        Assert.Equal(Success, Dnn.cudnnFindConvolutionForwardAlgorithmEx(handle, on.X, x.Address, on.W, w.Address, on.Convolution, on.Y, y.Address, 8, &count,
            results, workspace.Address, size - 1));
        Assert.Equal((8, 0, Success, 1, AllocFailed), (count, results[0].Algo, results[0].Status, results[1].Algo, results[1].Status));
        Assert.True(results[0].Time > 0);
        Assert.All(y.Read(), value => Assert.True(float.IsNaN(value)));
        Assert.Equal(Success, Dnn.cudnnFindConvolutionBackwardDataAlgorithmEx(handle, on.W, w.Address, on.Y, x.Address, on.Convolution, on.X, x.Address, 2,
            &count, results, null, 0));
        Reports("dx is written and overlaps dy");
        Refused(BadParam, "dw is null", Dnn.cudnnFindConvolutionBackwardFilterAlgorithmEx(handle, on.X, x.Address, on.Y, y.Address, on.Convolution, on.W, null,
            2, &count, results, null, 0));
    });

    [Theory]
    [InlineData(0), InlineData(1)]
    public void Only_deterministic_algorithms_give_the_same_bits(int algorithm) => Run(handle =>
    {
        Geometry geometry = new(4, 3, 16, 16, 4, 3, 3) { PadH = 1, PadW = 1, StrideH = 2, StrideW = 2 };
        using var on = new ConvolutionCase(Dnn, geometry);
        using DeviceFloats x = new(DeviceFloats.Random(1, geometry.XLength)), w = new(DeviceFloats.Random(2, geometry.WLength));
        using DeviceFloats dy = new(DeviceFloats.Random(3, geometry.YLength)), dx = new(geometry.XLength), dw = new(geometry.WLength);
        using DeviceFloats workspace = new(4096);
        var ofX = new HashSet<string>();
        var ofW = new HashSet<string>();
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(Success, BackwardData(handle, on, w.Address, dy.Address, dx.Address, algorithm, workspace: workspace.Address, size: workspace.Bytes));
            Assert.Equal(Success, BackwardFilter(handle, on, x.Address, dy.Address, dw.Address, algorithm, workspace: workspace.Address, size: workspace.Bytes));
            ofX.Add(string.Join(' ', dx.Read()));
            ofW.Add(string.Join(' ', dw.Read()));
        }
        Assert.Equal((algorithm == 1, algorithm == 1), (ofX.Count == 1, ofW.Count == 1));
    });

    [Fact]
    public void The_workspace_must_suffice_and_is_overwritten() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        using DeviceFloats x = new(DeviceFloats.Random(1, Small.XLength)), w = new(DeviceFloats.Random(2, Small.WLength)), y = new(Small.YLength);
        nuint size = WorkspaceSizes(handle, on, 1).Forward;
        using DeviceFloats workspace = new(new float[(int)size / sizeof(float)]);
        Refused(BadParam, "workspace", Forward(handle, on, x.Address, w.Address, y.Address, 1, workspace: null, size: size));
        Refused(BadParam, "workspace", Forward(handle, on, x.Address, w.Address, y.Address, 1, workspace: workspace.Address, size: size - 1));
        Assert.Equal(Success, Forward(handle, on, x.Address, w.Address, y.Address, 1, workspace: workspace.Address, size: size));
        Assert.All(workspace.Read(), value => Assert.True(float.IsNaN(value)));
        Forward(handle, on, x.Address, w.Address, y.Address, 1, workspace: workspace.Address, size: size + 4);
        Reports("cudnnConvolutionForward, workspace");
        Forward(handle, on, x.Address, w.Address, y.Address, 1, workspace: x.Address, size: size);
        Reports("workspace is written and overlaps x");
    });

    [Fact]
    public void Operands_are_checked_when_the_work_runs() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        using DeviceFloats x = new(DeviceFloats.Random(1, Small.XLength)), w = new(DeviceFloats.Random(2, Small.WLength));
        using DeviceFloats y = new(Small.YLength), unset = new(Small.XLength), blank = new(Small.YLength);
        Forward(handle, on, x.Address + 1, w.Address, y.Address);
        Reports("cudnnConvolutionForward, x");
        Forward(handle, on, x.Address, w.Address, y.Address + 1);
        Reports("cudnnConvolutionForward, y");
        Forward(handle, on, unset.Address, w.Address, y.Address);
        Reports("cudnnConvolutionForward, x");
        Forward(handle, on, x.Address, w.Address, blank.Address, beta: 1);
        Reports("cudnnConvolutionForward, y");
        BackwardData(handle, on, w.Address, x.Address, x.Address);
        Reports("dx is written and overlaps dy");
        BackwardFilter(handle, on, x.Address, x.Address, x.Address + 8);
        Reports("dw is written and overlaps x");
        Forward(handle, on, (float*)((byte*)x.Address + 2), w.Address, y.Address);
        Reports("x is not aligned");
        Refused(BadParam, "w is null", Forward(handle, on, x.Address, null, y.Address));
        float one = 1;
        Refused(BadParam, "beta is null", Dnn.cudnnConvolutionForward(handle, &one, on.X, x.Address, on.W, w.Address, on.Convolution, 0, null, 0, null, on.Y,
            y.Address));
        Refused(BadParam, "device memory", Dnn.cudnnConvolutionForward(handle, &one, on.X, x.Address, on.W, w.Address, on.Convolution, 0, null, 0, x.Address,
            on.Y, y.Address));
    });

    [Fact]
    public void Tensor_cores_keep_10_bits_unless_they_are_forbidden() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        float[] x = DeviceFloats.Random(1, Small.XLength), w = DeviceFloats.Random(2, Small.WLength);
        using DeviceFloats onX = new(x), onW = new(w), y = new(Small.YLength);
        double[] expected = new double[Small.YLength];
        on.EachProduct((i, j, o) => expected[o] += (double)x[i] * w[j]);
        double Error(int math)
        {
            Assert.Equal(Success, Dnn.cudnnSetConvolutionMathType(on.Convolution, math));
            Assert.Equal(Success, Forward(handle, on, onX.Address, onW.Address, y.Address));
            return y.Read().Zip(expected, (a, b) => Math.Abs(a - b)).Max();
        }
        Assert.InRange(Error(DefaultMath), 2e-5, 1e-2);
        Assert.InRange(Error(FmaMath), 0, 5e-6);
    });

    /// <summary>Every pass on bfloat16 is that on the same numbers in float32, rounded; and what is added to is read as bfloat16.</summary>
    [Fact]
    public void Tensors_of_bfloat16_are_computed_in_float32_and_rounded() => Run(handle =>
    {
        // An even number of elements in each tensor.
        Geometry geometry = Small;
        using var wide = new ConvolutionCase(Dnn, geometry);
        using var narrow = new ConvolutionCase(Dnn, geometry);
        Assert.Equal(Success, Dnn.cudnnSetTensor4dDescriptor(narrow.X, Nhwc, BFloat16, 2, 3, 8, 8));
        Assert.Equal(Success, Dnn.cudnnSetFilter4dDescriptor(narrow.W, BFloat16, Nhwc, 4, 3, 3, 3));
        Assert.Equal(Success, Dnn.cudnnSetTensor4dDescriptor(narrow.Y, Nhwc, BFloat16, 2, 4, 4, 4));
        float[] x = Halves(1, geometry.XLength), w = Halves(2, geometry.WLength), y = Halves(3, geometry.YLength);
        using DeviceFloats wideX = new(x), wideW = new(w), wideY = new(y), narrowX = new(Bfloat16.Pack(x)), narrowW = new(Bfloat16.Pack(w)),
            narrowY = new(Bfloat16.Pack(y));
        Same((on, a, b, to) => Forward(handle, on, a, b, to, beta: 2), wideX, wideW, narrowX, narrowW, y.Length);
        Same((on, a, b, to) => BackwardData(handle, on, a, b, to, beta: 0), wideW, wideY, narrowW, narrowY, x.Length);
        Same((on, a, b, to) => BackwardFilter(handle, on, a, b, to, beta: -1), wideX, wideY, narrowX, narrowY, w.Length);

        void Same(Pass pass, DeviceFloats a, DeviceFloats b, DeviceFloats narrowA, DeviceFloats narrowB, int length)
        {
            float[] old = Halves(4, length);
            using DeviceFloats expected = new(old), found = new(Bfloat16.Pack(old));
            Assert.Equal(Success, pass(wide, a.Address, b.Address, expected.Address));
            Assert.Equal(Success, pass(narrow, narrowA.Address, narrowB.Address, found.Address));
            Assert.Equal(Bfloat16.Pack([.. expected.Read().Select(Bfloat16.Round)]), found.Read());
        }

        static float[] Halves(int seed, int length) => [.. DeviceFloats.Random(seed, length).Select(Bfloat16.Round)];
    });

    private delegate int Pass(ConvolutionCase on, float* a, float* b, float* to);

    private static nint BiasDescriptor(int channels)
    {
        nint descriptor;
        Assert.Equal(Success, Dnn.cudnnCreateTensorDescriptor(&descriptor));
        Assert.Equal(Success, Dnn.cudnnSetTensor4dDescriptor(descriptor, Nhwc, Float32, 1, channels, 1, 1));
        return descriptor;
    }

    [Fact]
    public void A_bias_is_added_and_has_a_gradient() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        float[] bias = DeviceFloats.Random(1, 4), y = DeviceFloats.Random(2, Small.YLength), old = DeviceFloats.Random(3, 4);
        using DeviceFloats onBias = new(bias), onY = new(y), gradient = new(old);
        nint b = BiasDescriptor(4);
        float one = 1, two = 2, half = 0.5f;
        Assert.Equal(Success, Dnn.cudnnConvolutionBackwardBias(handle, &two, on.Y, onY.Address, &half, b, gradient.Address));
        float[] sums = gradient.Read();
        for (int k = 0; k < 4; k++)
        {
            double[] terms = [.. y.Where((_, i) => i % 4 == k).Select(v => 2.0 * v)];
            Compare.Near(terms.Sum() + 0.5 * old[k], terms.Sum(Math.Abs) + 1, sums[k], $"db[{k}]");
        }
        Assert.Equal(Success, Dnn.cudnnAddTensor(handle, &half, b, onBias.Address, &two, on.Y, onY.Address));
        Assert.Equal([.. y.Select((v, i) => (float)(0.5 * bias[i % 4] + 2.0 * v))], onY.Read());
        Refused(BadParam, "neither 1", Dnn.cudnnAddTensor(handle, &one, on.Y, onY.Address, &one, b, onBias.Address));
        Refused(BadParam, "(1, 4, 1, 1)", Dnn.cudnnConvolutionBackwardBias(handle, &one, on.Y, onY.Address, &one, on.Y, onY.Address));
        Refused(BadParam, "null", Dnn.cudnnAddTensor(handle, &one, b, null, &one, on.Y, onY.Address));
        Assert.Equal(Success, Dnn.cudnnDestroyTensorDescriptor(b));
    });

    [Fact]
    public void A_convolution_takes_bias_and_activation_with_it() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        float[] x = DeviceFloats.Random(1, Small.XLength), w = DeviceFloats.Random(2, Small.WLength), z = DeviceFloats.Random(3, Small.YLength);
        float[] bias = DeviceFloats.Random(4, 4);
        using DeviceFloats onX = new(x), onW = new(w), onZ = new(z), onBias = new(bias), y = new(Small.YLength), workspace = new(4096);
        nint made;
        Assert.Equal(Success, Dnn.cudnnCreateActivationDescriptor(&made));
        nint b = BiasDescriptor(4), activation = made;
        int Fused(int algorithm, float alpha2, float* from)
        {
            float one = 1;
            return Dnn.cudnnConvolutionBiasActivationForward(handle, &one, on.X, onX.Address, on.W, onW.Address, on.Convolution, algorithm, workspace.Address,
                workspace.Bytes, &alpha2, on.Y, from, b, onBias.Address, activation, on.Y, y.Address);
        }
        double[] expected = [.. Enumerable.Range(0, Small.YLength).Select(i => (double)bias[i % 4])];
        on.EachProduct((i, j, o) => expected[o] += (double)x[i] * w[j]);

        Refused(BadParam, "never set", Fused(0, 0, y.Address));
        Assert.Equal(Success, Dnn.cudnnSetActivationDescriptor(activation, Relu, 0, 0));
        Assert.Equal(Success, Fused(0, 0, y.Address));
        float[] plain = y.Read();
        Assert.Equal(Success, Fused(1, 0.5f, onZ.Address));
        float[] added = y.Read();
        Assert.Equal(Success, Dnn.cudnnSetActivationDescriptor(activation, Identity, 0, 0));
        Refused(NotSupported, "identity", Fused(0, 0, y.Address));
        Assert.Equal(Success, Fused(1, 1, y.Address)); // in place: what was there is added
        float[] inPlace = y.Read();
        for (int i = 0; i < expected.Length; i++)
        {
            Compare.Near(Math.Max(expected[i], 0), 10, plain[i], $"relu, y[{i}]");
            Compare.Near(Math.Max(expected[i] + 0.5 * z[i], 0), 10, added[i], $"relu with z, y[{i}]");
            Compare.Near(expected[i] + added[i], 10, inPlace[i], $"identity in place, y[{i}]");
        }
        Assert.Equal(Success, Dnn.cudnnSetActivationDescriptor(activation, Sigmoid, 0, 0));
        Refused(NotSupported, "activation mode", Fused(1, 0, y.Address));
        Assert.Equal(Success, Dnn.cudnnDestroyActivationDescriptor(activation));
        Assert.Equal(Success, Dnn.cudnnDestroyTensorDescriptor(b));
    });

    [Fact]
    public void What_is_not_destroyed_is_a_leak() => Session.Run(() =>
    {
        nint handle, descriptor;
        Assert.Equal(Success, Dnn.cudnnCreate(&handle));
        Assert.Equal(Success, Dnn.cudnnCreateFilterDescriptor(&descriptor));
        Assert.Contains(Session.Control.Leaks, leak => leak.StartsWith("cuDNN handle ", StringComparison.Ordinal));
        Assert.Contains(Session.Control.Leaks, leak => leak.StartsWith("cuDNN filter descriptor ", StringComparison.Ordinal));
        Assert.Equal(BadParam, Dnn.cudnnDestroyTensorDescriptor(descriptor));
        Assert.Equal(3, Session.Control.Leaks.Count); // with the context
        Assert.Equal(Success, Dnn.cudnnDestroyFilterDescriptor(descriptor));
        Assert.Equal(Success, Dnn.cudnnDestroy(handle));
    });

    [Fact]
    public void Calls_fail_on_demand() => Run(handle =>
    {
        using var on = new ConvolutionCase(Dnn, Small);
        nuint size;
        Session.Control.Fail("cudnnGetConvolutionForwardWorkspaceSize", 1, AllocFailed);
        Assert.Equal(AllocFailed, Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, on.X, on.W, on.Convolution, on.Y, 0, &size));
        Assert.Equal(Success, Dnn.cudnnGetConvolutionForwardWorkspaceSize(handle, on.X, on.W, on.Convolution, on.Y, 0, &size));
    });

    [Fact]
    public void Statuses_have_names_and_the_last_error_is_told_once() => Session.Run(() =>
    {
        Assert.Equal("CUDNN_STATUS_NOT_SUPPORTED", Dnn.cudnnGetErrorString(NotSupported));
        Assert.Equal("CUDNN_STATUS_EXECUTION_FAILED", Dnn.cudnnGetErrorString(ExecutionFailed));
        Assert.Equal(9u, Dnn.cudnnGetVersion() / 10000);
        Refused(BadParam, "cudnnCreate: CUDNN_STATUS_BAD_PARAM: handle is null", Dnn.cudnnCreate(null));
        Assert.Equal("", Dnn.cudnnGetLastErrorString());
        Assert.Equal(BadParam, Dnn.cudnnCreate(null));
        Assert.Equal("handle is null", Session.Control.Explanation);
    });
}
