using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>How the second head of a VAE's encoder says how wide the posterior is.</summary>
public enum PosteriorHead
{
    /// <summary>h = ln sigma^2, clamped to [-10, 10]; sigma = e^(h/2) (Kingma and Welling 2014, appendix B and C).</summary>
    LogVariance,

    /// <summary>h = sigma, of either sign. ln h^2 is singular at 0, which is where a new network starts.</summary>
    StandardDeviation,
}

/// <summary>
/// The reparameterised sample and the Kullback-Leibler divergence of a diagonal Gaussian posterior from N(0, I). The two
/// heads lie side by side in one tensor (N, 2L): mean in columns 0..L-1, h in L..2L-1.
/// <code>
/// sample     z = mean + sigma * eps                         dmean += dz      dh += dz * eps * dsigma/dh
/// KL         L = scale * sum 1/2 (mean^2 + sigma^2 - ln sigma^2 - 1)
///            dmean = scale * mean                           dh = scale * d/dh
/// </code>
/// The divergence, like any loss, overwrites the gradients of the heads; the backward pass of the sample, which comes later, adds to them.
/// </summary>
public static unsafe class Variational
{
    private static readonly Kernel SampleForwardKernel = new(KernelFiles.Variational, "sample_forward");
    private static readonly Kernel SampleBackwardKernel = new(KernelFiles.Variational, "sample_backward");
    private static readonly Kernel DivergenceKernel = new(KernelFiles.Variational, "divergence");
    private static readonly Kernel MeanKernel = new(KernelFiles.Variational, "posterior_mean");

    /// <summary>Bound of |ln sigma^2|: outside of it the sample and the divergence are flat in h.</summary>
    public const float MaxLogVariance = 10;

    /// <summary>z = mean + sigma * eps. heads (N, 2L), z and eps (N, L).</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void SampleForward(Device device, Tensor z, Tensor heads, Tensor eps, PosteriorHead head)
    {
        (int rows, int latent) = Check(device, heads, z, eps);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(SampleForwardKernel, z.Length, z, heads, eps, z.Length, latent, (int)head);
        else
            Run(device, new(Pass.Sample, (float*)z.Address, (float*)heads.Address, (float*)eps.Address, null, rows, latent, head, 0, 0, null));
    }

    /// <summary>dheads += the gradient that dz gives the two heads.</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void SampleBackward(Device device, Tensor dheads, Tensor dz, Tensor heads, Tensor eps, PosteriorHead head)
    {
        (int rows, int latent) = Check(device, heads, dz, eps);
        Shape.RequireEqual(dheads, heads);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(SampleBackwardKernel, dz.Length, dheads, dz, heads, eps, dz.Length, latent, (int)head);
        else
        {
            Run(device, new(Pass.SampleGradient, (float*)dheads.Address, (float*)heads.Address, (float*)eps.Address, (float*)dz.Address, rows,
                latent, head, 0, 0, null));
        }
    }

    /// <summary>
    /// The divergence, summed over latent dimensions and rows and times <paramref name="scale"/>, to one element;
    /// its gradient overwrites <paramref name="dheads"/> if that is given.
    /// </summary>
    /// <param name="device">Where the tensors are.</param>
    /// <param name="loss">One element, overwritten.</param>
    /// <param name="dheads">(N, 2L) or null.</param>
    /// <param name="heads">(N, 2L)</param>
    /// <param name="head">What the second half of the heads means.</param>
    /// <param name="scale">1 / N for a mean over the batch.</param>
    /// <param name="epsilon">Added to sigma^2 inside the logarithm; only for <see cref="PosteriorHead.StandardDeviation"/>.</param>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void Divergence(Device device, Tensor loss, Tensor? dheads, Tensor heads, PosteriorHead head, float scale, float epsilon = 0)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireLength(loss, 1);
        if (dheads is { } d)
            Shape.RequireEqual(d, heads);
        (int rows, int latent) = (heads.Shape.Rows, heads.Shape.RowLength / 2);
        Shape.Require(heads, new Shape(rows, 2 * latent));
        if (device.Kind == DeviceKind.Cuda)
        {
            ChunkedSum sum = new(device, loss, rows * latent);
            device.Launch(DivergenceKernel, sum.Grid, ChunkedSum.Block, 0, sum.Partial, dheads, heads, rows * latent, latent, (int)head,
                epsilon, scale);
            sum.Finish();
            return;
        }
        RowsJob job = new(Pass.Divergence, dheads is null ? null : (float*)dheads.Value.Address, (float*)heads.Address, null, null, rows, latent,
            head, scale, epsilon, (double*)device.Scratch(2 * RowsJob.ChunksOf(rows)));
        Run(device, job);
        loss.Span[0] = (float)job.Sum();
    }

    /// <summary>Floats of scratch memory that the divergence of these heads (N, 2L) needs, on any device.</summary>
    public static int ScratchFloats(Shape heads) => Math.Max(2 * RowsJob.ChunksOf(heads.Rows), Reduce.ScratchFloats(heads.Length / 2));

    private enum Pass
    {
        Sample,
        SampleGradient,
        Divergence,
    }

    private static void Run(Device device, RowsJob job)
    {
        if (device.IsReference)
        {
            for (int i = 0; i < job.Chunks; i++)
                job.Run<Simd128, Vector128<float>>(i);
        }
        else
            Dispatch.Run(device, job.Chunks, ref job);
    }

    // The tensors are small and the exponential is most of the work, so the CPU path is the reference on blocks of rows.
    private readonly struct RowsJob(Pass pass, float* output, float* heads, float* eps, float* dz, int rows, int latent, PosteriorHead head,
        float scale, float epsilon, double* sums) : IChunk
    {
        private const int RowsPerChunk = 16;

        public static int ChunksOf(int rows) => (rows + RowsPerChunk - 1) / RowsPerChunk;

        public int Chunks => ChunksOf(rows);

        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int first = chunk * RowsPerChunk, count = Math.Min(RowsPerChunk, rows - first), n = count * latent;
            var h = new ReadOnlySpan<float>(heads + (nint)2 * first * latent, 2 * n);
            if (pass == Pass.Divergence)
            {
                Span<float> dheads = output == null ? default : new(output + (nint)2 * first * latent, 2 * n);
                sums[chunk] = ReferenceDivergence<float>(dheads, h, count, latent, head, scale, epsilon);
                return;
            }
            var noise = new ReadOnlySpan<float>(eps + (nint)first * latent, n);
            if (pass == Pass.Sample)
                ReferenceSampleForward<float>(new(output + (nint)first * latent, n), h, noise, count, latent, head);
            else
            {
                ReferenceSampleBackward<float>(new(output + (nint)2 * first * latent, 2 * n), new(dz + (nint)first * latent, n), h, noise, count,
                    latent, head);
            }
        }

        public double Sum()
        {
            double sum = 0;
            for (int i = 0; i < Chunks; i++)
                sum += sums[i];
            return sum;
        }
    }

    /// <summary>mean (N, L) = the first half of heads (N, 2L).</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void Mean(Device device, Tensor mean, Tensor heads)
    {
        (int rows, int latent) = Check(device, heads, mean, mean);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(MeanKernel, mean.Length, mean, heads, mean.Length, latent);
            return;
        }
        for (int n = 0; n < rows; n++)
            heads.Span.Slice(2 * n * latent, latent).CopyTo(mean.Span[(n * latent)..]);
    }

    /// <summary>The divergence of each latent dimension, summed over rows: which dimensions a model uses.</summary>
    public static double[] DivergenceByDimension(Device device, Tensor heads, PosteriorHead head, float epsilon = 0)
    {
        ArgumentNullException.ThrowIfNull(device);
        int latent = heads.Shape.RowLength / 2;
        Shape.Require(heads, new Shape(heads.Shape.Rows, 2 * latent));
        double[] sums = new double[latent];
        float[] values = device.ToArray(heads);
        Span<float> one = stackalloc float[2];
        for (int n = 0; n < heads.Shape.Rows; n++)
        {
            for (int j = 0; j < latent; j++)
            {
                (one[0], one[1]) = (values[2 * n * latent + j], values[(2 * n + 1) * latent + j]);
                sums[j] += ReferenceDivergence<float>(default, one, 1, 1, head, 1, epsilon);
            }
        }
        return sums;
    }

    private static (int Rows, int Latent) Check(Device device, Tensor heads, Tensor z, Tensor eps)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(z, eps);
        if (heads.Shape != new Shape(z.Shape.Rows, 2 * z.Shape.RowLength))
            throw new ShapeException($"the two heads {heads.Shape} do not fit (N, 2L) for {z.Shape}");
        return (z.Shape.Rows, z.Shape.RowLength);
    }

    internal static void ReferenceSampleForward<T>(Span<T> z, ReadOnlySpan<T> heads, ReadOnlySpan<T> eps, int rows, int latent, PosteriorHead head)
        where T : IFloatingPointIeee754<T>
    {
        for (int n = 0; n < rows; n++)
        {
            for (int j = 0; j < latent; j++)
                z[n * latent + j] = heads[2 * n * latent + j] + Sigma<T>(heads[(2 * n + 1) * latent + j], head, out _) * eps[n * latent + j];
        }
    }

    internal static void ReferenceSampleBackward<T>(Span<T> dheads, ReadOnlySpan<T> dz, ReadOnlySpan<T> heads, ReadOnlySpan<T> eps, int rows,
        int latent, PosteriorHead head)
        where T : IFloatingPointIeee754<T>
    {
        for (int n = 0; n < rows; n++)
        {
            for (int j = 0; j < latent; j++)
            {
                _ = Sigma<T>(heads[(2 * n + 1) * latent + j], head, out T slope);
                dheads[2 * n * latent + j] += dz[n * latent + j];
                dheads[(2 * n + 1) * latent + j] += dz[n * latent + j] * eps[n * latent + j] * slope;
            }
        }
    }

    internal static double ReferenceDivergence<T>(Span<T> dheads, ReadOnlySpan<T> heads, int rows, int latent, PosteriorHead head, float scale,
        float epsilon)
        where T : IFloatingPointIeee754<T>
    {
        T s = T.CreateChecked(scale), half = T.CreateChecked(0.5), tiny = T.CreateChecked(epsilon);
        double sum = 0;
        for (int n = 0; n < rows; n++)
        {
            for (int j = 0; j < latent; j++)
            {
                int im = 2 * n * latent + j, ih = im + latent;
                T mean = heads[im], h = heads[ih], value, slope;
                if (head == PosteriorHead.LogVariance)
                {
                    T bound = T.CreateChecked(MaxLogVariance);
                    T v = T.Clamp(h, -bound, bound), variance = T.Exp(v);
                    value = half * (mean * mean + variance - v - T.One);
                    slope = v == h ? half * (variance - T.One) : T.Zero;
                }
                else
                {
                    T square = h * h + tiny;
                    value = half * (mean * mean + h * h - T.Log(square) - T.One);
                    slope = h - h / square;
                }
                sum += double.CreateChecked(value);
                if (!dheads.IsEmpty)
                {
                    dheads[im] = s * mean;
                    dheads[ih] = s * slope;
                }
            }
        }
        return sum * scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Sigma<T>(T h, PosteriorHead head, out T slope) where T : IFloatingPointIeee754<T>
    {
        if (head == PosteriorHead.StandardDeviation)
        {
            slope = T.One;
            return h;
        }
        T bound = T.CreateChecked(MaxLogVariance), half = T.CreateChecked(0.5);
        T v = T.Clamp(h, -bound, bound);
        T sigma = T.Exp(half * v);
        slope = v == h ? half * sigma : T.Zero;
        return sigma;
    }
}
