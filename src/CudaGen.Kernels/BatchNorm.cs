using System.Numerics;
using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Batch normalisation (Ioffe and Szegedy 2015) with an activation f, of x with C channels last and M = elements / C rows.
/// <code>
/// training    y = f(gamma (x - mean) r + beta),  r = 1 / sqrt(var + eps),  var = sum (x - mean)^2 / M
///             running mean = (1 - m) running mean + m mean
///             running var  = (1 - m) running var  + m sum (x - mean)^2 / (M - 1)
/// inference   the same y with the running statistics
/// backward    g = dy f'(y)        dbeta += sum g        dgamma += sum g (x - mean) r
///             dx = gamma r (g - mean(g) - (x - mean) r^2 mean(g (x - mean)))
/// </code>
/// The backward pass is that of training; it needs x, y and the mean and r that the forward pass saved; y is not read
/// where f is linear. dx is overwritten and may be dy itself, dgamma and dbeta are accumulated. Without gamma and beta
/// they are 1 and 0. With a momentum of 0 the running statistics are left alone.
/// </summary>
public static unsafe class BatchNorm
{
    private static readonly Kernel SumKernel = new(KernelFiles.BatchNorm, "batch_norm_sum");
    private static readonly Kernel MeanKernel = new(KernelFiles.BatchNorm, "batch_norm_mean");
    private static readonly Kernel SquaresKernel = new(KernelFiles.BatchNorm, "batch_norm_squares");
    private static readonly Kernel StatisticsKernel = new(KernelFiles.BatchNorm, "batch_norm_statistics");
    private static readonly Kernel NormaliseKernel = new(KernelFiles.BatchNorm, "batch_norm_normalise");
    private static readonly Kernel InferenceKernel = new(KernelFiles.BatchNorm, "batch_norm_inference");
    private static readonly Kernel BackwardSumsKernel = new(KernelFiles.BatchNorm, "batch_norm_backward_sums");
    private static readonly Kernel BackwardTotalsKernel = new(KernelFiles.BatchNorm, "batch_norm_backward_totals");
    private static readonly Kernel BackwardKernel = new(KernelFiles.BatchNorm, "batch_norm_backward");

    /// <summary>How the rows are cut into slabs, one partial sum of each channel for each, and the blocks of 32 channels x 8 rows.</summary>
    private readonly struct Slabs(Shape x)
    {
        private const int Least = 64, Most = 512;

        public static Dim3 Block => new(32, 8);

        public int Rows { get; } = x.Length / Math.Max(x.Channels, 1);

        public int Channels { get; } = x.Channels;

        public int Length => Math.Max(Least, (Rows + Most - 1) / Most);

        public int Count => (Rows + Length - 1) / Length;

        /// <summary>Blocks of a kernel over channels.</summary>
        public int Warps => (Channels + 31) / 32;

        /// <summary>Blocks of a kernel over slabs and channels.</summary>
        public Dim3 Grid => new(Count, Warps);

        /// <summary>Two sums of each slab, and offset and slope of the backward pass.</summary>
        public int Scratch => checked((2 * Count + 2) * Channels);
    }

    /// <summary>
    /// y from the statistics of this batch, which are kept in <paramref name="mean"/> and <paramref name="rstd"/> (C) for
    /// the backward pass and mixed into the running ones (C). gamma and beta have shape (C) or are null.
    /// </summary>
    /// <exception cref="ShapeException">The tensors do not fit each other, or a channel has fewer than two elements.</exception>
    public static void ForwardTraining(Device device, Tensor y, Tensor mean, Tensor rstd, Tensor runningMean, Tensor runningVariance,
        Tensor x, Tensor? gamma, Tensor? beta, float epsilon, float momentum, Activation activation = default)
    {
        int channels = Check(device, y, x, gamma, beta);
        Shape.RequireLength(mean, channels);
        Shape.RequireLength(rstd, channels);
        Shape.RequireLength(runningMean, channels);
        Shape.RequireLength(runningVariance, channels);
        if (x.Length < 2 * channels)
            throw new ShapeException($"ForwardTraining: x is {x.Shape}; a variance asks for at least [2, {channels}]");
        if (device.Kind == DeviceKind.Cuda)
        {
            LaunchStatistics(device, mean, rstd, runningMean, runningVariance, x, epsilon, momentum);
            device.LaunchOver(NormaliseKernel, x.Length, y, x, mean, rstd, gamma, beta, x.Length, channels, (int)activation.Kind, activation.Slope);
            return;
        }
        if (device.IsReference)
        {
            ReferenceStatistics<float>(mean.Span, rstd.Span, runningMean.Span, runningVariance.Span, x.Span, epsilon, momentum);
            ReferenceNormalise<float>(y.Span, x.Span, mean.Span, rstd.Span, Span(gamma), Span(beta), activation);
            return;
        }
        ElementWise.Period period = new(channels);
        ChannelGrid grid = new(x.Length, period);
        double rows = x.Length / channels;
        float* means = device.Scratch(ScratchFloats(x.Shape)), sums = means + SumsAt(period);
        Span<float> average = mean.Span, root = rstd.Span, runningAverage = runningMean.Span, running = runningVariance.Span;
        double* totals = ChannelMaps.Sum(device, grid, new ValueMap((float*)x.Address), channels, sums);
        for (int c = 0; c < channels; c++)
            average[c] = (float)(totals[c] / rows);
        period.Repeat((float*)mean.Address, means);
        totals = ChannelMaps.Sum(device, grid, new SquareMap((float*)x.Address, means), channels, sums);
        for (int c = 0; c < channels; c++)
            root[c] = (float)(1 / Math.Sqrt(totals[c] / rows + epsilon));
        for (int c = 0; c < channels && momentum != 0; c++)
        {
            runningAverage[c] += momentum * (average[c] - runningAverage[c]);
            running[c] += momentum * ((float)(totals[c] / (rows - 1)) - running[c]);
        }
        Normalise(device, y, x, period, mean, rstd, gamma, beta, activation);
    }

    private static void LaunchStatistics(Device device, Tensor mean, Tensor rstd, Tensor runningMean, Tensor runningVariance, Tensor x,
        float epsilon, float momentum)
    {
        Slabs slabs = new(x.Shape);
        nint partial = (nint)device.Scratch(ScratchFloats(x.Shape));
        device.Launch(SumKernel, slabs.Grid, Slabs.Block, 0, partial, x, slabs.Rows, slabs.Channels, slabs.Length);
        device.Launch(MeanKernel, slabs.Warps, Slabs.Block, 0, mean, partial, slabs.Count, slabs.Rows, slabs.Channels);
        device.Launch(SquaresKernel, slabs.Grid, Slabs.Block, 0, partial, x, mean, slabs.Rows, slabs.Channels, slabs.Length);
        device.Launch(StatisticsKernel, slabs.Warps, Slabs.Block, 0, rstd, runningMean, runningVariance, mean, partial, epsilon, momentum,
            slabs.Count, slabs.Rows, slabs.Channels);
    }

    /// <summary>y from the running statistics.</summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void ForwardInference(Device device, Tensor y, Tensor x, Tensor runningMean, Tensor runningVariance, Tensor? gamma, Tensor? beta,
        float epsilon, Activation activation = default)
    {
        int channels = Check(device, y, x, gamma, beta);
        Shape.RequireLength(runningMean, channels);
        Shape.RequireLength(runningVariance, channels);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(InferenceKernel, x.Length, y, x, runningMean, runningVariance, gamma, beta, epsilon, x.Length, channels,
                (int)activation.Kind, activation.Slope);
            return;
        }
        float* scratch = device.Scratch(ScratchFloats(x.Shape));
        Tensor rstd = new((nint)(scratch + 4 * new ElementWise.Period(channels).Length), new Shape(channels));
        for (int c = 0; c < channels; c++)
            rstd.Span[c] = (float)(1 / Math.Sqrt((double)runningVariance.Span[c] + epsilon));
        if (device.IsReference)
            ReferenceNormalise<float>(y.Span, x.Span, runningMean.Span, rstd.Span, Span(gamma), Span(beta), activation);
        else
            Normalise(device, y, x, new(channels), runningMean, rstd, gamma, beta, activation);
    }

    /// <summary>
    /// dx, dgamma and dbeta of the training pass, from the gradient of y; dgamma and dbeta (C) may be null.
    /// </summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void Backward(Device device, Tensor dx, Tensor? dgamma, Tensor? dbeta, Tensor dy, Tensor x, Tensor y, Tensor mean, Tensor rstd,
        Tensor? gamma, Activation activation = default)
    {
        int channels = Check(device, dx, x, dgamma, dbeta);
        Shape.RequireEqual(dy, x);
        Shape.RequireEqual(y, x);
        Shape.RequireLength(mean, channels);
        Shape.RequireLength(rstd, channels);
        if (gamma is { } g)
            Shape.RequireLength(g, channels);
        if (device.Kind == DeviceKind.Cuda)
        {
            LaunchBackward(device, dx, dgamma, dbeta, dy, x, y, mean, rstd, gamma, activation);
            return;
        }
        if (device.IsReference)
        {
            ReferenceBackward<float>(dx.Span, Span(dgamma), Span(dbeta), dy.Span, x.Span, y.Span, mean.Span, rstd.Span, Span(gamma), activation);
            return;
        }
        ElementWise.Period period = new(channels);
        ChannelGrid grid = new(x.Length, period);
        (int rows, int length) = (x.Length / channels, period.Length);
        float* means = device.Scratch(ScratchFloats(x.Shape)), sums = means + SumsAt(period);
        float* factor = means + length, offset = factor + length, slope = offset + length;
        period.Repeat((float*)mean.Address, means);
        InnerGradient inner = new((float*)dy.Address, (float*)y.Address, activation.Slope);
        double* totals = ChannelMaps.Sum(device, grid, new GradientSums(inner, (float*)x.Address, means), channels, sums, activation.Kind);
        double* products = totals + channels;
        Span<float> root = rstd.Span, toBeta = Span(dbeta), toGamma = Span(dgamma), weights = Span(gamma);
        for (int c = 0; c < channels; c++)
        {
            double r = root[c];
            if (!toBeta.IsEmpty)
                toBeta[c] += (float)totals[c];
            if (!toGamma.IsEmpty)
                toGamma[c] += (float)(products[c] * r);
            float k = (weights.IsEmpty ? 1 : weights[c]) * root[c];
            for (int i = c; i < length; i += channels)
                (factor[i], offset[i], slope[i]) = (k, (float)(totals[c] / rows), (float)(products[c] * r * r / rows));
        }
        ChannelMaps.Run(device, grid, new GradientMap((float*)dx.Address, inner, (float*)x.Address, means, factor, offset, slope), activation.Kind);
    }

    private static void LaunchBackward(Device device, Tensor dx, Tensor? dgamma, Tensor? dbeta, Tensor dy, Tensor x, Tensor y, Tensor mean,
        Tensor rstd, Tensor? gamma, Activation f)
    {
        Slabs slabs = new(x.Shape);
        float* scratch = device.Scratch(ScratchFloats(x.Shape));
        nint offset = (nint)scratch, slope = (nint)(scratch + slabs.Channels), partial = (nint)(scratch + 2 * slabs.Channels);
        device.Launch(BackwardSumsKernel, slabs.Grid, Slabs.Block, 0, partial, dy, x, y, mean, slabs.Rows, slabs.Channels, slabs.Length,
            (int)f.Kind, f.Slope);
        device.Launch(BackwardTotalsKernel, slabs.Warps, Slabs.Block, 0, offset, slope, dgamma, dbeta, partial, rstd, slabs.Count, slabs.Rows,
            slabs.Channels);
        device.LaunchOver(BackwardKernel, x.Length, dx, dy, x, y, mean, rstd, gamma, offset, slope, x.Length, slabs.Channels, (int)f.Kind, f.Slope);
    }

    /// <summary>Floats of scratch memory that the three passes need for this x, on any device.</summary>
    public static int ScratchFloats(Shape x)
    {
        ElementWise.Period period = new(x.Channels);
        return Math.Max(checked(SumsAt(period) + new ChannelGrid(x.Length, period).SumScratch(x.Channels)), new Slabs(x).Scratch);
    }

    // Behind the four repeated arrays and the r of an inference pass.
    private static int SumsAt(ElementWise.Period period) => 5 * period.Length;

    private static Span<float> Span(Tensor? t) => t is null ? default : t.Value.Span;

    private static int Check(Device device, Tensor y, Tensor x, Tensor? gamma, Tensor? beta)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(y, x);
        if (gamma is { } g)
            Shape.RequireLength(g, x.Shape.Channels);
        if (beta is { } b)
            Shape.RequireLength(b, x.Shape.Channels);
        return x.Shape.Channels;
    }

    private static void Normalise(Device device, Tensor y, Tensor x, ElementWise.Period period, Tensor mean, Tensor rstd, Tensor? gamma, Tensor? beta,
        Activation activation)
    {
        (int channels, int length) = (mean.Length, period.Length);
        float* means = device.Scratch(ScratchFloats(x.Shape)), factor = means + length, offset = factor + length;
        Span<float> root = rstd.Span, weights = Span(gamma), shifts = Span(beta);
        period.Repeat((float*)mean.Address, means);
        for (int c = 0; c < channels; c++)
        {
            float k = (weights.IsEmpty ? 1 : weights[c]) * root[c], shift = shifts.IsEmpty ? 0 : shifts[c];
            for (int i = c; i < length; i += channels)
                (factor[i], offset[i]) = (k, shift);
        }
        ChannelMaps.Run(device, new(x.Length, period), new NormaliseMap((float*)y.Address, (float*)x.Address, means, factor, offset, activation.Slope),
            activation.Kind);
    }

    internal static void ReferenceStatistics<T>(Span<T> mean, Span<T> rstd, Span<T> runningMean, Span<T> runningVariance, ReadOnlySpan<T> x,
        float epsilon, float momentum)
        where T : IFloatingPointIeee754<T>
    {
        int channels = mean.Length;
        T rows = T.CreateChecked(x.Length / channels), m = T.CreateChecked(momentum);
        for (int c = 0; c < channels; c++)
        {
            double sum = 0, squares = 0;
            for (int i = c; i < x.Length; i += channels)
                sum += double.CreateChecked(x[i]);
            mean[c] = T.CreateChecked(sum) / rows;
            for (int i = c; i < x.Length; i += channels)
                squares += double.CreateChecked((x[i] - mean[c]) * (x[i] - mean[c]));
            rstd[c] = T.One / T.Sqrt(T.CreateChecked(squares) / rows + T.CreateChecked(epsilon));
            if (momentum == 0)
                continue;
            runningMean[c] = (T.One - m) * runningMean[c] + m * mean[c];
            runningVariance[c] = (T.One - m) * runningVariance[c] + m * T.CreateChecked(squares) / (rows - T.One);
        }
    }

    internal static void ReferenceNormalise<T>(Span<T> y, ReadOnlySpan<T> x, ReadOnlySpan<T> mean, ReadOnlySpan<T> rstd, ReadOnlySpan<T> gamma,
        ReadOnlySpan<T> beta, Activation activation = default)
        where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < x.Length; i++)
        {
            int c = i % mean.Length;
            T g = gamma.IsEmpty ? T.One : gamma[c], b = beta.IsEmpty ? T.Zero : beta[c];
            y[i] = activation.Apply(g * (x[i] - mean[c]) * rstd[c] + b);
        }
    }

    internal static void ReferenceBackward<T>(Span<T> dx, Span<T> dgamma, Span<T> dbeta, ReadOnlySpan<T> dy, ReadOnlySpan<T> x, ReadOnlySpan<T> y,
        ReadOnlySpan<T> mean, ReadOnlySpan<T> rstd, ReadOnlySpan<T> gamma, Activation activation = default)
        where T : IFloatingPointIeee754<T>
    {
        int channels = mean.Length;
        T rows = T.CreateChecked(x.Length / channels);
        for (int c = 0; c < channels; c++)
        {
            T sum = T.Zero, product = T.Zero, scale = (gamma.IsEmpty ? T.One : gamma[c]) * rstd[c];
            for (int i = c; i < x.Length; i += channels)
            {
                T g = dy[i] * activation.Derivative(y[i]);
                sum += g;
                product += g * (x[i] - mean[c]);
            }
            for (int i = c; i < x.Length; i += channels)
            {
                T g = dy[i] * activation.Derivative(y[i]);
                dx[i] = scale * (g - sum / rows - (x[i] - mean[c]) * rstd[c] * rstd[c] * product / rows);
            }
            if (!dgamma.IsEmpty)
                dgamma[c] += product * rstd[c];
            if (!dbeta.IsEmpty)
                dbeta[c] += sum;
        }
    }

    private readonly struct ValueMap(float* x) : IChannelMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public (TVec First, TVec Second) At<TSimd, TVec, TActivation>(int i, int p, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
            => (lanes.Load<TSimd, TVec>(x + i), TSimd.Set(0));
    }

    private readonly struct SquareMap(float* x, float* mean) : IChannelMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public (TVec First, TVec Second) At<TSimd, TVec, TActivation>(int i, int p, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            TVec d = TSimd.Sub(lanes.Load<TSimd, TVec>(x + i), TSimd.Load(mean + p));
            return (TSimd.Mul(d, d), TSimd.Set(0));
        }
    }

    private readonly struct NormaliseMap(float* y, float* x, float* mean, float* factor, float* offset, float slope) : IChannelMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public (TVec First, TVec Second) At<TSimd, TVec, TActivation>(int i, int p, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            TVec d = TSimd.Sub(lanes.Load<TSimd, TVec>(x + i), TSimd.Load(mean + p));
            TVec a = TSimd.Fma(d, TSimd.Load(factor + p), TSimd.Load(offset + p));
            lanes.Store<TSimd, TVec>(y + i, TActivation.Forward<TSimd, TVec>(a, TSimd.Set(slope)));
            return default;
        }
    }

    // dy f'(y): the gradient of what the activation was applied to.
    private readonly struct InnerGradient(float* dy, float* y, float slope)
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec, TActivation>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            TVec g = lanes.Load<TSimd, TVec>(dy + i);
            return typeof(TActivation) == typeof(Linear) ? g
                : TActivation.Backward<TSimd, TVec>(g, lanes.Load<TSimd, TVec>(y + i), TSimd.Set(slope));
        }
    }

    private readonly struct GradientSums(InnerGradient inner, float* x, float* mean) : IChannelMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public (TVec First, TVec Second) At<TSimd, TVec, TActivation>(int i, int p, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            TVec g = inner.At<TSimd, TVec, TActivation>(i, lanes), d = TSimd.Sub(lanes.Load<TSimd, TVec>(x + i), TSimd.Load(mean + p));
            return (g, TSimd.Mul(g, d));
        }
    }

    private readonly struct GradientMap(float* dx, InnerGradient inner, float* x, float* mean, float* factor, float* offset, float* slope) : IChannelMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public (TVec First, TVec Second) At<TSimd, TVec, TActivation>(int i, int p, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            TVec d = TSimd.Sub(lanes.Load<TSimd, TVec>(x + i), TSimd.Load(mean + p));
            TVec g = TSimd.Sub(inner.At<TSimd, TVec, TActivation>(i, lanes), TSimd.Load(offset + p));
            g = TSimd.Sub(g, TSimd.Mul(d, TSimd.Load(slope + p)));
            lanes.Store<TSimd, TVec>(dx + i, TSimd.Mul(g, TSimd.Load(factor + p)));
            return default;
        }
    }
}
