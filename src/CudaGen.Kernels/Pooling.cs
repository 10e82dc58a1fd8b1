using System.Numerics;
using System.Runtime.CompilerServices;
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

    /// <summary>Rows of output pixels, of all images.</summary>
    internal int Rows => Y[0] * Y[1];

    /// <summary>Runs a job for each of them, some rows to a chunk of work.</summary>
    internal void Run<TRow>(Device device, TRow job) where TRow : struct, IPoolingRow
    {
        int perChunk = Math.Max(1, ElementWise.ChunkLength / Math.Max(1, Stride * X[2] * X[3]));
        RowsJob<TRow> rows = new(Rows, perChunk, job);
        Dispatch.Run(device, (int)(((long)Rows + perChunk - 1) / perChunk), ref rows);
    }

    private readonly struct RowsJob<TRow>(int rows, int perChunk, TRow job) : IChunk where TRow : struct, IPoolingRow
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            for (int r = chunk * perChunk; r < Math.Min(rows, (chunk + 1) * perChunk); r++)
                job.Row<TSimd, TVec>(r);
        }
    }

    /// <summary>
    /// Zeroes the rows of x from those of output row r to those of the next, where windows that share no pixel leave some out.
    /// </summary>
    internal unsafe void ClearGaps(float* from, int r)
    {
        int p = r % Y[1], rows = p == Y[1] - 1 ? X[1] - p * Stride : Stride;
        if (rows > Size || Stride > Size || Y[2] * Size < X[2])
            new Span<float>(from, rows * X[2] * X[3]).Clear();
    }

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

/// <summary>What happens to a row of output pixels.</summary>
internal interface IPoolingRow
{
    void Row<TSimd, TVec>(int r)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;
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
        shape.Run(device, job);
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
        if (shape.Stride >= shape.Size)
        {
            BackwardJob job = new(shape, (float*)dx.Address, (float*)dy.Address, (float*)x.Address);
            shape.Run(device, job);
        }
        else
        {
            OverlappingBackwardJob job = new(shape, (float*)dx.Address, (float*)dy.Address, (float*)x.Address);
            Dispatch.Run(device, shape.X[0], ref job);
        }
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

    private readonly struct ForwardJob(PoolingShape g, float* y, float* x) : IPoolingRow
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Row<TSimd, TVec>(int r)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int channels, int columns, int size) = (g.Y[3], g.Y[2], g.Size);
            int row = g.X[2] * channels, step = g.Stride * channels;
            float* window = x + g.At(r * columns, 0, 0), to = y + (nint)r * columns * channels;
            for (int q = 0; q < columns; q++, window += step, to += channels)
            {
                int c = 0;
                for (; c <= channels - TSimd.Width; c += TSimd.Width)
                {
                    TVec best = TSimd.Load(window + c);
                    for (int i = 0; i < size; i++)
                    {
                        float* from = window + i * row + c;
                        for (int j = 0; j < size; j++)
                        {
                            TVec v = TSimd.Load(from + j * channels), larger = TSimd.Select(TSimd.Greater(v, best), v, best);
                            // NaN where there is one.
                            best = TSimd.Select(TSimd.AreEqual(v, v), larger, v);
                        }
                    }
                    TSimd.Store(to + c, best);
                }
                for (; c < channels; c++)
                {
                    to[c] = window[c];
                    for (int i = 0; i < size; i++)
                    {
                        for (int j = 0; j < size; j++)
                            to[c] = Math.Max(to[c], window[i * row + j * channels + c]);
                    }
                }
            }
        }
    }

    // Windows that share no pixel: a row of them, with what lies between them and the next row.
    private readonly struct BackwardJob(PoolingShape g, float* dx, float* dy, float* x) : IPoolingRow
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Row<TSimd, TVec>(int r)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int channels, int columns, int size) = (g.Y[3], g.Y[2], g.Size);
            int row = g.X[2] * channels, step = g.Stride * channels, first = g.At(r * columns, 0, 0);
            float* window = x + first, target = dx + first, from = dy + (nint)r * columns * channels;
            g.ClearGaps(target, r);
            for (int q = 0; q < columns; q++, window += step, target += step, from += channels)
            {
                int c = 0;
                for (; c <= channels - TSimd.Width; c += TSimd.Width)
                {
                    // The number of the largest, then the gradient there and zero elsewhere.
                    TVec best = TSimd.Load(window + c), which = TSimd.Set(0), gradient = TSimd.Load(from + c);
                    for (int i = 0, k = 0; i < size; i++)
                    {
                        float* at = window + i * row + c;
                        for (int j = 0; j < size; j++, k++)
                        {
                            TVec v = TSimd.Load(at + j * channels), larger = TSimd.Greater(v, best);
                            (best, which) = (TSimd.Select(larger, v, best), TSimd.Select(larger, TSimd.Set(k), which));
                        }
                    }
                    for (int i = 0, k = 0; i < size; i++)
                    {
                        float* at = target + i * row + c;
                        for (int j = 0; j < size; j++, k++)
                            TSimd.Store(at + j * channels, TSimd.And(TSimd.AreEqual(which, TSimd.Set(k)), gradient));
                    }
                }
                for (; c < channels; c++)
                {
                    int best = c;
                    for (int k = 0; k < size * size; k++)
                    {
                        int at = k / size * row + k % size * channels + c;
                        best = window[at] > window[best] ? at : best;
                        target[at] = 0;
                    }
                    target[best] = from[c];
                }
            }
        }
    }

    // Windows that overlap: a chunk is one image.
    private readonly struct OverlappingBackwardJob(PoolingShape g, float* dx, float* dy, float* x) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
        shape.Run(device, job);
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
        if (shape.Stride >= shape.Size)
        {
            BackwardJob job = new(shape, (float*)dx.Address, (float*)dy.Address);
            shape.Run(device, job);
        }
        else
        {
            OverlappingBackwardJob job = new(shape, (float*)dx.Address, (float*)dy.Address);
            Dispatch.Run(device, shape.X[0], ref job);
        }
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

    private readonly struct ForwardJob(PoolingShape g, float* y, float* x) : IPoolingRow
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Row<TSimd, TVec>(int r)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int channels, int columns, int size) = (g.Y[3], g.Y[2], g.Size);
            int row = g.X[2] * channels, step = g.Stride * channels;
            float share = 1f / (size * size);
            float* window = x + g.At(r * columns, 0, 0), to = y + (nint)r * columns * channels;
            for (int q = 0; q < columns; q++, window += step, to += channels)
            {
                int c = 0;
                for (; c <= channels - TSimd.Width; c += TSimd.Width)
                {
                    TVec sum = TSimd.Set(0);
                    for (int i = 0; i < size; i++)
                    {
                        float* from = window + i * row + c;
                        for (int j = 0; j < size; j++)
                            sum = TSimd.Add(sum, TSimd.Load(from + j * channels));
                    }
                    TSimd.Store(to + c, TSimd.Mul(sum, TSimd.Set(share)));
                }
                for (; c < channels; c++)
                {
                    float sum = 0;
                    for (int i = 0; i < size; i++)
                    {
                        for (int j = 0; j < size; j++)
                            sum += window[i * row + j * channels + c];
                    }
                    to[c] = sum * share;
                }
            }
        }
    }

    // Windows that share no pixel: a row of them, with what lies between them and the next row.
    private readonly struct BackwardJob(PoolingShape g, float* dx, float* dy) : IPoolingRow
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Row<TSimd, TVec>(int r)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int channels, int columns, int size) = (g.Y[3], g.Y[2], g.Size);
            int row = g.X[2] * channels, step = g.Stride * channels;
            float share = 1f / (size * size);
            float* target = dx + g.At(r * columns, 0, 0), from = dy + (nint)r * columns * channels;
            g.ClearGaps(target, r);
            for (int q = 0; q < columns; q++, target += step, from += channels)
            {
                for (int i = 0; i < size; i++)
                {
                    for (int j = 0; j < size; j++)
                        Pixels.Scale<TSimd, TVec>(target + i * row + j * channels, from, share, channels);
                }
            }
        }
    }

    // Windows that overlap: a chunk is one image.
    private readonly struct OverlappingBackwardJob(PoolingShape g, float* dx, float* dy) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
