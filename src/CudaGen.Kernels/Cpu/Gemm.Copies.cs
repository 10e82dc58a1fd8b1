using System.Runtime.CompilerServices;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// Tasks that copy their part of B: for processors with sixteen vector registers, and for more of B than the second-level cache takes in place.
/// </summary>
internal static unsafe partial class Gemm
{
    // Rows and columns of B that a task copies for itself: 64 KiB on its stack. Rows lie pages apart, so a visit should bring enough.
    private const int KPart = 256, StripColumns = 64;

    /// <summary>How a product is cut into sixteen tasks or more, parts of at least four tiles by strips of some panels.</summary>
    private readonly struct Blocks
    {
        public readonly int PanelsPerStrip, Strips, TilesPerPart, Count;

        /// <param name="tiles">Tiles of eight rows.</param>
        /// <param name="panels">Panels of columns.</param>
        /// <param name="parts">Parts at least.</param>
        public Blocks(int tiles, int panels, int parts = 1)
        {
            PanelsPerStrip = Math.Max(1, StripColumns / (Dispatch.MaxColumns * Dispatch.Width));
            Strips = (panels + PanelsPerStrip - 1) / PanelsPerStrip;
            parts = Math.Clamp((16 + Strips - 1) / Strips, parts, Math.Max(parts, tiles / 4));
            TilesPerPart = (tiles + parts - 1) / parts;
            Count = (tiles + TilesPerPart - 1) / TilesPerPart * Strips;
        }
    }

    /// <summary>C = A B or C += A B, where each task copies its own part of B, a strip of one or a few panels, while that is in the cache.</summary>
    private readonly struct BlockJob(int m, int k, Rows a, float* b, int n, Panels panels, Blocks cut, float* c, bool add) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int part, int strip) = Math.DivRem(chunk, cut.Strips);
            int firstPanel = strip * cut.PanelsPerStrip, lastPanel = Math.Min(panels.Count, firstPanel + cut.PanelsPerStrip);
            int firstColumn = panels.Column(firstPanel), stripWidth = panels.Column(lastPanel) - firstColumn;
            int firstTile = part * cut.TilesPerPart, lastTile = Math.Min(Tiles(m), firstTile + cut.TilesPerPart);
            float* room = stackalloc float[KPart * StripColumns + 16], tileRoom = stackalloc float[Product.TileRoom];
            float* copy = Product.Align(room), tile = Product.Align(tileRoom);
            float** rows = stackalloc float*[Product.Rows];
            float** outputs = stackalloc float*[Product.Rows];
            Rows results = Rows.Of(c, n);
            Segment segment = default;
            for (int k0 = 0; k0 < k; k0 += KPart)
            {
                int depth = Math.Min(KPart, k - k0);
                Copy<TSimd, TVec>(copy, b + (nint)k0 * n, depth, firstPanel, lastPanel);
                segment = new((int)(k0 * a.Step), 0, depth);
                Epilogue epilogue = new(null, default, add || k0 > 0);
                // Rows of B and C lie pages apart, which no processor foresees. While a tile of the first panel is multiplied, its share of the
                // next part of B arrives, and what the next tile writes.
                float* next = b + (nint)(k0 + depth) * n + firstColumn;
                int left = Math.Min(KPart, k - k0 - depth), share = (left + lastTile - firstTile - 1) / (lastTile - firstTile);
                for (int panel = firstPanel; panel < lastPanel; panel++)
                {
                    int column = panels.Column(panel), width = panels.Width(panel), valid = panels.Valid(panel);
                    for (int t = firstTile; t < lastTile; t++)
                    {
                        int count = Math.Min(Product.Rows, m - t * Product.Rows);
                        a.Tile(rows, t, count);
                        results.Tile(outputs, t, count);
                        for (int i = Math.Min(share, left); i > 0; i--, left--, next += n)
                            Product.Prefetch(next, stripWidth);
                        for (int r = 0; r < Product.Rows; r++)
                            Product.Prefetch(outputs[r] + (nint)Product.Rows * n + column, width);
                        epilogue.Tile<TSimd, TVec>(tile, count, outputs, column, width, valid, rows, a.Step,
                            copy + (nint)depth * (column - firstColumn), width, &segment, 1);
                    }
                }
            }
        }

        // Row by row through all panels: rows lie pages apart, and this way each is visited once.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Copy<TSimd, TVec>(float* copy, float* from, int depth, int firstPanel, int lastPanel)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int firstColumn = panels.Column(firstPanel), vectors = (panels.Column(lastPanel) - firstColumn) / TSimd.Width;
            // Where each vector of a row goes, and how far apart rows are there.
            float** to = stackalloc float*[vectors];
            int* widths = stackalloc int[vectors];
            for (int panel = firstPanel, v = 0; panel < lastPanel; panel++)
            {
                int column = panels.Column(panel), width = panels.Width(panel);
                for (int j = 0; j < width; j += TSimd.Width, v++)
                {
                    to[v] = copy + (nint)depth * (column - firstColumn) + j;
                    widths[v] = width;
                }
            }
            int left = panels.Column(lastPanel - 1) + panels.Valid(lastPanel - 1) - firstColumn, whole = left / TSimd.Width;
            from += firstColumn;
            for (int i = 0; i < depth; i++, from += n)
            {
                for (int v = 0; v < whole; v++)
                    TSimd.Store(to[v] + (nint)i * widths[v], TSimd.Load(from + v * TSimd.Width));
                if (whole < vectors)
                    TSimd.Store(to[whole] + (nint)i * widths[whole], ElementWise.LoadPartial<TSimd, TVec>(from + whole * TSimd.Width, left % TSimd.Width));
            }
        }
    }
}
