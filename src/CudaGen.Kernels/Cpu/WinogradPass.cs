using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// A forward or a backward-data pass by <see cref="Winograd"/>. A task takes eight tiles, the rows of a product, through
/// all stages, transform, 16 products, transform, before the next eight: what lies between stays in the first-level cache.
/// </summary>
internal sealed unsafe class WinogradPass : IConvolutionPass
{
    private const int BlockTiles = Product.Rows;

    private readonly Shape _source, _target;
    private readonly int _top, _left;
    private readonly bool _mirrored;
    private readonly Winograd.Tiles _tiles;
    private readonly Panels _panels;
    private readonly int _blocks, _tasks;

    // A row of the source.
    private readonly float* _zeros;

    /// <summary>y from x.</summary>
    public static WinogradPass Forward(ConvolutionShape g) => new(g.X, g.Y, g.Padding.Top, g.Padding.Left, false);

    /// <summary>dx from dy: the forward pass with the kernel's taps mirrored and its channels in each other's place.</summary>
    public static WinogradPass BackwardData(ConvolutionShape g) => new(g.Y, g.X, 2 - g.Padding.Top, 2 - g.Padding.Left, true);

    private WinogradPass(Shape source, Shape target, int top, int left, bool mirrored)
    {
        (_source, _target, _top, _left, _mirrored) = (source, target, top, left, mirrored);
        _tiles = new(target);
        _panels = new(Columns);
        _blocks = (_tiles.Count + BlockTiles - 1) / BlockTiles;
        _tasks = Math.Min(_blocks, 64);
        _zeros = (float*)NativeMemory.AllocZeroed((nuint)source[2] * (nuint)Depth, sizeof(float));
    }

    private int Depth => _source[3];

    private int Columns => _target[3];

    /// <summary>Floats of scratch memory.</summary>
    public int Scratch => checked(Winograd.Positions * Depth * Columns);

    /// <summary>target = f(pass(source, w) + bias)</summary>
    public void Run(Device device, float* target, float* source, float* w, Tensor? bias, Activation activation)
    {
        float* u = device.Scratch(Scratch);
        KernelJob kernels = new(this, u, w);
        Dispatch.Run(device, (_mirrored ? Depth : Columns) / KernelJob.Filters, ref kernels);
        ElementWise.ByActivation<Job> job = new(new(this, target, source, u, bias is null ? null : (float*)bias.Value.Address, activation.Slope),
            activation.Kind);
        Dispatch.Run(device, _tasks, ref job);
    }

    // u[panel][position][channel of the source][column] from w[filter][tap][channel].
    private readonly struct KernelJob(WinogradPass pass, float* u, float* w) : IChunk
    {
        public const int Filters = 4;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int filter = chunk * Filters;
            for (int panel = 0; panel < pass._panels.Count; panel++)
            {
                int column = pass._panels.Column(panel), width = pass._panels.Width(panel);
                float* to = u + Winograd.Positions * (nint)pass.Depth * column;
                if (pass._mirrored)
                    Mirrored<TSimd, TVec>(to + (nint)filter * width, width, w + (nint)filter * 9 * pass.Columns + column);
                else if (filter >= column && filter < column + width)
                    Transposed<TSimd, TVec>(to + filter - column, width, w + (nint)filter * 9 * pass.Depth);
            }
        }

        // Filters are channels of the source, and columns lie side by side. The last tap comes first.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Mirrored<TSimd, TVec>(float* to, int width, float* from)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int columns = pass.Columns;
            for (int i = 0; i < Filters; i++, to += width, from += 9 * columns)
            {
                for (int j = 0; j < width; j += TSimd.Width)
                    Winograd.Kernel<TSimd, TVec>(to + j, (nint)pass.Depth * width, from + 8 * columns + j, -columns);
            }
        }

        // Filters are columns: four of them are transformed as they lie and then transposed.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Transposed<TSimd, TVec>(float* to, int width, float* from)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int depth = pass.Depth;
            float* room = stackalloc float[Winograd.Positions * Filters * 16 + 16];
            float* kernels = Product.Align(room);
            for (int c = 0; c < depth; c += TSimd.Width)
            {
                for (int i = 0; i < Filters; i++)
                    Winograd.Kernel<TSimd, TVec>(kernels + i * TSimd.Width, Filters * TSimd.Width, from + i * 9 * depth + c, depth);
                for (int position = 0; position < Winograd.Positions; position++)
                {
                    float* k = kernels + position * Filters * TSimd.Width;
                    for (int i = 0; i < TSimd.Width; i += 4, k += 4)
                    {
                        Transpose4.Copy(k, k + TSimd.Width, k + 2 * TSimd.Width, k + 3 * TSimd.Width,
                            to + ((nint)position * depth + c + i) * width, width);
                    }
                }
            }
        }
    }

    private readonly struct Job(WinogradPass pass, float* target, float* source, float* u, float* bias, float slope) : ElementWise.IActivationLoop
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        public void Run<TSimd, TVec, TActivation>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            // v[position][tile][channel], m[position][tile][column of the panel]. A line more for each position, as lines that are a power of
            // two apart would fight for the same set of the cache.
            int depth = pass.Depth, columns = pass.Columns, vStride = BlockTiles * depth + 16;
            float* room = stackalloc float[Winograd.Positions * (vStride + BlockTiles * Product.MaxTileColumns + 16) + 16];
            float* v = Product.Align(room), m = v + Winograd.Positions * vStride;
            float** rows = stackalloc float*[BlockTiles];
            Segment segment = default;
            Winograd.View from = new(source, pass._source, pass._top, pass._left, pass._zeros), to = new(target, pass._target);
            int firstTile = (int)((long)pass._blocks * chunk / pass._tasks) * BlockTiles;
            int lastTile = Math.Min((int)((long)pass._blocks * (chunk + 1) / pass._tasks) * BlockTiles, pass._tiles.Count);
            for (int first = firstTile; first < lastTile; first += BlockTiles)
            {
                int count = Math.Min(BlockTiles, lastTile - first);
                Winograd.Strip strip;
                for (int t = 0; t < count; t += strip.Count)
                {
                    strip = pass._tiles.At(first + t, count - t);
                    Winograd.Inputs<TSimd, TVec>(v + t * depth, vStride, from, strip, 0, depth);
                }
                // A short block repeats its last tile and drops the result.
                for (int r = 0; r < BlockTiles; r++)
                    rows[r] = v + Math.Min(r, count - 1) * depth;
                // What the next row of tiles reads and writes comes while this one is multiplied, in as many parts as there are positions.
                strip = pass._tiles.At(first, count);
                float* nextSource = from.Pixel(strip.Image, strip.Y + 4, 2 * strip.X), nextTarget = to.Pixel(strip.Image, strip.Y + 2, 2 * strip.X);
                for (int panel = 0; panel < pass._panels.Count; panel++)
                {
                    int column = pass._panels.Column(panel), width = pass._panels.Width(panel), mStride = BlockTiles * width + 16;
                    float* b = u + Winograd.Positions * (nint)depth * column;
                    for (int position = 0; position < Winograd.Positions; position++)
                    {
                        if (panel == 0)
                        {
                            Product.Prefetch(nextSource + position * 2 * depth, 2 * depth);
                            Product.Prefetch(nextTarget + position * 2 * columns, 2 * columns);
                        }
                        segment = new(position * vStride, position * depth, depth);
                        Product.Tile<TSimd, TVec, Product.ToBuffer>(width / TSimd.Width, new(m + position * mStride, width, false), rows, 1, b, width,
                            &segment, 1);
                    }
                    for (int t = 0; t < count; t += strip.Count)
                    {
                        strip = pass._tiles.At(first + t, count - t);
                        Winograd.Outputs<TSimd, TVec, TActivation>(to, strip, column, width, m + t * width, mStride, bias, slope);
                    }
                }
            }
        }
    }

    public void Dispose() => NativeMemory.Free(_zeros);
}
