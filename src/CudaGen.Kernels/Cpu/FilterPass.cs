using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// The filter gradient as a matrix product: rows are the taps (r, s, c) of the kernel, columns the K filters, the inner
/// index runs over the pixels that a tap meets, in x with the stride of the convolution and in dy one by one, both read
/// where they lie. Images are cut into chunks that each make a partial gradient; the parts are added in order.
/// </summary>
/// <remarks>
/// With few channels a tile of eight rows spans several taps, which meet different pixels at the border: then x is copied
/// into a frame of zeros first, where every tap meets every pixel.
/// With few filters a vector of columns would be mostly empty: then, where the stride is 1, x and dy change places. A sum over pixels of
/// dy(pixel) x(pixel + tap) is one of x(pixel) dy(pixel - tap), the filter gradient of a convolution from dy to x.
/// </remarks>
internal sealed unsafe class FilterPass : IFilterPass
{
    // Partial gradients beyond this many floats cost more to add than they help to balance.
    private const int MaxPartialFloats = 1 << 20;

    // Filters below which x and dy change places.
    private const int MinFilters = 8;

    // The geometry that is computed: that of the convolution, or of the one from dy to x.
    private readonly ConvolutionShape _g;
    private readonly bool _mirrored, _framed;
    private readonly int _frameRow, _frameImage;
    private readonly int _chunks, _imagesPerChunk, _groups;
    private readonly Unit* _units;
    private readonly int _unitCount;
    private readonly Segment* _segments;
    private readonly int* _rowOfDepth;
    private readonly Panels _panels;

    /// <summary>A tile of rows: their offsets in x and the segments of one image.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Unit
    {
        public fixed int Offsets[Product.Rows];
        public int FirstSegment, SegmentCount;
    }

    public FilterPass(ConvolutionShape g)
    {
        ConvolutionShape? mirror = g.Stride == 1 && g.W[0] < MinFilters && g.X[3] >= MinFilters ? Mirror(g) : null;
        _mirrored = mirror is not null;
        _g = g = mirror ?? g;
        (int height, int width, int c) = (g.X[1], g.X[2], g.X[3]);
        (int k, int kernelHeight, int kernelWidth) = (g.W[0], g.W[1], g.W[2]);
        (int p, int q) = (g.Y[1], g.Y[2]);
        _framed = c < Product.Rows;
        _frameRow = Math.Max((q - 1) * g.Stride + kernelWidth, width + g.Padding.Left) * c;
        _frameImage = Math.Max((p - 1) * g.Stride + kernelHeight, height + g.Padding.Top) * _frameRow;
        _panels = new Panels(k);

        var units = new List<Unit>();
        var segments = new List<Segment>();
        int[] rowOfDepth = new int[g.W.RowLength];
        if (_framed)
        {
            for (int oy = 0; oy < p; oy++)
                segments.Add(new(oy * g.Stride * _frameRow, oy * q, q));
            int depth = g.W.RowLength;
            for (int first = 0; first < depth; first += Product.Rows)
            {
                Unit unit = new() { FirstSegment = 0, SegmentCount = p };
                for (int i = 0; i < Product.Rows; i++)
                {
                    int d = first + i < depth ? first + i : first;
                    (int r, int rest) = Math.DivRem(d, kernelWidth * c);
                    unit.Offsets[i] = r * _frameRow + rest;
                    if (first + i < depth)
                        rowOfDepth[d] = d;
                }
                units.Add(unit);
            }
        }
        else
        {
            for (int r = 0; r < kernelHeight; r++)
            {
                for (int s = 0; s < kernelWidth; s++)
                {
                    (int y0, int y1) = Meeting(r - g.Padding.Top, g.Stride, height, p);
                    (int x0, int x1) = Meeting(s - g.Padding.Left, g.Stride, width, q);
                    int firstSegment = segments.Count;
                    for (int oy = y0; oy < y1 && x1 > x0; oy++)
                    {
                        int iy = oy * g.Stride - g.Padding.Top + r, ix = x0 * g.Stride - g.Padding.Left + s;
                        segments.Add(new((iy * width + ix) * c, oy * q + x0, x1 - x0));
                    }
                    for (int first = 0; first < c; first += Product.Rows)
                    {
                        Unit unit = new() { FirstSegment = firstSegment, SegmentCount = segments.Count - firstSegment };
                        for (int i = 0; i < Product.Rows; i++)
                        {
                            unit.Offsets[i] = first + i < c ? first + i : first;
                            if (first + i < c)
                                rowOfDepth[(r * kernelWidth + s) * c + first + i] = units.Count * Product.Rows + i;
                        }
                        units.Add(unit);
                    }
                }
            }
        }
        _units = NativeTable.Copy<Unit>(CollectionsMarshal.AsSpan(units));
        _unitCount = units.Count;
        _segments = NativeTable.Copy<Segment>(CollectionsMarshal.AsSpan(segments));
        _rowOfDepth = NativeTable.Copy<int>(rowOfDepth);

        int images = g.X[0];
        _chunks = Math.Clamp(Math.Min(16, MaxPartialFloats / Math.Max(1, PartialFloats)), 1, Math.Max(1, images));
        _imagesPerChunk = Math.Max(1, (images + _chunks - 1) / _chunks);
        _chunks = Math.Max(1, (images + _imagesPerChunk - 1) / _imagesPerChunk);
        _groups = Math.Clamp(32 / _chunks, 1, _unitCount);
    }

    // Tap r of the convolution is tap R - 1 - r of this one. Null where x has pixels beyond the reach of all taps.
    private static ConvolutionShape? Mirror(ConvolutionShape g)
    {
        (int height, int width) = (g.W[1] - 1, g.W[2] - 1);
        if (g.Padding.Top > height || g.Padding.Left > width || g.Padding.Bottom > height || g.Padding.Right > width)
            return null;
        ConvolutionShape mirror = new(g.Y, new(g.X[3], g.W[1], g.W[2], g.W[0]), 1,
            new(height - g.Padding.Top, height - g.Padding.Bottom, width - g.Padding.Left, width - g.Padding.Right));
        return mirror.Y == g.X ? mirror : null;
    }

    // The outputs [first, last) whose tap at offset + o * stride lies inside [0, extent).
    private static (int First, int Last) Meeting(int offset, int stride, int extent, int outputs)
    {
        int first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
        int last = extent - offset <= 0 ? 0 : (extent - offset - 1) / stride + 1;
        return (first, Math.Max(first, Math.Min(outputs, last)));
    }

    private int PartialRowLength => Panels.Padded(_g.W[0]);

    private int PartialFloats => _unitCount * Product.Rows * PartialRowLength;

    private int FrameFloats => _framed ? checked(_frameImage * _g.X[0]) + Dispatch.Width : 0;

    /// <summary>Floats of scratch memory.</summary>
    public int Scratch => checked(_chunks * PartialFloats + FrameFloats);

    /// <summary>dw += gradient</summary>
    public void Run(Device device, float* dw, float* dy, float* x)
    {
        if (_g.X[0] == 0)
            return;
        float* partial = device.Scratch(Scratch);
        float* source = _mirrored ? dy : x, outputs = _mirrored ? x : dy;
        if (_framed)
        {
            float* from = source;
            source = partial + (nint)_chunks * PartialFloats;
            FrameJob frame = new(this, source, from);
            Dispatch.Run(device, _g.X[0], ref frame);
        }
        Job job = new(this, partial, outputs, source);
        Dispatch.Run(device, _chunks * _groups, ref job);
        ReduceJob reduce = new(this, dw, partial);
        Dispatch.Run(device, (_g.W.RowLength + ReduceJob.RowsPerChunk - 1) / ReduceJob.RowsPerChunk, ref reduce);
    }

    private readonly struct FrameJob(FilterPass pass, float* frame, float* x) : IChunk
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            ConvolutionShape g = pass._g;
            int rowLength = g.X[2] * g.X[3];
            float* target = frame + (nint)chunk * pass._frameImage;
            new Span<float>(target, pass._frameImage).Clear();
            target += g.Padding.Top * pass._frameRow + g.Padding.Left * g.X[3];
            for (int iy = 0; iy < g.X[1]; iy++)
            {
                new ReadOnlySpan<float>(x + ((nint)chunk * g.X[1] + iy) * rowLength, rowLength)
                    .CopyTo(new Span<float>(target + iy * pass._frameRow, rowLength));
            }
        }
    }

    private readonly struct Job(FilterPass pass, float* partial, float* outputs, float* source) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            ConvolutionShape g = pass._g;
            int part = chunk / pass._groups, group = chunk % pass._groups;
            int firstUnit = (int)((long)group * pass._unitCount / pass._groups);
            int lastUnit = (int)((long)(group + 1) * pass._unitCount / pass._groups);
            int firstImage = part * pass._imagesPerChunk, lastImage = Math.Min(g.X[0], firstImage + pass._imagesPerChunk);
            int rowLength = pass.PartialRowLength, filters = g.W[0];
            int sourceImage = pass._framed ? pass._frameImage : g.X.RowLength;
            nint aStride = (nint)g.Stride * g.X[3];
            float* sums = partial + (nint)part * pass.PartialFloats;
            float** rows = stackalloc float*[Product.Rows];
            for (int image = firstImage; image < lastImage; image++)
            {
                float* a = source + (nint)image * sourceImage;
                float* b = outputs + (nint)image * g.Y.RowLength;
                for (int u = firstUnit; u < lastUnit; u++)
                {
                    Unit* unit = pass._units + u;
                    for (int r = 0; r < Product.Rows; r++)
                        rows[r] = a + unit->Offsets[r];
                    for (int panel = 0; panel < pass._panels.Count; panel++)
                    {
                        int column = pass._panels.Column(panel);
                        Product.ToBuffer add = new(sums + (nint)u * Product.Rows * rowLength + column, rowLength, image > firstImage);
                        Product.Tile<TSimd, TVec, Product.ToBuffer>(pass._panels.Width(panel) / TSimd.Width, add, rows, aStride,
                            b + column, filters, pass._segments + unit->FirstSegment, unit->SegmentCount);
                    }
                }
            }
        }
    }

    // Where the gradient of a tap (r, s, filter) and a channel belongs in dw: (filter, R - 1 - r, S - 1 - s, channel).
    private nint Mirrored(int depth, int channel)
    {
        (int tap, int filter) = Math.DivRem(depth, _g.W[3]);
        int taps = _g.W[1] * _g.W[2];
        return ((nint)filter * taps + taps - 1 - tap) * _g.W[0] + channel;
    }

    // dw[k][depth] += the sum over chunks of partial[chunk][row(depth)][k]
    private readonly struct ReduceJob(FilterPass pass, float* dw, float* partial) : IChunk
    {
        public const int RowsPerChunk = 32;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int filters = pass._g.W[0], depth = pass._g.W.RowLength, rowLength = pass.PartialRowLength;
            int size = pass.PartialFloats;
            float* sum = stackalloc float[16];
            for (int d = chunk * RowsPerChunk; d < Math.Min(depth, (chunk + 1) * RowsPerChunk); d++)
            {
                float* row = partial + (nint)pass._rowOfDepth[d] * rowLength;
                for (int k = 0; k < filters; k += TSimd.Width)
                {
                    TVec s = TSimd.Load(row + k);
                    for (int i = 1; i < pass._chunks; i++)
                        s = TSimd.Add(s, TSimd.Load(row + (nint)i * size + k));
                    TSimd.Store(sum, s);
                    for (int j = 0; j < Math.Min(TSimd.Width, filters - k); j++)
                        dw[pass._mirrored ? pass.Mirrored(d, k + j) : (nint)(k + j) * depth + d] += sum[j];
                }
            }
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_units);
        NativeMemory.Free(_segments);
        NativeMemory.Free(_rowOfDepth);
    }
}
