using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CudaGen.Runtime;
using X86 = System.Runtime.Intrinsics.X86;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// C (M x N, row-major) = f(op(A) op(B) + bias), or C += op(A) op(B). B is copied into panels of one to four vectors of
/// columns, so that the inner loop reads it in a straight line; A is read in place. Where a transposed B, the weights of a layer,
/// is much larger than A, the transposed product is computed instead and A is copied.
/// </summary>
internal static unsafe class Gemm
{
    // Rows of B that one pass takes, so that a panel (KBlock x 48 floats) stays in the second-level cache.
    private const int KBlock = 1024;

    // Rows and columns of B that a task copies for itself: 64 KiB on its stack. Rows lie pages apart, so a visit should bring enough.
    private const int KPart = 256, StripColumns = 64;

    // Rows of A from which on that pays.
    private const int MinRowsToCopyB = 64;

    private const int MaxRowsInPlace = 256;

    // Columns below which a transposed A is read where it is: each of its lines serves few products then.
    private const int MinColumnsToCopyA = 96;

    /// <summary>Floats of scratch memory for a product of these sizes.</summary>
    public static int Scratch(int m, int n, int k, bool transA)
        => checked(k * Panels.Padded(n) + (CopiesA(n, transA) ? PaddedRows(m) * k : 0));

    // By the elements that are copied one by one either way: all of B, or A and the result. Only where m < n, so the scratch memory that
    // B would take is enough for A.
    private static bool ComputesTransposed(int m, int n, int k, bool transA, bool transB, bool add)
        => transB && !transA && !add && (long)n * k > (long)m * k + (long)m * n;

    private static bool CopiesA(int n, bool transA) => transA && n >= MinColumnsToCopyA;

    private static int PaddedRows(int m) => (m + Product.Rows - 1) / Product.Rows * Product.Rows;

    /// <summary>
    /// A is (M, K) with row stride <paramref name="lda"/>, or (K, M) when <paramref name="transA"/>; B is (K, N), or
    /// (N, K) when <paramref name="transB"/>, with row stride ldb; C has row stride ldc.
    /// </summary>
    public static void Run(Device device, int m, int n, int k, float* a, int lda, bool transA, float* b, int ldb, bool transB,
        float* c, int ldc, bool add, float* bias, Activation activation)
    {
        if (m == 0 || n == 0)
            return;
        if (ComputesTransposed(m, n, k, transA, transB, add))
        {
            RunTransposed(device, m, n, k, a, lda, b, ldb, c, ldc, bias, activation);
            return;
        }
        Panels panels = new(n);
        int tiles = (m + Product.Rows - 1) / Product.Rows;
        bool copyA = CopiesA(n, transA), ownB = m >= MinRowsToCopyB && transA == copyA && !transB && bias == null && activation.Kind == ActivationKind.Linear;
        // A copy pays when many rows read it, or when the rows of B lie a page apart and would fight for the same sets of
        // the cache.
        bool copy = !ownB && (transB || m > MaxRowsInPlace || ldb % 512 == 0);
        float* packed = device.Scratch(Scratch(m, n, k, transA));
        if (copy)
        {
            Pack(device, packed, b, ldb, transB, k, panels);
            b = packed;
        }
        if (copyA)
        {
            // Eight columns of A side by side for each tile: a step of k is then eight floats on, not a row of A.
            PackAJob packA = new(packed + k * Panels.Padded(n), a, lda, m, k);
            Dispatch.Run(device, (tiles + PackAJob.Tiles - 1) / PackAJob.Tiles, ref packA);
            a = packed + k * Panels.Padded(n);
        }
        Rows rows = new(a, copyA ? Product.Rows : transA ? lda : 1, copyA ? Product.Rows * k : transA ? Product.Rows : Product.Rows * lda, transA ? 1 : lda);
        if (ownB)
        {
            // Sixteen tasks or more, of at least four tiles.
            int panelsPerStrip = Math.Max(1, StripColumns / (Dispatch.MaxColumns * Dispatch.Width)), strips = (panels.Count + panelsPerStrip - 1) / panelsPerStrip;
            int parts = Math.Clamp((16 + strips - 1) / strips, 1, Math.Max(1, tiles / 4)), tilesPerPart = (tiles + parts - 1) / parts;
            parts = (tiles + tilesPerPart - 1) / tilesPerPart;
            BlockJob blocks = new(m, k, rows, b, ldb, panels, panelsPerStrip, c, ldc, add, parts, tilesPerPart);
            Dispatch.Run(device, parts * strips, ref blocks);
            return;
        }
        // About 64 tasks, at least a tile each.
        int tilesPerTask = Math.Clamp(tiles * panels.Count / 64, 1, 16);
        int rowTasks = (tiles + tilesPerTask - 1) / tilesPerTask;
        GemmJob job = new(m, k, rows, b, copy ? 0 : ldb, panels, c, ldc, new Epilogue(bias, activation, add), tilesPerTask, rowTasks);
        Dispatch.Run(device, rowTasks * panels.Count, ref job);
    }

    private static void Pack(Device device, float* packed, float* b, int ldb, bool transB, int k, Panels panels)
    {
        int chunks = (k + PackJob.KChunk - 1) / PackJob.KChunk;
        PackJob pack = new(packed, b, ldb, transB, k, panels, chunks);
        Dispatch.Run(device, chunks * panels.Count, ref pack);
    }

    /// <summary>C = f(A B^T + bias) as the transpose of B A^T: rows of a tile are rows of B, columns are rows of A.</summary>
    private static void RunTransposed(Device device, int m, int n, int k, float* a, int lda, float* b, int ldb, float* c, int ldc, float* bias,
        Activation activation)
    {
        Panels panels = new(m);
        float* packed = device.Scratch(Scratch(m, n, k, false));
        Pack(device, packed, a, lda, true, k, panels);
        int tiles = (n + Product.Rows - 1) / Product.Rows, tilesPerTask = Math.Clamp(tiles / 64, 1, 16);
        ElementWise.ByActivation<TransposedJob> job = new(
            new(n, k, b, ldb, packed, panels, c, ldc, bias, activation.Slope, tilesPerTask), activation.Kind);
        Dispatch.Run(device, (tiles + tilesPerTask - 1) / tilesPerTask, ref job);
    }

    private readonly struct PackJob(float* packed, float* b, int ldb, bool transB, int k, Panels panels, int chunks) : IChunk
    {
        public const int KChunk = 128;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int panel = chunk / chunks, k0 = chunk % chunks * KChunk, k1 = Math.Min(k, k0 + KChunk);
            int column = panels.Column(panel), width = panels.Width(panel), valid = panels.Valid(panel);
            float* target = packed + (nint)k * column;
            if (transB)
            {
                // Four rows of B at a time: four loads in straight lines, four neighbouring stores.
                int j = 0;
                for (; j <= valid - 4; j += 4)
                {
                    float* s0 = b + (nint)(column + j) * ldb, s1 = s0 + ldb, s2 = s1 + ldb, s3 = s2 + ldb;
                    float* to = target + (nint)k0 * width + j;
                    int i = k0;
                    for (; i <= k1 - 4; i += 4, to += 4 * width)
                        Transpose4.Copy(s0 + i, s1 + i, s2 + i, s3 + i, to, width);
                    for (; i < k1; i++, to += width)
                    {
                        to[0] = s0[i];
                        to[1] = s1[i];
                        to[2] = s2[i];
                        to[3] = s3[i];
                    }
                }
                for (; j < width; j++)
                {
                    float* source = b + (nint)(column + j) * ldb;
                    for (int i = k0; i < k1; i++)
                        target[(nint)i * width + j] = j < valid ? source[i] : 0;
                }
                return;
            }
            for (int i = k0; i < k1; i++)
            {
                float* source = b + (nint)i * ldb + column;
                float* line = target + (nint)i * width;
                for (int j = 0; j < width; j += TSimd.Width)
                {
                    int left = valid - j;
                    TSimd.Store(line + j, left >= TSimd.Width ? TSimd.Load(source + j)
                        : ElementWise.LoadPartial<TSimd, TVec>(source + j, left));
                }
            }
        }
    }

    private readonly struct PackAJob(float* packed, float* a, int lda, int m, int k) : IChunk
    {
        // Two tiles are sixteen floats of a row of A: a cache line.
        public const int Tiles = 2;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int row = chunk * Tiles * Product.Rows, count = Math.Min(Tiles * Product.Rows, m - row);
            float* first = packed + (nint)row * k, second = first + (nint)Product.Rows * k;
            for (int i = 0; i < k; i++, first += Product.Rows, second += Product.Rows)
            {
                float* from = a + (nint)i * lda + row;
                if (count == Tiles * Product.Rows)
                {
                    Vector256.Load(from).Store(first);
                    Vector256.Load(from + Product.Rows).Store(second);
                    continue;
                }
                for (int r = 0; r < count; r++)
                    (r < Product.Rows ? first : second)[r % Product.Rows] = from[r];
            }
        }
    }

    /// <summary>Where the rows of op(A) are: so far apart within a tile and from tile to tile, and their elements.</summary>
    private readonly struct Rows(float* first, nint step, nint tileStride, nint rowStride)
    {
        /// <summary>From one element of a row to the next.</summary>
        public nint Step => step;

        /// <summary>Row r of a tile.</summary>
        public float* Of(int tile, int r) => first + tile * tileStride + r * rowStride;
    }

    private readonly struct TransposedJob(int n, int k, float* b, int ldb, float* packed, Panels panels, float* c, int ldc, float* bias, float slope,
        int tilesPerTask) : ElementWise.IActivationLoop
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec, TActivation>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TActivation : struct, IActivation
        {
            float** rows = stackalloc float*[Product.Rows];
            float* room = stackalloc float[Product.TileRoom];
            float* tile = Product.Align(room);
            Segment segment = default;
            for (int panel = 0; panel < panels.Count; panel++)
            {
                int column = panels.Column(panel), width = panels.Width(panel), valid = panels.Valid(panel);
                float* a = packed + (nint)k * column;
                for (int row = chunk * tilesPerTask * Product.Rows, end = Math.Min(n, row + tilesPerTask * Product.Rows); row < end; row += Product.Rows)
                {
                    int count = Math.Min(Product.Rows, n - row);
                    for (int r = 0; r < Product.Rows; r++)
                        rows[r] = b + (nint)(row + (r < count ? r : 0)) * ldb;
                    for (int k0 = 0; k0 < k; k0 += KBlock)
                    {
                        segment = new(k0, k0, Math.Min(KBlock, k - k0));
                        Product.Tile<TSimd, TVec, Product.ToBuffer>(width / TSimd.Width, new(tile, width, k0 > 0), rows, 1, a, width, &segment, 1);
                    }
                    for (int r = 0; r < count; r++)
                    {
                        TVec shift = TSimd.Set(bias == null ? 0 : bias[row + r]);
                        for (float* p = tile + r * width; p < tile + (r + 1) * width; p += TSimd.Width)
                            TSimd.Store(p, TActivation.Forward<TSimd, TVec>(TSimd.Add(TSimd.Load(p), shift), TSimd.Set(slope)));
                    }
                    Store(tile, width, count, valid, c + (nint)column * ldc + row);
                }
            }
        }

        private void Store(float* tile, int width, int count, int valid, float* to)
        {
            int j = 0;
            for (; count == Product.Rows && j <= valid - 4; j += 4, to += 4 * ldc)
            {
                float* p = tile + j;
                Transpose4.Copy(p, p + width, p + 2 * width, p + 3 * width, to, ldc);
                p += 4 * width;
                Transpose4.Copy(p, p + width, p + 2 * width, p + 3 * width, to + 4, ldc);
            }
            for (; j < valid; j++, to += ldc)
            {
                for (int r = 0; r < count; r++)
                    to[r] = tile[r * width + j];
            }
        }
    }

    /// <summary>C = A B or C += A B, where each task copies its own part of B, a strip of one or a few panels, while that is in the cache.</summary>
    private readonly struct BlockJob(int m, int k, Rows a, float* b, int ldb, Panels panels, int panelsPerStrip, float* c, int ldc, bool add, int parts,
        int tilesPerPart) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            (int strip, int part) = Math.DivRem(chunk, parts);
            int firstPanel = strip * panelsPerStrip, lastPanel = Math.Min(panels.Count, firstPanel + panelsPerStrip);
            int firstColumn = panels.Column(firstPanel), stripWidth = panels.Column(lastPanel) - firstColumn;
            int firstTile = part * tilesPerPart, lastTile = Math.Min((m + Product.Rows - 1) / Product.Rows, firstTile + tilesPerPart);
            float* room = stackalloc float[KPart * StripColumns + 16], tileRoom = stackalloc float[Product.TileRoom];
            float* copy = Product.Align(room), tile = Product.Align(tileRoom);
            float** rows = stackalloc float*[Product.Rows];
            float** outputs = stackalloc float*[Product.Rows];
            Segment segment = default;
            for (int k0 = 0; k0 < k; k0 += KPart)
            {
                int depth = Math.Min(KPart, k - k0);
                Copy<TSimd, TVec>(copy, b + (nint)k0 * ldb, depth, firstPanel, lastPanel);
                segment = new((int)(k0 * a.Step), 0, depth);
                Epilogue epilogue = new(null, default, add || k0 > 0);
                // Rows of B and C lie pages apart, which no processor foresees. While a tile of the first panel is multiplied, its share of the
                // next part of B arrives, and what the next tile writes.
                float* next = b + (nint)(k0 + depth) * ldb + firstColumn;
                int left = Math.Min(KPart, k - k0 - depth), share = (left + lastTile - firstTile - 1) / (lastTile - firstTile);
                for (int panel = firstPanel; panel < lastPanel; panel++)
                {
                    int column = panels.Column(panel), width = panels.Width(panel), valid = panels.Valid(panel);
                    for (int t = firstTile; t < lastTile; t++)
                    {
                        int row = t * Product.Rows, count = Math.Min(Product.Rows, m - row);
                        for (int r = 0; r < Product.Rows; r++)
                        {
                            int i = r < count ? r : 0;
                            rows[r] = a.Of(t, i);
                            outputs[r] = c + (nint)(row + i) * ldc;
                        }
                        for (int i = Math.Min(share, left); i > 0; i--, left--, next += ldb)
                            Product.Prefetch(next, stripWidth);
                        for (int r = 0; r < Product.Rows; r++)
                            Product.Prefetch(outputs[r] + (nint)Product.Rows * ldc + column, width);
                        epilogue.Tile<TSimd, TVec>(tile, count, outputs, column, width, valid, rows, a.Step, copy + (nint)depth * (column - firstColumn), width,
                            &segment, 1);
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
            for (int i = 0; i < depth; i++, from += ldb)
            {
                for (int v = 0; v < whole; v++)
                    TSimd.Store(to[v] + (nint)i * widths[v], TSimd.Load(from + v * TSimd.Width));
                if (whole < vectors)
                    TSimd.Store(to[whole] + (nint)i * widths[whole], ElementWise.LoadPartial<TSimd, TVec>(from + whole * TSimd.Width, left % TSimd.Width));
            }
        }
    }

    private readonly struct GemmJob(int m, int k, Rows a, float* matrix, int ldb, Panels panels, float* c, int ldc,
        Epilogue epilogue, int tilesPerTask, int rowTasks) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int panel = chunk / rowTasks, firstTile = chunk % rowTasks * tilesPerTask;
            int column = panels.Column(panel), width = panels.Width(panel), valid = panels.Valid(panel);
            // In panels of their own, or where it is: then vectors may read beyond N, into what is not stored.
            int bStride = ldb == 0 ? width : ldb;
            float* b = ldb == 0 ? matrix + (nint)k * column : matrix + column;
            float** rows = stackalloc float*[Product.Rows];
            float** outputs = stackalloc float*[Product.Rows];
            float* room = stackalloc float[Product.TileRoom];
            float* tile = Product.Align(room);
            Segment segment = default;

            for (int t = firstTile; t < firstTile + tilesPerTask && t * Product.Rows < m; t++)
            {
                int row = t * Product.Rows, count = Math.Min(Product.Rows, m - row);
                for (int r = 0; r < Product.Rows; r++)
                {
                    // A short tile repeats its first row and drops the result.
                    int i = r < count ? r : 0;
                    rows[r] = a.Of(t, i);
                    outputs[r] = c + (nint)(row + i) * ldc;
                }
                if (k <= KBlock)
                {
                    segment = new(0, 0, k);
                    epilogue.Tile<TSimd, TVec>(tile, count, outputs, column, width, valid, rows, a.Step, b, bStride, &segment, k > 0 ? 1 : 0);
                    continue;
                }
                for (int k0 = 0; k0 < k; k0 += KBlock)
                {
                    segment = new((int)(k0 * a.Step), k0, Math.Min(KBlock, k - k0));
                    Product.Tile<TSimd, TVec, Product.ToBuffer>(width / TSimd.Width, new(tile, width, k0 > 0), rows, a.Step, b, bStride,
                        &segment, 1);
                }
                epilogue.Store<TSimd, TVec>(tile, width, count, outputs, column, valid);
            }
        }
    }
}

/// <summary>Copies four times four floats, rows to columns.</summary>
internal static unsafe class Transpose4
{
    /// <summary>to[j * stride + r] = row r [j].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(float* r0, float* r1, float* r2, float* r3, float* to, int stride)
    {
        if (X86.Sse.IsSupported)
        {
            Vector128<float> a = Vector128.Load(r0), b = Vector128.Load(r1), c = Vector128.Load(r2), d = Vector128.Load(r3);
            Vector128<float> ab = X86.Sse.UnpackLow(a, b), cd = X86.Sse.UnpackLow(c, d);
            X86.Sse.MoveLowToHigh(ab, cd).Store(to);
            X86.Sse.MoveHighToLow(cd, ab).Store(to + stride);
            (ab, cd) = (X86.Sse.UnpackHigh(a, b), X86.Sse.UnpackHigh(c, d));
            X86.Sse.MoveLowToHigh(ab, cd).Store(to + 2 * stride);
            X86.Sse.MoveHighToLow(cd, ab).Store(to + 3 * stride);
            return;
        }
        for (int j = 0; j < 4; j++)
            (to[j * stride], to[j * stride + 1], to[j * stride + 2], to[j * stride + 3]) = (r0[j], r1[j], r2[j], r3[j]);
    }
}

/// <summary>
/// How N columns are cut into panels of at most <see cref="ISimd{TVec}.MaxColumns"/> vectors, as evenly as they go: of three, the best, or as near
/// to it as can be.
/// </summary>
internal readonly struct Panels
{
    private readonly int _n, _vectors;

    public Panels(int n)
    {
        _n = n;
        _vectors = (n + Dispatch.Width - 1) / Dispatch.Width;
        Count = Math.Max((_vectors + Dispatch.MaxColumns - 1) / Dispatch.MaxColumns, _vectors / 3);
    }

    public int Count { get; }

    /// <summary>N rounded up to whole vectors.</summary>
    public static int Padded(int n) => (n + Dispatch.Width - 1) / Dispatch.Width * Dispatch.Width;

    /// <summary>First column of a panel.</summary>
    public int Column(int panel) => (int)((long)panel * _vectors / Count) * Dispatch.Width;

    /// <summary>Columns of a panel, whole vectors.</summary>
    public int Width(int panel) => Column(panel + 1) - Column(panel);

    /// <summary>Columns of a panel that exist.</summary>
    public int Valid(int panel) => Math.Min(_n - Column(panel), Width(panel));
}
