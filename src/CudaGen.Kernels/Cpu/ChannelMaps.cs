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

    private const int MostColumns = 128;

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
                Each<TSimd, TVec, TActivation>(row, last, p, end);
            else
                Sums<TSimd, TVec, TActivation>(row, last, p, end, partial + 2 * (nint)part * grid.Length);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Each<TSimd, TVec, TActivation>(int row, int last, int first, int end)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            TMap m = map;
            for (; row < last; row++)
            {
                int at = row * grid.Length, stop = Math.Min(end, grid.Elements - at);
                for (int p = first; p < stop; p += TSimd.Width)
                    m.At<TSimd, TVec, TActivation>(at + p, p, new Lanes(grid.Elements - at - p));
            }
        }

        // Down the columns of a strip of rows, which the first-level cache holds, with the sums in registers.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Sums<TSimd, TVec, TActivation>(int row, int last, int first, int end, float* sums)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            TMap m = map;
            float* more = sums + grid.Length;
            new Span<float>(sums + first, end - first).Clear();
            new Span<float>(more + first, end - first).Clear();
            for (; row < last; row += ChannelGrid.Strip)
            {
                int rows = Math.Min(ChannelGrid.Strip, last - row);
                for (int p = first; p < end; p += TSimd.Width)
                {
                    TVec a = TSimd.Set(0), b = TSimd.Set(0);
                    int i = row * grid.Length + p;
                    for (int r = 0; r < rows && i < grid.Elements; r++, i += grid.Length)
                    {
                        Lanes lanes = new(grid.Elements - i);
                        (TVec s, TVec t) = m.At<TSimd, TVec, TActivation>(i, p, lanes);
                        (a, b) = (TSimd.Add(a, lanes.Keep<TSimd, TVec>(s)), TSimd.Add(b, lanes.Keep<TSimd, TVec>(t)));
                    }
                    TSimd.Store(sums + p, TSimd.Add(TSimd.Load(sums + p), a));
                    TSimd.Store(more + p, TSimd.Add(TSimd.Load(more + p), b));
                }
            }
        }
    }
}
