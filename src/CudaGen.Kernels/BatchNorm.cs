using System.Numerics;
using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Kernels.Cuda;
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
/// where f is linear. dx is overwritten and may be dy itself, dgamma and dbeta are accumulated unless asked otherwise. Without gamma and beta
/// they are 1 and 0. With a momentum of 0 the running statistics are left alone.
/// </summary>
public static unsafe class BatchNorm
{
    private static readonly Kernel TrainingKernel = new(KernelFiles.BatchNorm, "batch_norm_training");
    private static readonly Kernel BackwardWholeKernel = new(KernelFiles.BatchNorm, "batch_norm_backward_whole");
    private static readonly Kernel SumsKernel = new(KernelFiles.BatchNorm, "batch_norm_sums");
    private static readonly Kernel StatisticsKernel = new(KernelFiles.BatchNorm, "batch_norm_statistics");
    private static readonly Kernel NormaliseKernel = new(KernelFiles.BatchNorm, "batch_norm_normalise");
    private static readonly Kernel InferenceKernel = new(KernelFiles.BatchNorm, "batch_norm_inference");
    private static readonly Kernel BackwardSumsKernel = new(KernelFiles.BatchNorm, "batch_norm_backward_sums");
    private static readonly Kernel BackwardTotalsKernel = new(KernelFiles.BatchNorm, "batch_norm_backward_totals");
    private static readonly Kernel BackwardKernel = new(KernelFiles.BatchNorm, "batch_norm_backward");

    /// <summary>How the rows are cut into slabs, one partial sum of each channel for each.</summary>
    private readonly struct Slabs(Shape x)
    {
        private const int Least = 64, Most = 512;

        public bool AreFewRows => Rows <= ColumnBlocks.FewRows;

        /// <summary>Narrow blocks of a kernel over channels.</summary>
        public int NarrowBlocks => ColumnBlocks.Over(Channels, ColumnBlocks.Narrow);

        public int Rows { get; } = x.Length / Math.Max(x.Channels, 1);

        public int Channels { get; } = x.Channels;

        public int Length => Math.Max(Least, (Rows + Most - 1) / Most);

        public int Count => (Rows + Length - 1) / Length;

        /// <summary>Wide blocks of a kernel over channels.</summary>
        public int WideBlocks => ColumnBlocks.Over(Channels, ColumnBlocks.Wide);

        /// <summary>Wide blocks of a kernel over slabs and channels.</summary>
        public Dim3 Grid => new(Count, WideBlocks);

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
            LaunchTraining(device, y, mean, rstd, runningMean, runningVariance, x, gamma, beta, epsilon, momentum, activation);
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
        float* means = device.Scratch(ScratchFloats(x.Shape)), sums = means + SumsAt(period);
        Channels each = new(x.Length / channels, mean, rstd, runningMean, runningVariance, gamma, beta, epsilon, momentum);
        if (grid.BlocksOfAllRows(channels) is > 0 and int blocks)
        {
            ElementWise.ByActivation<TrainingBlock> job = new(new(grid, each, (float*)y.Address, (float*)x.Address, means, activation.Slope), activation.Kind);
            Dispatch.Run(device, blocks, ref job);
            return;
        }
        double* totals = ChannelMaps.Sum(device, grid, new ValueMap((float*)x.Address), channels, sums);
        for (int c = 0; c < channels; c++)
            each.SetMean(c, totals[c]);
        period.Repeat((float*)mean.Address, means);
        totals = ChannelMaps.Sum(device, grid, new SquareMap((float*)x.Address, means), channels, sums);
        for (int c = 0; c < channels; c++)
            each.SetVariance(c, totals[c]);
        Normalise(device, y, x, period, mean, rstd, gamma, beta, activation);
    }

    /// <summary>What there is for each channel in a training pass.</summary>
    private readonly struct Channels(int rows, Tensor mean, Tensor rstd, Tensor runningMean, Tensor runningVariance, Tensor? gamma, Tensor? beta,
        float epsilon, float momentum)
    {
        private readonly float* _rstd = (float*)rstd.Address, _runningMean = (float*)runningMean.Address, _runningVariance = (float*)runningVariance.Address;
        private readonly float* _gamma = gamma is { } g ? (float*)g.Address : null, _beta = beta is { } b ? (float*)b.Address : null;

        public float* Mean { get; } = (float*)mean.Address;

        public float Factor(int c) => _gamma == null ? _rstd[c] : _gamma[c] * _rstd[c];

        public float Offset(int c) => _beta == null ? 0 : _beta[c];

        public void SetMean(int c, double sum) => Mean[c] = (float)(sum / rows);

        public void SetVariance(int c, double squares)
        {
            _rstd[c] = (float)(1 / Math.Sqrt(squares / rows + epsilon));
            if (momentum == 0)
                return;
            _runningMean[c] += momentum * (Mean[c] - _runningMean[c]);
            _runningVariance[c] += momentum * ((float)(squares / (rows - 1)) - _runningVariance[c]);
        }
    }

    // All rows of a block of channels: mean, variance and result while it is in the cache.
    private readonly struct TrainingBlock(ChannelGrid grid, Channels each, float* y, float* x, float* scratch, float slope) : ElementWise.IActivationLoop
    {
        public void Run<TSimd, TVec, TActivation>(int block)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            (int first, int end) = grid.BlockOfAllRows(block);
            float* factor = scratch, offset = factor + grid.Length, sums = offset + grid.Length;
            ChannelMaps.Sums<TSimd, TVec, Linear, ValueMap>(grid, new(x), 0, grid.Rows, first, end, sums);
            for (int c = first; c < end; c++)
                each.SetMean(c, sums[c]);
            ChannelMaps.Sums<TSimd, TVec, Linear, SquareMap>(grid, new(x, each.Mean), 0, grid.Rows, first, end, sums);
            for (int c = first; c < end; c++)
            {
                each.SetVariance(c, sums[c]);
                (factor[c], offset[c]) = (each.Factor(c), each.Offset(c));
            }
            ChannelMaps.Each<TSimd, TVec, TActivation, NormaliseMap>(grid, new(y, x, each.Mean, factor, offset, slope), 0, grid.Rows, first, end);
        }
    }

    private static void LaunchTraining(Device device, Tensor y, Tensor mean, Tensor rstd, Tensor runningMean, Tensor runningVariance, Tensor x,
        Tensor? gamma, Tensor? beta, float epsilon, float momentum, Activation f)
    {
        Slabs slabs = new(x.Shape);
        if (slabs.AreFewRows)
        {
            device.Launch(TrainingKernel, slabs.NarrowBlocks, ColumnBlocks.Narrow, 0, y, mean, rstd, runningMean, runningVariance, x, gamma, beta,
                epsilon, momentum, slabs.Rows, slabs.Channels, (int)f.Kind, f.Slope);
            return;
        }
        nint partial = (nint)device.Scratch(ScratchFloats(x.Shape));
        device.Launch(SumsKernel, slabs.Grid, ColumnBlocks.Wide, 0, partial, x, slabs.Rows, slabs.Channels, slabs.Length);
        device.Launch(StatisticsKernel, slabs.WideBlocks, ColumnBlocks.Wide, 0, mean, rstd, runningMean, runningVariance, partial, epsilon, momentum,
            slabs.Count, slabs.Length, slabs.Rows, slabs.Channels);
        device.LaunchOver(NormaliseKernel, x.Length, y, x, mean, rstd, gamma, beta, x.Length, slabs.Channels, (int)f.Kind, f.Slope);
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
    /// dx, dgamma and dbeta of the training pass, from the gradient of y; dgamma and dbeta (C) may be null. These two are added to what they
    /// were, or overwritten without <paramref name="add"/>.
    /// </summary>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static void Backward(Device device, Tensor dx, Tensor? dgamma, Tensor? dbeta, Tensor dy, Tensor x, Tensor y, Tensor mean, Tensor rstd,
        Tensor? gamma, Activation activation = default, bool add = true)
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
            LaunchBackward(device, dx, dgamma, dbeta, dy, x, y, mean, rstd, gamma, activation, add);
            return;
        }
        if (!add)
        {
            dgamma?.Span.Clear();
            dbeta?.Span.Clear();
        }
        if (device.IsReference)
        {
            ReferenceBackward<float>(dx.Span, Span(dgamma), Span(dbeta), dy.Span, x.Span, y.Span, mean.Span, rstd.Span, Span(gamma), activation);
            return;
        }
        ElementWise.Period period = new(channels);
        ChannelGrid grid = new(x.Length, period);
        float* means = device.Scratch(ScratchFloats(x.Shape)), sums = means + SumsAt(period);
        InnerGradient inner = new((float*)dy.Address, (float*)y.Address, activation.Slope);
        ChannelGradients each = new(x.Length / channels, channels, grid.Length, rstd, gamma, dgamma, dbeta, means + grid.Length);
        if (grid.BlocksOfAllRows(channels) is > 0 and int blocks)
        {
            ElementWise.ByActivation<BackwardBlock> job = new(
                new(grid, each, inner, (float*)dx.Address, (float*)x.Address, (float*)mean.Address, sums), activation.Kind);
            Dispatch.Run(device, blocks, ref job);
            return;
        }
        period.Repeat((float*)mean.Address, means);
        double* totals = ChannelMaps.Sum(device, grid, new GradientSums(inner, (float*)x.Address, means), channels, sums, activation.Kind);
        for (int c = 0; c < channels; c++)
            each.Set(c, totals[c], totals[channels + c]);
        ChannelMaps.Run(device, grid, each.Map((float*)dx.Address, inner, (float*)x.Address, means), activation.Kind);
    }

    /// <summary>What there is for each channel in a backward pass.</summary>
    private readonly struct ChannelGradients(int rows, int channels, int length, Tensor rstd, Tensor? gamma, Tensor? dgamma, Tensor? dbeta, float* repeated)
    {
        private readonly float* _rstd = (float*)rstd.Address, _gamma = gamma is { } g ? (float*)g.Address : null;
        private readonly float* _dgamma = dgamma is { } dg ? (float*)dg.Address : null, _dbeta = dbeta is { } db ? (float*)db.Address : null;

        /// <summary>From the sums of g and g (x - mean): the gradients of gamma and beta, and what the map needs.</summary>
        public void Set(int c, double sum, double product)
        {
            double r = _rstd[c];
            if (_dbeta != null)
                _dbeta[c] += (float)sum;
            if (_dgamma != null)
                _dgamma[c] += (float)(product * r);
            float* factor = repeated, offset = factor + length, slope = offset + length;
            float k = _gamma == null ? _rstd[c] : _gamma[c] * _rstd[c], average = (float)(sum / rows), tilt = (float)(product * r * r / rows);
            for (int i = c; i < length; i += channels)
                (factor[i], offset[i], slope[i]) = (k, average, tilt);
        }

        public GradientMap Map(float* dx, InnerGradient inner, float* x, float* mean) => new(dx, inner, x, mean, repeated, repeated + length, repeated + 2 * length);
    }

    // All rows of a block of channels: the sums, and the gradient while it is in the cache.
    private readonly struct BackwardBlock(ChannelGrid grid, ChannelGradients each, InnerGradient inner, float* dx, float* x, float* mean, float* sums)
        : ElementWise.IActivationLoop
    {
        public void Run<TSimd, TVec, TActivation>(int block)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            (int first, int end) = grid.BlockOfAllRows(block);
            ChannelMaps.Sums<TSimd, TVec, TActivation, GradientSums>(grid, new(inner, x, mean), 0, grid.Rows, first, end, sums);
            for (int c = first; c < end; c++)
                each.Set(c, sums[c], sums[grid.Length + c]);
            ChannelMaps.Each<TSimd, TVec, TActivation, GradientMap>(grid, each.Map(dx, inner, x, mean), 0, grid.Rows, first, end);
        }
    }

    private static void LaunchBackward(Device device, Tensor dx, Tensor? dgamma, Tensor? dbeta, Tensor dy, Tensor x, Tensor y, Tensor mean,
        Tensor rstd, Tensor? gamma, Activation f, bool add)
    {
        Slabs slabs = new(x.Shape);
        if (slabs.AreFewRows)
        {
            device.Launch(BackwardWholeKernel, slabs.NarrowBlocks, ColumnBlocks.Narrow, 0, dx, dgamma, dbeta, dy, x, y, mean, rstd, gamma, slabs.Rows,
                slabs.Channels, add ? 1 : 0, (int)f.Kind, f.Slope);
            return;
        }
        float* scratch = device.Scratch(ScratchFloats(x.Shape));
        nint offset = (nint)scratch, slope = (nint)(scratch + slabs.Channels), partial = (nint)(scratch + 2 * slabs.Channels);
        device.Launch(BackwardSumsKernel, slabs.Grid, ColumnBlocks.Wide, 0, partial, dy, x, y, mean, slabs.Rows, slabs.Channels, slabs.Length,
            (int)f.Kind, f.Slope);
        device.Launch(BackwardTotalsKernel, slabs.WideBlocks, ColumnBlocks.Wide, 0, offset, slope, dgamma, dbeta, partial, rstd, slabs.Count, slabs.Rows,
            slabs.Channels, add ? 1 : 0);
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
