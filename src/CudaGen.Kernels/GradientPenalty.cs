using System.Numerics;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// The two element-wise ends of WGAN-GP (Gulrajani et al. 2017, algorithm 1, lines 6 and 7), per sample n:
/// <code>
/// interpolate   y_n = x_n + alpha_n (fake_n - x_n)
/// penalty       L = mean of (|g_n| - 1)^2                dg_n = 2 weight / N (1 - 1 / |g_n|) g_n
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
    /// the gradient of <paramref name="weight"/> times the penalty to <paramref name="dg"/>, which may be g. That product is added to
    /// <paramref name="total"/> (one element) unless null: the loss that it is a part of.
    /// </summary>
    /// <exception cref="ShapeException">dg and g differ, or the others have not their one element or one per row.</exception>
    public static void Evaluate(Device device, Tensor loss, Tensor norms, Tensor dg, Tensor g, float weight, Tensor? total = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireLength(loss, 1);
        if (total is { } sum)
            Shape.RequireLength(sum, 1);
        Shape.RequireEqual(dg, g);
        Shape.RequireLength(norms, g.Shape.Rows);
        int rows = g.Shape.Rows;
        float scale = weight / Math.Max(rows, 1);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.Launch(SlopesKernel, Math.Min(rows, device.BlockLimit), Threads, 0, norms, dg, g, scale, rows, g.Shape.RowLength);
            device.Launch(LossKernel, 1, Threads, 0, loss, total, norms, weight, rows);
            return;
        }
        if (device.IsReference)
            loss.Span[0] = (float)ReferenceEvaluate<float>(norms.Span, dg.Span, g.Span, weight);
        else
        {
            PenaltyJob job = new((float*)norms.Address, (float*)dg.Address, (float*)g.Address, g.Shape.RowLength, scale);
            Dispatch.Run(device, rows, ref job);
            double squares = 0;
            foreach (float norm in norms.Span)
                squares += ((double)norm - 1) * ((double)norm - 1);
            loss.Span[0] = (float)(squares / Math.Max(rows, 1));
        }
        if (total is { } all)
            all.Span[0] += weight * loss.Span[0];
    }

    internal static void ReferenceInterpolate<T>(Span<T> y, ReadOnlySpan<T> x, ReadOnlySpan<T> fake, ReadOnlySpan<T> alpha)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = x[i] + alpha[i / (y.Length / alpha.Length)] * (fake[i] - x[i]);
    }

    internal static double ReferenceEvaluate<T>(Span<T> norms, Span<T> dg, ReadOnlySpan<T> g, float weight) where T : IFloatingPointIeee754<T>
    {
        int rows = Math.Max(norms.Length, 1), length = g.Length / rows;
        T s = T.CreateChecked(weight) / T.CreateChecked(rows), two = T.CreateChecked(2);
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
        return sum / rows;
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
