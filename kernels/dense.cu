// dense.cu - the matrix products of dense layers; x (N, I), weights (O, I), y (N, O), all row-major.
//
//   forward            y = f(x w^T + b)
//   backward data      dx = dy w
//   backward weights   dw += dy^T x
//
// Backward data needs w, backward weights needs x; dx is overwritten, dw accumulated. One kernel does all three, as
// well with rows and columns exchanged, so that the longer extent of a flat product lies along the longer side of the
// tile.
#include "product.cuh"

// Matrices with any strides: element (m, k) of A is at m * am + k * ak, (k, n) of B at k * bk + n * b_column.
struct Matrices : Factors
{
    unsigned am, ak, bk, cm;

    __device__ __forceinline__ Place row(unsigned m) const
    {
        return {m * am, 0, 0, 0};
    }

    __device__ __forceinline__ Place term(unsigned k) const
    {
        return {k * ak, 0, 0, k * bk};
    }

    __device__ __forceinline__ unsigned result(unsigned m) const
    {
        return m * cm;
    }
};

// c = f(a b + bias) or, accumulating, c += a b; a (m, k), b (k, n), c (m, n), the bias along the last extent of c in
// memory, which has `channels`. The k of a part are `part` many, a multiple of STRETCH; with several parts, c is
// (parts, elements of c), and dense_sum follows.
extern "C" __global__ void __launch_bounds__(BLOCK)
    dense_product(float* c, const float* a, const float* b, const float* bias, int m, int n, int k, int am, int ak,
                  int bk, int bn, int cm, int cn, int part, int channels, int accumulate, int kind, float slope)
{
    __shared__ BlockTiles tiles;
    Matrices in = {{a, 1, 1, b, (unsigned)m, (unsigned)n, (unsigned)bn, (unsigned)cn, ak == 1, bk == 1},
                   (unsigned)am,
                   (unsigned)ak,
                   (unsigned)bk,
                   (unsigned)cm};
    Output out = {c + (size_t)blockIdx.z * m * n, bias, channels, accumulate, kind, slope};
    unsigned first = blockIdx.z * part;
    product(tiles, in, out, first, min(first + part, (unsigned)k));
}

// y = f(sum over parts + bias) or, accumulating, y += sum over parts; parts (count, n), the bias along the channels of
// y.
extern "C" __global__ void __launch_bounds__(BLOCK)
    dense_sum(float* y, const float* parts, const float* bias, int n, int count, int channels, int accumulate, int kind,
              float slope)
{
    Output out = {y, bias, channels, accumulate, kind, slope};
    FOR_EACH(i, n)
    {
        float sum = 0;
        for (int part = 0; part < count; part++)
            sum += parts[(size_t)part * n + i];
        out.store(i, sum);
    }
}
