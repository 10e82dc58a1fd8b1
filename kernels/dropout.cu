// dropout.cu - dropout, scaled in training (Srivastava et al. 2014); all (n).
//
//   mask    mask = 0 with the probability `drop`, else 1: element i from the random word of (seed, stream, step, i)
//   apply   y = x mask scale, scale = 1 / (1 - drop); y may be x. Backward is the same with dx and dy.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(BLOCK)
    dropout_mask(float* mask, const unsigned long long* step, unsigned long long seed, unsigned stream, float drop,
                 unsigned n)
{
    FOR_EACH(block, (n + 3) / 4)
    {
        uint4 words = philox(seed, stream, *step, block);
        unsigned i = 4 * block;
        mask[i] = unit(words.x) < drop ? 0 : 1;
        if (i + 1 < n)
            mask[i + 1] = unit(words.y) < drop ? 0 : 1;
        if (i + 2 < n)
            mask[i + 2] = unit(words.z) < drop ? 0 : 1;
        if (i + 3 < n)
            mask[i + 3] = unit(words.w) < drop ? 0 : 1;
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    dropout_apply(float* y, const float* x, const float* mask, float scale, unsigned n)
{
    FOR_EACH(i, n)
    {
        y[i] = x[i] * mask[i] * scale;
    }
}
