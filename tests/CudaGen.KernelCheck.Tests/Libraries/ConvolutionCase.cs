using static CudaGen.KernelCheck.Tests.Libraries.CuDnn;

namespace CudaGen.KernelCheck.Tests.Libraries;

/// <summary>x (N, C, H, W), w (K, C / groups, R, S), and how one is laid over the other.</summary>
public sealed record Geometry(int N, int C, int H, int W, int K, int R, int S)
{
    public int PadH { get; init; }
    public int PadW { get; init; }
    public int StrideH { get; init; } = 1;
    public int StrideW { get; init; } = 1;
    public int DilationH { get; init; } = 1;
    public int DilationW { get; init; } = 1;
    public int Groups { get; init; } = 1;

    /// <summary>Elements between one image and the next that belong to neither.</summary>
    public int Gap { get; init; }

    public bool Nchw { get; init; }

    /// <summary>A convolution in the mathematical sense, with the kernel turned round.</summary>
    public bool Turned { get; init; }

    public int P => (H + 2 * PadH - (R - 1) * DilationH - 1) / StrideH + 1;

    public int Q => (W + 2 * PadW - (S - 1) * DilationW - 1) / StrideW + 1;

    public int XStride => C * H * W + Gap;

    public int YStride => K * P * Q + Gap;

    public int XLength => (N - 1) * XStride + C * H * W;

    public int YLength => (N - 1) * YStride + K * P * Q;

    public int WLength => K * (C / Groups) * R * S;

    public int X(int n, int c, int h, int w) => n * XStride + (Nchw ? (c * H + h) * W + w : (h * W + w) * C + c);

    public int Y(int n, int k, int p, int q) => n * YStride + (Nchw ? (k * P + p) * Q + q : (p * Q + q) * K + k);

    public int Filter(int k, int c, int r, int s)
    {
        (r, s) = Turned ? (R - 1 - r, S - 1 - s) : (r, s);
        int channels = C / Groups;
        return Nchw ? ((k * channels + c) * R + r) * S + s : ((k * R + r) * S + s) * channels + c;
    }
}

/// <summary>The descriptors of a convolution, in float32 throughout unless a test says otherwise.</summary>
internal sealed unsafe class ConvolutionCase : IDisposable
{
    private readonly CuDnn _dnn;

    public ConvolutionCase(CuDnn dnn, Geometry geometry)
    {
        (_dnn, Geometry) = (dnn, geometry);
        nint x, w, y, convolution;
        Assert.Equal(Success, dnn.cudnnCreateTensorDescriptor(&x));
        Assert.Equal(Success, dnn.cudnnCreateFilterDescriptor(&w));
        Assert.Equal(Success, dnn.cudnnCreateTensorDescriptor(&y));
        Assert.Equal(Success, dnn.cudnnCreateConvolutionDescriptor(&convolution));
        (X, W, Y, Convolution) = (x, w, y, convolution);
        Geometry g = geometry;
        SetTensor(X, g.N, g.C, g.H, g.W);
        SetTensor(Y, g.N, g.K, g.P, g.Q);
        Assert.Equal(Success, dnn.cudnnSetFilter4dDescriptor(W, Float32, g.Nchw ? Nchw : Nhwc, g.K, g.C / g.Groups, g.R, g.S));
        Assert.Equal(Success, dnn.cudnnSetConvolution2dDescriptor(Convolution, g.PadH, g.PadW, g.StrideH, g.StrideW, g.DilationH, g.DilationW,
            g.Turned ? CuDnn.Convolution : CrossCorrelation, Float32));
        Assert.Equal(Success, dnn.cudnnSetConvolutionMathType(Convolution, FmaMath));
        Assert.Equal(Success, dnn.cudnnSetConvolutionGroupCount(Convolution, g.Groups));
    }

    public Geometry Geometry { get; }

    public nint X { get; }

    public nint W { get; }

    public nint Y { get; }

    public nint Convolution { get; }

    private void SetTensor(nint descriptor, int n, int c, int h, int w)
    {
        if (Geometry.Gap == 0)
            Assert.Equal(Success, _dnn.cudnnSetTensor4dDescriptor(descriptor, Geometry.Nchw ? Nchw : Nhwc, Float32, n, c, h, w));
        else if (Geometry.Nchw)
            Assert.Equal(Success, _dnn.cudnnSetTensor4dDescriptorEx(descriptor, Float32, n, c, h, w, c * h * w + Geometry.Gap, h * w, w, 1));
        else
            Assert.Equal(Success, _dnn.cudnnSetTensor4dDescriptorEx(descriptor, Float32, n, c, h, w, c * h * w + Geometry.Gap, 1, w * c, c));
    }

    /// <summary>All products of one number of x and one of w, with the number of y that they belong to.</summary>
    public void EachProduct(Action<int, int, int> visit)
    {
        Geometry g = Geometry;
        int channels = g.C / g.Groups, outputs = g.K / g.Groups;
        for (int n = 0; n < g.N; n++)
            for (int k = 0; k < g.K; k++)
                for (int p = 0; p < g.P; p++)
                    for (int q = 0; q < g.Q; q++)
                        for (int r = 0; r < g.R; r++)
                            for (int s = 0; s < g.S; s++)
                            {
                                int h = p * g.StrideH - g.PadH + r * g.DilationH, w = q * g.StrideW - g.PadW + s * g.DilationW;
                                if (h < 0 || h >= g.H || w < 0 || w >= g.W)
                                    continue;
                                for (int c = 0; c < channels; c++)
                                    visit(g.X(n, k / outputs * channels + c, h, w), g.Filter(k, c, r, s), g.Y(n, k, p, q));
                            }
    }

    public void Dispose()
    {
        _ = _dnn.cudnnDestroyTensorDescriptor(X);
        _ = _dnn.cudnnDestroyFilterDescriptor(W);
        _ = _dnn.cudnnDestroyTensorDescriptor(Y);
        _ = _dnn.cudnnDestroyConvolutionDescriptor(Convolution);
    }
}
