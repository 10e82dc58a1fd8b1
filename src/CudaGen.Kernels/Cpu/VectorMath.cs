using System.Runtime.CompilerServices;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// exp, log, tanh and sigmoid for vectors, a few units in the last place. Every lane does the same operations in the same
/// order, so the bits are the same for every vector width, given fused multiply-add.
/// </summary>
internal static class VectorMath
{
    /// <summary>
    /// e^x for x in [-87.3, 88.7]; clamped outside of it, so the result is never 0 or infinite. NaN gives NaN.
    /// x = n ln 2 + r with |r| &lt;= ln(2)/2, a polynomial of degree 6 in r with a relative
    /// error of 3e-9 (Lawson's weighted least squares), times 2^n.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Exp<TSimd, TVec>(TVec x)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        x = TSimd.Min(TSimd.Set(88.3f), TSimd.Max(TSimd.Set(-87.3f), x));
        TVec n = TSimd.Round(TSimd.Mul(x, TSimd.Set(1.44269504f)));
        // ln 2 in two parts, so that r is exact to more than float precision.
        TVec r = TSimd.Fma(n, TSimd.Set(-0.693145752f), x);
        r = TSimd.Fma(n, TSimd.Set(-1.42860677e-6f), r);
        TVec p = TSimd.Set(1.38145e-3f);
        p = TSimd.Fma(p, r, TSimd.Set(8.36878e-3f));
        p = TSimd.Fma(p, r, TSimd.Set(4.166839e-2f));
        p = TSimd.Fma(p, r, TSimd.Set(1.666652e-1f));
        p = TSimd.Fma(p, r, TSimd.Set(0.49999993f));
        p = TSimd.Fma(p, TSimd.Mul(r, r), r);
        return TSimd.Mul(TSimd.Add(p, TSimd.Set(1)), TSimd.PowerOfTwo(n));
    }

    /// <summary>
    /// ln x for normal positive x. x = m 2^e with m in [sqrt(1/2), sqrt(2)); with s = f / (2 + f), f = m - 1:
    /// ln m = 2 atanh(s) = f - s (f - R), R from the odd series in s^2.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Log<TSimd, TVec>(TVec x)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec m = TSimd.SplitExponent(x, out TVec e);
        TVec f = TSimd.Sub(m, TSimd.Set(1));
        TVec s = TSimd.Div(f, TSimd.Add(f, TSimd.Set(2)));
        TVec z = TSimd.Mul(s, s);
        // 2 atanh(s) = 2s + s z (2/3 + 2/5 z + 2/7 z^2 + 2/9 z^3 ...) and 2s = f - s f
        TVec p = TSimd.Set(0.23584989f);
        p = TSimd.Fma(p, z, TSimd.Set(0.28537168f));
        p = TSimd.Fma(p, z, TSimd.Set(0.40000337f));
        p = TSimd.Fma(p, z, TSimd.Set(0.66666666f));
        TVec correction = TSimd.Fma(p, z, TSimd.Sub(TSimd.Set(0), f));
        TVec low = TSimd.Fma(e, TSimd.Set(1.42860677e-6f), TSimd.Mul(s, correction));
        return TSimd.Add(TSimd.Fma(e, TSimd.Set(0.693145752f), low), f);
    }

    /// <summary>1 / (1 + e^-x), from e^-|x| so that it never overflows and is accurate at both ends.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Sigmoid<TSimd, TVec>(TVec x)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => Sigmoid<TSimd, TVec>(x, Exp<TSimd, TVec>(TSimd.Sub(TSimd.Set(0), Abs<TSimd, TVec>(x))));

    /// <summary>The same from e = e^-|x|, for those who need that too.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Sigmoid<TSimd, TVec>(TVec x, TVec e)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec one = TSimd.Set(1);
        TVec numerator = TSimd.Select(TSimd.Greater(x, TSimd.Set(0)), one, e);
        return TSimd.Div(numerator, TSimd.Add(one, e));
    }

    /// <summary>ln(1 + e) for e = e^-|x|, the bounded part of softplus.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec SoftplusTail<TSimd, TVec>(TVec e)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec u = TSimd.Add(TSimd.Set(1), e);
        // What the addition rounded away comes back to first order: ln(1 + e) = ln u + (e - (u - 1)) / u.
        TVec lost = TSimd.Sub(e, TSimd.Sub(u, TSimd.Set(1)));
        return TSimd.Add(Log<TSimd, TVec>(u), TSimd.Div(lost, u));
    }

    /// <summary>tanh x: an odd polynomial below 0.625, where the exponential would cancel, and 1 - 2/(1 + e^2|x|) above.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Tanh<TSimd, TVec>(TVec x)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec a = Abs<TSimd, TVec>(x);
        TVec z = TSimd.Mul(x, x);
        TVec p = TSimd.Set(-5.70498872745e-3f);
        p = TSimd.Fma(p, z, TSimd.Set(2.06390887954e-2f));
        p = TSimd.Fma(p, z, TSimd.Set(-5.37397155531e-2f));
        p = TSimd.Fma(p, z, TSimd.Set(1.33314422036e-1f));
        p = TSimd.Fma(p, z, TSimd.Set(-3.33332819422e-1f));
        TVec small = TSimd.Fma(TSimd.Mul(p, z), x, x);
        TVec e = Exp<TSimd, TVec>(TSimd.Add(a, a));
        TVec large = TSimd.Sub(TSimd.Set(1), TSimd.Div(TSimd.Set(2), TSimd.Add(e, TSimd.Set(1))));
        TVec signed = TSimd.Or(large, TSimd.And(x, TSimd.SetInt(int.MinValue)));
        return TSimd.Select(TSimd.Greater(a, TSimd.Set(0.625f)), signed, small);
    }

    /// <summary>e^x - 1 for x &lt;= 0: a series near 0, where the exponential would cancel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec ExpM1<TSimd, TVec>(TVec x)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec p = TSimd.Set(1f / 40320);
        p = TSimd.Fma(p, x, TSimd.Set(1f / 5040));
        p = TSimd.Fma(p, x, TSimd.Set(1f / 720));
        p = TSimd.Fma(p, x, TSimd.Set(1f / 120));
        p = TSimd.Fma(p, x, TSimd.Set(1f / 24));
        p = TSimd.Fma(p, x, TSimd.Set(1f / 6));
        p = TSimd.Fma(p, x, TSimd.Set(0.5f));
        TVec near = TSimd.Fma(TSimd.Mul(p, x), x, x);
        TVec far = TSimd.Sub(Exp<TSimd, TVec>(x), TSimd.Set(1));
        return TSimd.Select(TSimd.Greater(TSimd.Set(-0.5f), x), far, near);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Abs<TSimd, TVec>(TVec x)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.And(x, TSimd.SetInt(int.MaxValue));
}
