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
/// The one inner loop of matrix products and convolutions: a tile of <see cref="Rows"/> rows and 1 to 3 vectors of
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

    public interface IColumns
    {
        static abstract int Value { get; }
    }

    public readonly struct One : IColumns
    {
        public static int Value => 1;
    }

    public readonly struct Two : IColumns
    {
        public static int Value => 2;
    }

    public readonly struct Three : IColumns
    {
        public static int Value => 3;
    }

    /// <summary>Where the sums of a row go when a tile is done.</summary>
    public interface IFinish
    {
        /// <summary>Takes row r: one to three vectors.</summary>
        void Row<TSimd, TVec, TColumns>(int r, TVec c0, TVec c1, TVec c2)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TColumns : struct, IColumns;
    }

    /// <summary>Into a buffer [Rows][stride], overwritten or added to.</summary>
    public readonly struct ToBuffer(float* buffer, nint stride, bool add) : IFinish
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Row<TSimd, TVec, TColumns>(int r, TVec c0, TVec c1, TVec c2)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TColumns : struct, IColumns
        {
            float* p = buffer + r * stride;
            if (add)
            {
                c0 = TSimd.Add(c0, TSimd.Load(p));
                if (TColumns.Value > 1)
                    c1 = TSimd.Add(c1, TSimd.Load(p + TSimd.Width));
                if (TColumns.Value > 2)
                    c2 = TSimd.Add(c2, TSimd.Load(p + 2 * TSimd.Width));
            }
            TSimd.Store(p, c0);
            if (TColumns.Value > 1)
                TSimd.Store(p + TSimd.Width, c1);
            if (TColumns.Value > 2)
                TSimd.Store(p + 2 * TSimd.Width, c2);
        }
    }

    /// <summary>
    /// Straight to the output, f(sum + bias), or added to it: for whole tiles and activations that are one instruction or two.
    /// </summary>
    public readonly struct ToOutput<TActivation>(float** outputs, int column, float* bias, float slope, bool add) : IFinish
        where TActivation : struct, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Row<TSimd, TVec, TColumns>(int r, TVec c0, TVec c1, TVec c2)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            where TColumns : struct, IColumns
        {
            float* p = outputs[r] + column;
            TSimd.Store(p, One<TSimd, TVec>(c0, p, 0));
            if (TColumns.Value > 1)
                TSimd.Store(p + TSimd.Width, One<TSimd, TVec>(c1, p, TSimd.Width));
            if (TColumns.Value > 2)
                TSimd.Store(p + 2 * TSimd.Width, One<TSimd, TVec>(c2, p, 2 * TSimd.Width));
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

    /// <summary>One tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TSimd, TVec, TColumns, TFinish>(in TFinish finish, float** rows, nint aStride,
        float* b, nint bStride, Segment* segments, int count)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TColumns : struct, IColumns
        where TFinish : struct, IFinish
    {
        TVec c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        TVec c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        TVec c40 = default, c41 = default, c42 = default, c50 = default, c51 = default, c52 = default;
        TVec c60 = default, c61 = default, c62 = default, c70 = default, c71 = default, c72 = default;
        float* a0 = rows[0], a1 = rows[1], a2 = rows[2], a3 = rows[3];
        float* a4 = rows[4], a5 = rows[5], a6 = rows[6], a7 = rows[7];

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
                k += aStride;
                pb += bStride;
            }
            while (k != end);
        }

        finish.Row<TSimd, TVec, TColumns>(0, c00, c01, c02);
        finish.Row<TSimd, TVec, TColumns>(1, c10, c11, c12);
        finish.Row<TSimd, TVec, TColumns>(2, c20, c21, c22);
        finish.Row<TSimd, TVec, TColumns>(3, c30, c31, c32);
        finish.Row<TSimd, TVec, TColumns>(4, c40, c41, c42);
        finish.Row<TSimd, TVec, TColumns>(5, c50, c51, c52);
        finish.Row<TSimd, TVec, TColumns>(6, c60, c61, c62);
        finish.Row<TSimd, TVec, TColumns>(7, c70, c71, c72);
    }

    /// <summary>Rows first .. first + 3 of a tile, for processors with sixteen registers: twelve sums, three vectors of b, one element of a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void HalfTile<TSimd, TVec, TColumns, TFinish>(int first, in TFinish finish, float** rows, nint aStride, float* b, nint bStride,
        Segment* segments, int count)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TColumns : struct, IColumns
        where TFinish : struct, IFinish
    {
        TVec c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        TVec c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        float* a0 = rows[first], a1 = rows[first + 1], a2 = rows[first + 2], a3 = rows[first + 3];

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
                k += aStride;
                pb += bStride;
            }
            while (k != end);
        }

        finish.Row<TSimd, TVec, TColumns>(first, c00, c01, c02);
        finish.Row<TSimd, TVec, TColumns>(first + 1, c10, c11, c12);
        finish.Row<TSimd, TVec, TColumns>(first + 2, c20, c21, c22);
        finish.Row<TSimd, TVec, TColumns>(first + 3, c30, c31, c32);
    }

    /// <summary>One tile of 1 to <see cref="ISimd{TVec}.MaxColumns"/> vectors of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Tile<TSimd, TVec, TFinish>(int columns, in TFinish finish, float** rows, nint aStride, float* b,
        nint bStride, Segment* segments, int count)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct
        where TFinish : struct, IFinish
    {
        if (TSimd.HalfTiles && columns == 3)
        {
            HalfTile<TSimd, TVec, Three, TFinish>(0, in finish, rows, aStride, b, bStride, segments, count);
            HalfTile<TSimd, TVec, Three, TFinish>(Rows / 2, in finish, rows, aStride, b, bStride, segments, count);
        }
        else if (TSimd.HalfTiles && columns == 2)
        {
            HalfTile<TSimd, TVec, Two, TFinish>(0, in finish, rows, aStride, b, bStride, segments, count);
            HalfTile<TSimd, TVec, Two, TFinish>(Rows / 2, in finish, rows, aStride, b, bStride, segments, count);
        }
        else if (TSimd.MaxColumns >= 3 && columns == 3)
            Tile<TSimd, TVec, Three, TFinish>(in finish, rows, aStride, b, bStride, segments, count);
        else if (TSimd.MaxColumns >= 2 && columns == 2)
            Tile<TSimd, TVec, Two, TFinish>(in finish, rows, aStride, b, bStride, segments, count);
        else
            Tile<TSimd, TVec, One, TFinish>(in finish, rows, aStride, b, bStride, segments, count);
    }
}
