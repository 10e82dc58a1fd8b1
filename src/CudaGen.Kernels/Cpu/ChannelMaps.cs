using System.Runtime.CompilerServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>An operation on each element of (rows, C) arrays with values per channel, and with up to two sums per channel.</summary>
internal interface IChannelMap
{
    /// <summary>
    /// Handles elements i to i + Width. Values per channel are at p of arrays that <see cref="ElementWise.Period.Repeat"/>
    /// made. Returns what is to be summed; lanes that are no elements are zeroed by the caller.
    /// </summary>
    (TVec First, TVec Second) At<TSimd, TVec, TActivation>(int i, int p, Lanes lanes)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TActivation : struct, IActivation;
}

/// <summary>Runs channel maps in chunks of whole periods.</summary>
internal static unsafe class ChannelMaps
{
    /// <summary>Floats of scratch memory for the two sums.</summary>
    public static int SumScratch(int n, ElementWise.Period period) => checked(2 * period.Chunks(n) * period.Length);

    /// <summary>Runs the map, compiled for the activation.</summary>
    public static void Run<TMap>(Device device, int n, ElementWise.Period period, TMap map, ActivationKind kind) where TMap : struct, IChannelMap
    {
        ElementWise.ByActivation<Job<TMap>> job = new(new(n, period, map, null), kind);
        Dispatch.Run(device, period.Chunks(n), ref job);
    }

    /// <summary>Runs the map; partial [chunks][2][period] receives the sums of each chunk.</summary>
    public static void Sum<TMap>(Device device, int n, ElementWise.Period period, TMap map, float* partial, ActivationKind kind = default)
        where TMap : struct, IChannelMap
    {
        ElementWise.ByActivation<Job<TMap>> job = new(new(n, period, map, partial), kind);
        Dispatch.Run(device, period.Chunks(n), ref job);
    }

    /// <summary>One sum of a channel over all chunks, in their order: <paramref name="which"/> is 0 or 1.</summary>
    public static double Total(float* partial, int n, ElementWise.Period period, int channels, int channel, int which)
    {
        double sum = 0;
        for (int chunk = 0; chunk < period.Chunks(n); chunk++)
        {
            for (int i = channel; i < period.Length; i += channels)
                sum += partial[(2 * chunk + which) * period.Length + i];
        }
        return sum;
    }

    private readonly struct Job<TMap>(int n, ElementWise.Period period, TMap map, float* partial) : ElementWise.IActivationLoop
        where TMap : struct, IChannelMap
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec, TActivation>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            int size = period.Chunk(n), length = period.Length;
            int start = chunk * size, end = Math.Min(n, start + size);
            TMap m = map;
            float* sums = partial == null ? null : partial + 2 * (nint)chunk * length;
            if (sums != null)
                new Span<float>(sums, 2 * length).Clear();
            for (int i = start, p = 0; i < end; i += TSimd.Width)
            {
                Lanes lanes = new(end - i);
                (TVec first, TVec second) = m.At<TSimd, TVec, TActivation>(i, p, lanes);
                if (sums != null)
                {
                    TSimd.Store(sums + p, TSimd.Add(TSimd.Load(sums + p), lanes.Keep<TSimd, TVec>(first)));
                    TSimd.Store(sums + length + p, TSimd.Add(TSimd.Load(sums + length + p), lanes.Keep<TSimd, TVec>(second)));
                }
                p += TSimd.Width;
                if (p == length)
                    p = 0;
            }
        }
    }
}
