using System.Numerics;
using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Dropout with a given mask of zeros and ones (Srivastava et al. 2014, scaled in training): y = x mask / (1 - drop). The
/// backward pass is the same: dx = dy mask / (1 - drop).
/// </summary>
public static unsafe class Dropout
{
    /// <summary>y = x mask / (1 - drop); y may be x.</summary>
    /// <exception cref="ShapeException">y, x and the mask differ.</exception>
    public static void Apply(Device device, Tensor y, Tensor x, Tensor mask, float drop)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfNegative(drop);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(drop, 1);
        Shape.RequireEqual(y, x);
        Shape.RequireEqual(mask, x);
        if (device.IsReference)
            ReferenceApply<float>(y.Span, x.Span, mask.Span, drop);
        else
            Maps.Run(device, x.Length, new Map((float*)y.Address, (float*)x.Address, (float*)mask.Address, 1 / (1 - drop)));
    }

    internal static void ReferenceApply<T>(Span<T> y, ReadOnlySpan<T> x, ReadOnlySpan<T> mask, float drop) where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = x[i] * mask[i] / (T.One - T.CreateChecked(drop));
    }

    private readonly struct Map(float* y, float* x, float* mask, float scale) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            TVec kept = TSimd.Mul(lanes.Load<TSimd, TVec>(x + i), lanes.Load<TSimd, TVec>(mask + i));
            lanes.Store<TSimd, TVec>(y + i, TSimd.Mul(kept, TSimd.Set(scale)));
            return TSimd.Set(0);
        }
    }
}
