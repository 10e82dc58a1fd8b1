using System.Runtime.CompilerServices;

namespace CudaGen.Kernels.Cpu;

/// <summary>The vector form of an <see cref="ActivationKind"/>; a type each, so that loops are compiled for each.</summary>
internal interface IActivation
{
    /// <summary>f(x)</summary>
    static abstract TVec Forward<TSimd, TVec>(TVec x, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;

    /// <summary>dy * f'(x), from y = f(x)</summary>
    static abstract TVec Backward<TSimd, TVec>(TVec dy, TVec y, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;

    /// <summary>f''(x) / f'(x), from y = f(x); 0 for what is linear but for kinks</summary>
    static virtual TVec Curvature<TSimd, TVec>(TVec y)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Set(0);
}

internal readonly struct Linear : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Forward<TSimd, TVec>(TVec x, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Backward<TSimd, TVec>(TVec dy, TVec y, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => dy;
}

internal readonly struct Relu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Forward<TSimd, TVec>(TVec x, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Max(TSimd.Set(0), x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Backward<TSimd, TVec>(TVec dy, TVec y, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.And(dy, TSimd.Greater(y, TSimd.Set(0)));
}

internal readonly struct LeakyRelu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Forward<TSimd, TVec>(TVec x, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Select(TSimd.Greater(x, TSimd.Set(0)), x, TSimd.Mul(x, slope));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Backward<TSimd, TVec>(TVec dy, TVec y, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Select(TSimd.Greater(y, TSimd.Set(0)), dy, TSimd.Mul(dy, slope));
}

internal readonly struct Elu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Forward<TSimd, TVec>(TVec x, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Select(TSimd.Greater(x, TSimd.Set(0)), x, VectorMath.ExpM1<TSimd, TVec>(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Backward<TSimd, TVec>(TVec dy, TVec y, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Select(TSimd.Greater(y, TSimd.Set(0)), dy, TSimd.Fma(dy, y, dy));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Curvature<TSimd, TVec>(TVec y)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Select(TSimd.Greater(y, TSimd.Set(0)), TSimd.Set(0), TSimd.Set(1));
}

internal readonly struct Tanh : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Forward<TSimd, TVec>(TVec x, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => VectorMath.Tanh<TSimd, TVec>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Backward<TSimd, TVec>(TVec dy, TVec y, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Mul(dy, TSimd.Sub(TSimd.Set(1), TSimd.Mul(y, y)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Curvature<TSimd, TVec>(TVec y)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Mul(TSimd.Set(-2), y);
}

internal readonly struct Sigmoid : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Forward<TSimd, TVec>(TVec x, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => VectorMath.Sigmoid<TSimd, TVec>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Backward<TSimd, TVec>(TVec dy, TVec y, TVec slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Mul(dy, TSimd.Mul(y, TSimd.Sub(TSimd.Set(1), y)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVec Curvature<TSimd, TVec>(TVec y)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        => TSimd.Fma(TSimd.Set(-2), y, TSimd.Set(1));
}
