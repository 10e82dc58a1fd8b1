using System.Numerics;
using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Losses that write their value and their gradient in one go. The value goes to device memory, so that a training step
/// never waits for the host; the gradient is overwritten.
/// <code>
/// mean squared error    L = scale * sum (x - t)^2                             dx = 2 scale (x - t)
/// absolute error        L = scale * sum |x - t|                               dx = factor s scale sign(x - t)
/// BCE with logits       L = scale * sum max(x, 0) - x t + ln(1 + e^-|x|)      dx = scale (sigmoid(x) - t)
/// mean                  L = scale * sum x                                     dx = scale
/// softmax               L = scale * sum over rows of ln(sum e^x) - x[target]  dx = scale (softmax(x) - one-hot)
/// softmax, tangent      tdx = scale p (tx - sum p tx), p = softmax(x)
/// </code>
/// The scale carries the reduction: 1 / elements for a mean over everything, 1 / N for a sum over pixels and a mean over
/// the batch.
/// </summary>
public static unsafe class Losses
{
    private static readonly Kernel SquaredErrorKernel = new(KernelFiles.Losses, "mean_squared_error");
    private static readonly Kernel AbsoluteErrorKernel = new(KernelFiles.Losses, "mean_absolute_error");
    private static readonly Kernel CrossEntropyKernel = new(KernelFiles.Losses, "binary_cross_entropy");
    private static readonly Kernel MeanKernel = new(KernelFiles.Losses, "mean");
    private static readonly Kernel SoftmaxKernel = new(KernelFiles.Losses, "softmax_cross_entropy");
    private static readonly Kernel SoftmaxTangentKernel = new(KernelFiles.Losses, "softmax_tangent");

    /// <summary>Squared error. <paramref name="loss"/> is one element; <paramref name="dx"/> has the shape of x or is null.</summary>
    /// <exception cref="ShapeException">x, t and dx differ.</exception>
    public static void MeanSquaredError(Device device, Tensor loss, Tensor? dx, Tensor x, Tensor t, float scale)
    {
        Check(device, loss, dx, x, t);
        if (device.Kind == DeviceKind.Cuda)
        {
            ChunkedSum sum = new(device, loss, x.Length);
            device.Launch(SquaredErrorKernel, sum.Grid, ChunkedSum.Block, 0, sum.Partial, dx, x, t, x.Length, scale);
            sum.Finish();
        }
        else if (device.IsReference)
            loss.Span[0] = (float)ReferenceSquaredError<float>(dx is null ? default : dx.Value.Span, x.Span, t.Span, scale);
        else
            loss.Span[0] = (float)(scale * Maps.Sum(device, x.Length, new SquaredError(Pointer(dx), (float*)x.Address, (float*)t.Address, scale)));
    }

    /// <summary>
    /// Binary cross-entropy between sigmoid(x) and t in [0, 1], from the logits: finite for any finite x.
    /// <paramref name="loss"/> is one element; <paramref name="dx"/> has the shape of x or is null.
    /// </summary>
    /// <exception cref="ShapeException">x, t and dx differ.</exception>
    public static void BinaryCrossEntropy(Device device, Tensor loss, Tensor? dx, Tensor x, Tensor t, float scale)
    {
        Check(device, loss, dx, x, t);
        CrossEntropyOf(device, loss, dx, x, t, 0, scale);
    }

    /// <summary>The same with one target for all elements: 1 for real, 0 for fake.</summary>
    /// <exception cref="ShapeException">x and dx differ.</exception>
    public static void BinaryCrossEntropy(Device device, Tensor loss, Tensor? dx, Tensor x, float target, float scale)
    {
        Check(device, loss, dx, x, x);
        CrossEntropyOf(device, loss, dx, x, null, target, scale);
    }

    // One target for all elements where there is no tensor of them.
    private static void CrossEntropyOf(Device device, Tensor loss, Tensor? dx, Tensor x, Tensor? t, float target, float scale)
    {
        if (device.Kind == DeviceKind.Cuda)
        {
            ChunkedSum sum = new(device, loss, x.Length);
            device.Launch(CrossEntropyKernel, sum.Grid, ChunkedSum.Block, 0, sum.Partial, dx, x, t, target, x.Length, scale);
            sum.Finish();
        }
        else if (device.IsReference)
        {
            loss.Span[0] = (float)ReferenceCrossEntropy<float>(dx is null ? default : dx.Value.Span, x.Span,
                t is null ? default : t.Value.Span, target, scale);
        }
        else
        {
            CrossEntropy map = new(Pointer(dx), (float*)x.Address, Pointer(t), target, scale);
            loss.Span[0] = (float)(scale * Maps.Sum(device, x.Length, map));
        }
    }

    /// <summary>
    /// Absolute error. <paramref name="loss"/> is one element; <paramref name="dx"/> has the shape of x or is null. The gradient is that of
    /// <paramref name="factor"/> s L, where <paramref name="scalar"/> is s, one element, or null for 1: a part of a larger loss.
    /// </summary>
    /// <exception cref="ShapeException">x, t and dx differ, or s is not one element.</exception>
    public static void MeanAbsoluteError(Device device, Tensor loss, Tensor? dx, Tensor x, Tensor t, float scale, float factor = 1, Tensor? scalar = null)
    {
        Check(device, loss, dx, x, t);
        if (scalar is { } s)
            Shape.RequireLength(s, 1);
        if (device.Kind == DeviceKind.Cuda)
        {
            ChunkedSum sum = new(device, loss, x.Length);
            device.Launch(AbsoluteErrorKernel, sum.Grid, ChunkedSum.Block, 0, sum.Partial, dx, x, t, x.Length, scale, factor, scalar);
            sum.Finish();
            return;
        }
        float slope = scale * (scalar is { } one ? factor * one.Span[0] : factor);
        if (device.IsReference)
            loss.Span[0] = (float)ReferenceAbsoluteError<float>(dx is null ? default : dx.Value.Span, x.Span, t.Span, scale, slope);
        else
            loss.Span[0] = (float)(scale * Maps.Sum(device, x.Length, new AbsoluteError(Pointer(dx), (float*)x.Address, (float*)t.Address, slope)));
    }

    /// <summary>
    /// Cross-entropy between softmax(x), x (N, classes), and one class for all rows: real or fake.
    /// <paramref name="loss"/> is one element; <paramref name="dx"/> has the shape of x or is null.
    /// </summary>
    /// <exception cref="ShapeException">x and dx differ.</exception>
    public static void SoftmaxCrossEntropy(Device device, Tensor loss, Tensor? dx, Tensor x, int target, float scale)
    {
        Check(device, loss, dx, x, x);
        if ((uint)target >= (uint)x.Shape.RowLength)
            throw new ArgumentOutOfRangeException(nameof(target), $"class {target} of logits {x.Shape}");
        if (device.Kind == DeviceKind.Cuda)
        {
            ChunkedSum sum = new(device, loss, x.Shape.Rows);
            device.Launch(SoftmaxKernel, sum.Grid, ChunkedSum.Block, 0, sum.Partial, dx, x, x.Shape.Rows, x.Shape.RowLength, target, scale);
            sum.Finish();
        }
        else
        {
            // Two classes and a batch: nothing to gain from vectors or threads.
            loss.Span[0] = (float)ReferenceSoftmax<float>(dx is null ? default : dx.Value.Span, x.Span, x.Shape.RowLength, target, scale);
        }
    }

    /// <summary>
    /// The derivative of the gradient dx of <see cref="SoftmaxCrossEntropy"/> where the logits move along tx: tdx = scale p (tx - sum p tx)
    /// in each row, with p = softmax(x). The target does not matter. All are (N, classes).
    /// </summary>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static void SoftmaxTangent(Device device, Tensor tdx, Tensor tx, Tensor x, float scale)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(tdx, x);
        Shape.RequireEqual(tx, x);
        int rows = x.Shape.Rows, classes = x.Shape.RowLength;
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(SoftmaxTangentKernel, rows, tdx, tx, x, rows, classes, scale);
        else // As above, nothing to gain.
            ReferenceSoftmaxTangent<float>(tdx.Span, tx.Span, x.Span, classes, scale);
    }

    /// <summary>
    /// scale times the sum of x: half of a Wasserstein loss (Arjovsky et al. 2017). <paramref name="loss"/> is one element;
    /// <paramref name="dx"/> has the shape of x or is null.
    /// </summary>
    /// <exception cref="ShapeException">x and dx differ.</exception>
    public static void Mean(Device device, Tensor loss, Tensor? dx, Tensor x, float scale)
    {
        Check(device, loss, dx, x, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            ChunkedSum sum = new(device, loss, x.Length);
            device.Launch(MeanKernel, sum.Grid, ChunkedSum.Block, 0, sum.Partial, dx, x, x.Length, scale);
            sum.Finish();
        }
        else if (device.IsReference)
            loss.Span[0] = (float)ReferenceMean<float>(dx is null ? default : dx.Value.Span, x.Span, scale);
        else
        {
            if (dx is { } gradient)
                gradient.Span.Fill(scale);
            loss.Span[0] = (float)(scale * Maps.Sum(device, x.Length, new MeanMap((float*)x.Address)));
        }
    }

    internal static double ReferenceMean<T>(Span<T> dx, ReadOnlySpan<T> x, float scale) where T : IFloatingPointIeee754<T>
    {
        dx.Fill(T.CreateChecked(scale));
        double sum = 0;
        foreach (T value in x)
            sum += double.CreateChecked(value);
        return scale * sum;
    }

    private readonly struct MeanMap(float* x) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            => lanes.Load<TSimd, TVec>(x + i);
    }

    /// <summary>Floats of scratch memory that a loss of x of this shape needs, on any device.</summary>
    public static int ScratchFloats(Shape x) => Reduce.ScratchFloats(x.Length);

    private static float* Pointer(Tensor? t) => t is null ? null : (float*)t.Value.Address;

    private static void Check(Device device, Tensor loss, Tensor? dx, Tensor x, Tensor t)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireLength(loss, 1);
        Shape.RequireEqual(x, t);
        if (dx is { } d)
            Shape.RequireEqual(d, x);
    }

    internal static double ReferenceSquaredError<T>(Span<T> dx, ReadOnlySpan<T> x, ReadOnlySpan<T> t, float scale)
        where T : IFloatingPointIeee754<T>
    {
        T s = T.CreateChecked(scale), two = T.CreateChecked(2);
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            T d = x[i] - t[i];
            sum += double.CreateChecked(d * d);
            if (!dx.IsEmpty)
                dx[i] = two * s * d;
        }
        return scale * sum;
    }

    internal static double ReferenceAbsoluteError<T>(Span<T> dx, ReadOnlySpan<T> x, ReadOnlySpan<T> t, float scale, T slope)
        where T : IFloatingPointIeee754<T>
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            T d = x[i] - t[i];
            sum += double.CreateChecked(T.Abs(d));
            if (!dx.IsEmpty)
                dx[i] = d > T.Zero ? slope : d < T.Zero ? -slope : T.Zero;
        }
        return scale * sum;
    }

    internal static double ReferenceSoftmax<T>(Span<T> dx, ReadOnlySpan<T> x, int classes, int target, float scale)
        where T : IFloatingPointIeee754<T>
    {
        double sum = 0;
        for (int first = 0; first < x.Length; first += classes)
        {
            T largest = x[first], total = T.Zero;
            for (int k = 0; k < classes; k++)
                largest = T.Max(largest, x[first + k]);
            for (int k = 0; k < classes; k++)
                total += T.Exp(x[first + k] - largest);
            sum += double.CreateChecked(largest - x[first + target] + T.Log(total));
            for (int k = 0; k < (dx.IsEmpty ? 0 : classes); k++)
            {
                T probability = T.Exp(x[first + k] - largest) / total;
                dx[first + k] = T.CreateChecked(scale) * (k == target ? probability - T.One : probability);
            }
        }
        return scale * sum;
    }

    internal static void ReferenceSoftmaxTangent<T>(Span<T> tdx, ReadOnlySpan<T> tx, ReadOnlySpan<T> x, int classes, float scale)
        where T : IFloatingPointIeee754<T>
    {
        for (int first = 0; first < x.Length; first += classes)
        {
            T largest = x[first], total = T.Zero, mean = T.Zero;
            for (int k = 0; k < classes; k++)
                largest = T.Max(largest, x[first + k]);
            for (int k = 0; k < classes; k++)
            {
                T weight = T.Exp(x[first + k] - largest);
                total += weight;
                mean += weight * tx[first + k];
            }
            for (int k = 0; k < classes; k++)
                tdx[first + k] = T.CreateChecked(scale) * T.Exp(x[first + k] - largest) / total * (tx[first + k] - mean / total);
        }
    }

    internal static double ReferenceCrossEntropy<T>(Span<T> dx, ReadOnlySpan<T> x, ReadOnlySpan<T> t, float target, float scale)
        where T : IFloatingPointIeee754<T>
    {
        T s = T.CreateChecked(scale), two = T.CreateChecked(2);
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            T goal = t.IsEmpty ? T.CreateChecked(target) : t[i];
            // ln(1 + e) = 2 atanh(e / (2 + e)) keeps its digits where e is small; T.LogP1 does not.
            T e = T.Exp(-T.Abs(x[i]));
            sum += double.CreateChecked(T.Max(x[i], T.Zero) - x[i] * goal + two * T.Atanh(e / (two + e)));
            if (!dx.IsEmpty)
                dx[i] = s * (Activation.Sigmoid.Apply(x[i]) - goal);
        }
        return scale * sum;
    }

    private readonly struct SquaredError(float* dx, float* x, float* t, float scale) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            TVec d = TSimd.Sub(lanes.Load<TSimd, TVec>(x + i), lanes.Load<TSimd, TVec>(t + i));
            if (dx != null)
                lanes.Store<TSimd, TVec>(dx + i, TSimd.Mul(d, TSimd.Set(2 * scale)));
            return TSimd.Mul(d, d);
        }
    }

    private readonly struct AbsoluteError(float* dx, float* x, float* t, float slope) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            TVec zero = TSimd.Set(0), d = TSimd.Sub(lanes.Load<TSimd, TVec>(x + i), lanes.Load<TSimd, TVec>(t + i));
            if (dx != null)
            {
                TVec negative = TSimd.And(TSimd.Greater(zero, d), TSimd.Set(-slope));
                lanes.Store<TSimd, TVec>(dx + i, TSimd.Select(TSimd.Greater(d, zero), TSimd.Set(slope), negative));
            }
            return VectorMath.Abs<TSimd, TVec>(d);
        }
    }

    private readonly struct CrossEntropy(float* dx, float* x, float* t, float target, float scale) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            TVec l = lanes.Load<TSimd, TVec>(x + i);
            TVec goal = t == null ? TSimd.Set(target) : lanes.Load<TSimd, TVec>(t + i);
            TVec e = VectorMath.Exp<TSimd, TVec>(TSimd.Sub(TSimd.Set(0), VectorMath.Abs<TSimd, TVec>(l)));
            if (dx != null)
                lanes.Store<TSimd, TVec>(dx + i, TSimd.Mul(TSimd.Sub(VectorMath.Sigmoid<TSimd, TVec>(l, e), goal), TSimd.Set(scale)));
            TVec value = TSimd.Sub(TSimd.Max(TSimd.Set(0), l), TSimd.Mul(l, goal));
            return lanes.Keep<TSimd, TVec>(TSimd.Add(value, VectorMath.SoftplusTail<TSimd, TVec>(e)));
        }
    }
}
