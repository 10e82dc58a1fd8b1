// arithmetic.cu - sums, multiples and rows of whole tensors; y, a, b and x have n elements.
//
//   add        y = a + factor s b                     y may be a or b; s is one element, or null for 1
//   scale      y = factor s x                         y may be x; s is one element, or null for 1
//   average    avg = d avg + (1 - d) x                in place; d = min(decay, (1 + step) / (10 + step))
//   concat     a row of y is a row of a, then one of b; split is the way back
//   balance    k = kept = clip(k + rate (gamma real - fake), 0, 1), measure = real + |gamma real - fake|
//              (Berthelot et al. 2017), one element each
//
//   outputs are overwritten
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(BLOCK)
    add(float* y, const float* a, const float* b, float factor, const float* scalar, int n)
{
    float s = scalar == nullptr ? factor : factor * *scalar;
    FOR_EACH(i, n)
    {
        y[i] = a[i] + s * b[i];
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    scale(float* y, const float* x, float factor, const float* scalar, int n)
{
    float s = scalar == nullptr ? factor : factor * *scalar;
    FOR_EACH(i, n)
    {
        y[i] = s * x[i];
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    average(float* avg, const float* x, const unsigned long long* step, float decay, int n)
{
    float t = (float)*step, kept = fminf(decay, (1 + t) / (10 + t)), share = 1 - kept;
    FOR_EACH(i, n)
    {
        avg[i] = kept * avg[i] + share * x[i];
    }
}

// y (rows, first + second), n elements in all.
extern "C" __global__ void __launch_bounds__(BLOCK)
    concat_forward(float* y, const float* a, const float* b, int n, int first, int second)
{
    FOR_EACH(i, n)
    {
        unsigned row = i / (unsigned)(first + second), at = i % (unsigned)(first + second);
        y[i] = at < (unsigned)first ? a[(size_t)row * first + at] : b[(size_t)row * second + at - first];
    }
}

// a or b may be null.
extern "C" __global__ void __launch_bounds__(BLOCK)
    concat_backward(float* a, float* b, const float* y, int n, int first, int second)
{
    FOR_EACH(i, n)
    {
        unsigned row = i / (unsigned)(first + second), at = i % (unsigned)(first + second);
        if (at < (unsigned)first)
        {
            if (a != nullptr)
                a[(size_t)row * first + at] = y[i];
        }
        else if (b != nullptr)
            b[(size_t)row * second + at - first] = y[i];
    }
}

// One thread.
extern "C" __global__ void balance(float* k, float* kept, float* measure, const float* real, const float* fake,
                                   float gamma, float rate)
{
    float difference = gamma * *real - *fake;
    *k = *kept = fminf(fmaxf(*k + rate * difference, 0), 1);
    *measure = *real + fabsf(difference);
}
