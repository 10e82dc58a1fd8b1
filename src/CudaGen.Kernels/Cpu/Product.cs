using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// A run of k: <see cref="Count"/> steps that start <see cref="A"/> elements after each row pointer and at row
/// <see cref="B"/> of the matrix.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Segment(int a, int b, int count)
{
    public int A = a, B = b, Count = count;
}

/// <summary>
/// The one inner loop of matrix products and convolutions: a tile of <see cref="Rows"/> rows and 1 to 4 vectors of
/// columns, C[r][:] += sum over segments and k of a_r[A + k * aStride] * b[(B + k) * bStride + :].
/// </summary>
/// <remarks>
/// Each row has a pointer of its own, so the pixels of a convolution are read in place, without im2col. The tile is
/// accumulated in registers in the order of the segments, which makes a result independent of who computes it.
/// </remarks>
internal static unsafe class Product
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 8;

    /// <summary>Columns that a tile has at most: three vectors of 16.</summary>
    public const int MaxTileColumns = 48;

    /// <summary>Floats to put a tile on the stack, with room to align it.</summary>
    public const int TileRoom = Rows * MaxTileColumns + 16;

    /// <summary>
    /// The next multiple of 64 bytes. The stack is aligned to 16, and a vector that crosses a cache line is slow to read
    /// back.
    /// </summary>
    public static float* Align(float* room) => (float*)(((nint)room + 63) & ~(nint)63);

    /// <summary>Asks for the cache lines of n floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(float* p, int n)
    {
        if (!Sse.IsSupported)
            return;
        for (int i = 0; i < n; i += 16)
            Sse.Prefetch0(p + i);
    }

    /// <summary>A number of rows or of vectors of columns that the compiler knows.</summary>
    public interface ICount
    {
        static abstract int Value { get; }
    }

    public readonly struct One : ICount
    {
        public static int Value => 1;
    }

    public readonly struct Two : ICount
    {
        public static int Value => 2;
    }

    public readonly struct Three : ICount
    {
        public static int Value => 3;
    }

    public readonly struct Four : ICount
    {
        public static int Value => 4;
    }

    public readonly struct Eight : ICount
    {
        public static int Value => 8;
    }

    /// <summary>Where the sums of a row go when a tile is done.</summary>
    public interface IFinish
    {
        /// <summary>Takes row r: one to four vectors.</summary>
        void Row<TSimd, TVec, TColumns>(int r, TVec c0, TVec c1, TVec c2, TVec c3)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TColumns : struct, ICount;
    }

    /// <summary>Into a buffer [Rows][stride], overwritten or added to.</summary>
    public readonly struct ToBuffer(float* buffer, nint stride, bool add) : IFinish
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Row<TSimd, TVec, TColumns>(int r, TVec c0, TVec c1, TVec c2, TVec c3)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TColumns : struct, ICount
        {
            float* p = buffer + r * stride;
            if (add)
            {
                c0 = TSimd.Add(c0, TSimd.Load(p));
                if (TColumns.Value > 1)
                    c1 = TSimd.Add(c1, TSimd.Load(p + TSimd.Width));
                if (TColumns.Value > 2)
                    c2 = TSimd.Add(c2, TSimd.Load(p + 2 * TSimd.Width));
                if (TColumns.Value > 3)
                    c3 = TSimd.Add(c3, TSimd.Load(p + 3 * TSimd.Width));
            }
            TSimd.Store(p, c0);
            if (TColumns.Value > 1)
                TSimd.Store(p + TSimd.Width, c1);
            if (TColumns.Value > 2)
                TSimd.Store(p + 2 * TSimd.Width, c2);
            if (TColumns.Value > 3)
                TSimd.Store(p + 3 * TSimd.Width, c3);
        }
    }

    /// <summary>
    /// Straight to the output, f(sum + bias), or added to it: for whole tiles and activations that are one instruction or two.
    /// </summary>
    public readonly struct ToOutput<TActivation>(float** outputs, int column, float* bias, float slope, bool add) : IFinish
        where TActivation : struct, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Row<TSimd, TVec, TColumns>(int r, TVec c0, TVec c1, TVec c2, TVec c3)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TColumns : struct, ICount
        {
            float* p = outputs[r] + column;
            TSimd.Store(p, One<TSimd, TVec>(c0, p, 0));
            if (TColumns.Value > 1)
                TSimd.Store(p + TSimd.Width, One<TSimd, TVec>(c1, p, TSimd.Width));
            if (TColumns.Value > 2)
                TSimd.Store(p + 2 * TSimd.Width, One<TSimd, TVec>(c2, p, 2 * TSimd.Width));
            if (TColumns.Value > 3)
                TSimd.Store(p + 3 * TSimd.Width, One<TSimd, TVec>(c3, p, 3 * TSimd.Width));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private TVec One<TSimd, TVec>(TVec c, float* p, int offset)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            if (add)
                c = TSimd.Add(c, TSimd.Load(p + offset));
            if (bias != null)
                c = TSimd.Add(c, TSimd.Load(bias + column + offset));
            return TActivation.Forward<TSimd, TVec>(c, TSimd.Set(slope));
        }
    }

    /// <summary>Rows first .. first + TRows - 1 of a tile, 4 or 8 of them, of 1 to 3 vectors: each row is multiplied with vectors that are kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tall<TSimd, TVec, TRows, TColumns, TFinish>(int first, in TFinish finish, float** rows, nint aStride, float* b, nint bStride,
        Segment* segments, int count)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TRows : struct, ICount
        where TColumns : struct, ICount
        where TFinish : struct, IFinish
    {
        TVec c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        TVec c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        TVec c40 = default, c41 = default, c42 = default, c50 = default, c51 = default, c52 = default;
        TVec c60 = default, c61 = default, c62 = default, c70 = default, c71 = default, c72 = default;
        rows += first;
        float* a0 = rows[0], a1 = rows[1], a2 = rows[2], a3 = rows[3], a4 = null, a5 = null, a6 = null, a7 = null;
        if (TRows.Value > 4)
        {
            a4 = rows[4];
            a5 = rows[5];
            a6 = rows[6];
            a7 = rows[7];
        }

        for (int s = 0; s < count; s++)
        {
            nint k = segments[s].A;
            nint end = k + segments[s].Count * aStride;
            float* pb = b + segments[s].B * bStride;
            do
            {
                TVec b0 = TSimd.Load(pb), b1 = default, b2 = default;
                if (TColumns.Value > 1)
                    b1 = TSimd.Load(pb + TSimd.Width);
                if (TColumns.Value > 2)
                    b2 = TSimd.Load(pb + 2 * TSimd.Width);
                TVec a = TSimd.Set(a0[k]);
                c00 = TSimd.Fma(a, b0, c00);
                if (TColumns.Value > 1)
                    c01 = TSimd.Fma(a, b1, c01);
                if (TColumns.Value > 2)
                    c02 = TSimd.Fma(a, b2, c02);
                a = TSimd.Set(a1[k]);
                c10 = TSimd.Fma(a, b0, c10);
                if (TColumns.Value > 1)
                    c11 = TSimd.Fma(a, b1, c11);
                if (TColumns.Value > 2)
                    c12 = TSimd.Fma(a, b2, c12);
                a = TSimd.Set(a2[k]);
                c20 = TSimd.Fma(a, b0, c20);
                if (TColumns.Value > 1)
                    c21 = TSimd.Fma(a, b1, c21);
                if (TColumns.Value > 2)
                    c22 = TSimd.Fma(a, b2, c22);
                a = TSimd.Set(a3[k]);
                c30 = TSimd.Fma(a, b0, c30);
                if (TColumns.Value > 1)
                    c31 = TSimd.Fma(a, b1, c31);
                if (TColumns.Value > 2)
                    c32 = TSimd.Fma(a, b2, c32);
                if (TRows.Value > 4)
                {
                    a = TSimd.Set(a4[k]);
                    c40 = TSimd.Fma(a, b0, c40);
                    if (TColumns.Value > 1)
                        c41 = TSimd.Fma(a, b1, c41);
                    if (TColumns.Value > 2)
                        c42 = TSimd.Fma(a, b2, c42);
                    a = TSimd.Set(a5[k]);
                    c50 = TSimd.Fma(a, b0, c50);
                    if (TColumns.Value > 1)
                        c51 = TSimd.Fma(a, b1, c51);
                    if (TColumns.Value > 2)
                        c52 = TSimd.Fma(a, b2, c52);
                    a = TSimd.Set(a6[k]);
                    c60 = TSimd.Fma(a, b0, c60);
                    if (TColumns.Value > 1)
                        c61 = TSimd.Fma(a, b1, c61);
                    if (TColumns.Value > 2)
                        c62 = TSimd.Fma(a, b2, c62);
                    a = TSimd.Set(a7[k]);
                    c70 = TSimd.Fma(a, b0, c70);
                    if (TColumns.Value > 1)
                        c71 = TSimd.Fma(a, b1, c71);
                    if (TColumns.Value > 2)
                        c72 = TSimd.Fma(a, b2, c72);
                }
                k += aStride;
                pb += bStride;
            }
            while (k != end);
        }

        finish.Row<TSimd, TVec, TColumns>(first, c00, c01, c02, default);
        finish.Row<TSimd, TVec, TColumns>(first + 1, c10, c11, c12, default);
        finish.Row<TSimd, TVec, TColumns>(first + 2, c20, c21, c22, default);
        finish.Row<TSimd, TVec, TColumns>(first + 3, c30, c31, c32, default);
        if (TRows.Value <= 4)
            return;
        finish.Row<TSimd, TVec, TColumns>(first + 4, c40, c41, c42, default);
        finish.Row<TSimd, TVec, TColumns>(first + 5, c50, c51, c52, default);
        finish.Row<TSimd, TVec, TColumns>(first + 6, c60, c61, c62, default);
        finish.Row<TSimd, TVec, TColumns>(first + 7, c70, c71, c72, default);
    }

    /// <summary>
    /// Rows first .. first + TRows - 1 of a tile, 2 or 3 of them, of 4 vectors: each vector is multiplied with elements that are kept. For processors with
    /// sixteen registers, which two rows of four vectors or four of two do not keep busy: an instruction waits four cycles for its own last result.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Wide<TSimd, TVec, TRows, TFinish>(int first, in TFinish finish, float** rows, nint aStride, float* b, nint bStride,
        Segment* segments, int count)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TRows : struct, ICount
        where TFinish : struct, IFinish
    {
        TVec c00 = default, c01 = default, c02 = default, c03 = default, c10 = default, c11 = default, c12 = default, c13 = default;
        TVec c20 = default, c21 = default, c22 = default, c23 = default;
        rows += first;
        float* row0 = rows[0], row1 = rows[1], row2 = TRows.Value > 2 ? rows[2] : null;

        for (int s = 0; s < count; s++)
        {
            nint k = segments[s].A;
            nint end = k + segments[s].Count * aStride;
            float* pb = b + segments[s].B * bStride;
            do
            {
                TVec a0 = TSimd.Set(row0[k]), a1 = TSimd.Set(row1[k]), a2 = default;
                if (TRows.Value > 2)
                    a2 = TSimd.Set(row2[k]);
                TVec v = TSimd.Load(pb);
                c00 = TSimd.Fma(a0, v, c00);
                c10 = TSimd.Fma(a1, v, c10);
                if (TRows.Value > 2)
                    c20 = TSimd.Fma(a2, v, c20);
                v = TSimd.Load(pb + TSimd.Width);
                c01 = TSimd.Fma(a0, v, c01);
                c11 = TSimd.Fma(a1, v, c11);
                if (TRows.Value > 2)
                    c21 = TSimd.Fma(a2, v, c21);
                v = TSimd.Load(pb + 2 * TSimd.Width);
                c02 = TSimd.Fma(a0, v, c02);
                c12 = TSimd.Fma(a1, v, c12);
                if (TRows.Value > 2)
                    c22 = TSimd.Fma(a2, v, c22);
                v = TSimd.Load(pb + 3 * TSimd.Width);
                c03 = TSimd.Fma(a0, v, c03);
                c13 = TSimd.Fma(a1, v, c13);
                if (TRows.Value > 2)
                    c23 = TSimd.Fma(a2, v, c23);
                k += aStride;
                pb += bStride;
            }
            while (k != end);
        }

        finish.Row<TSimd, TVec, Four>(first, c00, c01, c02, c03);
        finish.Row<TSimd, TVec, Four>(first + 1, c10, c11, c12, c13);
        if (TRows.Value > 2)
            finish.Row<TSimd, TVec, Four>(first + 2, c20, c21, c22, c23);
    }

    /// <summary>One tile of 1 to <see cref="ISimd{TVec}.MaxColumns"/> vectors of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Tile<TSimd, TVec, TFinish>(int columns, in TFinish finish, float** rows, nint aStride, float* b,
        nint bStride, Segment* segments, int count)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TFinish : struct, IFinish
    {
        if (columns == 1)
            Tall<TSimd, TVec, Eight, One, TFinish>(0, in finish, rows, aStride, b, bStride, segments, count);
        else if (!TSimd.FewRegisters && columns == 2)
            Tall<TSimd, TVec, Eight, Two, TFinish>(0, in finish, rows, aStride, b, bStride, segments, count);
        else if (!TSimd.FewRegisters)
            Tall<TSimd, TVec, Eight, Three, TFinish>(0, in finish, rows, aStride, b, bStride, segments, count);
        else if (columns == 2)
        {
            Tall<TSimd, TVec, Four, Two, TFinish>(0, in finish, rows, aStride, b, bStride, segments, count);
            Tall<TSimd, TVec, Four, Two, TFinish>(4, in finish, rows, aStride, b, bStride, segments, count);
        }
        else if (columns == 3)
        {
            Tall<TSimd, TVec, Four, Three, TFinish>(0, in finish, rows, aStride, b, bStride, segments, count);
            Tall<TSimd, TVec, Four, Three, TFinish>(4, in finish, rows, aStride, b, bStride, segments, count);
        }
        else
        {
            Wide<TSimd, TVec, Three, TFinish>(0, in finish, rows, aStride, b, bStride, segments, count);
            Wide<TSimd, TVec, Three, TFinish>(3, in finish, rows, aStride, b, bStride, segments, count);
            Wide<TSimd, TVec, Two, TFinish>(6, in finish, rows, aStride, b, bStride, segments, count);
        }
    }
}
