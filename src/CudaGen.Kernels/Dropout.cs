using System.Numerics;
using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Dropout with a mask of zeros and ones (Srivastava et al. 2014, scaled in training): y = x mask / (1 - drop). The
/// backward pass is the same: dx = dy mask / (1 - drop).
/// </summary>
public static unsafe class Dropout
{
    private static readonly Kernel MaskKernel = new(KernelFiles.Dropout, "dropout_mask");
    private static readonly Kernel ApplyKernel = new(KernelFiles.Dropout, "dropout_apply");

    /// <summary>
    /// mask[i] = 0 with the probability <paramref name="drop"/>, else 1, from (seed, stream, step, i) as
    /// <see cref="RandomFill"/> draws: the same bits on every device.
    /// </summary>
    public static void Mask(Device device, Tensor mask, ulong seed, uint stream, Buffer<ulong> step, float drop)
    {
        ArgumentNullException.ThrowIfNull(device);
        CheckRate(drop);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(MaskKernel, (int)((mask.Length + 3L) / 4), mask, step, seed, stream, drop, mask.Length);
            return;
        }
        MaskJob job = new((float*)mask.Address, mask.Length, seed, stream, step.Span[0], drop);
        Dispatch.Run(device, job.Chunks, ref job);
    }

    /// <summary>y = x mask / (1 - drop); y may be x.</summary>
    /// <exception cref="ShapeException">y, x and the mask differ.</exception>
    public static void Apply(Device device, Tensor y, Tensor x, Tensor mask, float drop)
    {
        ArgumentNullException.ThrowIfNull(device);
        CheckRate(drop);
        Shape.RequireEqual(y, x);
        Shape.RequireEqual(mask, x);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(ApplyKernel, x.Length, y, x, mask, 1 / (1 - drop), x.Length);
        else if (device.IsReference)
            ReferenceApply<float>(y.Span, x.Span, mask.Span, drop);
        else
            Maps.Run(device, x.Length, new Map((float*)y.Address, (float*)x.Address, (float*)mask.Address, 1 / (1 - drop)));
    }

    private static void CheckRate(float drop)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(drop);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(drop, 1);
    }

    internal static void ReferenceApply<T>(Span<T> y, ReadOnlySpan<T> x, ReadOnlySpan<T> mask, float drop) where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = x[i] * mask[i] / (T.One - T.CreateChecked(drop));
    }

    private readonly struct MaskJob(float* mask, int n, ulong seed, uint stream, ulong step, float drop) : IChunk
    {
        private const int Length = 1024;

        public int Chunks => (n + Length - 1) / Length;

        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            for (int i = chunk * Length; i < Math.Min(n, (chunk + 1) * Length); i++)
            {
                (uint a, uint b, uint c, uint d) = Philox.Words(seed, stream, step, (uint)(i / 4));
                uint word = (i % 4) switch { 0 => a, 1 => b, 2 => c, _ => d };
                mask[i] = Philox.Unit(word) < drop ? 0 : 1;
            }
        }
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
