using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// C (M x N, row-major) = f(op(A) op(B) + bias), or C += op(A) op(B). B is copied into panels of one to three vectors of
/// columns, so that the inner loop reads it in a straight line; A is read in place.
/// </summary>
internal static unsafe class Gemm
{
    // Rows of B that one pass takes, so that a panel (KBlock x 48 floats) stays in the second-level cache.
    private const int KBlock = 1024;

    private const int MaxRowsInPlace = 256;

    // Columns below which a transposed A is read where it is: each of its lines serves few products then.
    private const int MinColumnsToCopyA = 96;

    /// <summary>Floats of scratch memory for a product of these sizes.</summary>
    public static int Scratch(int m, int n, int k, bool transA) => checked(k * Panels.Padded(n) + (CopiesA(n, transA) ? PaddedRows(m) * k : 0));

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
        Panels panels = new(n);
        // A copy pays when many rows read it, or when the rows of B lie a page apart and would fight for the same sets of
        // the cache.
        bool copy = transB || m > MaxRowsInPlace || ldb % 512 == 0;
        float* packed = device.Scratch(Scratch(m, n, k, transA));
        if (copy)
        {
            int packChunks = (k + PackJob.KChunk - 1) / PackJob.KChunk;
            PackJob pack = new(packed, b, ldb, transB, k, panels, packChunks);
            Dispatch.Run(device, packChunks * panels.Count, ref pack);
            b = packed;
        }

        int tiles = (m + Product.Rows - 1) / Product.Rows;
        bool copyA = CopiesA(n, transA);
        if (copyA)
        {
            // Eight columns of A side by side for each tile: a step of k is then eight floats on, not a row of A.
            PackAJob packA = new(packed + k * Panels.Padded(n), a, lda, m, k);
            Dispatch.Run(device, (tiles + PackAJob.Tiles - 1) / PackAJob.Tiles, ref packA);
            a = packed + k * Panels.Padded(n);
        }
        // About 64 tasks, at least a tile each.
        int tilesPerTask = Math.Clamp(tiles * panels.Count / 64, 1, 16);
        int rowTasks = (tiles + tilesPerTask - 1) / tilesPerTask;
        GemmJob job = new(m, k, a, copyA ? Product.Rows : transA ? lda : 1, copyA ? Product.Rows * k : transA ? Product.Rows : Product.Rows * lda,
            transA ? 1 : lda, b, copy ? 0 : ldb, panels, c, ldc, new Epilogue(bias, activation, add),
            tilesPerTask, rowTasks);
        Dispatch.Run(device, rowTasks * panels.Count, ref job);
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
                    for (int i = k0; i < k1; i++, to += width)
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

    private readonly struct GemmJob(int m, int k, float* a, nint aStride, nint tileStride, nint rowStride, float* matrix, int ldb, Panels panels, float* c, int ldc,
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
                    rows[r] = a + t * tileStride + i * rowStride;
                    outputs[r] = c + (nint)(row + i) * ldc;
                }
                if (k <= KBlock)
                {
                    segment = new(0, 0, k);
                    epilogue.Tile<TSimd, TVec>(tile, count, outputs, column, width, valid, rows, aStride, b, bStride, &segment, k > 0 ? 1 : 0);
                    continue;
                }
                for (int k0 = 0; k0 < k; k0 += KBlock)
                {
                    segment = new((int)(k0 * aStride), k0, Math.Min(KBlock, k - k0));
                    Product.Tile<TSimd, TVec, Product.ToBuffer>(width / TSimd.Width, new(tile, width, k0 > 0), rows, aStride, b, bStride,
                        &segment, 1);
                }
                epilogue.Store<TSimd, TVec>(tile, width, count, outputs, column, valid);
            }
        }
    }
}

/// <summary>How N columns are cut into panels of one to three vectors, as evenly as they go.</summary>
internal readonly struct Panels
{
    private readonly int _n, _vectors;

    public Panels(int n)
    {
        _n = n;
        _vectors = (n + Dispatch.Width - 1) / Dispatch.Width;
        Count = (_vectors + Dispatch.MaxColumns - 1) / Dispatch.MaxColumns;
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
