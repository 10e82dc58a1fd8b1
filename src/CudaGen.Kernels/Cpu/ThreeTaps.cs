using System.Runtime.CompilerServices;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// F(2x2, 3x3): 16 multiplications instead of 36.
/// <code>
///       1  0 -1  0            1    0    0           1  0
/// B^T = 0  1  1  0      G =  1/2  1/2  1/2      A = 1  1
///       0 -1  1  0           1/2 -1/2  1/2          1 -1
///       0  1  0 -1            0    0    1           0 -1
/// </code>
/// </summary>
internal readonly unsafe struct ThreeTaps : IFilter
{
    public static int Taps => 3;

    public static int Positions => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Kernel<TSimd, TVec>(float* u, nint positionStride, float* g, nint row, nint column)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        Column(g, row, out TVec a0, out TVec a1, out TVec a2, out TVec a3);
        Column(g + column, row, out TVec b0, out TVec b1, out TVec b2, out TVec b3);
        Column(g + 2 * column, row, out TVec c0, out TVec c1, out TVec c2, out TVec c3);
        Row(u, positionStride, a0, b0, c0);
        Row(u + 4 * positionStride, positionStride, a1, b1, c1);
        Row(u + 8 * positionStride, positionStride, a2, b2, c2);
        Row(u + 12 * positionStride, positionStride, a3, b3, c3);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Column(float* g, nint row, out TVec u0, out TVec u1, out TVec u2, out TVec u3)
            => Half<TSimd, TVec>(TSimd.Load(g), TSimd.Load(g + row), TSimd.Load(g + 2 * row), out u0, out u1, out u2, out u3);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Row(float* u, nint stride, TVec a, TVec b, TVec c)
        {
            Half<TSimd, TVec>(a, b, c, out TVec u0, out TVec u1, out TVec u2, out TVec u3);
            TSimd.Store(u, u0);
            TSimd.Store(u + stride, u1);
            TSimd.Store(u + 2 * stride, u2);
            TSimd.Store(u + 3 * stride, u3);
        }
    }

    // G (a, b, c)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Half<TSimd, TVec>(TVec a, TVec b, TVec c, out TVec u0, out TVec u1, out TVec u2, out TVec u3)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec half = TSimd.Set(0.5f), even = TSimd.Mul(half, TSimd.Add(a, c)), odd = TSimd.Mul(half, b);
        (u0, u1, u2, u3) = (a, TSimd.Add(even, odd), TSimd.Sub(even, odd), c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void KernelGradient<TSimd, TVec>(float* dw, nint row, nint column, float* m, int positionStride)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        for (int s = 0; s < 4; s++)
        {
            float* p = m + s * positionStride;
            Fold<TSimd, TVec>(p, 4 * positionStride, out TVec a, out TVec b, out TVec c);
            TSimd.Store(p, a);
            TSimd.Store(p + 4 * positionStride, b);
            TSimd.Store(p + 8 * positionStride, c);
        }
        for (int r = 0; r < 3; r++, dw += row)
        {
            Fold<TSimd, TVec>(m + 4 * r * positionStride, positionStride, out TVec a, out TVec b, out TVec c);
            TSimd.Store(dw, TSimd.Add(TSimd.Load(dw), a));
            TSimd.Store(dw + column, TSimd.Add(TSimd.Load(dw + column), b));
            TSimd.Store(dw + 2 * column, TSimd.Add(TSimd.Load(dw + 2 * column), c));
        }
    }

    // G^T of four vectors
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fold<TSimd, TVec>(float* m, int stride, out TVec a, out TVec b, out TVec c)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec half = TSimd.Set(0.5f), m1 = TSimd.Load(m + stride), m2 = TSimd.Load(m + 2 * stride);
        TVec even = TSimd.Mul(half, TSimd.Add(m1, m2));
        (a, b, c) = (TSimd.Add(TSimd.Load(m), even), TSimd.Mul(half, TSimd.Sub(m1, m2)), TSimd.Add(even, TSimd.Load(m + 3 * stride)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Inputs<TSimd, TVec>(float* v, nint positionStride, nint tileStride, in Winograd.View view, Winograd.Strip strip, int first, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        int x = view.Column(strip.X), width = view.Width, channels = view.Channels;
        float* r0 = view.Row(strip.Image, strip.Y) + first, r1 = view.Row(strip.Image, strip.Y + 1) + first;
        float* r2 = view.Row(strip.Image, strip.Y + 2) + first, r3 = view.Row(strip.Image, strip.Y + 3) + first;
        for (int c = 0; c < n; c += TSimd.Width)
        {
            // Neighbouring tiles share two columns, which are combined once.
            InputColumn<TSimd, TVec>(r0, r1, r2, r3, x, width, channels, out TVec a0, out TVec a1, out TVec a2, out TVec a3);
            InputColumn<TSimd, TVec>(r0, r1, r2, r3, x + 1, width, channels, out TVec b0, out TVec b1, out TVec b2, out TVec b3);
            float* to = v + c;
            int column = x + 2;
            for (int t = 0; t < strip.Count; t++, column += 2, to += tileStride)
            {
                InputColumn<TSimd, TVec>(r0, r1, r2, r3, column, width, channels, out TVec c0, out TVec c1, out TVec c2, out TVec c3);
                InputColumn<TSimd, TVec>(r0, r1, r2, r3, column + 1, width, channels, out TVec d0, out TVec d1, out TVec d2, out TVec d3);
                InputRow<TSimd, TVec>(to, positionStride, a0, b0, c0, d0);
                InputRow<TSimd, TVec>(to + 4 * positionStride, positionStride, a1, b1, c1, d1);
                InputRow<TSimd, TVec>(to + 8 * positionStride, positionStride, a2, b2, c2, d2);
                InputRow<TSimd, TVec>(to + 12 * positionStride, positionStride, a3, b3, c3, d3);
                (a0, a1, a2, a3, b0, b1, b2, b3) = (c0, c1, c2, c3, d0, d1, d2, d3);
            }
            r0 += TSimd.Width;
            r1 += TSimd.Width;
            r2 += TSimd.Width;
            r3 += TSimd.Width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputColumn<TSimd, TVec>(float* r0, float* r1, float* r2, float* r3, int column, int width, int channels,
        out TVec t0, out TVec t1, out TVec t2, out TVec t3)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        t0 = t1 = t2 = t3 = default;
        if ((uint)column >= (uint)width)
            return;
        nint pixel = (nint)column * channels;
        TVec d0 = TSimd.Load(r0 + pixel), d1 = TSimd.Load(r1 + pixel), d2 = TSimd.Load(r2 + pixel), d3 = TSimd.Load(r3 + pixel);
        (t0, t1, t2, t3) = (TSimd.Sub(d0, d2), TSimd.Add(d1, d2), TSimd.Sub(d2, d1), TSimd.Sub(d1, d3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputRow<TSimd, TVec>(float* v, nint positionStride, TVec a, TVec b, TVec c, TVec d)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TSimd.Store(v, TSimd.Sub(a, c));
        TSimd.Store(v + positionStride, TSimd.Add(b, c));
        TSimd.Store(v + 2 * positionStride, TSimd.Sub(c, b));
        TSimd.Store(v + 3 * positionStride, TSimd.Sub(b, d));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Gradient<TSimd, TVec>(float* d, nint positionStride, TVec y00, TVec y01, TVec y10, TVec y11)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        GradientRow<TSimd, TVec>(d, positionStride, y00, y01);
        GradientRow<TSimd, TVec>(d + 4 * positionStride, positionStride, TSimd.Add(y00, y10), TSimd.Add(y01, y11));
        GradientRow<TSimd, TVec>(d + 8 * positionStride, positionStride, TSimd.Sub(y00, y10), TSimd.Sub(y01, y11));
        GradientRow<TSimd, TVec>(d + 12 * positionStride, positionStride, TSimd.Sub(TSimd.Set(0), y10), TSimd.Sub(TSimd.Set(0), y11));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void GradientRow<TSimd, TVec>(float* d, nint positionStride, TVec a, TVec b)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TSimd.Store(d, a);
        TSimd.Store(d + positionStride, TSimd.Add(a, b));
        TSimd.Store(d + 2 * positionStride, TSimd.Sub(a, b));
        TSimd.Store(d + 3 * positionStride, TSimd.Sub(TSimd.Set(0), b));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Output<TSimd, TVec>(float* m, nint positionStride, out TVec y00, out TVec y01, out TVec y10, out TVec y11)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        OutputColumn<TSimd, TVec>(m, positionStride, out TVec s0, out TVec t0);
        OutputColumn<TSimd, TVec>(m + positionStride, positionStride, out TVec s1, out TVec t1);
        OutputColumn<TSimd, TVec>(m + 2 * positionStride, positionStride, out TVec s2, out TVec t2);
        OutputColumn<TSimd, TVec>(m + 3 * positionStride, positionStride, out TVec s3, out TVec t3);
        (y00, y01) = (TSimd.Add(TSimd.Add(s0, s1), s2), TSimd.Sub(TSimd.Sub(s1, s2), s3));
        (y10, y11) = (TSimd.Add(TSimd.Add(t0, t1), t2), TSimd.Sub(TSimd.Sub(t1, t2), t3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputColumn<TSimd, TVec>(float* m, nint positionStride, out TVec s, out TVec t)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec b = TSimd.Load(m + 4 * positionStride), c = TSimd.Load(m + 8 * positionStride);
        s = TSimd.Add(TSimd.Add(TSimd.Load(m), b), c);
        t = TSimd.Sub(TSimd.Sub(b, c), TSimd.Load(m + 12 * positionStride));
    }
}
