// common.cuh - what several kernels need: sums over warps and blocks, random bits.
//
// Conventions of all files: entry points are extern "C" void <operation>_<direction>(outputs, inputs, sizes); tensors
// are float32, channels last; blocks have BLOCK threads unless the kernel says otherwise; a grid may be smaller than
// the data. Sums have a fixed order and no float atomics: the same bits in every run, whatever the grid.
#pragma once

#define BLOCK 256
#define WARP 32

// Items of one partial sum. The number of partial sums depends on the data alone, not on the grid.
#define CHUNK 4096

// Loop of a kernel over n items, for any grid. Unsigned, as the last step may leave the range of int.
#define FOR_EACH(i, n)                                                                                                 \
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (unsigned)(n); i += gridDim.x * blockDim.x)

// Whether p may be read and written as float4. A null pointer may.
static __device__ __forceinline__ bool on_vector(const float* p)
{
    return (size_t)p % sizeof(float4) == 0;
}

// Sum over the 32 threads of a warp, in lane 0.
static __device__ __forceinline__ float warp_sum(float x)
{
#pragma unroll
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2)
        x += __shfl_down_sync(0xffffffffu, x, lanes);
    return x;
}

// Sum over the BLOCK threads of a block, in thread 0. All threads call it; calls may follow each other.
static __device__ __forceinline__ float block_sum(float x)
{
    __shared__ float sums[BLOCK / WARP];
    x = warp_sum(x);
    if (threadIdx.x % WARP == 0)
        sums[threadIdx.x / WARP] = x;
    __syncthreads();
    if (threadIdx.x == 0)
    {
        for (int i = 1; i < BLOCK / WARP; i++)
            x += sums[i];
    }
    __syncthreads(); // the next call writes sums again
    return x;
}

// Sum over the threads of a column of a block of BLOCK threads, in the first of them. All threads call it; calls may
// follow each other.
static __device__ __forceinline__ float column_sum_of_block(float x)
{
    __shared__ float sums[BLOCK];
    sums[threadIdx.y * blockDim.x + threadIdx.x] = x;
    __syncthreads();
    if (threadIdx.y == 0)
    {
        for (unsigned i = 1; i < blockDim.y; i++)
            x += sums[i * blockDim.x + threadIdx.x];
    }
    __syncthreads(); // the next call writes sums again
    return x;
}

// Adds x to a running sum, whose rounding error is kept beside it and given back with the next x (Kahan 1965): a sum of
// any length is off by about two roundings of the sum of absolute values. Both start at 0.
static __device__ __forceinline__ void add_compensated(float& sum, float& error, float x)
{
    float y = x - error, total = sum + y;
    error = (total - sum) - y;
    sum = total;
}

// Where an element of an image tensor (N, height, width, channels) lies.
struct ImageElement
{
    unsigned image, row, column, channel;
};

static __device__ __forceinline__ ImageElement image_element(unsigned element, unsigned height, unsigned width,
                                                             unsigned channels)
{
    unsigned pixel = element / channels, row = pixel / width;
    return {row / height, row % height, pixel % width, element % channels};
}

// Philox4x32-10 (Salmon et al., SC 2011): counter (block, stream, step low, step high), key = seed. The four words of
// elements 4*block .. 4*block+3 of a random tensor; the same bits as Philox.Words of CudaGen.Runtime.
static __device__ __forceinline__ uint4 philox(unsigned long long seed, unsigned stream, unsigned long long step,
                                               unsigned block)
{
    unsigned c0 = block, c1 = stream, c2 = (unsigned)step, c3 = (unsigned)(step >> 32);
    unsigned k0 = (unsigned)seed, k1 = (unsigned)(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++)
    {
        unsigned high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        unsigned high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return make_uint4(c0, c1, c2, c3);
}

// [0, 1): the upper 24 bits of a word times 2^-24, exact.
static __device__ __forceinline__ float unit(unsigned word)
{
    return (word >> 8) * (1.0f / 16777216);
}

// Two numbers from N(0, 1) from two words (Box and Muller 1958).
static __device__ __forceinline__ float2 normal_pair(unsigned word0, unsigned word1)
{
    float radius = sqrtf(-2 * logf(1 - unit(word0))), sine, cosine;
    sincospif(2 * unit(word1), &sine, &cosine);
    return make_float2(radius * cosine, radius * sine);
}
