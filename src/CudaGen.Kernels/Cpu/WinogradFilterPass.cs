using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// The filter gradient by <see cref="Winograd"/>: for each position the product D^T V of filters and channels, its inner index the tiles. Tiles
/// are cut into parts that each make a gradient of their own, still transformed; they are added in order and transformed back once.
/// </summary>
internal sealed unsafe class WinogradFilterPass : IFilterPass
{
    // Partial gradients beyond this many floats, and parts of fewer tiles, cost more to add than they help to balance.
    private const int MaxPartialFloats = 1 << 20, MinTiles = 256, MaxParts = 32;

    // Tiles of a block, the inner index of a product; fewer where a block would take more than 256 KiB on the stack of a task.
    private const int MaxBlockTiles = 32, MaxBlockFloats = 1 << 16;

    private readonly ConvolutionShape _g;
    private readonly Winograd.Tiles _tiles;
    private readonly Panels _panels;
    private readonly int _blockTiles, _blocks, _parts;

    // A row of x.
    private readonly float* _zeros;

    public WinogradFilterPass(ConvolutionShape g)
    {
        _g = g;
        _tiles = new(g.Y);
        _panels = new(Channels);
        _blockTiles = Math.Clamp(MaxBlockFloats / (Winograd.Positions * (Filters + Product.MaxTileColumns)), 1, MaxBlockTiles);
        _blocks = (_tiles.Count + _blockTiles - 1) / _blockTiles;
        _parts = Math.Clamp(Math.Min(MaxPartialFloats / PartialFloats, _tiles.Count / MinTiles), 1, MaxParts);
        _zeros = (float*)NativeMemory.AllocZeroed((nuint)g.X[2] * (nuint)Channels, sizeof(float));
    }

    private int Filters => _g.W[0];

    private int Channels => _g.W[3];

    private int PartialFloats => checked(Winograd.Positions * Filters * Channels);

    /// <summary>Floats of scratch memory.</summary>
    public int Scratch => checked(_parts * PartialFloats);

    /// <summary>dw += gradient</summary>
    public void Run(Device device, float* dw, float* dy, float* x)
    {
        if (_tiles.Count == 0)
            return;
        float* partial = device.Scratch(Scratch);
        Job job = new(this, partial, dy, x);
        Dispatch.Run(device, _parts * _panels.Count, ref job);
        ReduceJob reduce = new(this, dw, partial);
        Dispatch.Run(device, Filters / Product.Rows, ref reduce);
    }

    // partial[part][panel][eight filters][position][filter][channel of the panel]: the sums of a tile lie side by side, and so do all that are
    // transformed back together.
    private readonly struct Job(WinogradFilterPass pass, float* partial, float* dy, float* x) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int part, int panel) = Math.DivRem(chunk, pass._panels.Count);
            int column = pass._panels.Column(panel), width = pass._panels.Width(panel), filters = pass.Filters, blockTiles = pass._blockTiles;
            float* sums = partial + part * (nint)pass.PartialFloats + Winograd.Positions * (nint)filters * column;
            Winograd.View gradients = new(dy, pass._g.Y), inputs = new(x, pass._g.X, pass._g.Padding.Top, pass._g.Padding.Left, pass._zeros);
            // d[position][tile][filter], v[position][tile][channel]. A line more for each position, as in the other passes.
            int dStride = blockTiles * filters + 16, vStride = blockTiles * width + 16;
            float* room = stackalloc float[Winograd.Positions * (dStride + vStride) + 16];
            float* d = Product.Align(room), v = d + Winograd.Positions * dStride;
            float** rows = stackalloc float*[Product.Rows];
            for (int r = 0; r < Product.Rows; r++)
                rows[r] = d + r;
            Segment segment = default;
            int firstTile = (int)((long)pass._blocks * part / pass._parts) * blockTiles;
            int lastTile = Math.Min((int)((long)pass._blocks * (part + 1) / pass._parts) * blockTiles, pass._tiles.Count);
            for (int first = firstTile; first < lastTile; first += blockTiles)
            {
                int count = Math.Min(blockTiles, lastTile - first);
                Winograd.Strip strip;
                for (int t = 0; t < count; t += strip.Count)
                {
                    strip = pass._tiles.At(first + t, count - t);
                    Winograd.Gradients<TSimd, TVec>(d + t * filters, dStride, gradients, strip);
                    Winograd.Inputs<TSimd, TVec>(v + t * width, vStride, inputs, strip, column, width);
                }
                // The next block comes while this one is multiplied, in as many parts as there are positions.
                strip = pass._tiles.At(first + blockTiles, 1);
                float* nextGradients = gradients.Pixel(strip.Image, strip.Y, 2 * strip.X);
                float* nextInputs = inputs.Pixel(strip.Image, strip.Y + 1, 2 * strip.X) + column;
                for (int position = 0; position < Winograd.Positions; position++)
                {
                    for (int i = 0; i < blockTiles / 4; i++, nextGradients += filters, nextInputs += inputs.Channels)
                    {
                        Product.Prefetch(nextGradients, filters);
                        Product.Prefetch(nextInputs, width);
                    }
                    for (int k = 0; k < filters; k += Product.Rows)
                    {
                        segment = new(position * dStride + k, 0, count);
                        Product.ToBuffer add = new(sums + (Winograd.Positions * k + position * Product.Rows) * (nint)width, width, first > firstTile);
                        Product.Tile<TSimd, TVec, Product.ToBuffer>(width / TSimd.Width, add, rows, filters, v + position * vStride, width,
                            &segment, 1);
                    }
                }
            }
        }
    }

    // dw of eight filters
    private readonly struct ReduceJob(WinogradFilterPass pass, float* dw, float* partial) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int filter = chunk * Product.Rows, channels = pass.Channels, parts = pass._parts;
            nint partStride = pass.PartialFloats;
            float* room = stackalloc float[Winograd.Positions * Product.Rows * Product.MaxTileColumns + 16];
            float* m = Product.Align(room);
            for (int panel = 0; panel < pass._panels.Count; panel++)
            {
                int column = pass._panels.Column(panel), width = pass._panels.Width(panel);
                float* first = partial + Winograd.Positions * ((nint)pass.Filters * column + filter * width);
                for (int i = 0; i < Winograd.Positions * Product.Rows * width; i += TSimd.Width)
                {
                    TVec sum = TSimd.Load(first + i);
                    for (int part = 1; part < parts; part++)
                        sum = TSimd.Add(sum, TSimd.Load(first + part * partStride + i));
                    TSimd.Store(m + i, sum);
                }
                for (int r = 0; r < Product.Rows; r++)
                {
                    for (int j = 0; j < width; j += TSimd.Width)
                    {
                        Winograd.KernelGradient<TSimd, TVec>(dw + (nint)(filter + r) * 9 * channels + column + j, channels, m + r * width + j,
                            Product.Rows * width);
                    }
                }
            }
        }
    }

    public void Dispose() => NativeMemory.Free(_zeros);
}
