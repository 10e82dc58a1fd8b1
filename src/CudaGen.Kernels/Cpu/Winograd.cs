using System.Runtime.CompilerServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// Winograd's minimal filtering (Winograd 1980; Lavin and Gray 2016): 2x2 outputs of an RxR kernel take (R + 1)^2 multiplications instead of
/// 4 R^2. With g the kernel, d the inputs that the outputs y of a tile meet, and * element by element:
/// <code>
/// outputs           y  = A^T (U * V) A      U = G g G^T, V = B^T d B
/// filter gradient   dg = G^T (D * V) G      D = A dy A^T
/// </code>
/// The sums over channels, or over tiles, are a matrix product for each position of a transformed tile. <see cref="IFilter"/> has the matrices.
/// </summary>
/// <remarks>
/// A kernel of 2R x 2R with stride 2 is four kernels of RxR with stride 1, each for every second row and column of the images and of its taps.
/// These phases are summed in a forward pass and side by side in a backward one.
/// </remarks>
internal static unsafe class Winograd
{
    // Channels come in multiples of this: whole vectors of any width.
    private const int Lanes = 16;

    // Beyond it, what a thread has in work no longer fits its second-level cache.
    private const int MaxChannels = 512;

    /// <summary>
    /// Whether all passes of this convolution are made this way: 3x3 with stride 1 or 4x4 with stride 2, whole vectors of channels, and a
    /// quarter more multiplications without it. Small images are mostly border, where a direct pass leaves out the padding, and their last
    /// tiles lie partly outside. The batch has no say, as an image has the same bits in any.
    /// </summary>
    public static bool Pays(ConvolutionShape g)
    {
        (int step, int kernel) = (g.Stride, g.W[1]);
        if ((step, kernel) is not ((1, 3) or (2, 4)) || g.W[2] != kernel || g.X[1] % step != 0 || g.X[2] % step != 0
            || g.W[0] % Lanes != 0 || g.W[3] % Lanes != 0 || Math.Max(g.W[0], g.W[3]) > MaxChannels)
        {
            return false;
        }
        int positions = (kernel / step + 1) * (kernel / step + 1), phases = step * step;
        long taps = Taps(g.X[1], g.Y[1], g.Padding.Top) * Taps(g.X[2], g.Y[2], g.Padding.Left);
        return 4 * taps >= 5L * positions * phases * Math.Max(TilesOf(g.Y, 1), TilesOf(g.X, step));

        // Pairs of an output and an input that meet, along one axis.
        long Taps(int inputs, int outputs, int before) => Enumerable.Range(0, outputs)
            .Sum(i => (long)Math.Max(0, Math.Min(inputs, step * i - before + kernel) - Math.Max(0, step * i - before)));

        static long TilesOf(Shape images, int step) => new Tiles(1, images[1] / step, images[2] / step).Count;
    }

    /// <summary>Tiles side by side in one row of an image, and the pixel at which the first begins.</summary>
    public readonly record struct Strip(int Image, int Y, int X, int Count);

    /// <summary>Images in tiles of 2x2 pixels, numbered row by row and image by image.</summary>
    public readonly struct Tiles(int images, int height, int width)
    {
        private readonly int _down = (height + 1) / 2;

        /// <summary>Tiles in a row.</summary>
        public readonly int Across = (width + 1) / 2;

        public int Count => images * _down * Across;

        /// <summary>Those of tiles [first, first + count) that lie in the row of the first.</summary>
        public Strip At(int first, int count)
        {
            (int row, int x) = Math.DivRem(first, Across);
            (int image, int y) = Math.DivRem(row, _down);
            return new(image, 2 * y, 2 * x, Math.Min(count, Across - x));
        }
    }

    /// <summary>Pixels of images (N, H, W, C), every one or every second: pixel (i, j) is that at (step i + top, step j + left).</summary>
    public readonly struct View
    {
        private readonly float* _data, _zeros;
        private readonly int _height, _top, _left;

        /// <param name="shape">(N, H, W, C)</param>
        /// <param name="step">1 or 2.</param>
        /// <param name="top">May be negative, as i and j may be.</param>
        /// <param name="left">Likewise.</param>
        /// <param name="zeros">A row of W pixels that are 0, in the place of rows beyond the image.</param>
        public View(Shape shape, int step, int top, int left, float* zeros = null)
        {
            (_height, Width, Channels) = (shape[1], shape[2], shape[3]);
            (Step, _top, _left) = (step, top, left);
            _zeros = zeros;
        }

        private View(in View view, float* data)
        {
            this = view;
            _data = data;
        }

        public readonly int Width, Channels, Step;

        /// <summary>Of the images that begin at <paramref name="data"/>.</summary>
        public View Of(float* data) => new(this, data);

        /// <summary>The row i of an image, all of its pixels, or zeros.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public float* Row(int image, int i)
        {
            int y = Step * i + _top;
            return (uint)y < (uint)_height ? _data + ((nint)image * _height + y) * Width * Channels : _zeros;
        }

        /// <summary>Whether row i lies in the image.</summary>
        public bool HasRow(int i) => (uint)(Step * i + _top) < (uint)_height;

        /// <summary>The column of the image that is column j.</summary>
        public int Column(int j) => Step * j + _left;
    }

    /// <summary>d[position][vector of channels][tile][channel of the vector] of a strip: D = A dy A^T, where dy beyond the image is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gradients<TFilter, TSimd, TVec>(float* d, nint positionStride, nint vectorStride, in View view, Strip strip)
        where TFilter : struct, IFilter
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        int channels = view.Channels;
        bool below = view.HasRow(strip.Y + 1);
        nint first = (nint)strip.X * channels;
        float* upperRow = view.Row(strip.Image, strip.Y) + first, lowerRow = view.Row(strip.Image, strip.Y + 1) + first;
        for (int c = 0; c < channels; c += TSimd.Width, d += vectorStride)
        {
            float* upper = upperRow + c, lower = lowerRow + c, to = d;
            int right = view.Width - strip.X;
            for (int t = 0; t < strip.Count; t++, right -= 2, upper += 2 * channels, lower += 2 * channels, to += TSimd.Width)
            {
                TVec y00 = TSimd.Load(upper), y01 = default, y10 = default, y11 = default;
                if (right > 1)
                    y01 = TSimd.Load(upper + channels);
                if (below)
                    y10 = TSimd.Load(lower);
                if (below && right > 1)
                    y11 = TSimd.Load(lower + channels);
                TFilter.Gradient<TSimd, TVec>(to, positionStride, y00, y01, y10, y11);
            }
        }
    }

    /// <summary>
    /// y = f(A^T m A + bias) of m[position][tile][channel] of a strip, channels [first, first + n), as far as it lies in the image.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Outputs<TFilter, TSimd, TVec, TActivation>(in View view, Strip strip, int first, int n, float* m, nint positionStride,
        float* bias, float slope)
        where TFilter : struct, IFilter
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TActivation : struct, IActivation
    {
        int step = view.Step * view.Channels;
        bool below = view.HasRow(strip.Y + 1);
        nint pixel = (nint)view.Column(strip.X) * view.Channels + first;
        float* upperRow = view.Row(strip.Image, strip.Y) + pixel, lowerRow = view.Row(strip.Image, strip.Y + 1) + pixel;
        for (int c = 0; c < n; c += TSimd.Width)
        {
            TVec b = bias == null ? TSimd.Set(0) : TSimd.Load(bias + first + c);
            float* from = m + c, upper = upperRow + c, lower = lowerRow + c;
            int right = view.Width / view.Step - strip.X;
            for (int t = 0; t < strip.Count; t++, right -= 2, from += n, upper += 2 * step, lower += 2 * step)
            {
                TFilter.Output<TSimd, TVec>(from, positionStride, out TVec y00, out TVec y01, out TVec y10, out TVec y11);
                OutputRow<TSimd, TVec, TActivation>(upper, step, right > 1, y00, y01, b, slope);
                if (below)
                    OutputRow<TSimd, TVec, TActivation>(lower, step, right > 1, y10, y11, b, slope);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutputRow<TSimd, TVec, TActivation>(float* y, int step, bool both, TVec left, TVec right, TVec bias, float slope)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TActivation : struct, IActivation
    {
        TSimd.Store(y, TActivation.Forward<TSimd, TVec>(TSimd.Add(left, bias), TSimd.Set(slope)));
        if (both)
            TSimd.Store(y + step, TActivation.Forward<TSimd, TVec>(TSimd.Add(right, bias), TSimd.Set(slope)));
    }
}

/// <summary>F(2x2, RxR): the transforms of <see cref="Winograd"/>, each of a vector of channels at a time.</summary>
internal unsafe interface IFilter
{
    /// <summary>R.</summary>
    static abstract int Taps { get; }

    /// <summary>Elements of a transformed tile, (R + 1)^2.</summary>
    static abstract int Positions { get; }

    /// <summary>u[position] of kernels with taps that lie <paramref name="row"/> and <paramref name="column"/> apart: U = G g G^T.</summary>
    static abstract void Kernel<TSimd, TVec>(float* u, nint positionStride, float* g, nint row, nint column)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;

    /// <summary>dw += G^T m G, taps as in <see cref="Kernel"/>. Overwrites m.</summary>
    static abstract void KernelGradient<TSimd, TVec>(float* dw, nint row, nint column, float* m, int positionStride)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;

    /// <summary>v[position][tile] of a strip, channels [first, first + n) of it: V = B^T d B.</summary>
    static abstract void Inputs<TSimd, TVec>(float* v, nint positionStride, nint tileStride, in Winograd.View view, Winograd.Strip strip, int first, int n)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;

    /// <summary>d[position] of the outputs' gradients of a tile: D = A dy A^T.</summary>
    static abstract void Gradient<TSimd, TVec>(float* d, nint positionStride, TVec y00, TVec y01, TVec y10, TVec y11)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;

    /// <summary>The outputs of a tile: y = A^T m A of m[position].</summary>
    static abstract void Output<TSimd, TVec>(float* m, nint positionStride, out TVec y00, out TVec y01, out TVec y10, out TVec y11)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;
}
