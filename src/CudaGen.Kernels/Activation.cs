using System.Numerics;
using CudaGen.Kernels.Cpu;
using CudaGen.Kernels.Cuda;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>The element-wise function after a layer.</summary>
public enum ActivationKind
{
    /// <summary>y = x</summary>
    Linear,

    /// <summary>y = max(x, 0)</summary>
    Relu,

    /// <summary>y = x for x &gt; 0, else slope * x (Maas et al. 2013)</summary>
    LeakyRelu,

    /// <summary>y = x for x &gt; 0, else exp(x) - 1 (Clevert et al. 2016, alpha 1)</summary>
    Elu,

    /// <summary>y = tanh(x)</summary>
    Tanh,

    /// <summary>y = 1 / (1 + exp(-x))</summary>
    Sigmoid,
}

/// <summary>An activation with its parameter. Every backward pass needs only y, so x may be overwritten.</summary>
/// <param name="Kind">Which function.</param>
/// <param name="Slope">Slope of the leaky ReLU for x &lt;= 0, greater than 0; unused by the others.</param>
public readonly record struct Activation(ActivationKind Kind, float Slope = 0)
{
    public static Activation Linear => new(ActivationKind.Linear);

    public static Activation Relu => new(ActivationKind.Relu);

    public static Activation Elu => new(ActivationKind.Elu);

    public static Activation Tanh => new(ActivationKind.Tanh);

    public static Activation Sigmoid => new(ActivationKind.Sigmoid);

    /// <exception cref="ArgumentOutOfRangeException">The slope is not positive: y would not tell the sign of x.</exception>
    public static Activation LeakyRelu(float slope)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slope);
        return new(ActivationKind.LeakyRelu, slope);
    }

    public override string ToString() => Kind switch
    {
        ActivationKind.LeakyRelu => $"leaky ReLU {Slope}",
        ActivationKind.Relu => "ReLU",
        ActivationKind.Elu => "ELU",
        _ => Kind.ToString().ToLowerInvariant(),
    };

    /// <summary>f(x).</summary>
    public T Apply<T>(T x) where T : IFloatingPointIeee754<T> => Kind switch
    {
        ActivationKind.Relu => x <= T.Zero ? T.Zero : x,
        ActivationKind.LeakyRelu => x > T.Zero ? x : T.CreateChecked(Slope) * x,
        // e^x - 1 = tanh(x/2) (e^x + 1) does not cancel near 0; T.ExpM1 does.
        ActivationKind.Elu => x > T.Zero ? x : T.Tanh(x / T.CreateChecked(2)) * (T.Exp(x) + T.One),
        ActivationKind.Tanh => T.Tanh(x),
        ActivationKind.Sigmoid => T.One / (T.One + T.Exp(-x)),
        _ => x,
    };

    /// <summary>f'(x) from y = f(x).</summary>
    public T Derivative<T>(T y) where T : IFloatingPointIeee754<T> => Kind switch
    {
        ActivationKind.Relu => y > T.Zero ? T.One : T.Zero,
        ActivationKind.LeakyRelu => y > T.Zero ? T.One : T.CreateChecked(Slope),
        ActivationKind.Elu => y > T.Zero ? T.One : y + T.One,
        ActivationKind.Tanh => T.One - y * y,
        ActivationKind.Sigmoid => y * (T.One - y),
        _ => T.One,
    };

    /// <summary>f''(x) / f'(x) from y = f(x), without the kinks; 0 where f' is.</summary>
    public T Curvature<T>(T y) where T : IFloatingPointIeee754<T> => Kind switch
    {
        ActivationKind.Elu => y > T.Zero ? T.Zero : T.One,
        ActivationKind.Tanh => -(y + y),
        ActivationKind.Sigmoid => T.One - (y + y),
        _ => T.Zero,
    };
}

/// <summary>
/// Equal parts of a batch. The gradient of a bias is the sum over the first <paramref name="Summed"/> of <paramref name="Count"/>, each summed
/// by itself and then added to those before. A Wasserstein loss weighs real and generated images with opposite signs, so the gradients of
/// many biases are zero: two sums of the same form cancel to the last bit, one sum leaves round-off, which Adam and RMSProp would turn
/// into whole steps.
/// </summary>
/// <param name="Count">Parts; the rows of a batch are a multiple of it.</param>
/// <param name="Summed">How many count, from 1 to all.</param>
public readonly record struct BatchParts(int Count, int Summed)
{
    /// <summary>The batch as a whole.</summary>
    public static BatchParts Whole => new(1, 1);

    /// <summary>The most parts that scratch memory is planned for: real images, generated ones, and those between.</summary>
    internal const int Most = 3;
}

/// <summary>
/// Bias and activation of a layer, for outputs of any shape whose last extent is the C channels.
/// <code>
/// forward            y = f(x + b)
/// backward           dx = dy * f'(y)      db += sum over all but the channels of dx, or db = that sum
/// backward tangent   tdx = tdy * f'(y) + tx * dx * f''/f'(y)
/// </code>
/// The backward pass needs y; dx is overwritten and may be dy itself, db is accumulated unless asked otherwise. The last is the derivative
/// of the backward pass along tangents: tx of what f is applied to, tdy of dy; it needs y and dx.
/// </summary>
public static unsafe class BiasActivation
{
    // SLAB of activation.cu: rows of one partial column sum.
    private const int Slab = 64;

    private static readonly Kernel ForwardKernel = new(KernelFiles.Activation, "bias_activation_forward");
    private static readonly Kernel BackwardKernel = new(KernelFiles.Activation, "activation_backward");
    private static readonly Kernel BiasBackwardKernel = new(KernelFiles.Activation, "bias_activation_backward");
    private static readonly Kernel BiasBackwardSlabsKernel = new(KernelFiles.Activation, "bias_activation_backward_slabs");
    private static readonly Kernel ColumnSumKernel = new(KernelFiles.Activation, "column_sum");
    private static readonly Kernel TangentKernel = new(KernelFiles.Activation, "activation_backward_tangent");

    /// <summary>y = f(y + bias) in place. <paramref name="bias"/> has shape (C); pass null for none.</summary>
    /// <exception cref="ShapeException">The bias does not fit the channels of y.</exception>
    public static void Forward(Device device, Tensor y, Tensor? bias, Activation activation)
    {
        ArgumentNullException.ThrowIfNull(device);
        int channels = y.Shape.Channels;
        if (bias is { } b)
            Shape.RequireLength(b, channels);
        if (device.Kind == DeviceKind.Cuda)
            LaunchForward(device, y, y, bias, activation);
        else if (device.IsReference)
            ReferenceForward<float>(y.Span, bias is null ? default : bias.Value.Span, channels, activation);
        else
            ElementWise.BiasActivationForward(device, y, bias, activation);
    }

    /// <summary>y = f(x), for an activation whose input is still needed.</summary>
    /// <exception cref="ShapeException">x and y differ.</exception>
    public static void Apply(Device device, Tensor y, Tensor x, Activation activation)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(y, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            LaunchForward(device, y, x, null, activation);
            return;
        }
        x.Span.CopyTo(y.Span);
        Forward(device, y, null, activation);
    }

    private static void LaunchForward(Device device, Tensor y, Tensor x, Tensor? bias, Activation activation)
        => device.LaunchOver(ForwardKernel, y.Length, y, x, bias, y.Length, y.Shape.Channels, (int)activation.Kind, activation.Slope);

    /// <summary>
    /// dx = dy * f'(y) and dbias += its sum over rows, or dbias = that sum without <paramref name="add"/>, which spares zeroing it.
    /// <paramref name="dx"/> may be <paramref name="dy"/>; <paramref name="dbias"/> has shape (C) or is null. The sum is over
    /// <paramref name="parts"/> of the rows of the batch, or over all.
    /// </summary>
    /// <exception cref="ShapeException">dx, dy and y differ, dbias does not fit their channels, or the rows are no such parts.</exception>
    public static void Backward(Device device, Tensor dx, Tensor dy, Tensor y, Tensor? dbias, Activation activation, bool add = true,
        BatchParts? parts = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(dx, dy);
        Shape.RequireEqual(dy, y);
        int channels = y.Shape.Channels;
        if (dbias is { } db)
            Shape.RequireLength(db, channels);
        BatchParts batch = parts ?? BatchParts.Whole;
        int rows = y.Length / Math.Max(channels, 1);
        if (rows % batch.Count != 0)
            throw new ShapeException($"Backward: the rows of {y.Shape} are not {batch.Count} equal parts");
        if (device.Kind == DeviceKind.Cuda)
        {
            LaunchBackward(device, dx, dy, y, rows, dbias, activation, add, batch);
            return;
        }
        if (!add)
            dbias?.Span.Clear();
        Shape part = new(rows / batch.Count, channels);
        for (int i = 0; i < batch.Count; i++)
        {
            int first = i * part.Length;
            (Tensor dxPart, Tensor dyPart, Tensor yPart) = (dx.Slice(first, part), dy.Slice(first, part), y.Slice(first, part));
            Tensor? sum = i < batch.Summed ? dbias : null;
            if (device.IsReference)
                ReferenceBackward<float>(dxPart.Span, dyPart.Span, yPart.Span, sum is null ? default : sum.Value.Span, channels, activation);
            else
                ElementWise.BiasActivationBackward(device, dxPart, dyPart, yPart, sum, activation);
        }
    }

    private static void LaunchBackward(Device device, Tensor dx, Tensor dy, Tensor y, int rows, Tensor? dbias, Activation activation, bool add,
        BatchParts batch)
    {
        int channels = y.Shape.Channels;
        bool linear = activation.Kind == ActivationKind.Linear, nothingToWrite = linear && dx.Address == dy.Address;
        if (dbias is not { } db)
        {
            if (!nothingToWrite)
                device.LaunchOver(BackwardKernel, y.Length, dx, dy, y, y.Length, (int)activation.Kind, activation.Slope);
            return;
        }
        (Tensor? written, Tensor? read) = (nothingToWrite ? null : dx, linear ? null : y);
        int part = rows / batch.Count, slabs = (part + Slab - 1) / Slab;
        if (rows <= ColumnBlocks.FewRows)
        {
            device.Launch(BiasBackwardKernel, ColumnBlocks.Over(channels, ColumnBlocks.Narrow), ColumnBlocks.Narrow, 0, written, db, dy, read, rows,
                channels, part, batch.Summed, add ? 1 : 0, (int)activation.Kind, activation.Slope);
            return;
        }
        int columns = ColumnBlocks.Over(channels, ColumnBlocks.Wide);
        nint partial = (nint)device.Scratch(batch.Count * slabs * channels);
        device.Launch(BiasBackwardSlabsKernel, new(batch.Count * slabs, columns), ColumnBlocks.Wide, 0, written, partial, dy, read, channels, part, slabs,
            (int)activation.Kind, activation.Slope);
        device.Launch(ColumnSumKernel, columns, ColumnBlocks.Wide, 0, db, partial, slabs, channels, batch.Summed, add ? 1 : 0);
    }

    /// <summary>
    /// tdx = tdy f'(y) + tx dx f''(y) / f'(y): how dx = dy f'(y) changes where x moves along tx and dy along tdy (Pearlmutter 1994).
    /// <paramref name="tdx"/> may be <paramref name="tdy"/>. All have the shape of y.
    /// </summary>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static void BackwardTangent(Device device, Tensor tdx, Tensor tdy, Tensor tx, Tensor dx, Tensor y, Activation activation)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(tdx, y);
        Shape.RequireEqual(tdy, y);
        Shape.RequireEqual(tx, y);
        Shape.RequireEqual(dx, y);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(TangentKernel, y.Length, tdx, tdy, tx, dx, y, y.Length, (int)activation.Kind, activation.Slope);
        else if (device.IsReference)
            ReferenceBackwardTangent<float>(tdx.Span, tdy.Span, tx.Span, dx.Span, y.Span, activation);
        else
            ElementWise.ActivationBackwardTangent(device, tdx, tdy, tx, dx, y, activation);
    }

    internal static void ReferenceBackwardTangent<T>(Span<T> tdx, ReadOnlySpan<T> tdy, ReadOnlySpan<T> tx, ReadOnlySpan<T> dx, ReadOnlySpan<T> y,
        Activation activation)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            tdx[i] = tdy[i] * activation.Derivative(y[i]) + tx[i] * dx[i] * activation.Curvature(y[i]);
    }

    /// <summary>Floats of scratch memory that both passes need for an output of this shape, on any device.</summary>
    public static int ScratchFloats(Shape y)
        => Math.Max(ElementWise.BiasActivationScratch(y), (y.Length / Math.Max(y.Channels, 1) / Slab + BatchParts.Most) * y.Channels);

    internal static void ReferenceForward<T>(Span<T> y, ReadOnlySpan<T> bias, int channels, Activation activation)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = activation.Apply(bias.IsEmpty ? y[i] : y[i] + bias[i % channels]);
    }

    internal static void ReferenceBackward<T>(Span<T> dx, ReadOnlySpan<T> dy, ReadOnlySpan<T> y, Span<T> dbias, int channels,
        Activation activation)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < dx.Length; i++)
            dx[i] = dy[i] * activation.Derivative(y[i]);
        // The sum first, then what was there: the sums of two halves with opposite signs cancel.
        for (int c = 0; c < dbias.Length; c++)
        {
            T sum = T.Zero;
            for (int i = c; i < dx.Length; i += channels)
                sum += dx[i];
            dbias[c] += sum;
        }
    }
}
