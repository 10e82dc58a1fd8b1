using System.Runtime.CompilerServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>An operation on each element of (rows, C) arrays with values per channel, and with up to two sums per channel.</summary>
internal interface IChannelMap
{
    /// <summary>
    /// Handles elements i to i + Width. Values per channel are at p of arrays that <see cref="ElementWise.Period.Repeat"/>
    /// made. Returns what is to be summed; lanes that are no elements are zeroed by the caller.
    /// </summary>
    (TVec First, TVec Second) At<TSimd, TVec, TActivation>(int i, int p, Lanes lanes)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TActivation : struct, IActivation;
}

/// <summary>
/// How an array of n floats is cut for channel maps. A row is one period of channels; rows are cut into parts, and wide rows into
/// blocks of columns, so that a chunk of many channels still has many rows to sum.
/// </summary>
internal readonly struct ChannelGrid
{
    /// <summary>Rows whose sum stays in registers: short, so that a long column is a sum of sums and loses fewer digits.</summary>
    public const int Strip = 16;

    private const int MostColumns = 512, NarrowColumns = 256;

    public ChannelGrid(int n, ElementWise.Period period)
    {
        (Elements, Length) = (n, period.Length);
        Rows = (n + Length - 1) / Length;
        Columns = Math.Min(Length, MostColumns);
        Blocks = (Length + Columns - 1) / Columns;
        RowsPerPart = Math.Max(Strip, Math.Max(ElementWise.ChunkLength, n / 64) / Columns);
        Parts = (Rows + RowsPerPart - 1) / RowsPerPart;
    }

    public int Elements { get; }

    public int Length { get; }

    public int Rows { get; }

    public int Columns { get; }

    public int Blocks { get; }

    public int RowsPerPart { get; }

    public int Parts { get; }

    /// <summary>
    /// Blocks of whole columns that a task takes through several passes while they are in its cache: 0 where columns are too long for
    /// that, or a channel has more than one.
    /// </summary>
    public int BlocksOfAllRows(int channels) => Length == channels && Rows <= 1024 ? (Length + NarrowColumns - 1) / NarrowColumns : 0;

    /// <summary>The columns of such a block.</summary>
    public (int First, int End) BlockOfAllRows(int block) => (block * NarrowColumns, Math.Min(Length, (block + 1) * NarrowColumns));

    /// <summary>Floats of scratch memory for two sums of each channel and part, and their totals.</summary>
    public int SumScratch(int channels) => checked(2 * Parts * Length + 4 * channels);
}

/// <summary>Runs channel maps in chunks: a part of the rows, a block of their columns.</summary>
internal static unsafe class ChannelMaps
{
    /// <summary>Runs the map, compiled for the activation.</summary>
    public static void Run<TMap>(Device device, ChannelGrid grid, TMap map, ActivationKind kind) where TMap : struct, IChannelMap
    {
        ElementWise.ByActivation<Job<TMap>> job = new(new(grid, map, null), kind);
        Dispatch.Run(device, grid.Parts * grid.Blocks, ref job);
    }

    /// <summary>
    /// Runs the map and returns its two sums of each channel, [2][channels]: float within a part, double over the parts, in
    /// their order. <paramref name="scratch"/> has <see cref="ChannelGrid.SumScratch"/> floats.
    /// </summary>
    public static double* Sum<TMap>(Device device, ChannelGrid grid, TMap map, int channels, float* scratch, ActivationKind kind = default)
        where TMap : struct, IChannelMap
    {
        var totals = (double*)scratch;
        float* partial = scratch + 4 * channels;
        ElementWise.ByActivation<Job<TMap>> job = new(new(grid, map, partial), kind);
        Dispatch.Run(device, grid.Parts * grid.Blocks, ref job);
        new Span<double>(totals, 2 * channels).Clear();
        for (int part = 0; part < grid.Parts; part++)
        {
            for (int which = 0; which < 2; which++, partial += grid.Length)
            {
                double* total = totals + which * channels;
                for (int i = 0; i < grid.Length; i += channels)
                {
                    for (int c = 0; c < channels; c++)
                        total[c] += partial[i + c];
                }
            }
        }
        return totals;
    }

    /// <summary>Runs the map on rows and columns of the grid.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Each<TSimd, TVec, TActivation, TMap>(ChannelGrid grid, TMap map, int row, int last, int first, int end)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TActivation : struct, IActivation
        where TMap : struct, IChannelMap
    {
        for (; row < last; row++)
        {
            int at = row * grid.Length, p = first, stop = Math.Min(end, grid.Elements - at);
            for (int whole = stop - TSimd.Width; p <= whole; p += TSimd.Width)
                map.At<TSimd, TVec, TActivation>(at + p, p, new Lanes(TSimd.Width));
            if (p < stop)
                map.At<TSimd, TVec, TActivation>(at + p, p, new Lanes(stop - p));
        }
    }

    /// <summary>
    /// Runs the map on rows and columns of the grid and leaves the sums of each column at <paramref name="sums"/>, [2][Length]. It goes
    /// down the columns of a strip of rows, four vectors wide, with the sums in registers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Sums<TSimd, TVec, TActivation, TMap>(ChannelGrid grid, TMap map, int row, int last, int first, int end, float* sums)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TActivation : struct, IActivation
        where TMap : struct, IChannelMap
    {
        int length = grid.Length, width = TSimd.Width;
        float* more = sums + length;
        new Span<float>(sums + first, end - first).Clear();
        new Span<float>(more + first, end - first).Clear();
        for (; row < last; row += ChannelGrid.Strip)
        {
            int p = first, rows = Math.Min(ChannelGrid.Strip, last - row);
            Lanes all = new(width);
            for (; p <= end - 4 * width && (row + rows - 1) * length + p + 4 * width <= grid.Elements; p += 4 * width)
            {
                TVec a0 = TSimd.Set(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
                for (int r = 0, i = row * length + p; r < rows; r++, i += length)
                {
                    (TVec s, TVec t) = map.At<TSimd, TVec, TActivation>(i, p, all);
                    a0 = TSimd.Add(a0, s);
                    b0 = TSimd.Add(b0, t);
                    (s, t) = map.At<TSimd, TVec, TActivation>(i + width, p + width, all);
                    a1 = TSimd.Add(a1, s);
                    b1 = TSimd.Add(b1, t);
                    (s, t) = map.At<TSimd, TVec, TActivation>(i + 2 * width, p + 2 * width, all);
                    a2 = TSimd.Add(a2, s);
                    b2 = TSimd.Add(b2, t);
                    (s, t) = map.At<TSimd, TVec, TActivation>(i + 3 * width, p + 3 * width, all);
                    a3 = TSimd.Add(a3, s);
                    b3 = TSimd.Add(b3, t);
                }
                AddTo<TSimd, TVec>(sums + p, a0, more + p, b0);
                AddTo<TSimd, TVec>(sums + p + width, a1, more + p + width, b1);
                AddTo<TSimd, TVec>(sums + p + 2 * width, a2, more + p + 2 * width, b2);
                AddTo<TSimd, TVec>(sums + p + 3 * width, a3, more + p + 3 * width, b3);
            }
            for (; p < end; p += width)
            {
                TVec a = TSimd.Set(0), b = a;
                int i = row * length + p;
                // In the last row of all, a vector may hold fewer elements, or none.
                int whole = i + (rows - 1) * length + width <= grid.Elements ? rows : rows - 1;
                for (int r = 0; r < whole; r++, i += length)
                {
                    (TVec s, TVec t) = map.At<TSimd, TVec, TActivation>(i, p, all);
                    a = TSimd.Add(a, s);
                    b = TSimd.Add(b, t);
                }
                if (whole < rows && i < grid.Elements)
                {
                    Lanes lanes = new(grid.Elements - i);
                    (TVec s, TVec t) = map.At<TSimd, TVec, TActivation>(i, p, lanes);
                    a = TSimd.Add(a, lanes.Keep<TSimd, TVec>(s));
                    b = TSimd.Add(b, lanes.Keep<TSimd, TVec>(t));
                }
                AddTo<TSimd, TVec>(sums + p, a, more + p, b);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddTo<TSimd, TVec>(float* first, TVec a, float* second, TVec b)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
    {
        TSimd.Store(first, TSimd.Add(TSimd.Load(first), a));
        TSimd.Store(second, TSimd.Add(TSimd.Load(second), b));
    }

    private readonly struct Job<TMap>(ChannelGrid grid, TMap map, float* partial) : ElementWise.IActivationLoop
        where TMap : struct, IChannelMap
    {
        public void Run<TSimd, TVec, TActivation>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            (int part, int block) = Math.DivRem(chunk, grid.Blocks);
            int p = block * grid.Columns, end = Math.Min(grid.Length, p + grid.Columns);
            int row = part * grid.RowsPerPart, last = Math.Min(grid.Rows, row + grid.RowsPerPart);
            if (partial == null)
                Each<TSimd, TVec, TActivation, TMap>(grid, map, row, last, p, end);
            else
                Sums<TSimd, TVec, TActivation, TMap>(grid, map, row, last, p, end, partial + 2 * (nint)part * grid.Length);
        }
    }
}
