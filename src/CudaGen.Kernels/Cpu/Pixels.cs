using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaGen.Kernels.Cpu;

/// <summary>Loops over the channels of one pixel, or any other run of n floats. What is left of them takes narrower vectors.</summary>
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
        if (TSimd.Width > 8 && i <= n - 8)
        {
            (a * Vector256.Load(from + i)).Store(to + i);
            i += 8;
        }
        if (TSimd.Width > 4 && i <= n - 4)
        {
            (a * Vector128.Load(from + i)).Store(to + i);
            i += 4;
        }
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
        if (TSimd.Width > 8 && i <= n - 8)
        {
            (Vector256.Load(to + i) + a * Vector256.Load(from + i)).Store(to + i);
            i += 8;
        }
        if (TSimd.Width > 4 && i <= n - 4)
        {
            (Vector128.Load(to + i) + a * Vector128.Load(from + i)).Store(to + i);
            i += 4;
        }
        for (; i < n; i++)
            to[i] += a * from[i];
    }

    /// <summary>to = v * first + w * second; none of them overlap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mix<TSimd, TVec>(float* to, float* first, float v, float* second, float w, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        if (n < TSimd.Width)
        {
            for (int i = 0; i < n; i++)
                to[i] = v * first[i] + w * second[i];
            return;
        }
        // The last vector overlaps the one before.
        for (int i = 0; i < n; i += TSimd.Width)
        {
            int at = Math.Min(i, n - TSimd.Width);
            TSimd.Store(to + at, TSimd.Fma(TSimd.Load(second + at), TSimd.Set(w), TSimd.Mul(TSimd.Load(first + at), TSimd.Set(v))));
        }
    }

    /// <summary>to = v * (1 - h) * a + v * h * b + w * (1 - h) * c + w * h * d; none of them overlap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Mix<TSimd, TVec>(float* to, float* a, float* b, float* c, float* d, float v, float w, float h, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        (float wa, float wb, float wc, float wd) = (v * (1 - h), v * h, w * (1 - h), w * h);
        if (n < TSimd.Width)
        {
            for (int i = 0; i < n; i++)
                to[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
            return;
        }
        for (int i = 0; i < n; i += TSimd.Width)
        {
            int at = Math.Min(i, n - TSimd.Width);
            TVec upper = TSimd.Fma(TSimd.Load(b + at), TSimd.Set(wb), TSimd.Mul(TSimd.Load(a + at), TSimd.Set(wa)));
            TSimd.Store(to + at, TSimd.Fma(TSimd.Load(d + at), TSimd.Set(wd), TSimd.Fma(TSimd.Load(c + at), TSimd.Set(wc), upper)));
        }
    }
}
