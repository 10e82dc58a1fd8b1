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
/// otherwise PyTorch's sqrt(v) + eps, whose v starts at 0. After an update parameters are clipped to [-Clip, Clip], the Lipschitz bound
/// of WGAN (Arjovsky et al. 2017, algorithm 1, line 7), infinite for none.
/// </summary>
public readonly record struct RmsPropOptions(float LearningRate, float Alpha = 0.99f, float Epsilon = 1e-8f, bool InsideRoot = false,
    float Clip = float.PositiveInfinity);

/// <summary>Updates over all parameters of a network at once: the tensors are whole arenas.</summary>
public static unsafe class Optimisers
{
    private static readonly Kernel AdamKernel = new(KernelFiles.Optimisers, "adam");
    private static readonly Kernel AdamBackwardKernel = new(KernelFiles.Optimisers, "adam_backward");
    private static readonly Kernel RmsPropKernel = new(KernelFiles.Optimisers, "rms_prop");

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

    /// <summary>
    /// The way back through an update of <see cref="Adam"/>, for a loss that depends on what it left: dp is the gradient with respect to p
    /// after the update, and with respect to p before it as well; dm and dv go from those of m and v after it to those before it; dg is
    /// overwritten. Needs g, and m and v as the update left them.
    /// <code>
    /// r = c sqrt(v) + eps      dm -= rate dp / r      dv += rate dp m c / (2 sqrt(v) r^2), 0 where v is
    /// dg = (1 - b1) dm + 2 (1 - b2) g dv              then dm = b1 dm, dv = b2 dv
    /// </code>
    /// </summary>
    /// <exception cref="ShapeException">The tensors differ.</exception>
    public static void AdamBackward(Device device, Tensor dg, Tensor dm, Tensor dv, Tensor dp, Tensor g, Tensor m, Tensor v, Buffer<ulong> step,
        AdamOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(dg, dp);
        Shape.RequireEqual(dm, dp);
        Shape.RequireEqual(dv, dp);
        Shape.RequireEqual(g, dp);
        Shape.RequireEqual(m, dp);
        Shape.RequireEqual(v, dp);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(AdamBackwardKernel, dp.Length, dg, dm, dv, dp, g, m, v, step, dp.Length, options.LearningRate, options.Beta1,
                options.Beta2, (float)Math.Log(options.Beta1), (float)Math.Log(options.Beta2), options.Epsilon,
                options.EpsilonPlace == AdamEpsilon.Hat ? 1 : 0);
            return;
        }
        (double rate, double correction) = AdamRates(step.Span[0] + 1, options);
        if (device.IsReference)
            ReferenceAdamBackward<float>(dg.Span, dm.Span, dv.Span, dp.Span, g.Span, m.Span, v.Span, step.Span[0] + 1, options);
        else
            Maps.Run(device, dp.Length, new AdamBackwardMap((float*)dg.Address, (float*)dm.Address, (float*)dv.Address, (float*)dp.Address,
                (float*)g.Address, (float*)m.Address, (float*)v.Address, options.Beta1, options.Beta2, (float)rate, (float)correction, options.Epsilon));
    }

    /// <summary>v = a v + (1 - a) g^2, p -= lr g / (sqrt(v) + eps) or lr g / sqrt(v + eps), p = min(max(p, -clip), clip).</summary>
    /// <exception cref="ShapeException">The tensors differ.</exception>
    public static void RmsProp(Device device, Tensor p, Tensor g, Tensor v, RmsPropOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.Clip);
        Shape.RequireEqual(p, g);
        Shape.RequireEqual(p, v);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(RmsPropKernel, p.Length, p, v, g, p.Length, options.LearningRate, options.Alpha, options.Epsilon,
                options.InsideRoot ? 1 : 0, options.Clip);
        }
        else if (device.IsReference)
            ReferenceRmsProp<float>(p.Span, g.Span, v.Span, options);
        else
            Maps.Run(device, p.Length, new RmsPropMap((float*)p.Address, (float*)g.Address, (float*)v.Address, options));
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

    internal static void ReferenceAdamBackward<T>(Span<T> dg, Span<T> dm, Span<T> dv, ReadOnlySpan<T> dp, ReadOnlySpan<T> g, ReadOnlySpan<T> m,
        ReadOnlySpan<T> v, ulong t, AdamOptions o)
        where T : IFloatingPointIeee754<T>
    {
        (double rate, double correction) = AdamRates(t, o);
        T b1 = T.CreateChecked(o.Beta1), b2 = T.CreateChecked(o.Beta2), two = T.CreateChecked(2), c = T.CreateChecked(correction);
        for (int i = 0; i < dp.Length; i++)
        {
            T root = T.Sqrt(v[i]), share = T.CreateChecked(rate) * dp[i] / (c * root + T.CreateChecked(o.Epsilon));
            T first = dm[i] - share, second = dv[i];
            if (root > T.Zero)
                second += share * (m[i] / root) * c / (two * (c * root + T.CreateChecked(o.Epsilon)));
            dg[i] = (T.One - b1) * first + two * (T.One - b2) * g[i] * second;
            (dm[i], dv[i]) = (b1 * first, b2 * second);
        }
    }

    internal static void ReferenceRmsProp<T>(Span<T> p, ReadOnlySpan<T> g, Span<T> v, RmsPropOptions o)
        where T : IFloatingPointIeee754<T>
    {
        T a = T.CreateChecked(o.Alpha), eps = T.CreateChecked(o.Epsilon), clip = T.CreateChecked(o.Clip);
        for (int i = 0; i < p.Length; i++)
        {
            v[i] = a * v[i] + (T.One - a) * g[i] * g[i];
            T root = o.InsideRoot ? T.Sqrt(v[i] + eps) : T.Sqrt(v[i]) + eps;
            p[i] = T.Clamp(p[i] - T.CreateChecked(o.LearningRate) * g[i] / root, -clip, clip);
        }
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

    private readonly struct AdamBackwardMap(float* dg, float* dm, float* dv, float* dp, float* g, float* m, float* v, float beta1, float beta2,
        float rate, float correction, float epsilon) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            TVec root = TSimd.Sqrt(lanes.Load<TSimd, TVec>(v + i)), below = TSimd.Fma(root, TSimd.Set(correction), TSimd.Set(epsilon));
            TVec share = TSimd.Div(TSimd.Mul(TSimd.Set(rate), lanes.Load<TSimd, TVec>(dp + i)), below);
            TVec bend = TSimd.Div(TSimd.Mul(TSimd.Mul(share, TSimd.Div(lanes.Load<TSimd, TVec>(m + i), root)), TSimd.Set(0.5f * correction)), below);
            TVec first = TSimd.Sub(lanes.Load<TSimd, TVec>(dm + i), share);
            // 0 / 0 where there was no gradient yet.
            TVec second = TSimd.Add(lanes.Load<TSimd, TVec>(dv + i), TSimd.And(bend, TSimd.Greater(root, TSimd.Set(0))));
            TVec gradient = TSimd.Mul(TSimd.Mul(TSimd.Set(2 * (1 - beta2)), lanes.Load<TSimd, TVec>(g + i)), second);
            lanes.Store<TSimd, TVec>(dg + i, TSimd.Fma(TSimd.Set(1 - beta1), first, gradient));
            lanes.Store<TSimd, TVec>(dm + i, TSimd.Mul(TSimd.Set(beta1), first));
            lanes.Store<TSimd, TVec>(dv + i, TSimd.Mul(TSimd.Set(beta2), second));
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
            TVec moved = TSimd.Sub(lanes.Load<TSimd, TVec>(p + i), TSimd.Div(TSimd.Mul(TSimd.Set(o.LearningRate), gradient), root));
            lanes.Store<TSimd, TVec>(p + i, TSimd.Min(TSimd.Set(o.Clip), TSimd.Max(TSimd.Set(-o.Clip), moved)));
            return TSimd.Set(0);
        }
    }
}
