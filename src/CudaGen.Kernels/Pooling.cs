using System.Numerics;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// The geometry of a pooling: x (N, H, W, C), square windows of Size every Stride pixels without padding, y (N, P, Q, C)
/// with P = (H - Size) / Stride + 1. What is left over at the bottom and right belongs to no window.
/// </summary>
public sealed record PoolingShape
{
    /// <exception cref="ShapeException">x is no image, or smaller than a window.</exception>
    public PoolingShape(Shape x, int size, int stride)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(stride, 1);
        if (x.Rank != 4 || x[1] < size || x[2] < size)
            throw new ShapeException($"a pooling takes an image (N, H, W, C) of at least [1, {size}, {size}, 1], found {x}");
        (X, Size, Stride) = (x, size, stride);
        Y = new Shape(x[0], (x[1] - size) / stride + 1, (x[2] - size) / stride + 1, x[3]);
    }

    public Shape X { get; }

    public Shape Y { get; }

    public int Size { get; }

    public int Stride { get; }

    internal void Check(Device device, Tensor y, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.Require(x, X);
        Shape.Require(y, Y);
    }

    /// <summary>Launches a kernel over the elements of an output, with the geometry as its last arguments.</summary>
    internal void Launch(Device device, Kernel kernel, Tensor output, Tensor input)
        => device.LaunchOver(kernel, output.Length, output, input, output.Length, X[1], X[2], X[3], Y[1], Y[2], Size, Stride);

    /// <summary>The flat index of channel 0 of pixel (i, j) of the window of an output pixel, given by its number n P Q + p Q + q.</summary>
    internal int At(int pixel, int i, int j)
    {
        (int row, int q) = Math.DivRem(pixel, Y[2]);
        (int n, int p) = Math.DivRem(row, Y[1]);
        return ((n * X[1] + p * Stride + i) * X[2] + q * Stride + j) * X[3];
    }
}

/// <summary>
/// y = the largest element of each window and channel; the gradient goes to the first of equal ones, row by row. The
/// backward pass looks for it again in x; dx is overwritten.
/// </summary>
public static unsafe class MaxPool
{
    private static readonly Kernel ForwardKernel = new(KernelFiles.Pooling, "max_pool_forward");
    private static readonly Kernel BackwardKernel = new(KernelFiles.Pooling, "max_pool_backward");

    /// <exception cref="ShapeException">A tensor does not fit the geometry.</exception>
    public static void Forward(Device device, PoolingShape shape, Tensor y, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Check(device, y, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            shape.Launch(device, ForwardKernel, y, x);
            return;
        }
        if (device.IsReference)
        {
            ReferenceForward<float>(shape, y.Span, x.Span);
            return;
        }
        ForwardJob job = new(shape, (float*)y.Address, (float*)x.Address);
        Dispatch.Run(device, shape.Y[0] * shape.Y[1], ref job);
    }

    /// <exception cref="ShapeException">A tensor does not fit the geometry.</exception>
    public static void Backward(Device device, PoolingShape shape, Tensor dx, Tensor dy, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Check(device, dy, x);
        Shape.RequireEqual(dx, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(BackwardKernel, dx.Length, dx, dy, x, dx.Length, shape.X[1], shape.X[2], shape.X[3], shape.Y[1], shape.Y[2],
                shape.Size, shape.Stride);
            return;
        }
        if (device.IsReference)
        {
            ReferenceBackward<float>(shape, dx.Span, dy.Span, x.Span);
            return;
        }
        BackwardJob job = new(shape, (float*)dx.Address, (float*)dy.Address, (float*)x.Address);
        Dispatch.Run(device, shape.X[0], ref job);
    }

    internal static void ReferenceForward<T>(PoolingShape g, Span<T> y, ReadOnlySpan<T> x) where T : IFloatingPointIeee754<T>
    {
        for (int k = 0; k < y.Length; k++)
        {
            (int pixel, int c) = Math.DivRem(k, g.Y[3]);
            y[k] = x[g.At(pixel, 0, 0) + c];
            for (int i = 0; i < g.Size; i++)
            {
                for (int j = 0; j < g.Size; j++)
                    y[k] = T.Max(y[k], x[g.At(pixel, i, j) + c]);
            }
        }
    }

    internal static void ReferenceBackward<T>(PoolingShape g, Span<T> dx, ReadOnlySpan<T> dy, ReadOnlySpan<T> x) where T : IFloatingPointIeee754<T>
    {
        dx.Clear();
        for (int k = 0; k < dy.Length; k++)
        {
            (int pixel, int c) = Math.DivRem(k, g.Y[3]);
            int best = g.At(pixel, 0, 0) + c;
            for (int i = 0; i < g.Size; i++)
            {
                for (int j = 0; j < g.Size; j++)
                {
                    int at = g.At(pixel, i, j) + c;
                    if (x[at] > x[best])
                        best = at;
                }
            }
            dx[best] += dy[k];
        }
    }

    // A chunk is one row of output pixels.
    private readonly struct ForwardJob(PoolingShape g, float* y, float* x) : IChunk
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int channels = g.Y[3];
            for (int pixel = chunk * g.Y[2]; pixel < (chunk + 1) * g.Y[2]; pixel++)
            {
                float* to = y + (nint)pixel * channels;
                Pixels.Scale<TSimd, TVec>(to, x + g.At(pixel, 0, 0), 1, channels);
                for (int i = 0; i < g.Size; i++)
                {
                    for (int j = 0; j < g.Size; j++)
                        Pixels.Max<TSimd, TVec>(to, x + g.At(pixel, i, j), channels);
                }
            }
        }
    }

    // A chunk is one image: windows may overlap.
    private readonly struct BackwardJob(PoolingShape g, float* dx, float* dy, float* x) : IChunk
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int image = g.X.RowLength, pixels = g.Y[1] * g.Y[2], channels = g.Y[3];
            new Span<float>(dx + (nint)chunk * image, image).Clear();
            for (int pixel = chunk * pixels; pixel < (chunk + 1) * pixels; pixel++)
            {
                int first = g.At(pixel, 0, 0), row = g.X[2] * channels;
                for (int c = 0; c < channels; c++)
                {
                    int best = first + c;
                    for (int i = 0; i < g.Size; i++)
                    {
                        for (int j = 0; j < g.Size; j++)
                        {
                            int at = first + i * row + j * channels + c;
                            best = x[at] > x[best] ? at : best;
                        }
                    }
                    dx[best] += dy[(nint)pixel * channels + c];
                }
            }
        }
    }
}

/// <summary>y = the mean of each window and channel. dx is overwritten.</summary>
public static unsafe class AveragePool
{
    private static readonly Kernel ForwardKernel = new(KernelFiles.Pooling, "average_pool_forward");
    private static readonly Kernel BackwardKernel = new(KernelFiles.Pooling, "average_pool_backward");

    /// <exception cref="ShapeException">A tensor does not fit the geometry.</exception>
    public static void Forward(Device device, PoolingShape shape, Tensor y, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Check(device, y, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            shape.Launch(device, ForwardKernel, y, x);
            return;
        }
        if (device.IsReference)
        {
            ReferenceForward<float>(shape, y.Span, x.Span);
            return;
        }
        ForwardJob job = new(shape, (float*)y.Address, (float*)x.Address);
        Dispatch.Run(device, shape.Y[0] * shape.Y[1], ref job);
    }

    /// <exception cref="ShapeException">A tensor does not fit the geometry.</exception>
    public static void Backward(Device device, PoolingShape shape, Tensor dx, Tensor dy)
    {
        ArgumentNullException.ThrowIfNull(shape);
        shape.Check(device, dy, dx);
        if (device.Kind == DeviceKind.Cuda)
        {
            shape.Launch(device, BackwardKernel, dx, dy);
            return;
        }
        if (device.IsReference)
        {
            ReferenceBackward<float>(shape, dx.Span, dy.Span);
            return;
        }
        BackwardJob job = new(shape, (float*)dx.Address, (float*)dy.Address);
        Dispatch.Run(device, shape.X[0], ref job);
    }

    internal static void ReferenceForward<T>(PoolingShape g, Span<T> y, ReadOnlySpan<T> x) where T : IFloatingPointIeee754<T>
    {
        T count = T.CreateChecked(g.Size * g.Size);
        for (int k = 0; k < y.Length; k++)
        {
            (int pixel, int c) = Math.DivRem(k, g.Y[3]);
            T sum = T.Zero;
            for (int i = 0; i < g.Size; i++)
            {
                for (int j = 0; j < g.Size; j++)
                    sum += x[g.At(pixel, i, j) + c];
            }
            y[k] = sum / count;
        }
    }

    internal static void ReferenceBackward<T>(PoolingShape g, Span<T> dx, ReadOnlySpan<T> dy) where T : IFloatingPointIeee754<T>
    {
        T count = T.CreateChecked(g.Size * g.Size);
        dx.Clear();
        for (int k = 0; k < dy.Length; k++)
        {
            (int pixel, int c) = Math.DivRem(k, g.Y[3]);
            for (int i = 0; i < g.Size; i++)
            {
                for (int j = 0; j < g.Size; j++)
                    dx[g.At(pixel, i, j) + c] += dy[k] / count;
            }
        }
    }

    private readonly struct ForwardJob(PoolingShape g, float* y, float* x) : IChunk
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int channels = g.Y[3];
            float share = 1f / (g.Size * g.Size);
            for (int pixel = chunk * g.Y[2]; pixel < (chunk + 1) * g.Y[2]; pixel++)
            {
                float* to = y + (nint)pixel * channels;
                new Span<float>(to, channels).Clear();
                for (int i = 0; i < g.Size; i++)
                {
                    for (int j = 0; j < g.Size; j++)
                        Pixels.Add<TSimd, TVec>(to, x + g.At(pixel, i, j), share, channels);
                }
            }
        }
    }

    // A chunk is one image: windows may overlap.
    private readonly struct BackwardJob(PoolingShape g, float* dx, float* dy) : IChunk
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int image = g.X.RowLength, pixels = g.Y[1] * g.Y[2], channels = g.Y[3];
            float share = 1f / (g.Size * g.Size);
            new Span<float>(dx + (nint)chunk * image, image).Clear();
            for (int pixel = chunk * pixels; pixel < (chunk + 1) * pixels; pixel++)
            {
                for (int i = 0; i < g.Size; i++)
                {
                    for (int j = 0; j < g.Size; j++)
                        Pixels.Add<TSimd, TVec>(dx + g.At(pixel, i, j), dy + (nint)pixel * channels, share, channels);
                }
            }
        }
    }
}
