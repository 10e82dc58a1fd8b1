// noise.cu - noise that goes to zero in the course of training; the number of the step is in device memory.
//
//   add       y = x + s n, n from N(0, 1) by Box and Muller        y may be x
//   labels    t = 1 - target with probability s, else target
//   s = amount (1 - step / anneal), 0 from there on; without anneal always amount
//
// outputs are overwritten
#include "common.cuh"

static __device__ __forceinline__ float annealed(float amount, unsigned long long step, unsigned long long anneal)
{
    return anneal == 0 ? amount : step >= anneal ? 0 : amount * ((float)(anneal - step) / (float)anneal);
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    noise_add(float* y, const float* x, const unsigned long long* step, int n, float sigma, unsigned long long anneal,
              unsigned long long seed, unsigned stream)
{
    float s = annealed(sigma, *step, anneal);
    FOR_EACH(four, ((unsigned)n + 3) / 4)
    {
        uint4 words = philox(seed, stream, *step, four);
        float2 a = normal_pair(words.x, words.y), b = normal_pair(words.z, words.w);
        float noise[4] = {a.x, a.y, b.x, b.y};
        for (unsigned i = 0; i < 4 && 4 * four + i < (unsigned)n; i++)
            y[4 * four + i] = x[4 * four + i] + s * noise[i];
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    noise_labels(float* t, const unsigned long long* step, int n, float target, float flip, unsigned long long anneal,
                 unsigned long long seed, unsigned stream)
{
    float probability = annealed(flip, *step, anneal);
    FOR_EACH(four, ((unsigned)n + 3) / 4)
    {
        uint4 words = philox(seed, stream, *step, four);
        unsigned word[4] = {words.x, words.y, words.z, words.w};
        for (unsigned i = 0; i < 4 && 4 * four + i < (unsigned)n; i++)
            t[4 * four + i] = unit(word[i]) < probability ? 1 - target : target;
    }
}
