using System.Runtime.CompilerServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// Winograd's minimal filtering F(2x2, 3x3) (Winograd 1980; Lavin and Gray 2016): 2x2 outputs of a 3x3 kernel take 16
/// multiplications instead of 36. With g the kernel, d the 4x4 inputs that the outputs y of a tile meet, and * element by element:
/// <code>
/// outputs           y  = A^T (U * V) A      U = G g G^T, V = B^T d B
/// filter gradient   dg = G^T (D * V) G      D = A dy A^T
///
///       1  0 -1  0            1    0    0           1  0
/// B^T = 0  1  1  0      G =  1/2  1/2  1/2      A = 1  1
///       0 -1  1  0           1/2 -1/2  1/2          1 -1
///       0  1  0 -1            0    0    1           0 -1
/// </code>
/// The sums over channels, or over tiles, are a matrix product for each of the 16 positions. All functions here transform a vector of
/// channels at a time.
/// </summary>
internal static unsafe class Winograd
{
    /// <summary>Elements of a transformed tile.</summary>
    public const int Positions = 16;

    // Channels come in multiples of this: whole vectors of any width.
    private const int Lanes = 16;

    // Channels that a task has room for on its stack.
    private const int MaxChannels = 512;

    /// <summary>
    /// Whether all passes of this convolution are made this way: stride 1, 3x3, whole vectors of channels, and a quarter more multiplications
    /// without it. Small images are mostly border, where a direct pass leaves out the padding, and their last tiles lie partly outside.
    /// The batch has no say, as an image has the same bits in any.
    /// </summary>
    public static bool Pays(ConvolutionShape g)
    {
        if (g.Stride != 1 || g.W[1] != 3 || g.W[2] != 3 || g.W[0] % Lanes != 0 || g.W[3] % Lanes != 0 || Math.Max(g.W[0], g.W[3]) > MaxChannels)
            return false;
        long taps = Taps(g.X[1], g.Y[1], g.Padding.Top) * Taps(g.X[2], g.Y[2], g.Padding.Left);
        return 4 * taps >= 5L * Positions * Math.Max(TilesOf(g.X), TilesOf(g.Y));

        // Pairs of an output and an input that meet, along one axis.
        static long Taps(int inputs, int outputs, int before)
            => Enumerable.Range(0, outputs).Sum(i => (long)Math.Max(0, Math.Min(inputs, i - before + 3) - Math.Max(0, i - before)));

        static long TilesOf(Shape images) => new Tiles(new(1, images[1], images[2], 1)).Count;
    }

    /// <summary>Tiles side by side in one row of an image, and the pixel at which the first begins.</summary>
    public readonly record struct Strip(int Image, int Y, int X, int Count);

    /// <summary>Images in tiles of 2x2 pixels, numbered row by row and image by image.</summary>
    public readonly struct Tiles(Shape images)
    {
        private readonly int _down = (images[1] + 1) / 2, _across = (images[2] + 1) / 2;

        public int Count => images[0] * _down * _across;

        /// <summary>Those of tiles [first, first + count) that lie in the row of the first.</summary>
        public Strip At(int first, int count)
        {
            (int row, int x) = Math.DivRem(first, _across);
            (int image, int y) = Math.DivRem(row, _down);
            return new(image, 2 * y, 2 * x, Math.Min(count, _across - x));
        }
    }

    /// <summary>Images (N, H, W, C).</summary>
    /// <param name="data">Their first pixel.</param>
    /// <param name="shape">(N, H, W, C)</param>
    /// <param name="top">Rows by which the inputs of a tile begin above it.</param>
    /// <param name="left">Columns by which they begin to the left of it.</param>
    /// <param name="zeros">A row of pixels that are 0, for inputs above and below the image.</param>
    public readonly struct View(float* data, Shape shape, int top = 0, int left = 0, float* zeros = null)
    {
        public readonly int Height = shape[1], Width = shape[2], Channels = shape[3], Top = top, Left = left;

        public readonly float* Zeros = zeros;

        private readonly float* _data = data;

        public float* Pixel(int image, int y, int x) => _data + (((nint)image * Height + y) * Width + x) * Channels;
    }

    /// <summary>u[position] of a vector of kernels whose taps lie <paramref name="tap"/> apart: U = G g G^T.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Kernel<TSimd, TVec>(float* u, nint positionStride, float* g, nint tap)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        Half<TSimd, TVec>(TSimd.Load(g), TSimd.Load(g + 3 * tap), TSimd.Load(g + 6 * tap), out TVec a0, out TVec a1, out TVec a2, out TVec a3);
        Half<TSimd, TVec>(TSimd.Load(g + tap), TSimd.Load(g + 4 * tap), TSimd.Load(g + 7 * tap), out TVec b0, out TVec b1, out TVec b2, out TVec b3);
        Half<TSimd, TVec>(TSimd.Load(g + 2 * tap), TSimd.Load(g + 5 * tap), TSimd.Load(g + 8 * tap), out TVec c0, out TVec c1, out TVec c2,
            out TVec c3);
        Row(u, positionStride, a0, b0, c0);
        Row(u + 4 * positionStride, positionStride, a1, b1, c1);
        Row(u + 8 * positionStride, positionStride, a2, b2, c2);
        Row(u + 12 * positionStride, positionStride, a3, b3, c3);

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

    /// <summary>v[position][tile][channel] of a strip, channels [first, first + n): V = B^T d B.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Inputs<TSimd, TVec>(float* v, nint positionStride, in View view, Strip strip, int first, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        int y = strip.Y - view.Top, x = strip.X - view.Left, height = view.Height, width = view.Width, channels = view.Channels;
        nint rowLength = (nint)width * channels;
        float* pixels = view.Pixel(strip.Image, y, 0), zeros = view.Zeros;
        float* r0 = ((uint)y < (uint)height ? pixels : zeros) + first;
        float* r1 = ((uint)(y + 1) < (uint)height ? pixels + rowLength : zeros) + first;
        float* r2 = ((uint)(y + 2) < (uint)height ? pixels + 2 * rowLength : zeros) + first;
        float* r3 = ((uint)(y + 3) < (uint)height ? pixels + 3 * rowLength : zeros) + first;
        for (int c = 0; c < n; c += TSimd.Width)
        {
            // Neighbouring tiles share two columns, which are combined once.
            InputColumn<TSimd, TVec>(r0, r1, r2, r3, x, width, channels, out TVec a0, out TVec a1, out TVec a2, out TVec a3);
            InputColumn<TSimd, TVec>(r0, r1, r2, r3, x + 1, width, channels, out TVec b0, out TVec b1, out TVec b2, out TVec b3);
            float* to = v + c;
            for (int column = x + 2; column < x + 2 + 2 * strip.Count; column += 2, to += n)
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

    /// <summary>d[position][tile][channel] of a strip: D = A dy A^T, where dy beyond the image is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gradients<TSimd, TVec>(float* d, nint positionStride, in View view, Strip strip)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        int channels = view.Channels;
        nint rowLength = (nint)view.Width * channels;
        bool below = strip.Y + 1 < view.Height;
        for (int c = 0; c < channels; c += TSimd.Width)
        {
            float* from = view.Pixel(strip.Image, strip.Y, strip.X) + c;
            float* to = d + c;
            int right = view.Width - strip.X;
            for (int t = 0; t < strip.Count; t++, right -= 2, from += 2 * channels, to += channels)
            {
                TVec y00 = TSimd.Load(from), y01 = default, y10 = default, y11 = default;
                if (right > 1)
                    y01 = TSimd.Load(from + channels);
                if (below)
                    y10 = TSimd.Load(from + rowLength);
                if (below && right > 1)
                    y11 = TSimd.Load(from + rowLength + channels);
                GradientRow<TSimd, TVec>(to, positionStride, y00, y01);
                GradientRow<TSimd, TVec>(to + 4 * positionStride, positionStride, TSimd.Add(y00, y10), TSimd.Add(y01, y11));
                GradientRow<TSimd, TVec>(to + 8 * positionStride, positionStride, TSimd.Sub(y00, y10), TSimd.Sub(y01, y11));
                GradientRow<TSimd, TVec>(to + 12 * positionStride, positionStride, TSimd.Sub(TSimd.Set(0), y10), TSimd.Sub(TSimd.Set(0), y11));
            }
        }
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

    /// <summary>
    /// y = f(A^T m A + bias) of m[position][tile][channel] of a strip, channels [first, first + n), as far as it lies in the image.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Outputs<TSimd, TVec, TActivation>(in View view, Strip strip, int first, int n, float* m, nint positionStride, float* bias,
        float slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TActivation : struct, IActivation
    {
        int channels = view.Channels;
        nint rowLength = (nint)view.Width * channels;
        bool below = strip.Y + 1 < view.Height;
        for (int c = 0; c < n; c += TSimd.Width)
        {
            TVec b = bias == null ? TSimd.Set(0) : TSimd.Load(bias + first + c);
            float* from = m + c;
            float* to = view.Pixel(strip.Image, strip.Y, strip.X) + first + c;
            int right = view.Width - strip.X;
            for (int t = 0; t < strip.Count; t++, right -= 2, from += n, to += 2 * channels)
            {
                OutputColumn<TSimd, TVec>(from, positionStride, out TVec s0, out TVec t0);
                OutputColumn<TSimd, TVec>(from + positionStride, positionStride, out TVec s1, out TVec t1);
                OutputColumn<TSimd, TVec>(from + 2 * positionStride, positionStride, out TVec s2, out TVec t2);
                OutputColumn<TSimd, TVec>(from + 3 * positionStride, positionStride, out TVec s3, out TVec t3);
                OutputRow<TSimd, TVec, TActivation>(to, channels, right > 1, s0, s1, s2, s3, b, slope);
                if (below)
                    OutputRow<TSimd, TVec, TActivation>(to + rowLength, channels, right > 1, t0, t1, t2, t3, b, slope);
            }
        }
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputRow<TSimd, TVec, TActivation>(float* y, int channels, bool both, TVec a, TVec b, TVec c, TVec d, TVec bias, float slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TActivation : struct, IActivation
    {
        TVec left = TSimd.Add(TSimd.Add(a, b), c), right = TSimd.Sub(TSimd.Sub(b, c), d);
        TSimd.Store(y, TActivation.Forward<TSimd, TVec>(TSimd.Add(left, bias), TSimd.Set(slope)));
        if (both)
            TSimd.Store(y + channels, TActivation.Forward<TSimd, TVec>(TSimd.Add(right, bias), TSimd.Set(slope)));
    }

    /// <summary>dw += G^T m G of a vector of kernels whose taps lie <paramref name="tap"/> apart. Overwrites m.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void KernelGradient<TSimd, TVec>(float* dw, nint tap, float* m, int positionStride)
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
        for (int r = 0; r < 3; r++, dw += 3 * tap)
        {
            Fold<TSimd, TVec>(m + 4 * r * positionStride, positionStride, out TVec a, out TVec b, out TVec c);
            TSimd.Store(dw, TSimd.Add(TSimd.Load(dw), a));
            TSimd.Store(dw + tap, TSimd.Add(TSimd.Load(dw + tap), b));
            TSimd.Store(dw + 2 * tap, TSimd.Add(TSimd.Load(dw + 2 * tap), c));
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
}
