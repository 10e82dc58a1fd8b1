// product.cuh - C = A B in tiles: the inner loops of dense layers and of convolutions.
//
//   C[m][n] = sum over k of A(m, k) B(k, n)
//
// A is an image, or what the windows of a convolution see of it, which has no matrix in memory; B is a matrix. A block
// computes one tile of C, HEIGHT x WIDTH; a thread ROWS x COLUMNS of it, in registers. A grid is (tiles along m, tiles
// along n, parts). There are two tilings, as the last layer of a network has few columns.
#pragma once
#include "activation.cuh"
#include "common.cuh"

#define TILE_K 16 // terms that are in shared memory at a time
#define ROWS 4
#define NARROW 8 // columns of C up to which the narrow tile is taken

// Terms that are summed by themselves before they are added to the rest: no running sum is longer than this or than the
// number of stretches. Where the terms of a part begin and end is a multiple, so the tables below are filled once each.
#define STRETCH 128

// A coordinate outside of any image, also when another one, or itself, is added.
#define OUTSIDE (-(1 << 30))

// Where a row m or a term k lies in A: the element of both is at the sum of their offsets, and is zero when the sum of
// their coordinates is outside of the image. Unsigned, since only the sum has to be in range.
struct alignas(16) Place
{
    unsigned offset;
    int y, x;
    unsigned other; // of a term: its offset in B
};

// The factors of a product. A type that derives from it tells the places: Place row(m), Place term(k), and where a row
// of C begins in memory: unsigned result(m).
struct Factors
{
    const float* a; // an image (height, width, any channels) that is surrounded by zeros; a matrix is one of 1 x 1
    unsigned height, width;
    const float* b;
    unsigned rows, columns;              // of C
    unsigned b_column, c_column;         // distance of columns in memory
    bool a_terms_adjoin, b_terms_adjoin; // whether neighbours in memory are terms, or else rows and columns

    __device__ __forceinline__ float left(Place row, Place term) const
    {
        bool inside = (unsigned)(row.y + term.y) < height && (unsigned)(row.x + term.x) < width;
        return inside ? a[row.offset + term.offset] : 0;
    }

    __device__ __forceinline__ float right(Place term, unsigned n) const
    {
        return n < columns && term.y != OUTSIDE ? b[term.other + n * b_column] : 0;
    }
};

// Where C goes: c = f(c + bias), or c += when it accumulates. Partial sums go to memory of their own, without any of
// it.
struct Output
{
    float* c;
    const float* bias; // (channels), the last extent of C in memory, or null
    int channels, accumulate, kind;
    float slope;

    __device__ __forceinline__ void store(unsigned i, float sum) const
    {
        if (accumulate)
            c[i] += sum;
        else
            c[i] = activate(kind, slope, bias == nullptr ? sum : sum + bias[i % channels]);
    }
};

// A tile in shared memory. Rows are padded: float4 stays aligned, and 4 rows x 8 terms are written to all banks.
template <int WIDTH, int COLUMNS> struct Tiles
{
    static constexpr int THREAD_COLUMNS = WIDTH / COLUMNS, HEIGHT = BLOCK / THREAD_COLUMNS * ROWS;

    alignas(16) float a[TILE_K][HEIGHT + 4], b[TILE_K][WIDTH + 4];
    Place rows[HEIGHT], terms[STRETCH];
};

// What a kernel declares as __shared__.
union BlockTiles {
    Tiles<32, 4> wide;  // 128 x 32
    Tiles<8, 2> narrow; // 256 x 8
};

// Item i of a tile of SIZE rows (or columns) x TILE_K terms: neighbouring threads get 8 terms, which are one sector of
// memory, or SIZE rows, as memory is contiguous.
template <int SIZE> static __device__ __forceinline__ int tile_row(int i, bool terms_adjoin)
{
    return terms_adjoin ? i / 8 % SIZE : i % SIZE;
}

template <int SIZE> static __device__ __forceinline__ int tile_term(int i, bool terms_adjoin)
{
    return terms_adjoin ? i % 8 + i / (8 * SIZE) * 8 : i / SIZE;
}

// Terms k .. k + TILE_K - 1 of the stretch, for all rows and columns of the tile.
template <int WIDTH, int COLUMNS, class Product>
static __device__ __forceinline__ void load(Tiles<WIDTH, COLUMNS>& tiles, const Product& in, int k)
{
    constexpr int HEIGHT = Tiles<WIDTH, COLUMNS>::HEIGHT;
#pragma unroll
    for (int i = 0; i < HEIGHT * TILE_K; i += BLOCK)
    {
        int row = tile_row<HEIGHT>(i + threadIdx.x, in.a_terms_adjoin),
            term = tile_term<HEIGHT>(i + threadIdx.x, in.a_terms_adjoin);
        tiles.a[term][row] = in.left(tiles.rows[row], tiles.terms[k + term]);
    }
#pragma unroll
    for (int i = 0; i < WIDTH * TILE_K; i += BLOCK)
    {
        int column = tile_row<WIDTH>(i + threadIdx.x, in.b_terms_adjoin),
            term = tile_term<WIDTH>(i + threadIdx.x, in.b_terms_adjoin);
        if (term < TILE_K) // the narrow tile has fewer items than threads
            tiles.b[term][column] = in.right(tiles.terms[k + term], blockIdx.y * WIDTH + column);
    }
}

static __device__ __forceinline__ void read(float (&to)[4], const float* from)
{
    float4 all = *(const float4*)from;
    to[0] = all.x, to[1] = all.y, to[2] = all.z, to[3] = all.w;
}

static __device__ __forceinline__ void read(float (&to)[2], const float* from)
{
    float2 all = *(const float2*)from;
    to[0] = all.x, to[1] = all.y;
}

// sum += the terms in shared memory.
template <int WIDTH, int COLUMNS>
static __device__ __forceinline__ void multiply(float (&sum)[ROWS][COLUMNS], const Tiles<WIDTH, COLUMNS>& tiles,
                                                int row, int column)
{
#pragma unroll
    for (int k = 0; k < TILE_K; k++)
    {
        float a[ROWS], b[COLUMNS];
        read(a, &tiles.a[k][row]);
        read(b, &tiles.b[k][column]);
#pragma unroll
        for (int i = 0; i < ROWS; i++)
#pragma unroll
            for (int j = 0; j < COLUMNS; j++)
                sum[i][j] += a[i] * b[j];
    }
}

// The terms first .. last - 1 of a tile of C.
template <int WIDTH, int COLUMNS, class Product>
static __device__ __forceinline__ void product_tile(Tiles<WIDTH, COLUMNS>& tiles, const Product& in, const Output& out,
                                                    unsigned first, unsigned last)
{
    constexpr int HEIGHT = Tiles<WIDTH, COLUMNS>::HEIGHT, THREAD_COLUMNS = Tiles<WIDTH, COLUMNS>::THREAD_COLUMNS;
    int row = threadIdx.x / THREAD_COLUMNS * ROWS, column = threadIdx.x % THREAD_COLUMNS * COLUMNS;
    const Place none = {0, OUTSIDE, OUTSIDE, 0};
    if (threadIdx.x < HEIGHT)
    {
        unsigned m = blockIdx.x * HEIGHT + threadIdx.x;
        tiles.rows[threadIdx.x] = m < in.rows ? in.row(m) : none;
    }
    float total[ROWS][COLUMNS] = {};
    for (unsigned start = first; start < last; start += STRETCH)
    {
        if (threadIdx.x < STRETCH)
            tiles.terms[threadIdx.x] = start + threadIdx.x < last ? in.term(start + threadIdx.x) : none;
        __syncthreads();
        float sum[ROWS][COLUMNS] = {};
        for (unsigned k = 0; k < min(last - start, (unsigned)STRETCH); k += TILE_K)
        {
            load(tiles, in, k);
            __syncthreads();
            multiply(sum, tiles, row, column);
            __syncthreads();
        }
#pragma unroll
        for (int i = 0; i < ROWS * COLUMNS; i++)
            total[i / COLUMNS][i % COLUMNS] += sum[i / COLUMNS][i % COLUMNS];
    }
#pragma unroll
    for (int i = 0; i < ROWS; i++)
    {
        unsigned m = blockIdx.x * HEIGHT + row + i;
        if (m >= in.rows)
            break;
        unsigned base = in.result(m);
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
        {
            unsigned n = blockIdx.y * WIDTH + column + j;
            if (n < in.columns)
                out.store(base + n * in.c_column, total[i][j]);
        }
    }
}

// The terms of one part, into the tile of the block.
template <class Product>
static __device__ __forceinline__ void product(BlockTiles& tiles, const Product& in, const Output& out, unsigned first,
                                               unsigned last)
{
    if (in.columns > NARROW)
        product_tile(tiles.wide, in, out, first, last);
    else
        product_tile(tiles.narrow, in, out, first, last);
}
