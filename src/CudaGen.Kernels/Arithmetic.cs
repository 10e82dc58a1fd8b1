using System.Numerics;
using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Sums and multiples of whole tensors of one shape.
/// <code>
/// add       y = a + factor s b                        y may be a or b
/// scale     y = factor s x                            y may be x; s is one element in device memory, or 1
/// average   avg = decay avg + (1 - decay) x
/// </code>
/// </summary>
public static unsafe class Arithmetic
{
    private static readonly Kernel AddKernel = new(KernelFiles.Arithmetic, "add");
    private static readonly Kernel ScaleKernel = new(KernelFiles.Arithmetic, "scale");
    private static readonly Kernel AverageKernel = new(KernelFiles.Arithmetic, "average");

    /// <summary>y = a + factor s b; y may be either. <paramref name="scalar"/> is s, one element, or null for 1.</summary>
    /// <exception cref="ShapeException">The shapes differ, or s is not one element.</exception>
    public static void Add(Device device, Tensor y, Tensor a, Tensor b, float factor = 1, Tensor? scalar = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(a, y);
        Shape.RequireEqual(b, y);
        if (scalar is { } s)
            Shape.RequireLength(s, 1);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(AddKernel, y.Length, y, a, b, factor, scalar, y.Length);
            return;
        }
        float all = scalar is { } one ? factor * one.Span[0] : factor;
        if (device.IsReference)
            ReferenceAdd<float>(y.Span, a.Span, b.Span, all);
        else
            Maps.Run(device, y.Length, new AddMap((float*)y.Address, (float*)a.Address, (float*)b.Address, all));
    }

    /// <summary>y = factor s x; y may be x. <paramref name="scalar"/> is s, one element, or null for 1.</summary>
    /// <exception cref="ShapeException">The shapes differ, or s is not one element.</exception>
    public static void Scale(Device device, Tensor y, Tensor x, float factor, Tensor? scalar = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(x, y);
        if (scalar is { } s)
            Shape.RequireLength(s, 1);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(ScaleKernel, y.Length, y, x, factor, scalar, y.Length);
            return;
        }
        float all = scalar is { } one ? factor * one.Span[0] : factor;
        if (device.IsReference)
            ReferenceScale<float>(y.Span, x.Span, all);
        else
            Maps.Run(device, y.Length, new ScaleMap((float*)y.Address, (float*)x.Address, all));
    }

    /// <summary>
    /// average = d average + (1 - d) x with d = min(decay, (1 + t) / (10 + t)), where t is <paramref name="step"/>, the steps done before,
    /// read from device memory: what x was at the start is forgotten soon, however long the average.
    /// </summary>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static void Average(Device device, Tensor average, Tensor x, float decay, Buffer<ulong> step)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(x, average);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(AverageKernel, x.Length, average, x, step, decay, x.Length);
        else if (device.IsReference)
            ReferenceAverage<float>(average.Span, x.Span, decay, step.Span[0]);
        else
            Maps.Run(device, x.Length, new AverageMap((float*)average.Address, (float*)x.Address, (float)Kept(decay, step.Span[0])));
    }

    private static double Kept(float decay, ulong step) => Math.Min(decay, (1.0 + step) / (10.0 + step));

    internal static void ReferenceAdd<T>(Span<T> y, ReadOnlySpan<T> a, ReadOnlySpan<T> b, T factor) where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = a[i] + factor * b[i];
    }

    internal static void ReferenceScale<T>(Span<T> y, ReadOnlySpan<T> x, T factor) where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = factor * x[i];
    }

    internal static void ReferenceAverage<T>(Span<T> average, ReadOnlySpan<T> x, float decay, ulong step) where T : IFloatingPointIeee754<T>
    {
        T kept = T.CreateChecked(Kept(decay, step));
        for (int i = 0; i < x.Length; i++)
            average[i] = kept * average[i] + (T.One - kept) * x[i];
    }

    private readonly struct AddMap(float* y, float* a, float* b, float factor) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            lanes.Store<TSimd, TVec>(y + i, TSimd.Fma(TSimd.Set(factor), lanes.Load<TSimd, TVec>(b + i), lanes.Load<TSimd, TVec>(a + i)));
            return TSimd.Set(0);
        }
    }

    private readonly struct ScaleMap(float* y, float* x, float factor) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            lanes.Store<TSimd, TVec>(y + i, TSimd.Mul(TSimd.Set(factor), lanes.Load<TSimd, TVec>(x + i)));
            return TSimd.Set(0);
        }
    }

    private readonly struct AverageMap(float* average, float* x, float decay) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            TVec kept = TSimd.Mul(TSimd.Set(decay), lanes.Load<TSimd, TVec>(average + i));
            lanes.Store<TSimd, TVec>(average + i, TSimd.Fma(TSimd.Set(1 - decay), lanes.Load<TSimd, TVec>(x + i), kept));
            return TSimd.Set(0);
        }
    }
}
