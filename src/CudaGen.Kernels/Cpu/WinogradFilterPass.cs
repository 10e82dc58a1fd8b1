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
    // Floats of partial gradients, and tiles of a part, beyond and below which adding them costs more than balance gains.
    private const int MaxPartialFloats = 1 << 20, MinTiles = 128;

    private const int MaxParts = 16;

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

    private int PartialFloats => Winograd.Positions * Filters * Channels;

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
        Dispatch.Run(device, Filters, ref reduce);
    }

    // partial[part][panel][position][filter][channel of the panel]
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
            Winograd.View gradients = new(dy, pass._g.Y, 0, filters), inputs = new(x, pass._g.X, column, width);
            Padding padding = pass._g.Padding;
            // d[position][tile][filter], v[position][tile][channel]. A line more for each position, as in the other passes.
            int dStride = blockTiles * filters + 16, vStride = blockTiles * width + 16;
            float* room = stackalloc float[Winograd.Positions * (dStride + vStride) + 16];
            float* d = Product.Align(room), v = d + Winograd.Positions * dStride;
            float** rows = stackalloc float*[Product.Rows];
            for (int r = 0; r < Product.Rows; r++)
                rows[r] = d + r;
            Segment segment = default;
            int firstBlock = (int)((long)pass._blocks * part / pass._parts), lastBlock = (int)((long)pass._blocks * (part + 1) / pass._parts);
            for (int block = firstBlock; block < lastBlock; block++)
            {
                int first = block * blockTiles, count = Math.Min(blockTiles, pass._tiles.Count - first);
                for (int t = 0, run; t < count; t += run)
                {
                    (int image, int row, int pixel, run) = pass._tiles.At(first + t, count - t);
                    Winograd.Gradients<TSimd, TVec>(d + t * filters, dStride, gradients, image, row, pixel, run);
                    Winograd.Inputs<TSimd, TVec>(v + t * width, vStride, inputs, image, pass._zeros, row - padding.Top, pixel - padding.Left, run);
                }
                // The next block comes while this one is multiplied, in as many parts as there are positions.
                (int i, int y, int z, _) = pass._tiles.At(first + blockTiles, 1);
                float* nextGradients = gradients.Image(i) + ((nint)y * gradients.Width + 2 * z) * filters;
                float* nextInputs = inputs.Image(i) + ((nint)(y + 1) * inputs.Width + 2 * z) * inputs.Channels;
                int pixels = blockTiles / 4;
                for (int position = 0; position < Winograd.Positions; position++)
                {
                    for (int q = position * pixels; q < (position + 1) * pixels; q++)
                    {
                        Winograd.Prefetch(nextGradients + q * filters, filters);
                        Winograd.Prefetch(nextInputs + q * inputs.Channels, width);
                    }
                    for (int k = 0; k < filters; k += Product.Rows)
                    {
                        segment = new(position * dStride + k, 0, count);
                        Product.ToBuffer add = new(sums + ((nint)position * filters + k) * width, width, block > firstBlock);
                        Product.Tile<TSimd, TVec, Product.ToBuffer>(width / TSimd.Width, add, rows, filters, v + position * vStride, width, &segment, 1);
                    }
                }
            }
        }
    }

    private readonly struct ReduceJob(WinogradFilterPass pass, float* dw, float* partial) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int filter)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int filters = pass.Filters, channels = pass.Channels;
            float* room = stackalloc float[Winograd.Positions * 16 + 16];
            float* m = Product.Align(room);
            for (int panel = 0; panel < pass._panels.Count; panel++)
            {
                int column = pass._panels.Column(panel), width = pass._panels.Width(panel);
                for (int j = 0; j < width; j += TSimd.Width)
                {
                    for (int position = 0; position < Winograd.Positions; position++)
                    {
                        float* p = partial + (Winograd.Positions * column + position * width) * (nint)filters + filter * width + j;
                        TVec sum = TSimd.Load(p);
                        for (int part = 1; part < pass._parts; part++)
                            sum = TSimd.Add(sum, TSimd.Load(p + part * (nint)pass.PartialFloats));
                        TSimd.Store(m + position * TSimd.Width, sum);
                    }
                    Winograd.KernelGradient<TSimd, TVec>(dw + (nint)filter * 9 * channels + column + j, channels, m);
                }
            }
        }
    }

    public void Dispose() => NativeMemory.Free(_zeros);
}
