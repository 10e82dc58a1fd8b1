using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// A forward or a backward-data pass without im2col and without padding. Target pixels that meet the same taps of the
/// kernel form a class; for a class, the pass is a matrix product whose rows are pixels, read where they lie, and whose
/// inner index runs over the taps that exist. Multiplications with the padding are left out, not done with zeros.
/// </summary>
internal sealed unsafe class DirectPass : IConvolutionPass
{
    // Up to three output channels the sum over k is taken across the vector instead: one column per accumulator.
    private const int MaxDotColumns = 3;

    private readonly int _images, _columns, _depth;
    private readonly int _sourceImage, _targetImage;
    private readonly bool _dot, _transposeWeights;
    private readonly PixelClass[] _classes;
    private readonly RowRange* _ranges;
    private readonly int* _taskStarts;
    private readonly int _taskCount;
    private readonly PixelClass* _nativeClasses;
    private readonly Panels _panels;

    // Where a run of k of the packed matrix comes from in w; see PackJob.
    private readonly int* _packSource;
    private readonly int _runLength, _columnStride, _kStride;

    /// <summary>Pixels with the same taps.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PixelClass
    {
        public Segment* Segments;
        public int SegmentCount;
        public Site* Sites;
        public int SiteCount;
    }

    /// <summary>Offsets of a pixel within its image, in elements: where its taps are based and where it is written.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private record struct Site(int Source, int Target);

    /// <summary>Some rows (images x sites) of a class.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private record struct RowRange(int Class, int Row, int Count);

    /// <summary>y from x: a pixel's taps are R runs of (valid S) x C contiguous elements.</summary>
    public static DirectPass Forward(ConvolutionShape g)
    {
        (int c, int kernelWidth, int width) = (g.W[3], g.W[2], g.X[2]);
        var rows = Group(g.Y[1], i => Clip(i * g.Stride - g.Padding.Top, g.W[1], g.X[1]));
        var columns = Group(g.Y[2], i => Clip(i * g.Stride - g.Padding.Left, kernelWidth, width));
        var classes = new List<PixelClass>();
        foreach (((int r0, int r1), List<int> ys) in rows)
        {
            foreach (((int s0, int s1), List<int> xs) in columns)
            {
                var segments = new List<Segment>();
                for (int r = r0; r < r1 && s1 > s0; r++)
                    segments.Add(new((r * width + s0) * c, (r * kernelWidth + s0) * c, (s1 - s0) * c));
                var sites = from oy in ys
                            from ox in xs
                            select new Site(((oy * g.Stride - g.Padding.Top) * width + ox * g.Stride - g.Padding.Left) * c,
                                (oy * g.Y[2] + ox) * g.W[0]);
                classes.Add(NewClass(segments, [.. sites]));
            }
        }
        // Row k of the packed matrix is element k of every filter.
        int depth = g.W.RowLength;
        return new(g.X[0], g.X.RowLength, g.Y.RowLength, g.W[0], depth, c, classes, [0], depth, depth, 1);
    }

    /// <summary>
    /// dx from dy: pixel iy of dx meets the taps r with r = iy + top (mod stride), in row (iy + top - r) / stride of dy.
    /// Taps are packed with r rising and s falling, so that a run is (valid s) x K contiguous elements of dy.
    /// </summary>
    public static DirectPass BackwardData(ConvolutionShape g)
    {
        (int k, int kernelHeight, int kernelWidth, int c) = (g.W[0], g.W[1], g.W[2], g.W[3]);
        (int height, int width, int stride) = (g.Y[1], g.Y[2], g.Stride);
        var rows = Group(g.X[1], i => Meet(i + g.Padding.Top, stride, kernelHeight, height));
        var columns = Group(g.X[2], i => Meet(i + g.Padding.Left, stride, kernelWidth, width));

        // The packed matrix: for each pair of residues its taps, r rising, s falling; K rows each.
        var packSource = new List<int>();
        int[,] first = new int[stride, stride];
        for (int a = 0; a < stride; a++)
        {
            for (int b = 0; b < stride; b++)
            {
                first[a, b] = packSource.Count * k;
                for (int r = a; r < kernelHeight; r += stride)
                {
                    for (int j = TapsOf(b, kernelWidth, stride) - 1; j >= 0; j--)
                        packSource.Add((r * kernelWidth + b + j * stride) * c);
                }
            }
        }

        var classes = new List<PixelClass>();
        foreach (((int a, int r0, int r1), List<int> ys) in rows)
        {
            foreach (((int b, int s0, int s1), List<int> xs) in columns)
            {
                int perRow = TapsOf(b, kernelWidth, stride);
                var segments = new List<Segment>();
                for (int j = r0; j < r1 && s1 > s0; j++)
                    segments.Add(new((-j * width - (s1 - 1)) * k, first[a, b] + (j * perRow + perRow - s1) * k, (s1 - s0) * k));
                var sites = from iy in ys
                            from ix in xs
                            let p = (iy + g.Padding.Top) / stride
                            let q = (ix + g.Padding.Left) / stride
                            select new Site((p * width + q) * k, (iy * g.X[2] + ix) * c);
                classes.Add(NewClass(segments, [.. sites]));
            }
        }
        return new(g.X[0], g.Y.RowLength, g.X.RowLength, c, g.W.Length / c, k, classes, [.. packSource], k, 1, g.W.RowLength);
    }

    private static int TapsOf(int residue, int kernel, int stride) => residue >= kernel ? 0 : (kernel - residue - 1) / stride + 1;

    // The taps [first, last) of a kernel laid at `start` that lie inside [0, extent).
    private static (int First, int Last) Clip(int start, int kernel, int extent)
    {
        int first = Math.Min(kernel, Math.Max(0, -start));
        return (first, Math.Max(first, Math.Min(kernel, extent - start)));
    }

    // The residue of i and the steps j, taps residue + j * stride, with 0 <= i / stride - j < extent.
    private static (int Residue, int First, int Last) Meet(int i, int stride, int kernel, int extent)
    {
        (int q, int residue) = Math.DivRem(i, stride);
        int last = Math.Min(TapsOf(residue, kernel, stride), q + 1);
        int first = Math.Min(last, Math.Max(0, q - extent + 1));
        return (residue, first, last);
    }

    private static List<(TKey Key, List<int> Members)> Group<TKey>(int count, Func<int, TKey> key) where TKey : notnull
        => [.. Enumerable.Range(0, count).GroupBy(key).Select(x => (x.Key, x.ToList()))];

    private static PixelClass NewClass(List<Segment> segments, Site[] sites) => new()
    {
        Segments = NativeTable.Copy<Segment>(CollectionsMarshal.AsSpan(segments)),
        SegmentCount = segments.Count,
        Sites = NativeTable.Copy<Site>(sites),
        SiteCount = sites.Length,
    };

    private DirectPass(int images, int sourceImage, int targetImage, int columns, int depth, int tapLength, List<PixelClass> classes,
        int[] packSource, int runLength, int columnStride, int kStride)
    {
        (_images, _sourceImage, _targetImage, _columns, _depth) = (images, sourceImage, targetImage, columns, depth);
        _classes = [.. classes];
        _nativeClasses = NativeTable.Copy<PixelClass>(_classes);
        _panels = new Panels(columns);
        _packSource = NativeTable.Copy<int>(packSource);
        _runLength = runLength;
        (_columnStride, _kStride) = (columnStride, kStride);
        _transposeWeights = columnStride != 1;
        _dot = columns <= MaxDotColumns && tapLength >= Dispatch.Width / 2;

        // Images go eight at a time through all classes: their pixels are still in the cache for the next class, and the
        // rows of every class are whole tiles. About 64 tasks of equal work.
        long work = _classes.Sum(x => Work(x) * x.SiteCount * images);
        long share = Math.Max(1, work / 64);
        var ranges = new List<RowRange>();
        var starts = new List<int> { 0 };
        long taken = 0;
        for (int image = 0; image < images; image += Product.Rows)
        {
            for (int i = 0; i < _classes.Length; i++)
            {
                int row = image * _classes[i].SiteCount, end = Math.Min(images, image + Product.Rows) * _classes[i].SiteCount;
                int most = (int)Math.Clamp(share / Work(_classes[i]) / Product.Rows, 1, end) * Product.Rows;
                for (; row < end; row += most)
                {
                    int count = Math.Min(most, end - row);
                    ranges.Add(new(i, row, count));
                    taken += Work(_classes[i]) * count;
                    if (taken >= share)
                    {
                        starts.Add(ranges.Count);
                        taken = 0;
                    }
                }
            }
        }
        if (starts[^1] != ranges.Count)
            starts.Add(ranges.Count);
        _ranges = NativeTable.Copy<RowRange>(CollectionsMarshal.AsSpan(ranges));
        _taskStarts = NativeTable.Copy<int>(CollectionsMarshal.AsSpan(starts));
        _taskCount = starts.Count - 1;
    }

    private static long Work(PixelClass c)
    {
        long sum = 8;
        for (int i = 0; i < c.SegmentCount; i++)
            sum += c.Segments[i].Count;
        return sum;
    }

    /// <summary>Floats of scratch memory.</summary>
    public int Scratch => checked(_dot ? _depth * _columns + Dispatch.Width : _depth * Panels.Padded(_columns));

    /// <summary>target = f(pass(source, w) + bias)</summary>
    public void Run(Device device, float* target, float* source, float* w, Tensor? bias, Activation activation)
    {
        float* packed = device.Scratch(Scratch);
        Job job = new(this, target, source, packed, new Epilogue(bias is null ? null : (float*)bias.Value.Address, activation, false));
        if (_dot)
        {
            PackDot(packed, w);
            Dispatch.Run(device, _taskCount, ref job);
            // With so few columns a row is shorter than a vector: bias and activation go over the whole output instead.
            BiasActivation.Forward(device, new((nint)target, new Shape(_images * (_targetImage / _columns), _columns)), bias, activation);
            return;
        }
        PackJob pack = new(this, packed, w);
        Dispatch.Run(device, _panels.Count * PackJob.Chunks(_depth), ref pack);
        Dispatch.Run(device, _taskCount, ref job);
    }

    // Row k, column j of the packed matrix is w[source(k / run) + (k % run) * kStride + j * columnStride].
    private readonly struct PackJob(DirectPass pass, float* packed, float* w) : IChunk
    {
        private const int KChunk = 64;

        public static int Chunks(int depth) => (depth + KChunk - 1) / KChunk;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int chunks = Chunks(pass._depth), panel = chunk / chunks, k0 = chunk % chunks * KChunk;
            int k1 = Math.Min(pass._depth, k0 + KChunk);
            int column = pass._panels.Column(panel), width = pass._panels.Width(panel), valid = pass._panels.Valid(panel);
            float* target = packed + (nint)pass._depth * column;
            if (pass._transposeWeights)
            {
                // One run, k contiguous: read along k, write with the stride of the panel.
                for (int j = 0; j < width; j++)
                {
                    float* source = w + (nint)(column + j) * pass._columnStride;
                    for (int k = k0; k < k1; k++)
                        target[(nint)k * width + j] = j < valid ? source[k] : 0;
                }
                return;
            }
            for (int k = k0; k < k1; k++)
            {
                (int run, int i) = Math.DivRem(k, pass._runLength);
                float* source = w + pass._packSource[run] + (nint)i * pass._kStride + column;
                float* to = target + (nint)k * width;
                for (int j = 0; j < width; j += TSimd.Width)
                {
                    int left = valid - j;
                    TSimd.Store(to + j, left >= TSimd.Width ? TSimd.Load(source + j)
                        : ElementWise.LoadPartial<TSimd, TVec>(source + j, left));
                }
            }
        }
    }

    private void PackDot(float* packed, float* w)
    {
        for (int j = 0; j < _columns; j++)
        {
            for (int k = 0; k < _depth; k++)
            {
                (int run, int i) = Math.DivRem(k, _runLength);
                packed[j * _depth + k] = w[_packSource[run] + (nint)i * _kStride + (nint)j * _columnStride];
            }
        }
    }

    private readonly struct Job(DirectPass pass, float* target, float* source, float* packed, Epilogue epilogue) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            float** rows = stackalloc float*[Product.Rows];
            float** outputs = stackalloc float*[Product.Rows];
            float* room = stackalloc float[Product.TileRoom];
            float* tile = Product.Align(room);
            for (int i = pass._taskStarts[chunk]; i < pass._taskStarts[chunk + 1]; i++)
                Run<TSimd, TVec>(pass._ranges[i], rows, outputs, tile);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Run<TSimd, TVec>(RowRange task, float** rows, float** outputs, float* tile)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            PixelClass* c = pass._nativeClasses + task.Class;
            // Copies: the compiler cannot know that the pointers stored below are not these fields.
            Site* sites = c->Sites;
            int siteCount = c->SiteCount;
            nint sourceImage = pass._sourceImage, targetImage = pass._targetImage;
            (int image, int site) = Math.DivRem(task.Row, siteCount);
            float* from = source + image * sourceImage;
            float* to = target + image * targetImage;
            for (int row = 0; row < task.Count; row += Product.Rows)
            {
                int count = Math.Min(Product.Rows, task.Count - row);
                for (int r = 0; r < count; r++)
                {
                    rows[r] = from + sites[site].Source;
                    outputs[r] = to + sites[site].Target;
                    // The line comes while the tile is computed, and the store at its end does not wait.
                    if (Sse.IsSupported)
                        Sse.Prefetch0(outputs[r]);
                    if (++site == siteCount)
                    {
                        site = 0;
                        from += sourceImage;
                        to += targetImage;
                    }
                }
                for (int r = count; r < Product.Rows; r++)
                    rows[r] = rows[0];
                if (pass._dot)
                {
                    // The room of a tile holds the eight sums of a column.
                    for (int j = 0; j < pass._columns; j++)
                    {
                        Dot.Column<TSimd, TVec>(rows, tile, packed + j * pass._depth, c->Segments, c->SegmentCount);
                        for (int r = 0; r < count; r++)
                            outputs[r][j] = tile[r];
                    }
                    continue;
                }
                for (int panel = 0; panel < pass._panels.Count; panel++)
                {
                    int column = pass._panels.Column(panel), width = pass._panels.Width(panel);
                    epilogue.Tile<TSimd, TVec>(tile, count, outputs, column, width, pass._panels.Valid(panel), rows, 1,
                        packed + (nint)pass._depth * column, width, c->Segments, c->SegmentCount);
                }
            }
        }
    }

    public void Dispose()
    {
        foreach (PixelClass c in _classes)
        {
            NativeMemory.Free(c.Segments);
            NativeMemory.Free(c.Sites);
        }
        NativeMemory.Free(_nativeClasses);
        NativeMemory.Free(_ranges);
        NativeMemory.Free(_taskStarts);
        NativeMemory.Free(_packSource);
    }
}

/// <summary>Eight sums along vectors: sums[r] = sum over segments and k of a_r[A + k] * b[B + k].</summary>
internal static unsafe class Dot
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Column<TSimd, TVec>(float** rows, float* sums, float* b, Segment* segments, int count)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TVec c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default, c7 = default;
        float* a0 = rows[0], a1 = rows[1], a2 = rows[2], a3 = rows[3];
        float* a4 = rows[4], a5 = rows[5], a6 = rows[6], a7 = rows[7];
        bool tails = false;
        for (int s = 0; s < count; s++)
        {
            nint k = segments[s].A, end = k + segments[s].Count;
            float* pb = b + segments[s].B;
            for (; k <= end - TSimd.Width; k += TSimd.Width, pb += TSimd.Width)
            {
                TVec v = TSimd.Load(pb);
                c0 = TSimd.Fma(v, TSimd.Load(a0 + k), c0);
                c1 = TSimd.Fma(v, TSimd.Load(a1 + k), c1);
                c2 = TSimd.Fma(v, TSimd.Load(a2 + k), c2);
                c3 = TSimd.Fma(v, TSimd.Load(a3 + k), c3);
                c4 = TSimd.Fma(v, TSimd.Load(a4 + k), c4);
                c5 = TSimd.Fma(v, TSimd.Load(a5 + k), c5);
                c6 = TSimd.Fma(v, TSimd.Load(a6 + k), c6);
                c7 = TSimd.Fma(v, TSimd.Load(a7 + k), c7);
            }
            tails |= k != end;
        }
        TSimd.SumEight(c0, c1, c2, c3, c4, c5, c6, c7).Store(sums);
        // What is left of segments that are no whole vectors. Apart from the loop above, where a branch to it would
        // cost the accumulators their registers.
        if (tails)
            Tails(rows, sums, b, segments, count, TSimd.Width);
    }

    private static void Tails(float** rows, float* sums, float* b, Segment* segments, int count, int width)
    {
        for (int s = 0; s < count; s++)
        {
            for (int k = segments[s].Count / width * width; k < segments[s].Count; k++)
            {
                float v = b[segments[s].B + k];
                for (int r = 0; r < Product.Rows; r++)
                    sums[r] += v * rows[r][segments[s].A + k];
            }
        }
    }
}
