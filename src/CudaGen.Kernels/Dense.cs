using System.Numerics;
using CudaGen.Kernels.Cpu;
using CudaGen.Kernels.Cuda;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// A fully connected layer. x (N, I), weights (O, I), y (N, O); trailing extents of x and y may have any shape.
/// <code>
/// forward            y = f(x w^T + b)
/// backward data      dx = dy w
/// backward weights   dw += dy^T x, or dw = dy^T x
/// </code>
/// dy is the gradient before the activation (<see cref="BiasActivation.Backward"/>). dx is overwritten, dw accumulated unless asked otherwise.
/// </summary>
public static unsafe class Dense
{
    /// <summary>
    /// Weights from which on, half a MiB, all passes on a CPU use the first half of the rows on one thread and the second half on another. A loop over
    /// the weights that does the same finds them in its caches.
    /// </summary>
    public const int MinSplitLength = 1 << 17;

    /// <summary>y = f(x w^T + bias). <paramref name="bias"/> has shape (O) or is null.</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void Forward(Device device, Tensor y, Tensor x, Tensor w, Tensor? bias, Activation activation)
    {
        (int n, int o, int i) = Check(device, x, w, y);
        if (bias is { } b)
            Shape.RequireLength(b, o);
        if (device.Kind == DeviceKind.Cuda)
        {
            ForwardProduct(n, o, i).Overwrite(device, y, x, w, bias, activation);
            return;
        }
        if (device.IsReference)
        {
            ReferenceForward<float>(y.Span, x.Span, w.Span, n, o, i);
            BiasActivation.Forward(device, y.Reshape(new(n, o)), bias, activation);
            return;
        }
        Gemm.Forward(device, n, o, i, (float*)x.Address, (float*)w.Address, (float*)y.Address, bias is null ? null : (float*)bias.Value.Address, activation);
    }

    /// <summary>dx = dy w</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void BackwardData(Device device, Tensor dx, Tensor dy, Tensor w)
    {
        (int n, int o, int i) = Check(device, dx, w, dy);
        if (device.Kind == DeviceKind.Cuda)
            DataProduct(n, o, i).Overwrite(device, dx, dy, w, null, Activation.Linear);
        else if (device.IsReference)
            ReferenceBackwardData<float>(dx.Span, dy.Span, w.Span, n, o, i);
        else
            Gemm.BackwardData(device, n, i, o, (float*)dy.Address, (float*)w.Address, (float*)dx.Address);
    }

    /// <summary>dw += dy^T x, or dw = dy^T x without <paramref name="add"/>, which spares zeroing a large matrix and reading it back.</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void BackwardWeights(Device device, Tensor dw, Tensor dy, Tensor x, bool add = true)
    {
        (int n, int o, int i) = Check(device, x, dw, dy);
        if (device.Kind == DeviceKind.Cuda)
        {
            if (add)
                WeightProduct(n, o, i).Accumulate(device, dw, dy, x);
            else
                WeightProduct(n, o, i).Overwrite(device, dw, dy, x, null, Activation.Linear);
        }
        else if (device.IsReference)
        {
            if (!add)
                dw.Span.Clear();
            ReferenceBackwardWeights<float>(dw.Span, dy.Span, x.Span, n, o, i);
        }
        else
            Gemm.BackwardWeights(device, o, i, n, (float*)dy.Address, (float*)x.Address, (float*)dw.Address, add);
    }

    private static DenseProduct ForwardProduct(int n, int o, int i) => new(n, o, i, TransposedA: false, TransposedB: true);

    private static DenseProduct DataProduct(int n, int o, int i) => new(n, i, o, TransposedA: false, TransposedB: false);

    private static DenseProduct WeightProduct(int n, int o, int i) => new(o, i, n, TransposedA: true, TransposedB: false);

    /// <summary>Floats of scratch memory that the three passes of a layer with this batch need on a device.</summary>
    public static int ScratchFloats(Device device, int n, Shape w)
    {
        ArgumentNullException.ThrowIfNull(device);
        (int o, int i) = (w[0], w[1]);
        int cpu = Math.Max(Gemm.ForwardScratch(o, i), Math.Max(Gemm.BackwardDataScratch(n, i, o), Gemm.BackwardWeightsScratch(o, i, n)));
        return Math.Max(Math.Max(cpu, ForwardProduct(n, o, i).ScratchFloats(device.Precision)),
            Math.Max(DataProduct(n, o, i).ScratchFloats(device.Precision), WeightProduct(n, o, i).ScratchFloats(device.Precision)));
    }

    private static (int N, int O, int I) Check(Device device, Tensor x, Tensor w, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (w.Shape.Rank != 2 || x.Shape.Rows != y.Shape.Rows || x.Shape.RowLength != w.Shape[1] || y.Shape.RowLength != w.Shape[0])
            throw new ShapeException($"Dense: x {x.Shape}, weights {w.Shape} and y {y.Shape} do not fit (N, I), (O, I), (N, O)");
        return (x.Shape.Rows, w.Shape[0], w.Shape[1]);
    }

    internal static void ReferenceForward<T>(Span<T> y, ReadOnlySpan<T> x, ReadOnlySpan<T> w, int n, int o, int i)
        where T : IFloatingPointIeee754<T>
    {
        for (int row = 0; row < n; row++)
        {
            for (int j = 0; j < o; j++)
            {
                T sum = T.Zero;
                for (int k = 0; k < i; k++)
                    sum += x[row * i + k] * w[j * i + k];
                y[row * o + j] = sum;
            }
        }
    }

    internal static void ReferenceBackwardData<T>(Span<T> dx, ReadOnlySpan<T> dy, ReadOnlySpan<T> w, int n, int o, int i)
        where T : IFloatingPointIeee754<T>
    {
        for (int row = 0; row < n; row++)
        {
            for (int k = 0; k < i; k++)
            {
                T sum = T.Zero;
                for (int j = 0; j < o; j++)
                    sum += dy[row * o + j] * w[j * i + k];
                dx[row * i + k] = sum;
            }
        }
    }

    internal static void ReferenceBackwardWeights<T>(Span<T> dw, ReadOnlySpan<T> dy, ReadOnlySpan<T> x, int n, int o, int i)
        where T : IFloatingPointIeee754<T>
    {
        for (int j = 0; j < o; j++)
        {
            for (int k = 0; k < i; k++)
            {
                T sum = T.Zero;
                for (int row = 0; row < n; row++)
                    sum += dy[row * o + j] * x[row * i + k];
                dw[j * i + k] += sum;
            }
        }
    }
}
