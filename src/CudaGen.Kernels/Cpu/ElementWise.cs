using System.Numerics;
using System.Runtime.CompilerServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// The loops over elements. Work is cut into chunks of a fixed size, so sums over chunks are added in the same order for
/// any number of threads.
/// </summary>
internal static unsafe class ElementWise
{
    /// <summary>Elements of a chunk: large against the price of a claim, small enough to balance and to stay in L1/L2.</summary>
    public const int ChunkLength = 8192;

    /// <summary>Chunks of a loop over n elements.</summary>
    public static int Chunks(int n) => (n + ChunkLength - 1) / ChunkLength;

    /// <summary>Loads the n &lt; Width floats at p and zeros: never reads beyond them.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static TVec LoadPartial<TSimd, TVec>(float* p, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        float* t = stackalloc float[16];
        for (int i = 0; i < 16; i++)
            t[i] = i < n ? p[i] : 0;
        return TSimd.Load(t);
    }

    /// <summary>Stores the first n &lt; Width floats.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void StorePartial<TSimd, TVec>(float* p, TVec v, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        float* t = stackalloc float[16];
        TSimd.Store(t, v);
        for (int i = 0; i < n; i++)
            p[i] = t[i];
    }

    /// <summary>y = f(y + bias) over all of y.</summary>
    public static void BiasActivationForward(Device device, Tensor y, Tensor? bias, Activation activation)
    {
        if (bias is null && activation.Kind == ActivationKind.Linear)
            return;
        int channels = y.Shape.Channels;
        Period period = new(channels);
        float* repeated = null;
        if (bias is { } b)
        {
            repeated = device.Scratch(period.Length + 16);
            period.Repeat((float*)b.Address, repeated);
        }
        ByActivation<ForwardJob> job = new(new((float*)y.Address, y.Length, repeated, period, activation), activation.Kind);
        Dispatch.Run(device, period.Chunks(y.Length), ref job);
    }

    /// <summary>dx = dy f'(y), dbias += column sums of dx.</summary>
    public static void BiasActivationBackward(Device device, Tensor dx, Tensor dy, Tensor y, Tensor? dbias, Activation activation)
    {
        if (dbias is null && activation.Kind == ActivationKind.Linear && dx.Address == dy.Address)
            return;
        int channels = y.Shape.Channels;
        Period period = new(channels);
        int chunks = period.Chunks(y.Length);
        float* partial = dbias is null ? null : device.Scratch(BiasActivationScratch(y.Shape));
        ByActivation<BackwardJob> job = new(
            new((float*)dx.Address, (float*)dy.Address, (float*)y.Address, y.Length, partial, period, activation), activation.Kind);
        Dispatch.Run(device, chunks, ref job);
        if (dbias is { } db)
            period.FoldInto((float*)db.Address, partial, chunks);
    }

    /// <summary>tdx = tdy f'(y) + tx dx f''(y) / f'(y)</summary>
    public static void ActivationBackwardTangent(Device device, Tensor tdx, Tensor tdy, Tensor tx, Tensor dx, Tensor y, Activation activation)
    {
        ByActivation<TangentJob> job = new(new((float*)tdx.Address, (float*)tdy.Address, (float*)tx.Address, (float*)dx.Address, (float*)y.Address,
            y.Length, activation.Slope), activation.Kind);
        Dispatch.Run(device, Chunks(y.Length), ref job);
    }

    /// <summary>Floats of scratch memory that both passes need for an output of this shape.</summary>
    public static int BiasActivationScratch(Shape y)
    {
        Period period = new(y.Channels);
        return Math.Max(1, period.Chunks(y.Length)) * period.Length + 16;
    }

    /// <summary>
    /// How the channels of a flat (rows, C) array repeat: with C = 3 and vectors of 16, the pattern of channels repeats
    /// every 48 floats, which are 3 whole vectors. Loops over such periods need no remainder per row.
    /// </summary>
    public readonly struct Period
    {
        private readonly int _channels;

        public Period(int channels)
        {
            _channels = channels;
            int a = channels, b = Dispatch.Width;
            while (b != 0)
                (a, b) = (b, a % b);
            Length = channels / a * Dispatch.Width;
        }

        /// <summary>Floats of one period: the least common multiple of C and the vector width.</summary>
        public int Length { get; }

        /// <summary>Floats of a chunk: whole periods, about <see cref="ChunkLength"/>, and no more than 64 chunks in all.</summary>
        public int Chunk(int n)
        {
            int target = Math.Max(ChunkLength, (n + 63) / 64);
            return (target + Length - 1) / Length * Length;
        }

        public int Chunks(int n) => (n + Chunk(n) - 1) / Chunk(n);

        public void Repeat(float* channelValues, float* period)
        {
            for (int i = 0; i < Length; i += _channels)
                System.Buffer.MemoryCopy(channelValues, period + i, 4 * _channels, 4 * _channels);
        }

        /// <summary>channelValues[c] += the sums in <paramref name="partial"/> [chunks][Length], in that order.</summary>
        public void FoldInto(float* channelValues, float* partial, int chunks)
        {
            // Length is whole vectors of the processor, and so of Vector<float>, which is never wider.
            for (int i = 0; i < Length; i += Vector<float>.Count)
            {
                Vector<float> sum = Vector.Load(partial + i);
                for (int k = 1; k < chunks; k++)
                    sum += Vector.Load(partial + k * Length + i);
                sum.Store(partial + i);
            }
            for (int c = 0; c < _channels; c++)
            {
                float sum = 0;
                for (int i = c; i < Length; i += _channels)
                    sum += partial[i];
                channelValues[c] += sum;
            }
        }
    }

    /// <summary>A loop over chunks that is compiled for each activation.</summary>
    public interface IActivationLoop
    {
        void Run<TSimd, TVec, TActivation>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation;
    }

    /// <summary>Runs the loop that fits the activation.</summary>
    public readonly struct ByActivation<TLoop>(TLoop loop, ActivationKind kind) : IChunk where TLoop : struct, IActivationLoop
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            switch (kind)
            {
                case ActivationKind.Relu: loop.Run<TSimd, TVec, Relu>(chunk); break;
                case ActivationKind.LeakyRelu: loop.Run<TSimd, TVec, LeakyRelu>(chunk); break;
                case ActivationKind.Elu: loop.Run<TSimd, TVec, Elu>(chunk); break;
                case ActivationKind.Tanh: loop.Run<TSimd, TVec, Tanh>(chunk); break;
                case ActivationKind.Sigmoid: loop.Run<TSimd, TVec, Sigmoid>(chunk); break;
                default: loop.Run<TSimd, TVec, Linear>(chunk); break;
            }
        }
    }

    private readonly struct ForwardJob(float* y, int n, float* bias, Period period, Activation activation) : IActivationLoop
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec, TActivation>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            int size = period.Chunk(n);
            int start = chunk * size, end = Math.Min(n, start + size);
            TVec slope = TSimd.Set(activation.Slope);
            int i = start, at = 0;
            for (int whole = end - TSimd.Width; i <= whole; i += TSimd.Width)
            {
                TVec x = TSimd.Load(y + i);
                if (bias != null)
                {
                    x = TSimd.Add(x, TSimd.Load(bias + at));
                    at += TSimd.Width;
                    if (at == period.Length)
                        at = 0;
                }
                TSimd.Store(y + i, TActivation.Forward<TSimd, TVec>(x, slope));
            }
            if (i < end)
            {
                TVec x = LoadPartial<TSimd, TVec>(y + i, end - i);
                if (bias != null)
                    x = TSimd.Add(x, TSimd.Load(bias + at));
                StorePartial<TSimd, TVec>(y + i, TActivation.Forward<TSimd, TVec>(x, slope), end - i);
            }
        }
    }

    private readonly struct BackwardJob(float* dx, float* dy, float* y, int n, float* partial, Period period,
        Activation activation) : IActivationLoop
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec, TActivation>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            int size = period.Chunk(n);
            int start = chunk * size, end = Math.Min(n, start + size);
            TVec slope = TSimd.Set(activation.Slope);
            float* sums = partial == null ? null : partial + (nint)chunk * period.Length;
            if (sums != null)
                new Span<float>(sums, period.Length).Clear();
            int i = start, whole = end - TSimd.Width, at = 0;
            if (sums == null)
            {
                for (; i <= whole; i += TSimd.Width)
                    Step<TSimd, TVec, TActivation>(i, slope);
            }
            else if (period.Length == TSimd.Width)
            {
                // The common channel counts 1, 2, 4, 8 and 16: the sums of a chunk stay in a register.
                TVec sum = TSimd.Set(0);
                for (; i <= whole; i += TSimd.Width)
                    sum = TSimd.Add(sum, Step<TSimd, TVec, TActivation>(i, slope));
                TSimd.Store(sums, sum);
            }
            else
            {
                for (; i <= whole; i += TSimd.Width)
                {
                    TSimd.Store(sums + at, TSimd.Add(TSimd.Load(sums + at), Step<TSimd, TVec, TActivation>(i, slope)));
                    at += TSimd.Width;
                    if (at == period.Length)
                        at = 0;
                }
            }
            if (i < end)
            {
                TVec tail = TActivation.Backward<TSimd, TVec>(LoadPartial<TSimd, TVec>(dy + i, end - i),
                    LoadPartial<TSimd, TVec>(y + i, end - i), slope);
                StorePartial<TSimd, TVec>(dx + i, tail, end - i);
                for (int j = i; sums != null && j < end; j++)
                    sums[at + j - i] += dx[j];
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private TVec Step<TSimd, TVec, TActivation>(int i, TVec slope)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            TVec g = TActivation.Backward<TSimd, TVec>(TSimd.Load(dy + i), TSimd.Load(y + i), slope);
            TSimd.Store(dx + i, g);
            return g;
        }
    }

    private readonly struct TangentJob(float* tdx, float* tdy, float* tx, float* dx, float* y, int n, float slope) : IActivationLoop
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec, TActivation>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            int end = Math.Min(n, (chunk + 1) * ChunkLength);
            for (int i = chunk * ChunkLength; i < end; i += TSimd.Width)
            {
                Lanes lanes = new(end - i);
                TVec at = lanes.Load<TSimd, TVec>(y + i);
                TVec masked = TActivation.Backward<TSimd, TVec>(lanes.Load<TSimd, TVec>(tdy + i), at, TSimd.Set(slope));
                TVec bend = TSimd.Mul(lanes.Load<TSimd, TVec>(dx + i), TActivation.Curvature<TSimd, TVec>(at));
                lanes.Store<TSimd, TVec>(tdx + i, TSimd.Fma(lanes.Load<TSimd, TVec>(tx + i), bend, masked));
            }
        }
    }
}
