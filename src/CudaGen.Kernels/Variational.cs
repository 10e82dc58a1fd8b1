using CudaGen.Runtime;
using System.Numerics;
using System.Runtime.CompilerServices;

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
/// sample     z = mean + sigma * eps                         dmean = dz       dh = dz * eps * dsigma/dh
/// KL         L = scale * sum 1/2 (mean^2 + sigma^2 - ln sigma^2 - 1)
///            dmean = scale * mean                           dh = scale * d/dh
/// </code>
/// The backward pass of the sample overwrites the head gradients, the divergence adds to them.
/// </summary>
public static unsafe class Variational
{
    /// <summary>Bound of |ln sigma^2|: outside of it the sample and the divergence are flat in h.</summary>
    public const float MaxLogVariance = 10;

    /// <summary>z = mean + sigma * eps. heads (N, 2L), z and eps (N, L).</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void SampleForward(Device device, Tensor z, Tensor heads, Tensor eps, PosteriorHead head)
    {
        (int rows, int latent) = Check(device, heads, z, eps);
        ReferenceSampleForward<float>(z.Span, heads.Span, eps.Span, rows, latent, head);
    }

    /// <summary>dheads = the gradient that dz gives the two heads; overwritten.</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void SampleBackward(Device device, Tensor dheads, Tensor dz, Tensor heads, Tensor eps, PosteriorHead head)
    {
        (int rows, int latent) = Check(device, heads, dz, eps);
        Shape.RequireEqual(dheads, heads);
        ReferenceSampleBackward<float>(dheads.Span, dz.Span, heads.Span, eps.Span, rows, latent, head);
    }

    /// <summary>
    /// The divergence, summed over latent dimensions and rows and times <paramref name="scale"/>, to one element;
    /// its gradient is added to <paramref name="dheads"/> if that is given.
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
        loss.Span[0] = (float)ReferenceDivergence<float>(dheads is null ? default : dheads.Value.Span, heads.Span, rows, latent, head, scale, epsilon);
    }

    /// <summary>mean (N, L) = the first half of heads (N, 2L).</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void Mean(Device device, Tensor mean, Tensor heads)
    {
        (int rows, int latent) = Check(device, heads, mean, mean);
        for (int n = 0; n < rows; n++)
            heads.Span.Slice(2 * n * latent, latent).CopyTo(mean.Span[(n * latent)..]);
    }

    /// <summary>The divergence of each latent dimension, summed over rows: which dimensions a model uses.</summary>
    public static double[] DivergenceByDimension(Device device, Tensor heads, PosteriorHead head, float epsilon = 0)
    {
        ArgumentNullException.ThrowIfNull(device);
        int latent = heads.Shape.RowLength / 2;
        double[] sums = new double[latent];
        Span<float> one = stackalloc float[2];
        for (int n = 0; n < heads.Shape.Rows; n++)
        {
            for (int j = 0; j < latent; j++)
            {
                (one[0], one[1]) = (heads.Span[2 * n * latent + j], heads.Span[(2 * n + 1) * latent + j]);
                sums[j] += ReferenceDivergence<float>(default, one, 1, 1, head, 1, epsilon);
            }
        }
        return sums;
    }

    private static (int Rows, int Latent) Check(Device device, Tensor heads, Tensor z, Tensor eps)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(z, eps);
        Shape.Require(heads, new Shape(z.Shape.Rows, 2 * z.Shape.RowLength));
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
                dheads[2 * n * latent + j] = dz[n * latent + j];
                dheads[(2 * n + 1) * latent + j] = dz[n * latent + j] * eps[n * latent + j] * slope;
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
                    dheads[im] += s * mean;
                    dheads[ih] += s * slope;
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
