using System.Numerics;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// The two element-wise ends of WGAN-GP (Gulrajani et al. 2017, algorithm 1, lines 6 and 7), per sample n:
/// <code>
/// interpolate   y_n = x_n + alpha_n (fake_n - x_n)
/// penalty       L = scale * sum_n (|g_n| - 1)^2          dg_n = 2 scale (1 - 1 / |g_n|) g_n
/// </code>
/// |g| has no epsilon; where it is 0, the gradient is taken to be 0.
/// </summary>
public static unsafe class GradientPenalty
{
    private static readonly Kernel InterpolateKernel = new(KernelFiles.Penalty, "penalty_interpolate");
    private static readonly Kernel SlopesKernel = new(KernelFiles.Penalty, "penalty_slopes");
    private static readonly Kernel LossKernel = new(KernelFiles.Penalty, "penalty_loss");

    // BLOCK of common.cuh.
    private const int Threads = 256;

    /// <summary>y = x + alpha (fake - x). <paramref name="alpha"/> has one element per row of x.</summary>
    /// <exception cref="ShapeException">y, x and fake differ, or alpha has not one element per row.</exception>
    public static void Interpolate(Device device, Tensor y, Tensor x, Tensor fake, Tensor alpha)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(y, x);
        Shape.RequireEqual(fake, x);
        Shape.RequireLength(alpha, x.Shape.Rows);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(InterpolateKernel, x.Length, y, x, fake, alpha, x.Length, x.Shape.RowLength);
            return;
        }
        if (device.IsReference)
        {
            ReferenceInterpolate<float>(y.Span, x.Span, fake.Span, alpha.Span);
            return;
        }
        InterpolateJob job = new((float*)y.Address, (float*)x.Address, (float*)fake.Address, (float*)alpha.Address, x.Shape.RowLength);
        Dispatch.Run(device, x.Shape.Rows, ref job);
    }

    /// <summary>
    /// The penalty to <paramref name="loss"/> (one element), the norms to <paramref name="norms"/> (one per row of g), and
    /// its gradient to <paramref name="dg"/>, which may be g.
    /// </summary>
    /// <exception cref="ShapeException">dg and g differ, or the others have not their one element or one per row.</exception>
    public static void Evaluate(Device device, Tensor loss, Tensor norms, Tensor dg, Tensor g, float scale)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireLength(loss, 1);
        Shape.RequireEqual(dg, g);
        Shape.RequireLength(norms, g.Shape.Rows);
        if (device.Kind == DeviceKind.Cuda)
        {
            int rows = g.Shape.Rows;
            device.Launch(SlopesKernel, Math.Min(rows, device.BlockLimit), Threads, 0, norms, dg, g, scale, rows, g.Shape.RowLength);
            device.Launch(LossKernel, 1, Threads, 0, loss, norms, scale, rows);
            return;
        }
        if (device.IsReference)
        {
            loss.Span[0] = (float)ReferenceEvaluate<float>(norms.Span, dg.Span, g.Span, scale);
            return;
        }
        PenaltyJob job = new((float*)norms.Address, (float*)dg.Address, (float*)g.Address, g.Shape.RowLength, scale);
        Dispatch.Run(device, g.Shape.Rows, ref job);
        double sum = 0;
        foreach (float norm in norms.Span)
            sum += ((double)norm - 1) * ((double)norm - 1);
        loss.Span[0] = (float)(scale * sum);
    }

    internal static void ReferenceInterpolate<T>(Span<T> y, ReadOnlySpan<T> x, ReadOnlySpan<T> fake, ReadOnlySpan<T> alpha)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = x[i] + alpha[i / (y.Length / alpha.Length)] * (fake[i] - x[i]);
    }

    internal static double ReferenceEvaluate<T>(Span<T> norms, Span<T> dg, ReadOnlySpan<T> g, float scale) where T : IFloatingPointIeee754<T>
    {
        int length = norms.Length == 0 ? 0 : g.Length / norms.Length;
        T s = T.CreateChecked(scale), two = T.CreateChecked(2);
        double sum = 0;
        for (int n = 0; n < norms.Length; n++)
        {
            double squares = 0;
            for (int i = n * length; i < (n + 1) * length; i++)
                squares += double.CreateChecked(g[i] * g[i]);
            norms[n] = T.CreateChecked(Math.Sqrt(squares));
            sum += double.CreateChecked((norms[n] - T.One) * (norms[n] - T.One));
            T slope = norms[n] > T.Zero ? two * s * (norms[n] - T.One) / norms[n] : T.Zero;
            for (int i = n * length; i < (n + 1) * length; i++)
                dg[i] = slope * g[i];
        }
        return scale * sum;
    }

    // A chunk is a sample.
    private readonly struct InterpolateJob(float* y, float* x, float* fake, float* alpha, int length) : IChunk
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            float* to = y + (nint)chunk * length;
            float* real = x + (nint)chunk * length, other = fake + (nint)chunk * length;
            TVec a = TSimd.Set(alpha[chunk]);
            for (int i = 0; i < length; i += TSimd.Width)
            {
                Lanes lanes = new(length - i);
                TVec r = lanes.Load<TSimd, TVec>(real + i);
                lanes.Store<TSimd, TVec>(to + i, TSimd.Fma(a, TSimd.Sub(lanes.Load<TSimd, TVec>(other + i), r), r));
            }
        }
    }

    private readonly struct PenaltyJob(float* norms, float* dg, float* g, int length, float scale) : IChunk
    {
        // Squares are summed in float over this many elements and in double over these parts.
        private const int Part = 1024;

        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            float* from = g + (nint)chunk * length;
            double squares = 0;
            for (int start = 0; start < length; start += Part)
            {
                TVec sum = TSimd.Set(0);
                for (int i = start; i < Math.Min(length, start + Part); i += TSimd.Width)
                {
                    TVec v = new Lanes(length - i).Load<TSimd, TVec>(from + i);
                    sum = TSimd.Fma(v, v, sum);
                }
                squares += TSimd.Sum(sum);
            }
            norms[chunk] = (float)Math.Sqrt(squares);
            float slope = norms[chunk] > 0 ? 2 * scale * (norms[chunk] - 1) / norms[chunk] : 0;
            Pixels.Scale<TSimd, TVec>(dg + (nint)chunk * length, from, slope, length);
        }
    }
}
