using System.Runtime.CompilerServices;

namespace CudaGen.Kernels.Cpu;

/// <summary>Loops over the channels of one pixel, or any other run of n floats.</summary>
internal static unsafe class Pixels
{
    /// <summary>to = a * from</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale<TSimd, TVec>(float* to, float* from, float a, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        int i = 0;
        for (; i <= n - TSimd.Width; i += TSimd.Width)
            TSimd.Store(to + i, TSimd.Mul(TSimd.Load(from + i), TSimd.Set(a)));
        for (; i < n; i++)
            to[i] = a * from[i];
    }

    /// <summary>to += a * from</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add<TSimd, TVec>(float* to, float* from, float a, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        int i = 0;
        for (; i <= n - TSimd.Width; i += TSimd.Width)
            TSimd.Store(to + i, TSimd.Fma(TSimd.Load(from + i), TSimd.Set(a), TSimd.Load(to + i)));
        for (; i < n; i++)
            to[i] += a * from[i];
    }
}
