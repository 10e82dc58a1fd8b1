using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// The filter gradient by <see cref="Winograd"/>: for each position the product D^T V of filters and channels, its inner index the tiles. Tiles
/// are cut into parts that each make a gradient of their own, still transformed; they are added in order and transformed back once.
/// </summary>
/// <remarks>A unit is a panel of the channels of a phase. A task makes the sums of a part of the tiles for a group of units, which share D.</remarks>
internal sealed unsafe class WinogradFilterPass<TFilter> : IFilterPass where TFilter : struct, IFilter
{
    // Partial gradients beyond this many floats, and parts of fewer tiles, cost more to add than they help to balance ...
    private const int MaxPartialFloats = 1 << 20, MinTiles = 256, MaxParts = 32;

    // ... while there is a task for each of so many threads.
    private const int MinTasks = 8;

    // Tiles of a block, the inner index of a product; fewer where a block would be more than 1 MiB.
    private const int MaxBlockTiles = 64, MaxBlockFloats = 1 << 18;

    // Sums of a task, 1 MiB: with smaller ones more tasks would transform the same gradients.
    private const int MaxTaskFloats = 1 << 18;

    private readonly Winograd.Tiles _tiles;
    private readonly Winograd.View _gradients;
    private readonly Winograd.View[] _inputs;
    private readonly Panels _panels;
    private readonly int _filters, _channels, _step, _phases, _units, _groups, _blockTiles, _blocks, _parts;
    private readonly ThreadRooms _rooms;

    // partial[part][phase][panel][eight filters][position][filter][channel of the panel]: the sums of a tile lie side by side, and so do all
    // that are transformed back together.
    private readonly int _phaseFloats, _partialFloats;

    // Elements of dy and of x for each tile, and of a row of x.
    private readonly int _gradientFloats, _inputFloats, _inputRow;

    // A row of x.
    private readonly float* _zeros;

    public WinogradFilterPass(ConvolutionShape g, int threads)
    {
        (_filters, _channels, _step, _phases) = (g.W[0], g.W[3], g.Stride, g.Stride * g.Stride);
        _phaseFloats = checked(TFilter.Positions * _filters * _channels);
        _partialFloats = checked(_phases * _phaseFloats);
        _inputRow = g.X[2] * _channels;
        _zeros = (float*)NativeMemory.AllocZeroed((nuint)_inputRow, sizeof(float));
        _gradients = new(g.Y, 1, 0, 0);
        _inputs = [.. from a in Enumerable.Range(0, _step) from b in Enumerable.Range(0, _step)
                      select new Winograd.View(g.X, _step, a - g.Padding.Top, b - g.Padding.Left, _zeros)];
        _tiles = new(g.Y[0], g.Y[1], g.Y[2]);
        _panels = new(_channels);
        _units = _phases * _panels.Count;
        _groups = Math.Clamp(_partialFloats / MaxTaskFloats, 1, _units);
        _blockTiles = Math.Clamp(MaxBlockFloats / (TFilter.Positions * (_filters + Product.MaxTileColumns)), 1, MaxBlockTiles);
        _blocks = (_tiles.Count + _blockTiles - 1) / _blockTiles;
        int parts = Math.Min(Math.Max(MaxPartialFloats / _partialFloats, MinTasks / _groups), _tiles.Count / MinTiles);
        // A power of two: three tasks keep two threads as long as four.
        _parts = 1 << BitOperations.Log2((uint)Math.Clamp(parts, 1, MaxParts));
        _rooms = new(threads, checked(TFilter.Positions * (DStride + VStride)));
        if (_tiles.Count > 0)
            (_gradientFloats, _inputFloats) = (g.Y.Length / _tiles.Count, g.X.Length / _tiles.Count);
    }

    // d[position][vector of filters][tile][filter], v[position][tile][channel of the panel]. A line more for each position, as in the other passes.
    private int DStride => _blockTiles * _filters + 16;

    private int VStride => _blockTiles * Product.MaxTileColumns + 16;

    /// <summary>Floats of scratch memory.</summary>
    public int Scratch => checked(_parts * _partialFloats + _rooms.Scratch);

    /// <summary>dw += gradient</summary>
    public void Run(Device device, float* dw, float* dy, float* x)
    {
        if (_tiles.Count == 0)
            return;
        float* partial = device.Scratch(Scratch);
        Job job = new(this, partial, dy, x);
        Dispatch.Run(device, _parts * _groups, ref job);
        ReduceJob reduce = new(this, dw, partial);
        Dispatch.Run(device, _filters / Product.Rows, ref reduce);
    }

    private readonly struct Job(WinogradFilterPass<TFilter> pass, float* partial, float* dy, float* x) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int part, int group) = Math.DivRem(chunk, pass._groups);
            int firstUnit = pass._units * group / pass._groups, lastUnit = pass._units * (group + 1) / pass._groups, blockTiles = pass._blockTiles;
            Winograd.View gradients = pass._gradients.Of(dy);
            float* sums = partial + part * (nint)pass._partialFloats;
            float* d = pass._rooms.Mine(partial + pass._parts * (nint)pass._partialFloats);
            int firstTile = (int)((long)pass._blocks * part / pass._parts) * blockTiles;
            int lastTile = Math.Min((int)((long)pass._blocks * (part + 1) / pass._parts) * blockTiles, pass._tiles.Count);
            for (int first = firstTile; first < lastTile; first += blockTiles)
            {
                int count = Math.Min(blockTiles, lastTile - first);
                Winograd.Strip strip;
                for (int t = 0; t < count; t += strip.Count)
                {
                    strip = pass._tiles.At(first + t, count - t);
                    Winograd.Gradients<TFilter, TSimd, TVec>(d + t * TSimd.Width, pass.DStride, blockTiles * TSimd.Width, gradients, strip);
                }
                // The gradients of the next block, or of the next row of tiles, come while this one is multiplied, a piece with each unit.
                int piece = pass._gradientFloats * count / (lastUnit - firstUnit);
                float* next = dy + (first + (nint)Math.Max(blockTiles, pass._tiles.Across)) * pass._gradientFloats;
                for (int unit = firstUnit; unit < lastUnit; unit++, next += piece)
                    Unit<TSimd, TVec>(unit, sums, d, first, count, first > firstTile, next, piece / TFilter.Positions);
            }
        }

        // The product of a block of tiles for a unit, while `piece` elements of the next gradients are asked for with each position.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Unit<TSimd, TVec>(int unit, float* sums, float* d, int first, int count, bool add, float* nextGradients, int piece)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int phase, int panel) = Math.DivRem(unit, pass._panels.Count);
            int column = pass._panels.Column(panel), width = pass._panels.Width(panel), filters = pass._filters, channels = pass._channels;
            int vectorStride = pass._blockTiles * TSimd.Width, dStride = pass.DStride, vStride = pass.VStride;
            float* v = d + TFilter.Positions * dStride;
            Winograd.View inputs = pass._inputs[phase].Of(x);
            Winograd.Strip strip;
            for (int t = 0; t < count; t += strip.Count)
            {
                strip = pass._tiles.At(first + t, count - t);
                TFilter.Inputs<TSimd, TVec>(v + t * width, vStride, width, inputs, strip, column, width);
            }
            sums += phase * (nint)pass._phaseFloats + TFilter.Positions * (nint)filters * column;
            float** rows = stackalloc float*[Product.Rows];
            for (int r = 0; r < Product.Rows; r++)
                rows[r] = d + At(r);
            int pixels = pass._inputFloats / channels * count / TFilter.Positions;
            float* nextInputs = x + (first + (nint)Math.Max(pass._blockTiles, pass._tiles.Across)) * pass._inputFloats + pass._inputRow + column;
            for (int position = 0; position < TFilter.Positions; position++, nextGradients += piece)
            {
                Product.Prefetch(nextGradients, piece);
                for (int i = 0; i < pixels; i++, nextInputs += channels)
                    Product.Prefetch(nextInputs, width);
                for (int k = 0; k < filters; k += Product.Rows)
                {
                    Segment segment = new(position * dStride + At(k), 0, count);
                    Product.ToBuffer to = new(sums + (TFilter.Positions * k + position * Product.Rows) * (nint)width, width, add);
                    Product.Tile<TSimd, TVec, Product.ToBuffer>(width / TSimd.Width, to, rows, TSimd.Width, v + position * vStride, width, &segment, 1);
                }
            }

            int At(int filter) => filter / TSimd.Width * vectorStride + filter % TSimd.Width;
        }
    }

    // dw of eight filters
    private readonly struct ReduceJob(WinogradFilterPass<TFilter> pass, float* dw, float* partial) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int filter = chunk * Product.Rows, channels = pass._channels, step = pass._step, taps = step * TFilter.Taps;
            float* room = stackalloc float[TFilter.Positions * Product.Rows * Product.MaxTileColumns + 16];
            float* m = Product.Align(room);
            for (int phase = 0; phase < pass._phases; phase++)
            {
                float* phaseSums = partial + phase * (nint)pass._phaseFloats;
                nint tap = (nint)(phase / step * taps + phase % step) * channels;
                for (int panel = 0; panel < pass._panels.Count; panel++)
                {
                    int column = pass._panels.Column(panel), width = pass._panels.Width(panel);
                    float* first = phaseSums + TFilter.Positions * ((nint)pass._filters * column + filter * width);
                    for (int i = 0; i < TFilter.Positions * Product.Rows * width; i += TSimd.Width)
                    {
                        TVec sum = TSimd.Load(first + i);
                        for (int part = 1; part < pass._parts; part++)
                            sum = TSimd.Add(sum, TSimd.Load(first + part * (nint)pass._partialFloats + i));
                        TSimd.Store(m + i, sum);
                    }
                    for (int r = 0; r < Product.Rows; r++)
                    {
                        float* kernel = dw + (nint)(filter + r) * taps * taps * channels + tap + column;
                        for (int j = 0; j < width; j += TSimd.Width)
                        {
                            TFilter.KernelGradient<TSimd, TVec>(kernel + j, (nint)step * taps * channels, step * channels, m + r * width + j,
                                Product.Rows * width);
                        }
                    }
                }
            }
        }
    }

    public void Dispose() => NativeMemory.Free(_zeros);
}
