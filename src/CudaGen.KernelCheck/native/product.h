// product.h - the matrix product of the stand-ins of cuBLAS and cuDNN: blocked, in float32, for any source of operands.
//
//   C[i][j] = sum over k of left(i, k) * right(k, j)
//
// An operand is anything that can gather a line of numbers: rows of a matrix, transposed or not, or the pixels under a
// convolution kernel. Products of 256 terms are summed in float32 and these sums in double.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace product
{

// Rows and columns of C that one call of `tile` computes, and the blocks that are packed for it, which stay in the
// caches.
constexpr long TileRows = 4, TileColumns = 16;
constexpr long BlockRows = 96, BlockColumns = 256, BlockInner = 256;

typedef float Vector __attribute__((vector_size(32), aligned(4), may_alias));

// Multiplication and addition stay apart in both clones, so that results do not depend on the processor.
#if defined(__x86_64__)
#define PRODUCT_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define PRODUCT_CLONES
#endif

// to[TileRows][TileColumns] = a[inner][TileRows]^T b[inner][TileColumns]
PRODUCT_CLONES static void tile(long inner, const float* a, const float* b, float* to)
{
    Vector c00 = {}, c01 = {}, c10 = {}, c11 = {}, c20 = {}, c21 = {}, c30 = {}, c31 = {};
    for (long k = 0; k < inner; k++, a += TileRows, b += TileColumns)
    {
        const Vector b0 = *reinterpret_cast<const Vector*>(b), b1 = *reinterpret_cast<const Vector*>(b + 8);
        c00 += a[0] * b0;
        c01 += a[0] * b1;
        c10 += a[1] * b0;
        c11 += a[1] * b1;
        c20 += a[2] * b0;
        c21 += a[2] * b1;
        c30 += a[3] * b0;
        c31 += a[3] * b1;
    }
    Vector* c = reinterpret_cast<Vector*>(to);
    c[0] = c00, c[1] = c01, c[2] = c10, c[3] = c11, c[4] = c20, c[5] = c21, c[6] = c30, c[7] = c31;
}

// Puts `depth` inner elements of `count` lines of an operand into panels: to[line / Width][depth][Width], zeros after
// the last line. operand.gather(fixed, first, count, to, stride) takes a line and its first inner element, or, where
// elements of equal inner index lie side by side (!along_inner), an inner index and the first line.
template <long Width, class Operand>
void pack(const Operand& operand, long first, long count, long inner, long depth, float* to)
{
    const long padded = (count + Width - 1) / Width * Width;
    for (long line = 0; operand.along_inner && line < padded; line++)
    {
        float* column = to + line / Width * Width * depth + line % Width;
        if (line < count)
            operand.gather(first + line, inner, depth, column, Width);
        else
            for (long k = 0; k < depth; k++)
                column[k * Width] = 0;
    }
    for (long k = 0; !operand.along_inner && k < depth; k++)
    {
        float lines[BlockColumns] = {};
        operand.gather(inner + k, first, count, lines, 1);
        for (long line = 0; line < padded; line += Width)
            std::memcpy(to + line * depth + k * Width, lines + line, Width * sizeof(float));
    }
}

// sums += a b for one packed block of each
inline void multiply(long rows, long columns, long depth, const float* a, const float* b, double* sums)
{
    for (long j = 0; j < columns; j += TileColumns)
        for (long i = 0; i < rows; i += TileRows)
        {
            float c[TileRows][TileColumns];
            tile(depth, a + i * depth, b + j * depth, c[0]);
            for (long row = 0; row < TileRows; row++)
                for (long column = 0; column < TileColumns; column++)
                    sums[(i + row) * BlockColumns + j + column] += c[row][column];
        }
}

// store(row, first column, count, values) is called once for every element of C, in runs of columns.
template <class Left, class Right, class Store>
void run(long rows, long columns, long inner, const Left& left, const Right& right, const Store& store)
{
    std::vector<float> a(BlockRows * BlockInner), b(BlockColumns * BlockInner);
    std::vector<double> sums(BlockRows * BlockColumns);
    for (long i = 0; i < rows; i += BlockRows)
        for (long j = 0; j < columns; j += BlockColumns)
        {
            const long height = std::min(BlockRows, rows - i), width = std::min(BlockColumns, columns - j);
            std::fill(sums.begin(), sums.end(), 0.0);
            for (long k = 0; k < inner; k += BlockInner)
            {
                const long depth = std::min(BlockInner, inner - k);
                pack<TileRows>(left, i, height, k, depth, a.data());
                pack<TileColumns>(right, j, width, k, depth, b.data());
                multiply(height, width, depth, a.data(), b.data(), sums.data());
            }
            for (long row = 0; row < height; row++)
                store(i + row, j, width, &sums[row * BlockColumns]);
        }
}

// float32 with the 10 bits of fraction that tensor cores keep of it (TF32), rounded to nearest even. NVIDIA documents
// the bits and not the rounding, and some kernels cut off: what is right here may be off by twice as much on a GPU.
inline float to_tf32(float value)
{
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000u) == 0x7f800000u)
        return value; // infinity and NaN
    bits = (bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu;
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}

// bfloat16 is the upper half of a float32.
inline float from_bfloat16(uint16_t value)
{
    const uint32_t bits = uint32_t(value) << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
}

// Rounded to nearest even.
inline uint16_t to_bfloat16(float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return value != value ? 0x7fff : uint16_t((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

// to[i * stride] = from[i * step], the kernel of every gather
inline void copy(const float* from, long step, long count, float* to, long stride, bool tf32)
{
    if (tf32)
        for (long i = 0; i < count; i++)
            to[i * stride] = to_tf32(from[i * step]);
    else if (step == 1 && stride == 1)
        std::memcpy(to, from, count * sizeof(float));
    else
        for (long i = 0; i < count; i++)
            to[i * stride] = from[i * step];
}

} // namespace product
