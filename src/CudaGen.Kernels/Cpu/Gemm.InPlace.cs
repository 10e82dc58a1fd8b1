using System.Runtime.CompilerServices;

namespace CudaGen.Kernels.Cpu;

/// <summary>Tasks that read B where it is, for processors with 32 vector registers.</summary>
internal static unsafe partial class Gemm
{
    // Steps of k between two visits to a result: so many rows of a panel of B stay in the second-level cache.
    private const int PanelDepth = 512;

    // So many rows of B are swept through, tile by tile of the result.
    private const int SweepDepth = 256;

    // Elements of B, half a MiB, that stay in the second-level cache.
    private const int MaxPart = 1 << 17;

    /// <summary>The tasks of two jobs, those of the first in front.</summary>
    private readonly struct Halves<TJob>(TJob first, TJob second, int count) : IChunk
        where TJob : struct, IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            if (chunk < count)
                first.Run<TSimd, TVec>(chunk);
            else
                second.Run<TSimd, TVec>(chunk - count);
        }
    }

    /// <summary>c += d.</summary>
    private readonly struct AddMap(float* c, float* d) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            lanes.Store<TSimd, TVec>(c + i, TSimd.Add(lanes.Load<TSimd, TVec>(c + i), lanes.Load<TSimd, TVec>(d + i)));
            return TSimd.Set(0);
        }
    }

    /// <summary>C = A B, a panel of C for a task, or one of some parts of it.</summary>
    private readonly struct PanelJob(int m, int k, Rows a, float* b, int n, Panels panels, float* c, int parts) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int panel, int part) = Math.DivRem(chunk, parts);
            int column = panels.Column(panel), width = panels.Width(panel), valid = panels.Valid(panel);
            float** rows = stackalloc float*[Product.Rows], outputs = stackalloc float*[Product.Rows];
            float* room = stackalloc float[Product.TileRoom];
            float* tile = Product.Align(room);
            Rows results = Rows.Of(c, n);
            Segment segment = default;
            for (int k0 = 0; k0 < k; k0 += PanelDepth)
            {
                segment = new((int)(k0 * a.Step), k0, Math.Min(PanelDepth, k - k0));
                Epilogue epilogue = new(null, default, k0 > 0);
                for (int t = part * Tiles(m) / parts; t < (part + 1) * Tiles(m) / parts; t++)
                {
                    int count = Math.Min(Product.Rows, m - t * Product.Rows);
                    a.Tile(rows, t, count);
                    results.Tile(outputs, t, count);
                    epilogue.Tile<TSimd, TVec>(tile, count, outputs, column, width, valid, rows, a.Step, b + column, n, &segment, 1);
                }
            }
        }
    }

    /// <summary>
    /// C = A^T B or C += A^T B, sixteen rows of C for a task, or one of some parts of their columns: C is written in straight lines. The tasks of
    /// the upper half of C come first; in each half those of a part follow each other.
    /// </summary>
    private readonly struct SweepJob(int m, int n, int k, float* a, float* b, Panels panels, float* c, bool add, int parts) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int tasks = (m + SweepRows - 1) / SweepRows, upper = tasks / 2;
            bool isUpper = chunk < upper * parts;
            (int part, int task) = isUpper ? Math.DivRem(chunk, upper) : Math.DivRem(chunk - upper * parts, tasks - upper);
            int firstRow = (isUpper ? task : upper + task) * SweepRows, lastRow = Math.Min(m, firstRow + SweepRows);
            float** rows = stackalloc float*[Product.Rows], outputs = stackalloc float*[Product.Rows];
            float* room = stackalloc float[Product.TileRoom + SweepRows * SweepDepth];
            float* tile = Product.Align(room), packed = tile + Product.TileRoom - 16;
            Rows results = Rows.Of(c + (nint)firstRow * n, n);
            for (int k0 = 0; k0 < k; k0 += SweepDepth)
            {
                int depth = Math.Min(SweepDepth, k - k0);
                CopyColumns(packed, a + (nint)k0 * m + firstRow, m, lastRow - firstRow, depth);
                Rows columns = Rows.OfColumns(packed, depth);
                Segment segment = new(0, k0, depth);
                Epilogue epilogue = new(null, default, add || k0 > 0);
                for (int t = 0; t < Tiles(lastRow - firstRow); t++)
                {
                    int count = Math.Min(Product.Rows, lastRow - firstRow - t * Product.Rows);
                    columns.Tile(rows, t, count);
                    results.Tile(outputs, t, count);
                    for (int panel = part * panels.Count / parts; panel < (part + 1) * panels.Count / parts; panel++)
                    {
                        int column = panels.Column(panel);
                        epilogue.Tile<TSimd, TVec>(tile, count, outputs, column, panels.Width(panel), panels.Valid(panel), rows, columns.Step, b + column, n,
                            &segment, 1);
                    }
                }
            }
        }
    }
}
