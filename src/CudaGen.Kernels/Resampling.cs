using System.Numerics;
using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Every pixel becomes a square of scale x scale equal ones: x (N, H, W, C), y (N, H scale, W scale, C). dx is overwritten.
/// </summary>
public static unsafe class NearestUpsample
{
    private static readonly Kernel ForwardKernel = new(KernelFiles.Resampling, "nearest_upsample_forward");
    private static readonly Kernel BackwardKernel = new(KernelFiles.Resampling, "nearest_upsample_backward");

    /// <exception cref="ShapeException">y is not x times the scale.</exception>
    public static void Forward(Device device, Tensor y, Tensor x, int scale)
    {
        Check(device, y, x, scale);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(ForwardKernel, y.Length, y, x, y.Length, x.Shape[2], x.Shape[3], scale);
            return;
        }
        if (device.IsReference)
        {
            ReferenceForward<float>(y.Span, x.Span, x.Shape, scale);
            return;
        }
        ForwardJob job = new((float*)y.Address, (float*)x.Address, x.Shape, scale);
        Dispatch.Run(device, x.Shape[0] * x.Shape[1], ref job);
    }

    /// <exception cref="ShapeException">dy is not dx times the scale.</exception>
    public static void Backward(Device device, Tensor dx, Tensor dy, int scale)
    {
        Check(device, dy, dx, scale);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(BackwardKernel, dx.Length, dx, dy, dx.Length, dx.Shape[2], dx.Shape[3], scale);
            return;
        }
        if (device.IsReference)
        {
            ReferenceBackward<float>(dx.Span, dy.Span, dx.Shape, scale);
            return;
        }
        BackwardJob job = new((float*)dx.Address, (float*)dy.Address, dx.Shape, scale);
        Dispatch.Run(device, dx.Shape[0] * dx.Shape[1], ref job);
    }

    private static void Check(Device device, Tensor y, Tensor x, int scale)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfLessThan(scale, 1);
        if (x.Shape.Rank != 4 || y.Shape != new Shape(x.Shape[0], x.Shape[1] * scale, x.Shape[2] * scale, x.Shape[3]))
            throw new ShapeException($"NearestUpsample: {y.Shape} is not {x.Shape} as images (N, H, W, C), {scale} times as high and wide");
    }

    internal static void ReferenceForward<T>(Span<T> y, ReadOnlySpan<T> x, Shape shape, int scale) where T : IFloatingPointIeee754<T>
    {
        for (int k = 0; k < y.Length; k++)
            y[k] = x[Source(k, shape, scale)];
    }

    internal static void ReferenceBackward<T>(Span<T> dx, ReadOnlySpan<T> dy, Shape shape, int scale) where T : IFloatingPointIeee754<T>
    {
        dx.Clear();
        for (int k = 0; k < dy.Length; k++)
            dx[Source(k, shape, scale)] += dy[k];
    }

    // The element of x that element k of y comes from. Rows of all images together: N H scale is N times H scale.
    private static int Source(int k, Shape shape, int scale)
    {
        (int pixel, int c) = Math.DivRem(k, shape[3]);
        (int row, int column) = Math.DivRem(pixel, shape[2] * scale);
        return (row / scale * shape[2] + column / scale) * shape[3] + c;
    }

    // A chunk is a row of pixels of x.
    private readonly struct ForwardJob(float* y, float* x, Shape shape, int scale) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int channels = shape[3], row = shape[2] * channels;
            float* to = y + (nint)chunk * scale * scale * row;
            for (int column = 0; column < shape[2] * scale; column++)
                Pixels.Scale<TSimd, TVec>(to + column * channels, x + (nint)chunk * row + column / scale * channels, 1, channels);
            for (int i = 1; i < scale; i++)
                new ReadOnlySpan<float>(to, row * scale).CopyTo(new Span<float>(to + (nint)i * row * scale, row * scale));
        }
    }

    private readonly struct BackwardJob(float* dx, float* dy, Shape shape, int scale) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int channels = shape[3], row = shape[2] * channels;
            float* to = dx + (nint)chunk * row;
            for (int column = 0; column < shape[2]; column++, to += channels)
            {
                float* from = dy + (nint)chunk * scale * scale * row + column * scale * channels;
                for (int i = 0; i < scale; i++, from += row * scale)
                {
                    for (int j = 0; j < scale; j++)
                    {
                        if (i == 0 && j == 0)
                            Pixels.Scale<TSimd, TVec>(to, from, 1, channels);
                        else
                            Pixels.Add<TSimd, TVec>(to, from + j * channels, 1, channels);
                    }
                }
            }
        }
    }
}

/// <summary>
/// TensorFlow 1's resize_bilinear without aligned corners: row i of y lies at i H / P in x, between the rows lower =
/// floor and upper = min(lower + 1, H - 1), and columns likewise. x (N, H, W, C), y (N, P, Q, C), any P and Q. dx is
/// overwritten. Positions are fractions of whole numbers, so that no rounding moves a floor.
/// </summary>
public static unsafe class BilinearResize
{
    private static readonly Kernel ForwardKernel = new(KernelFiles.Resampling, "bilinear_resize_forward");
    private static readonly Kernel BackwardKernel = new(KernelFiles.Resampling, "bilinear_resize_backward");

    /// <exception cref="ShapeException">x and y differ in batch or channels, or are no images.</exception>
    public static void Forward(Device device, Tensor y, Tensor x)
    {
        Check(device, y, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            Launch(device, ForwardKernel, y, x, x.Shape, y.Shape);
            return;
        }
        if (device.IsReference)
        {
            ReferenceForward<float>(y.Span, y.Shape, x.Span, x.Shape);
            return;
        }
        ForwardJob job = new((float*)y.Address, y.Shape, (float*)x.Address, x.Shape);
        Dispatch.Run(device, y.Shape[0] * y.Shape[1], ref job);
    }

    /// <exception cref="ShapeException">dx and dy differ in batch or channels, or are no images.</exception>
    public static void Backward(Device device, Tensor dx, Tensor dy)
    {
        Check(device, dy, dx);
        if (device.Kind == DeviceKind.Cuda)
        {
            Launch(device, BackwardKernel, dx, dy, dx.Shape, dy.Shape);
            return;
        }
        if (device.IsReference)
        {
            ReferenceBackward<float>(dx.Span, dx.Shape, dy.Span, dy.Shape);
            return;
        }
        BackwardJob job = new((float*)dx.Address, dx.Shape, (float*)dy.Address, dy.Shape);
        Dispatch.Run(device, dx.Shape[0], ref job);
    }

    private static void Check(Device device, Tensor y, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (x.Shape.Rank != 4 || y.Shape.Rank != 4 || x.Shape[0] != y.Shape[0] || x.Shape[3] != y.Shape[3] || x.Shape.Length == 0)
            throw new ShapeException($"BilinearResize: {x.Shape} and {y.Shape} do not fit (N, H, W, C), (N, P, Q, C)");
    }

    // The arguments are the same both ways: what is written, what is read, the sizes of x and of y.
    private static void Launch(Device device, Kernel kernel, Tensor output, Tensor input, Shape x, Shape y)
        => device.LaunchOver(kernel, output.Length, output, input, output.Length, x[1], x[2], x[3], y[1], y[2]);

    /// <summary>Where output i of <paramref name="outputs"/> lies among the inputs, and how far it is from the lower one.</summary>
    private static (int Lower, int Upper, T Fraction) Place<T>(int i, int inputs, int outputs) where T : IFloatingPointIeee754<T>
    {
        (long lower, long rest) = Math.DivRem((long)i * inputs, outputs);
        return ((int)lower, (int)Math.Min(lower + 1, inputs - 1), T.CreateChecked(rest) / T.CreateChecked(outputs));
    }

    internal static void ReferenceForward<T>(Span<T> y, Shape ys, ReadOnlySpan<T> x, Shape xs) where T : IFloatingPointIeee754<T>
    {
        for (int k = 0; k < y.Length; k++)
        {
            y[k] = T.Zero;
            foreach ((int from, T weight) in Corners<T>(k, ys, xs))
                y[k] += weight * x[from];
        }
    }

    internal static void ReferenceBackward<T>(Span<T> dx, Shape xs, ReadOnlySpan<T> dy, Shape ys) where T : IFloatingPointIeee754<T>
    {
        dx.Clear();
        for (int k = 0; k < dy.Length; k++)
        {
            foreach ((int from, T weight) in Corners<T>(k, ys, xs))
                dx[from] += weight * dy[k];
        }
    }

    // The four elements of x that element k of y is mixed from.
    private static (int From, T Weight)[] Corners<T>(int k, Shape ys, Shape xs) where T : IFloatingPointIeee754<T>
    {
        (int pixel, int c) = Math.DivRem(k, ys[3]);
        (int row, int q) = Math.DivRem(pixel, ys[2]);
        (int n, int p) = Math.DivRem(row, ys[1]);
        (int top, int bottom, T v) = Place<T>(p, xs[1], ys[1]);
        (int left, int right, T h) = Place<T>(q, xs[2], ys[2]);
        int At(int i, int j) => ((n * xs[1] + i) * xs[2] + j) * xs[3] + c;
        return
        [
            (At(top, left), (T.One - v) * (T.One - h)), (At(top, right), (T.One - v) * h),
            (At(bottom, left), v * (T.One - h)), (At(bottom, right), v * h),
        ];
    }

    // A chunk is a row of pixels of y.
    private readonly struct ForwardJob(float* y, Shape ys, float* x, Shape xs) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int channels = xs[3], row = xs[2] * channels;
            (int n, int p) = Math.DivRem(chunk, ys[1]);
            (int top, int bottom, float v) = Place<float>(p, xs[1], ys[1]);
            float* upper = x + ((nint)n * xs[1] + top) * row, lower = x + ((nint)n * xs[1] + bottom) * row;
            float* to = y + (nint)chunk * ys[2] * channels;
            Walk walk = new(xs[2], ys[2]);
            for (int q = 0; q < ys[2]; q++, to += channels, walk.Next())
            {
                (int left, int right, float h) = (walk.Lower * channels, walk.Upper * channels, walk.Fraction);
                if (v == 0)
                    Pixels.Mix<TSimd, TVec>(to, upper + left, 1 - h, upper + right, h, channels);
                else if (h == 0)
                    Pixels.Mix<TSimd, TVec>(to, upper + left, 1 - v, lower + left, v, channels);
                else
                    Pixels.Mix<TSimd, TVec>(to, upper + left, upper + right, lower + left, lower + right, 1 - v, v, h, channels);
            }
        }
    }

    /// <summary>The places of the outputs of a row, one after the other, without a division each.</summary>
    private struct Walk(int inputs, int outputs)
    {
        private readonly float _share = 1f / outputs;
        private int _rest;

        public int Lower { get; private set; }

        public readonly int Upper => Math.Min(Lower + 1, inputs - 1);

        public readonly float Fraction => _rest * _share;

        public void Next()
        {
            for (_rest += inputs; _rest >= outputs; _rest -= outputs)
                Lower++;
        }
    }

    // A chunk is an image: neighbouring rows of dy share rows of dx.
    private readonly struct BackwardJob(float* dx, Shape xs, float* dy, Shape ys) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int channels = xs[3], row = xs[2] * channels;
            float* image = dx + (nint)chunk * xs.RowLength;
            float* from = dy + (nint)chunk * ys.RowLength;
            new Span<float>(image, xs.RowLength).Clear();
            for (int p = 0; p < ys[1]; p++)
            {
                (int top, int bottom, float v) = Place<float>(p, xs[1], ys[1]);
                float* upper = image + (nint)top * row, lower = image + (nint)bottom * row;
                Walk walk = new(xs[2], ys[2]);
                for (int q = 0; q < ys[2]; q++, from += channels, walk.Next())
                {
                    (int left, int right, float h) = (walk.Lower * channels, walk.Upper * channels, walk.Fraction);
                    Pixels.Add<TSimd, TVec>(upper + left, from, (1 - v) * (1 - h), channels);
                    if (h != 0)
                        Pixels.Add<TSimd, TVec>(upper + right, from, (1 - v) * h, channels);
                    if (v == 0)
                        continue;
                    Pixels.Add<TSimd, TVec>(lower + left, from, v * (1 - h), channels);
                    if (h != 0)
                        Pixels.Add<TSimd, TVec>(lower + right, from, v * h, channels);
                }
            }
        }
    }
}
