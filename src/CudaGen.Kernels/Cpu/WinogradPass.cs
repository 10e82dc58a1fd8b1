using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// A forward or a backward-data pass by <see cref="Winograd"/>. A task takes a block of tiles through all stages, transform, a product for
/// each position, transform, before the next: what lies between stays in the cache.
/// </summary>
internal sealed unsafe class WinogradPass<TFilter> : IConvolutionPass where TFilter : struct, IFilter
{
    // A block is as many tiles as a product has rows. Where the transformed kernels exceed this many floats, and with them half of a
    // second-level cache, it is three times as many, so that they come from further away a third as often.
    private const int MaxNearFloats = 1 << 17, MostTiles = 3 * Product.Rows;

    private readonly bool _mirrored;
    private readonly Phase[] _phases;
    private readonly Winograd.Tiles _tiles;
    private readonly Panels _panels;
    private readonly int _channels, _columns, _step, _kernelWidth;
    private readonly int _blockTiles, _blocks, _tasks;
    private readonly ThreadRooms _rooms;

    // Phases that are summed, all or one, and those that are made apart, one or all.
    private readonly int _summed, _products;

    // The inner index of a product.
    private readonly int _depth;

    // u[product][panel][position][phase][channel of the source][column], the floats of a product.
    private readonly int _kernelFloats;

    // Elements of the source and of the target for each tile, and of a row of the source.
    private readonly int _sourceFloats, _targetFloats, _sourceRow;

    // A row of the source.
    private readonly float* _zeros;

    /// <summary>What a phase reads and writes, and which tap of the kernel is its first.</summary>
    private readonly struct Phase(Winograd.View source, Winograd.View target, int tap)
    {
        public readonly Winograd.View Source = source, Target = target;
        public readonly int Tap = tap;
    }

    /// <summary>y from x: the sum of the phases, whose channels lie side by side.</summary>
    public static WinogradPass<TFilter> Forward(ConvolutionShape g, int threads) => new(g, threads, g.X, g.Y, false);

    /// <summary>
    /// dx from dy: a phase for every step-th row and column of dx, the forward pass of taps that are mirrored and channels in each other's place.
    /// </summary>
    public static WinogradPass<TFilter> BackwardData(ConvolutionShape g, int threads) => new(g, threads, g.Y, g.X, true);

    private WinogradPass(ConvolutionShape g, int threads, Shape source, Shape target, bool mirrored)
    {
        (_mirrored, _step, _kernelWidth, _channels, _columns) = (mirrored, g.Stride, g.W[2], source[3], target[3]);
        (_summed, _products) = mirrored ? (1, _step * _step) : (_step * _step, 1);
        _depth = _summed * _channels;
        _kernelFloats = checked(TFilter.Positions * _depth * _columns);
        _sourceRow = source[2] * _channels;
        _zeros = (float*)NativeMemory.AllocZeroed((nuint)_sourceRow, sizeof(float));
        _phases = [.. from a in Enumerable.Range(0, _step) from b in Enumerable.Range(0, _step) select mirrored ? Behind(a, b) : Before(a, b)];
        _tiles = mirrored ? new(target[0], target[1] / _step, target[2] / _step) : new(target[0], target[1], target[2]);
        _panels = new(_columns);
        _blockTiles = _products * _kernelFloats <= MaxNearFloats ? Product.Rows : MostTiles;
        _rooms = new(threads, checked(TFilter.Positions * (VStride + _blockTiles * Product.MaxTileColumns + 16)));
        _blocks = (_tiles.Count + _blockTiles - 1) / _blockTiles;
        _tasks = Math.Min(_blocks, 64);
        if (_tiles.Count > 0)
            (_sourceFloats, _targetFloats) = (source.Length / _tiles.Count, target.Length / _tiles.Count);

        // Phase (a, b) of x has the taps (step r + a, step s + b), ...
        Phase Before(int a, int b) => new(new(source, _step, a - g.Padding.Top, b - g.Padding.Left, _zeros), new(target, 1, 0, 0), a * _kernelWidth + b);

        // ... and those are what pixels (step i + a - top, step j + b - left) of dx meet, the last of them first.
        Phase Behind(int a, int b)
        {
            (int y, int row) = Math.DivRem(a + g.Padding.Top, _step);
            (int x, int column) = Math.DivRem(b + g.Padding.Left, _step);
            return new(new(source, 1, y - TFilter.Taps + 1, x - TFilter.Taps + 1, _zeros), new(target, _step, a, b), row * _kernelWidth + column);
        }
    }

    // v[position][tile][phase][channel], m[position][tile][column of the panel]. A line more for each position, as lines that are a power of
    // two apart would fight for the same set of the cache.
    private int VStride => _blockTiles * _depth + 16;

    /// <summary>Floats of scratch memory.</summary>
    public int Scratch => checked(_products * _kernelFloats + _rooms.Scratch);

    /// <summary>target = f(pass(source, w) + bias)</summary>
    public void Run(Device device, float* target, float* source, float* w, Tensor? bias, Activation activation)
    {
        float* u = device.Scratch(Scratch);
        KernelJob kernels = new(this, u, w);
        Dispatch.Run(device, (_mirrored ? _channels : _columns) / Dispatch.Width, ref kernels);
        ElementWise.ByActivation<Job> job = new(new(this, target, source, u, bias is null ? null : (float*)bias.Value.Address, activation.Slope),
            activation.Kind);
        Dispatch.Run(device, _tasks, ref job);
    }

    // u from w[filter][tap][channel], as many filters at a time as make a line of u.
    private readonly struct KernelJob(WinogradPass<TFilter> pass, float* u, float* w) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int filter = chunk * TSimd.Width, channels = pass._mirrored ? pass._columns : pass._channels, step = pass._step, taps = step * TFilter.Taps;
            nint kernel = (nint)taps * taps * channels, row = (nint)step * pass._kernelWidth * channels, column = (nint)step * channels;
            for (int phase = 0; phase < pass._phases.Length; phase++)
            {
                float* from = w + filter * kernel + pass._phases[phase].Tap * channels;
                for (int panel = 0; panel < pass._panels.Count; panel++)
                {
                    int first = pass._panels.Column(panel), width = pass._panels.Width(panel);
                    float* to = u + TFilter.Positions * (nint)pass._depth * first;
                    if (pass._mirrored)
                    {
                        Mirrored<TSimd, TVec>(to + phase * (nint)pass._kernelFloats + (nint)filter * width, width,
                            from + (TFilter.Taps - 1) * (row + column) + first, kernel, -row, -column);
                    }
                    else if (filter >= first && filter < first + width)
                        Transposed<TSimd, TVec>(to + phase * (nint)channels * width + filter - first, width, from, kernel, row, column);
                }
            }
        }

        // Filters are channels of the source, and columns lie side by side.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Mirrored<TSimd, TVec>(float* to, int width, float* from, nint kernel, nint row, nint column)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            for (int i = 0; i < TSimd.Width; i++, to += width, from += kernel)
            {
                for (int j = 0; j < width; j += TSimd.Width)
                    TFilter.Kernel<TSimd, TVec>(to + j, (nint)pass._depth * width, from + j, row, column);
            }
        }

        // Filters are columns: they are transformed as they lie and then transposed.
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        private void Transposed<TSimd, TVec>(float* to, int width, float* from, nint kernel, nint row, nint column)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int depth = pass._depth;
            float* room = stackalloc float[TFilter.Positions * TSimd.Width * TSimd.Width + 16];
            float* kernels = Product.Align(room);
            for (int c = 0; c < pass._channels; c += TSimd.Width)
            {
                for (int i = 0; i < TSimd.Width; i++)
                    TFilter.Kernel<TSimd, TVec>(kernels + i * TSimd.Width, TSimd.Width * TSimd.Width, from + i * kernel + c, row, column);
                for (int position = 0; position < TFilter.Positions; position++)
                {
                    float* k = kernels + position * TSimd.Width * TSimd.Width;
                    float* u = to + ((nint)position * depth + c) * width;
                    for (int i = 0; i < TSimd.Width; i += 4, k += 4, u += 4 * width)
                    {
                        for (int j = 0; j < TSimd.Width; j += 4)
                        {
                            float* block = k + j * TSimd.Width;
                            Transpose4.Copy(block, block + TSimd.Width, block + 2 * TSimd.Width, block + 3 * TSimd.Width, u + j, width);
                        }
                    }
                }
            }
        }
    }

    private readonly struct Job(WinogradPass<TFilter> pass, float* target, float* source, float* u, float* bias, float slope)
        : ElementWise.IActivationLoop
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec, TActivation>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            float* room = pass._rooms.Mine(u + (nint)pass._products * pass._kernelFloats);
            float** rows = stackalloc float*[MostTiles];
            int first = (int)((long)pass._blocks * chunk / pass._tasks), last = (int)((long)pass._blocks * (chunk + 1) / pass._tasks);
            for (int block = first; block < last; block++)
            {
                for (int product = 0; product < pass._products; product++)
                    Block<TSimd, TVec, TActivation>(block * pass._blockTiles, product, room, rows);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Block<TSimd, TVec, TActivation>(int first, int product, float* v, float** rows)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            int depth = pass._depth, channels = pass._channels, vStride = pass.VStride;
            int count = Math.Min(pass._blockTiles, pass._tiles.Count - first);
            float* m = v + TFilter.Positions * vStride;
            Winograd.Strip strip;
            for (int i = 0; i < pass._summed; i++)
            {
                Winograd.View from = pass._phases[product + i].Source.Of(source);
                for (int t = 0; t < count; t += strip.Count)
                {
                    strip = pass._tiles.At(first + t, count - t);
                    TFilter.Inputs<TSimd, TVec>(v + t * depth + i * channels, vStride, depth, from, strip, 0, channels);
                }
            }
            Winograd.View to = pass._phases[product].Target.Of(target);
            // The last rows of a short block repeat its last tile and are dropped.
            for (int r = 0; r < pass._blockTiles; r++)
                rows[r] = v + Math.Min(r, count - 1) * depth;
            // What the next block, or the next row of tiles, reads and writes comes while this one is multiplied, a piece with each product.
            int sourceFloats = pass._sourceFloats, targetFloats = pass._targetFloats;
            nint next = first + Math.Max(pass._blockTiles, pass._tiles.Across);
            int pieces = pass._products * TFilter.Positions, sourcePiece = sourceFloats * count / pieces, targetPiece = targetFloats * count / pieces;
            float* nextSource = source + next * sourceFloats + product * TFilter.Positions * sourcePiece + pass._sourceRow;
            float* nextTarget = target + next * targetFloats + product * TFilter.Positions * targetPiece;
            for (int panel = 0; panel < pass._panels.Count; panel++)
            {
                int column = pass._panels.Column(panel), width = pass._panels.Width(panel), mStride = pass._blockTiles * width + 16;
                float* b = u + (nint)product * pass._kernelFloats + TFilter.Positions * (nint)depth * column;
                for (int position = 0; position < TFilter.Positions; position++)
                {
                    Segment segment = new(position * vStride, position * depth, depth);
                    if (panel == 0)
                    {
                        Product.Prefetch(nextSource + position * sourcePiece, sourcePiece);
                        Product.Prefetch(nextTarget + position * targetPiece, targetPiece);
                    }
                    for (int r = 0; r < count; r += Product.Rows)
                    {
                        Product.Tile<TSimd, TVec, Product.ToBuffer>(width / TSimd.Width, new(m + position * mStride + r * width, width, false),
                            rows + r, 1, b, width, &segment, 1);
                    }
                }
                for (int t = 0; t < count; t += strip.Count)
                {
                    strip = pass._tiles.At(first + t, count - t);
                    Winograd.Outputs<TFilter, TSimd, TVec, TActivation>(to, strip, column, width, m + t * width, mStride, bias, slope);
                }
            }
        }
    }

    public void Dispose() => NativeMemory.Free(_zeros);
}
