using System.Numerics;
using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>Where Adam adds epsilon. The papers and frameworks differ, and it shows where gradients are tiny.</summary>
public enum AdamEpsilon
{
    /// <summary>p -= lr * mhat / (sqrt(vhat) + eps): Kingma and Ba 2015, algorithm 1; PyTorch.</summary>
    Corrected,

    /// <summary>p -= lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps): the paper's "epsilon hat"; TensorFlow 1, MXNet.</summary>
    Hat,
}

/// <summary>The numbers of Adam.</summary>
public readonly record struct AdamOptions(float LearningRate, float Beta1 = 0.9f, float Beta2 = 0.999f, float Epsilon = 1e-8f,
    AdamEpsilon EpsilonPlace = AdamEpsilon.Corrected);

/// <summary>
/// The numbers of RMSProp. <paramref name="InsideRoot"/> selects TensorFlow 1's sqrt(v + eps), whose v starts at 1;
/// otherwise PyTorch's sqrt(v) + eps, whose v starts at 0.
/// </summary>
public readonly record struct RmsPropOptions(float LearningRate, float Alpha = 0.99f, float Epsilon = 1e-8f, bool InsideRoot = false);

/// <summary>Updates over all parameters of a network at once: the tensors are whole arenas.</summary>
public static unsafe class Optimisers
{
    private static readonly Kernel AdamKernel = new(KernelFiles.Optimisers, "adam");
    private static readonly Kernel RmsPropKernel = new(KernelFiles.Optimisers, "rms_prop");
    private static readonly Kernel ClipKernel = new(KernelFiles.Optimisers, "clip");

    /// <summary>
    /// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, then the update of <see cref="AdamEpsilon"/>. The step number of
    /// the bias correction is read from device memory: 1 + <paramref name="step"/>, the steps done before.
    /// </summary>
    /// <exception cref="ShapeException">The tensors differ.</exception>
    public static void Adam(Device device, Tensor p, Tensor g, Tensor m, Tensor v, Buffer<ulong> step, AdamOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(p, g);
        Shape.RequireEqual(p, m);
        Shape.RequireEqual(p, v);
        if (device.Kind == DeviceKind.Cuda)
        {
            LaunchAdam(device, p, g, m, v, step, options);
            return;
        }
        (double rate, double correction) = AdamRates(step.Span[0] + 1, options);
        if (device.IsReference)
            ReferenceAdam<float>(p.Span, g.Span, m.Span, v.Span, step.Span[0] + 1, options);
        else
            Maps.Run(device, p.Length, new AdamMap((float*)p.Address, (float*)g.Address, (float*)m.Address, (float*)v.Address,
                options.Beta1, options.Beta2, (float)rate, (float)correction, options.Epsilon));
    }

    // The kernel takes four elements in a thread.
    private static void LaunchAdam(Device device, Tensor p, Tensor g, Tensor m, Tensor v, Buffer<ulong> step, AdamOptions o)
        => device.LaunchOver(AdamKernel, (int)(((long)p.Length + 3) / 4), p, m, v, g, step, p.Length, o.LearningRate, o.Beta1, o.Beta2,
            (float)Math.Log(o.Beta1), (float)Math.Log(o.Beta2), o.Epsilon, o.EpsilonPlace == AdamEpsilon.Hat ? 1 : 0);

    /// <summary>v = a v + (1 - a) g^2, p -= lr g / (sqrt(v) + eps) or lr g / sqrt(v + eps).</summary>
    /// <exception cref="ShapeException">The tensors differ.</exception>
    public static void RmsProp(Device device, Tensor p, Tensor g, Tensor v, RmsPropOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(p, g);
        Shape.RequireEqual(p, v);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(RmsPropKernel, p.Length, p, v, g, p.Length, options.LearningRate, options.Alpha, options.Epsilon,
                options.InsideRoot ? 1 : 0);
        }
        else if (device.IsReference)
            ReferenceRmsProp<float>(p.Span, g.Span, v.Span, options);
        else
            Maps.Run(device, p.Length, new RmsPropMap((float*)p.Address, (float*)g.Address, (float*)v.Address, options));
    }

    /// <summary>p = min(max(p, -bound), bound): the Lipschitz clip of WGAN (Arjovsky et al. 2017, algorithm 1, line 7).</summary>
    public static void Clip(Device device, Tensor p, float bound)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(ClipKernel, p.Length, p, p.Length, bound);
        else if (device.IsReference)
            ReferenceClip(p.Span, bound);
        else
            Maps.Run(device, p.Length, new ClipMap((float*)p.Address, bound));
    }

    /// <summary>The factor of m / (c sqrt(v) + eps) and c, in double: 1 - b2^t loses all its digits in float at small t.</summary>
    private static (double Rate, double Correction) AdamRates(ulong t, AdamOptions o)
    {
        double c1 = 1 - Math.Pow(o.Beta1, t), c2 = Math.Sqrt(1 - Math.Pow(o.Beta2, t));
        return o.EpsilonPlace == AdamEpsilon.Corrected ? (o.LearningRate / c1, 1 / c2) : (o.LearningRate * c2 / c1, 1);
    }

    internal static void ReferenceAdam<T>(Span<T> p, ReadOnlySpan<T> g, Span<T> m, Span<T> v, ulong t, AdamOptions o)
        where T : IFloatingPointIeee754<T>
    {
        (double rate, double correction) = AdamRates(t, o);
        T b1 = T.CreateChecked(o.Beta1), b2 = T.CreateChecked(o.Beta2);
        for (int i = 0; i < p.Length; i++)
        {
            m[i] = b1 * m[i] + (T.One - b1) * g[i];
            v[i] = b2 * v[i] + (T.One - b2) * g[i] * g[i];
            p[i] -= T.CreateChecked(rate) * m[i] / (T.CreateChecked(correction) * T.Sqrt(v[i]) + T.CreateChecked(o.Epsilon));
        }
    }

    internal static void ReferenceRmsProp<T>(Span<T> p, ReadOnlySpan<T> g, Span<T> v, RmsPropOptions o)
        where T : IFloatingPointIeee754<T>
    {
        T a = T.CreateChecked(o.Alpha), eps = T.CreateChecked(o.Epsilon);
        for (int i = 0; i < p.Length; i++)
        {
            v[i] = a * v[i] + (T.One - a) * g[i] * g[i];
            T root = o.InsideRoot ? T.Sqrt(v[i] + eps) : T.Sqrt(v[i]) + eps;
            p[i] -= T.CreateChecked(o.LearningRate) * g[i] / root;
        }
    }

    internal static void ReferenceClip<T>(Span<T> p, float bound) where T : IFloatingPointIeee754<T>
    {
        T c = T.CreateChecked(bound);
        for (int i = 0; i < p.Length; i++)
            p[i] = T.Clamp(p[i], -c, c);
    }

    private readonly struct AdamMap(float* p, float* g, float* m, float* v, float beta1, float beta2, float rate, float correction,
        float epsilon) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            TVec gradient = lanes.Load<TSimd, TVec>(g + i);
            TVec first = TSimd.Fma(TSimd.Set(beta1), lanes.Load<TSimd, TVec>(m + i), TSimd.Mul(TSimd.Set(1 - beta1), gradient));
            TVec second = TSimd.Fma(TSimd.Set(beta2), lanes.Load<TSimd, TVec>(v + i),
                TSimd.Mul(TSimd.Mul(TSimd.Set(1 - beta2), gradient), gradient));
            lanes.Store<TSimd, TVec>(m + i, first);
            lanes.Store<TSimd, TVec>(v + i, second);
            TVec root = TSimd.Fma(TSimd.Sqrt(second), TSimd.Set(correction), TSimd.Set(epsilon));
            TVec update = TSimd.Div(TSimd.Mul(TSimd.Set(rate), first), root);
            lanes.Store<TSimd, TVec>(p + i, TSimd.Sub(lanes.Load<TSimd, TVec>(p + i), update));
            return TSimd.Set(0);
        }
    }

    private readonly struct RmsPropMap(float* p, float* g, float* v, RmsPropOptions o) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            TVec gradient = lanes.Load<TSimd, TVec>(g + i), eps = TSimd.Set(o.Epsilon);
            TVec second = TSimd.Fma(TSimd.Set(o.Alpha), lanes.Load<TSimd, TVec>(v + i),
                TSimd.Mul(TSimd.Mul(TSimd.Set(1 - o.Alpha), gradient), gradient));
            lanes.Store<TSimd, TVec>(v + i, second);
            TVec root = o.InsideRoot ? TSimd.Sqrt(TSimd.Add(second, eps)) : TSimd.Add(TSimd.Sqrt(second), eps);
            TVec update = TSimd.Div(TSimd.Mul(TSimd.Set(o.LearningRate), gradient), root);
            lanes.Store<TSimd, TVec>(p + i, TSimd.Sub(lanes.Load<TSimd, TVec>(p + i), update));
            return TSimd.Set(0);
        }
    }

    private readonly struct ClipMap(float* p, float bound) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            TVec x = TSimd.Min(TSimd.Set(bound), TSimd.Max(TSimd.Set(-bound), lanes.Load<TSimd, TVec>(p + i)));
            lanes.Store<TSimd, TVec>(p + i, x);
            return TSimd.Set(0);
        }
    }
}
