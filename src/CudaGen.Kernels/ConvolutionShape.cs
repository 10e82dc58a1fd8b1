using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>Rows and columns of zeros around an image, each side its own: TensorFlow's SAME is (1, 2) as often as (2, 2).</summary>
public readonly record struct Padding(int Top, int Bottom, int Left, int Right)
{
    public static Padding None => default;

    /// <summary>
    /// TensorFlow's SAME for one extent: out = ceil(n / stride), total = max((out - 1) stride + kernel - n, 0), the
    /// smaller half before and the larger after.
    /// </summary>
    public static (int Before, int After) Same(int n, int kernel, int stride)
    {
        int outputs = (n + stride - 1) / stride;
        int total = Math.Max((outputs - 1) * stride + kernel - n, 0);
        return (total / 2, total - total / 2);
    }

    public override string ToString() => $"(top {Top}, bottom {Bottom}, left {Left}, right {Right})";
}

/// <summary>
/// The geometry of a convolution: x (N, H, W, C), weights (K, R, S, C), y (N, P, Q, K) with
/// y[n,p,q,k] = sum over r,s,c of x[n, p*stride - top + r, q*stride - left + s, c] * w[k,r,s,c]; outside of x is 0.
/// A transposed convolution is the backward-data pass of this: it reads y and writes x.
/// </summary>
public sealed record ConvolutionShape
{
    /// <param name="x">(N, H, W, C)</param>
    /// <param name="w">(K, R, S, C)</param>
    /// <param name="stride">At least 1.</param>
    /// <param name="padding">Zeros on each side, not negative.</param>
    /// <exception cref="ShapeException">The ranks or channels do not fit, or the kernel is larger than the padded image.</exception>
    public ConvolutionShape(Shape x, Shape w, int stride, Padding padding)
    {
        if (x.Rank != 4 || w.Rank != 4)
            throw new ShapeException($"a convolution takes an image (N, H, W, C) and weights (K, R, S, C), found {x} and {w}");
        if (x[3] != w[3])
            throw new ShapeException($"the image {x} has {x[3]} channels, the weights {w} have {w[3]}");
        ArgumentOutOfRangeException.ThrowIfLessThan(stride, 1);
        if (padding.Top < 0 || padding.Bottom < 0 || padding.Left < 0 || padding.Right < 0)
            throw new ShapeException($"padding {padding} is negative");
        (X, W, Stride, Padding) = (x, w, stride, padding);
        int height = x[1] + padding.Top + padding.Bottom - w[1], width = x[2] + padding.Left + padding.Right - w[2];
        if (w.Length == 0 || height < 0 || width < 0)
            throw new ShapeException($"the kernel {w} does not fit the image {x} with padding {padding}");
        Y = new Shape(x[0], height / stride + 1, width / stride + 1, w[0]);
    }

    public Shape X { get; }

    public Shape W { get; }

    public Shape Y { get; }

    public int Stride { get; }

    public Padding Padding { get; }

    /// <summary>A convolution with TensorFlow's SAME padding: P = ceil(H / stride), Q = ceil(W / stride).</summary>
    public static ConvolutionShape Same(Shape x, Shape w, int stride)
    {
        if (x.Rank != 4 || w.Rank != 4)
            throw new ShapeException($"a convolution takes an image (N, H, W, C) and weights (K, R, S, C), found {x} and {w}");
        (int top, int bottom) = Padding.Same(x[1], w[1], stride);
        (int left, int right) = Padding.Same(x[2], w[2], stride);
        return new(x, w, stride, new(top, bottom, left, right));
    }

    /// <summary>
    /// The convolution whose backward-data pass is a transposed convolution with SAME padding from
    /// <paramref name="input"/> (N, P, Q, K) to (N, P*stride, Q*stride, C), with weights (K, R, S, C).
    /// </summary>
    public static ConvolutionShape SameTransposed(Shape input, Shape w, int stride)
    {
        if (input.Rank != 4 || w.Rank != 4 || input[3] != w[0])
            throw new ShapeException($"a transposed convolution takes (N, P, Q, K) and weights (K, R, S, C), found {input} and {w}");
        return Same(new Shape(input[0], input[1] * stride, input[2] * stride, w[3]), w, stride);
    }

    /// <summary>Such as <c>64x28x28x1 * 32x5x5/2</c>: the image, and filters, their size and the stride.</summary>
    public override string ToString() => $"{X[0]}x{X[1]}x{X[2]}x{X[3]} * {W[0]}x{W[1]}x{W[2]}/{Stride}";

    /// <summary>Multiply-adds of one pass times two, counting taps on the padding.</summary>
    public long Flops => 2L * Y.Length * W[1] * W[2] * W[3];
}
