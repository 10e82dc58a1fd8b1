// random.cu - constant and random fills; y has n elements and is overwritten.
//
//   constant   y = value
//   uniform    y = offset + scale u
//   normal     y = mean + sigma r cos, mean + sigma r sin of a pair of words: r = sqrt(-2 ln(1 - u0)), angle 2 pi u1
//              (Box and Muller 1958)
//
// u in [0, 1) are the words of Philox for (seed, stream, step, element): the same bits as on the CPU.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(BLOCK) fill_constant(float* y, int n, float value)
{
    FOR_EACH(i, n)
    {
        y[i] = value;
    }
}

// offset + scale f without fusing the two, as on the CPU: parameters start with the same bits everywhere.
static __device__ __forceinline__ float moved(float f, float offset, float scale)
{
    return __fadd_rn(offset, __fmul_rn(scale, f));
}

// y[first ..] = the four, as many as there are up to n.
static __device__ __forceinline__ void store_four(float* y, unsigned first, int n, float4 f, float offset, float scale)
{
    y[first] = moved(f.x, offset, scale);
    if (first + 1 < (unsigned)n)
        y[first + 1] = moved(f.y, offset, scale);
    if (first + 2 < (unsigned)n)
        y[first + 2] = moved(f.z, offset, scale);
    if (first + 3 < (unsigned)n)
        y[first + 3] = moved(f.w, offset, scale);
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    fill_uniform(float* y, const unsigned long long* step, int n, unsigned long long seed, unsigned stream,
                 float offset, float scale)
{
    FOR_EACH(four, ((unsigned)n + 3) / 4)
    {
        uint4 words = philox(seed, stream, *step, four);
        float4 f = make_float4(unit(words.x), unit(words.y), unit(words.z), unit(words.w));
        store_four(y, 4 * four, n, f, offset, scale);
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    fill_normal(float* y, const unsigned long long* step, int n, unsigned long long seed, unsigned stream, float mean,
                float sigma)
{
    FOR_EACH(four, ((unsigned)n + 3) / 4)
    {
        uint4 words = philox(seed, stream, *step, four);
        float2 a = normal_pair(words.x, words.y), b = normal_pair(words.z, words.w);
        store_four(y, 4 * four, n, make_float4(a.x, a.y, b.x, b.y), mean, sigma);
    }
}
