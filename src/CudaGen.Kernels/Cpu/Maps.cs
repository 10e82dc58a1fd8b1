using System.Runtime.CompilerServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// An operation on each element of up to four arrays, with an optional sum. A struct that holds the pointers and the
/// parameters; <see cref="At"/> handles one vector at element i.
/// </summary>
internal unsafe interface IMap
{
    /// <summary>Handles elements i to i + Width and returns what is to be summed.</summary>
    TVec At<TSimd, TVec>(int i, Lanes lanes)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;
}

/// <summary>How many lanes of a vector are elements; the tail of an array has fewer than the width.</summary>
internal readonly unsafe struct Lanes(int count)
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVec Load<TSimd, TVec>(float* p)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => count >= TSimd.Width ? TSimd.Load(p) : ElementWise.LoadPartial<TSimd, TVec>(p, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store<TSimd, TVec>(float* p, TVec v)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        if (count >= TSimd.Width)
            TSimd.Store(p, v);
        else
            ElementWise.StorePartial<TSimd, TVec>(p, v, count);
    }

    /// <summary>v with zeros in the lanes that are no elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TVec Keep<TSimd, TVec>(TVec v)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => count >= TSimd.Width ? v : KeepFirst<TSimd, TVec>(v);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private TVec KeepFirst<TSimd, TVec>(TVec v)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        float* t = stackalloc float[16];
        TSimd.Store(t, v);
        return ElementWise.LoadPartial<TSimd, TVec>(t, count);
    }
}

/// <summary>Runs maps in chunks of <see cref="ElementWise.ChunkLength"/>.</summary>
internal static unsafe class Maps
{
    public static void Run<TMap>(Device device, int n, TMap map) where TMap : struct, IMap
    {
        Job<TMap> job = new(n, map, null);
        Dispatch.Run(device, ElementWise.Chunks(n), ref job);
    }

    /// <summary>Runs the map and returns the sum: float within a chunk, double over the chunks, in their order.</summary>
    public static double Sum<TMap>(Device device, int n, TMap map) where TMap : struct, IMap
    {
        int chunks = ElementWise.Chunks(n);
        float* partial = device.Scratch(chunks);
        Job<TMap> job = new(n, map, partial);
        Dispatch.Run(device, chunks, ref job);
        double sum = 0;
        for (int i = 0; i < chunks; i++)
            sum += partial[i];
        return sum;
    }

    private readonly struct Job<TMap>(int n, TMap map, float* partial) : IChunk where TMap : struct, IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int start = chunk * ElementWise.ChunkLength, end = Math.Min(n, start + ElementWise.ChunkLength);
            int whole = start + (end - start) / TSimd.Width * TSimd.Width;
            TMap m = map;
            TVec sum = TSimd.Set(0);
            int i = start;
            for (; i < whole; i += TSimd.Width)
                sum = TSimd.Add(sum, m.At<TSimd, TVec>(i, new Lanes(TSimd.Width)));
            if (i < end)
                sum = TSimd.Add(sum, m.At<TSimd, TVec>(i, new Lanes(end - i)));
            if (partial != null)
                partial[chunk] = TSimd.Sum(sum);
        }
    }
}
