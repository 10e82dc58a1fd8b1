using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CudaGen.Runtime;
using X86 = System.Runtime.Intrinsics.X86;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// The three products of a dense layer, all matrices row-major without gaps. The columns of a result are cut into panels of one to four vectors,
/// which the inner loop reads in a straight line; who rearranges what for that, and where, decides the speed.
/// </summary>
/// <remarks>
/// The first half of the rows of a large matrix of weights belongs to the first half of the tasks in every product, and so to the same thread, which
/// also has it in the optimiser. A processor that writes what another one has read since waits for it, line by line.
/// </remarks>
internal static unsafe partial class Gemm
{
    // Rows of B that one pass takes, so that a panel (KBlock x 48 floats) stays in the second-level cache.
    private const int KBlock = 1024;

    // Rows of a result from which on tasks of their own for parts of it pay.
    private const int MinRows = 64;

    private const int MaxRowsInPlace = 256;

    // Columns below which a transposed A is read where it is: each of its lines serves few products then.
    private const int MinColumnsToCopyA = 96;

    // Rows of a result that a task takes where A is transposed: two tiles are sixteen floats of a row of A, a cache line.
    private const int SweepRows = 2 * Product.Rows;

    /// <summary>
    /// Whether tiles read their part of B where it is. With 32 vector registers a tile reads it once, and the second-level cache is fast enough for
    /// that; with 16 it takes two or three times, and a copy in the first-level cache.
    /// </summary>
    private static bool ReadsInPlace => Vector512.IsHardwareAccelerated;

    /// <summary>Whether there is nothing to multiply. A sum of nothing is 0.</summary>
    private static bool IsEmpty(int m, int n, int k, float* c, bool add)
    {
        if (k == 0 && !add)
            new Span<float>(c, m * n).Clear();
        return m == 0 || n == 0 || k == 0;
    }

    private static int Tiles(int m) => (m + Product.Rows - 1) / Product.Rows;

    /// <summary>Floats of scratch memory for <see cref="Forward"/>.</summary>
    public static int ForwardScratch(int n, int k) => checked(k * Panels.Padded(n));

    /// <summary>C = f(A B^T + bias) of A (M, K), B (N, K) and C (M, N).</summary>
    public static void Forward(Device device, int m, int n, int k, float* a, float* b, float* c, float* bias, Activation activation)
    {
        // By the elements that are copied one by one either way: all of B, or A and the result. Only where m < n, so the scratch memory that
        // B would take is enough for A.
        if ((long)n * k > (long)m * k + (long)m * n)
        {
            RunTransposed(device, m, n, k, a, b, c, bias, activation);
            return;
        }
        RunTiles(device, m, n, k, Rows.Of(a, k), b, true, device.Scratch(ForwardScratch(n, k)), c, new Epilogue(bias, activation, false));
    }

    /// <summary>C = f(A B^T + bias) as the transpose of B A^T: rows of a tile are rows of B, columns are rows of A.</summary>
    private static void RunTransposed(Device device, int m, int n, int k, float* a, float* b, float* c, float* bias, Activation activation)
    {
        Panels panels = new(m);
        float* packed = device.Scratch(ForwardScratch(n, k));
        Pack(device, packed, a, k, true, k, panels);
        int tilesPerTask = Math.Clamp(Tiles(n) / 64, 1, 16);
        ElementWise.ByActivation<TransposedJob> job = new(new(n, k, b, packed, panels, c, bias, activation.Slope, tilesPerTask), activation.Kind);
        Dispatch.Run(device, (Tiles(n) + tilesPerTask - 1) / tilesPerTask, ref job);
    }

    /// <summary>Floats of scratch memory for <see cref="BackwardData"/>.</summary>
    public static int BackwardDataScratch(int m, int n, int k) => checked(Math.Max(k * Panels.Padded(n), m * n));

    /// <summary>C = A B of A (M, K), B (K, N) and C (M, N).</summary>
    public static void BackwardData(Device device, int m, int n, int k, float* a, float* b, float* c)
    {
        if (IsEmpty(m, n, k, c, false))
            return;
        Rows rows = Rows.Of(a, k);
        float* scratch = device.Scratch(BackwardDataScratch(m, n, k));
        if (m < MinRows)
        {
            RunTiles(device, m, n, k, rows, b, false, IsCopied(m, n) ? scratch : null, c, default);
            return;
        }
        if ((long)k * n < Dense.MinSplitLength)
        {
            RunStrips(device, m, n, k, k, rows, b, c, null);
            return;
        }
        // The other half of the sum goes to scratch memory.
        int half = Math.Max(1, k / 2 / SweepRows * SweepRows);
        RunStrips(device, m, n, k, half, rows, b, c, scratch);
        Maps.Run(device, m * n, new AddMap(c, scratch));
    }

    /// <summary>The first <paramref name="half"/> rows of B into C, the others into <paramref name="more"/>, if that is not null.</summary>
    private static void RunStrips(Device device, int m, int n, int k, int half, Rows rows, float* b, float* c, float* more)
    {
        Panels panels = new(n);
        int halves = more == null ? 1 : 2;
        if (ReadsInPlace)
        {
            // At least sixteen tasks.
            int parts = Math.Clamp((15 + panels.Count) / panels.Count, 1, Math.Max(1, Tiles(m) / 4)), tasks = panels.Count * parts;
            Halves<PanelJob> job = new(new(m, half, rows, b, n, panels, c, parts),
                new(m, k - half, rows.From(half), b + (nint)half * n, n, panels, more, parts), tasks);
            Dispatch.Run(device, halves * tasks, ref job);
        }
        else
        {
            Blocks cut = new(Tiles(m), panels.Count);
            Halves<BlockJob> job = new(new(m, half, rows, b, n, panels, cut, c, false),
                new(m, k - half, rows.From(half), b + (nint)half * n, n, panels, cut, more, false), cut.Count);
            Dispatch.Run(device, halves * cut.Count, ref job);
        }
    }

    /// <summary>Floats of scratch memory for <see cref="BackwardWeights"/>.</summary>
    public static int BackwardWeightsScratch(int m, int n, int k) => checked(k * Panels.Padded(n) + Tiles(m) * Product.Rows * k);

    /// <summary>C = A^T B of A (K, M), B (K, N) and C (M, N), or with <paramref name="add"/> C += A^T B.</summary>
    public static void BackwardWeights(Device device, int m, int n, int k, float* a, float* b, float* c, bool add)
    {
        if (IsEmpty(m, n, k, c, add))
            return;
        Panels panels = new(n);
        bool copyA = n >= MinColumnsToCopyA, tasks = m >= MinRows && copyA;
        // Rows of B are often powers of two apart, and more of them than this would fight for the same sets of the second-level cache.
        if (tasks && ReadsInPlace && (k <= SweepDepth || (long)n * k <= 2 * MaxPart))
        {
            // At least sixteen tasks; and their part of B stays in the second-level cache from task to task.
            int rowTasks = (m + SweepRows - 1) / SweepRows;
            int parts = Math.Clamp(Math.Max((15 + rowTasks) / rowTasks, (int)(((long)n * k + MaxPart - 1) / MaxPart)), 1, panels.Count);
            SweepJob sweep = new(m, n, k, a, b, panels, c, add, parts);
            Dispatch.Run(device, rowTasks * parts, ref sweep);
            return;
        }
        float* packedB = device.Scratch(BackwardWeightsScratch(m, n, k)), packedA = packedB + k * Panels.Padded(n);
        if (copyA)
        {
            PackAJob packA = new(packedA, a, m, k);
            Dispatch.Run(device, (m + SweepRows - 1) / SweepRows, ref packA);
        }
        Rows rows = copyA ? Rows.OfColumns(packedA, k) : new(a, m, Product.Rows, 1);
        if (tasks)
        {
            Blocks cut = new(Tiles(m), panels.Count, (long)m * n >= Dense.MinSplitLength ? 2 : 1);
            BlockJob blocks = new(m, k, rows, b, n, panels, cut, c, add);
            Dispatch.Run(device, cut.Count, ref blocks);
            return;
        }
        RunTiles(device, m, n, k, rows, b, false, IsCopied(m, n) ? packedB : null, c, new Epilogue(null, default, add));
    }

    // A copy of B pays when many rows of A read it, or when its own rows lie a page apart and would fight for the same sets of the cache.
    private static bool IsCopied(int m, int n) => m > MaxRowsInPlace || n % 512 == 0;

    /// <summary>In about 64 tasks, of at least a tile each, which read B in a copy, or where it is if <paramref name="packed"/> is null.</summary>
    private static void RunTiles(Device device, int m, int n, int k, Rows rows, float* b, bool transB, float* packed, float* c, Epilogue epilogue)
    {
        Panels panels = new(n);
        if (packed != null)
            Pack(device, packed, b, transB ? k : n, transB, k, panels);
        int tilesPerTask = Math.Clamp(Tiles(m) * panels.Count / 64, 1, 16), rowTasks = (Tiles(m) + tilesPerTask - 1) / tilesPerTask;
        GemmJob job = new(m, n, k, rows, b, packed, panels, Rows.Of(c, n), epilogue, tilesPerTask, rowTasks);
        Dispatch.Run(device, rowTasks * panels.Count, ref job);
    }

    private static void Pack(Device device, float* packed, float* b, int ldb, bool transB, int k, Panels panels)
    {
        int chunks = (k + PackJob.KChunk - 1) / PackJob.KChunk;
        PackJob pack = new(packed, b, ldb, transB, k, panels, chunks);
        Dispatch.Run(device, chunks * panels.Count, ref pack);
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
                // Sixteen or four rows of B at a time: loads in straight lines, neighbouring stores.
                int j = 0, whole = k0 + (k1 - k0) / 4 * 4;
                for (; Vector512.IsHardwareAccelerated && j <= valid - 16; j += 16)
                {
                    for (int i = k0; i < whole; i += 4)
                        Transpose4.CopyLines(b + (nint)(column + j) * ldb + i, ldb, target + (nint)i * width + j, width);
                }
                for (; j <= valid - 4; j += 4)
                {
                    float* s0 = b + (nint)(column + j) * ldb, s1 = s0 + ldb, s2 = s1 + ldb, s3 = s2 + ldb;
                    for (int i = k0; i < whole; i += 4)
                        Transpose4.Copy(s0 + i, s1 + i, s2 + i, s3 + i, target + (nint)i * width + j, width);
                }
                for (int i = k0; i < k1; i++)
                {
                    for (int r = i < whole ? j : 0; r < width; r++)
                        target[(nint)i * width + r] = r < valid ? b[(nint)(column + r) * ldb + i] : 0;
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

    /// <summary>
    /// Copies <see cref="SweepRows"/> columns of A, or as many as there are, into two tiles, side by side in each: a step of k is then eight floats
    /// on, not a row of A.
    /// </summary>
    private static void CopyColumns(float* packed, float* a, int lda, int count, int k)
    {
        float* first = packed, second = packed + (nint)Product.Rows * k;
        for (int i = 0; i < k; i++, a += lda, first += Product.Rows, second += Product.Rows)
        {
            if (count >= SweepRows)
            {
                Vector256.Load(a).Store(first);
                Vector256.Load(a + Product.Rows).Store(second);
                continue;
            }
            for (int r = 0; r < count; r++)
                (r < Product.Rows ? first : second)[r % Product.Rows] = a[r];
        }
    }

    private readonly struct PackAJob(float* packed, float* a, int m, int k) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int row = chunk * SweepRows;
            CopyColumns(packed + (nint)row * k, a + row, m, m - row, k);
        }
    }

    /// <summary>Where the rows of op(A) or C are: so far apart within a tile and from tile to tile, and their elements.</summary>
    private readonly struct Rows(float* first, nint step, nint tileStride, nint rowStride)
    {
        /// <summary>Rows of so many elements, one behind the other.</summary>
        public static Rows Of(float* matrix, int length) => new(matrix, 1, Product.Rows * length, length);

        /// <summary>Columns that <see cref="CopyColumns"/> has put side by side.</summary>
        public static Rows OfColumns(float* packed, int length) => new(packed, Product.Rows, Product.Rows * length, 1);

        /// <summary>From one element of a row to the next.</summary>
        public nint Step => step;

        /// <summary>The same rows from their element k on.</summary>
        public Rows From(int k) => new(first + k * step, step, tileStride, rowStride);

        /// <summary>Rows of a tile; a short one repeats its first row and drops the result.</summary>
        public void Tile(float** rows, int tile, int count)
        {
            for (int r = 0; r < Product.Rows; r++)
                rows[r] = first + tile * tileStride + (r < count ? r : 0) * rowStride;
        }
    }

    private readonly struct TransposedJob(int n, int k, float* b, float* packed, Panels panels, float* c, float* bias, float slope, int tilesPerTask)
        : ElementWise.IActivationLoop
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
                        rows[r] = b + (nint)(row + (r < count ? r : 0)) * k;
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
                    Store(tile, width, count, valid, c + (nint)column * n + row);
                }
            }
        }

        private void Store(float* tile, int width, int count, int valid, float* to)
        {
            int j = 0;
            for (; count == Product.Rows && j <= valid - 4; j += 4, to += 4 * n)
            {
                float* p = tile + j;
                Transpose4.Copy(p, p + width, p + 2 * width, p + 3 * width, to, n);
                p += 4 * width;
                Transpose4.Copy(p, p + width, p + 2 * width, p + 3 * width, to + 4, n);
            }
            for (; j < valid; j++, to += n)
            {
                for (int r = 0; r < count; r++)
                    to[r] = tile[r * width + j];
            }
        }
    }

    private readonly struct GemmJob(int m, int n, int k, Rows a, float* matrix, float* packed, Panels panels, Rows c, Epilogue epilogue, int tilesPerTask,
        int rowTasks) : IChunk
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int panel = chunk / rowTasks, firstTile = chunk % rowTasks * tilesPerTask;
            int column = panels.Column(panel), width = panels.Width(panel), valid = panels.Valid(panel);
            // In panels of their own, or where it is: then vectors may read beyond N, into what is not stored.
            int bStride = packed != null ? width : n;
            float* b = packed != null ? packed + (nint)k * column : matrix + column;
            float** rows = stackalloc float*[Product.Rows];
            float** outputs = stackalloc float*[Product.Rows];
            float* room = stackalloc float[Product.TileRoom];
            float* tile = Product.Align(room);
            Segment segment = default;

            for (int t = firstTile; t < firstTile + tilesPerTask && t * Product.Rows < m; t++)
            {
                int count = Math.Min(Product.Rows, m - t * Product.Rows);
                a.Tile(rows, t, count);
                c.Tile(outputs, t, count);
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

/// <summary>Copies four floats of each of four rows, rows to columns.</summary>
internal static unsafe class Transpose4
{
    /// <summary>to[j * stride + r] = row r [j].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(float* r0, float* r1, float* r2, float* r3, float* to, int stride)
    {
        if (X86.Sse.IsSupported)
        {
            (Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d) = Columns(r0, r1, r2, r3);
            a.Store(to);
            b.Store(to + stride);
            c.Store(to + 2 * stride);
            d.Store(to + 3 * stride);
            return;
        }
        for (int j = 0; j < 4; j++)
            (to[j * stride], to[j * stride + 1], to[j * stride + 2], to[j * stride + 3]) = (r0[j], r1[j], r2[j], r3[j]);
    }

    /// <summary>
    /// to[j * stride + r] = from[r * fromStride + j] of sixteen rows, for processors with vectors of 512 bits: whole cache lines, aligned, past the
    /// caches. All threads have read what was there, and who writes that waits for each of them. The interlocked count of finished chunks comes after
    /// these stores, as after all others.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CopyLines(float* from, nint fromStride, float* to, int stride)
    {
        (Vector128<float> a0, Vector128<float> a1, Vector128<float> a2, Vector128<float> a3) = Columns(from, fromStride);
        (Vector128<float> b0, Vector128<float> b1, Vector128<float> b2, Vector128<float> b3) = Columns(from + 4 * fromStride, fromStride);
        (Vector128<float> c0, Vector128<float> c1, Vector128<float> c2, Vector128<float> c3) = Columns(from + 8 * fromStride, fromStride);
        (Vector128<float> d0, Vector128<float> d1, Vector128<float> d2, Vector128<float> d3) = Columns(from + 12 * fromStride, fromStride);
        Store(to, a0, b0, c0, d0);
        Store(to + stride, a1, b1, c1, d1);
        Store(to + 2 * stride, a2, b2, c2, d2);
        Store(to + 3 * stride, a3, b3, c3, d3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* to, Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
        => Vector512.Create(Vector256.Create(a, b), Vector256.Create(c, d)).StoreAlignedNonTemporal(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<float> A, Vector128<float> B, Vector128<float> C, Vector128<float> D) Columns(float* from, nint stride)
        => Columns(from, from + stride, from + 2 * stride, from + 3 * stride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<float> A, Vector128<float> B, Vector128<float> C, Vector128<float> D) Columns(float* r0, float* r1, float* r2, float* r3)
    {
        Vector128<float> a = Vector128.Load(r0), b = Vector128.Load(r1), c = Vector128.Load(r2), d = Vector128.Load(r3);
        Vector128<float> ab = X86.Sse.UnpackLow(a, b), cd = X86.Sse.UnpackLow(c, d), abHigh = X86.Sse.UnpackHigh(a, b), cdHigh = X86.Sse.UnpackHigh(c, d);
        return (X86.Sse.MoveLowToHigh(ab, cd), X86.Sse.MoveHighToLow(cd, ab), X86.Sse.MoveLowToHigh(abHigh, cdHigh), X86.Sse.MoveHighToLow(cdHigh, abHigh));
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
