using System.Runtime.CompilerServices;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// F(2x2, 2x2): 9 multiplications instead of 16, and nothing but additions around them.
/// <code>
///       1 -1  0          1  0          1  0
/// B^T = 0  1  0      G = 1  1      A = 1  1
///       0 -1  1          0  1          0  1
/// </code>
/// </summary>
internal readonly unsafe struct TwoTaps : IFilter
{
    public static int Taps => 2;

    public static int Positions => 9;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Kernel<TSimd, TVec>(float* u, nint positionStride, float* g, nint row, nint column)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec a0 = TSimd.Load(g), a2 = TSimd.Load(g + row), b0 = TSimd.Load(g + column), b2 = TSimd.Load(g + row + column);
        Row<TSimd, TVec>(u, positionStride, a0, b0);
        Row<TSimd, TVec>(u + 3 * positionStride, positionStride, TSimd.Add(a0, a2), TSimd.Add(b0, b2));
        Row<TSimd, TVec>(u + 6 * positionStride, positionStride, a2, b2);
    }

    // (a, a + b, b): G and A are one matrix.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row<TSimd, TVec>(float* to, nint stride, TVec a, TVec b)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TSimd.Store(to, a);
        TSimd.Store(to + stride, TSimd.Add(a, b));
        TSimd.Store(to + 2 * stride, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void KernelGradient<TSimd, TVec>(float* dw, nint row, nint column, float* m, int positionStride)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        // G and A are one matrix.
        Output<TSimd, TVec>(m, positionStride, out TVec a, out TVec b, out TVec c, out TVec d);
        TSimd.Store(dw, TSimd.Add(TSimd.Load(dw), a));
        TSimd.Store(dw + column, TSimd.Add(TSimd.Load(dw + column), b));
        dw += row;
        TSimd.Store(dw, TSimd.Add(TSimd.Load(dw), c));
        TSimd.Store(dw + column, TSimd.Add(TSimd.Load(dw + column), d));
    }

    // A^T of three vectors
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fold<TSimd, TVec>(float* m, nint stride, out TVec a, out TVec b)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec middle = TSimd.Load(m + stride);
        (a, b) = (TSimd.Add(TSimd.Load(m), middle), TSimd.Add(middle, TSimd.Load(m + 2 * stride)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Inputs<TSimd, TVec>(float* v, nint positionStride, nint tileStride, in Winograd.View view, Winograd.Strip strip, int first, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        int step = view.Step, x = view.Column(strip.X), width = view.Width, channels = view.Channels;
        float* r0 = view.Row(strip.Image, strip.Y) + first, r1 = view.Row(strip.Image, strip.Y + 1) + first;
        float* r2 = view.Row(strip.Image, strip.Y + 2) + first;
        for (int c = 0; c < n; c += TSimd.Width)
        {
            // Neighbouring tiles share a column, which is combined once.
            InputColumn<TSimd, TVec>(r0, r1, r2, x, width, channels, out TVec a0, out TVec a1, out TVec a2);
            float* to = v + c;
            int column = x + step;
            for (int t = 0; t < strip.Count; t++, column += 2 * step, to += tileStride)
            {
                InputColumn<TSimd, TVec>(r0, r1, r2, column, width, channels, out TVec b0, out TVec b1, out TVec b2);
                InputColumn<TSimd, TVec>(r0, r1, r2, column + step, width, channels, out TVec c0, out TVec c1, out TVec c2);
                InputRow<TSimd, TVec>(to, positionStride, a0, b0, c0);
                InputRow<TSimd, TVec>(to + 3 * positionStride, positionStride, a1, b1, c1);
                InputRow<TSimd, TVec>(to + 6 * positionStride, positionStride, a2, b2, c2);
                (a0, a1, a2) = (c0, c1, c2);
            }
            r0 += TSimd.Width;
            r1 += TSimd.Width;
            r2 += TSimd.Width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputColumn<TSimd, TVec>(float* r0, float* r1, float* r2, int column, int width, int channels,
        out TVec t0, out TVec t1, out TVec t2)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        t0 = t1 = t2 = default;
        if ((uint)column >= (uint)width)
            return;
        nint pixel = (nint)column * channels;
        t1 = TSimd.Load(r1 + pixel);
        (t0, t2) = (TSimd.Sub(TSimd.Load(r0 + pixel), t1), TSimd.Sub(TSimd.Load(r2 + pixel), t1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InputRow<TSimd, TVec>(float* v, nint positionStride, TVec a, TVec b, TVec c)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TSimd.Store(v, TSimd.Sub(a, b));
        TSimd.Store(v + positionStride, b);
        TSimd.Store(v + 2 * positionStride, TSimd.Sub(c, b));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Gradient<TSimd, TVec>(float* d, nint positionStride, TVec y00, TVec y01, TVec y10, TVec y11)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        Row<TSimd, TVec>(d, positionStride, y00, y01);
        Row<TSimd, TVec>(d + 3 * positionStride, positionStride, TSimd.Add(y00, y10), TSimd.Add(y01, y11));
        Row<TSimd, TVec>(d + 6 * positionStride, positionStride, y10, y11);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Output<TSimd, TVec>(float* m, nint positionStride, out TVec y00, out TVec y01, out TVec y10, out TVec y11)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        Fold<TSimd, TVec>(m, positionStride, out TVec a0, out TVec b0);
        Fold<TSimd, TVec>(m + 3 * positionStride, positionStride, out TVec a1, out TVec b1);
        Fold<TSimd, TVec>(m + 6 * positionStride, positionStride, out TVec a2, out TVec b2);
        (y00, y01, y10, y11) = (TSimd.Add(a0, a1), TSimd.Add(b0, b1), TSimd.Add(a1, a2), TSimd.Add(b1, b2));
    }
}
