// arithmetic.cu - sums, multiples and rows of whole tensors; y, a, b and x have n elements.
//
//   add        y = a + b                              y may be a or b
//   scale      y = factor s x                         y may be x; s is one element, or null for 1
//   average    avg = decay avg + (1 - decay) x        in place
//   concat     a row of y is a row of a, then one of b; split is the way back
//   balance    k = clip(k + rate (gamma real - fake), 0, 1), measure = real + |gamma real - fake|
//              (Berthelot et al. 2017), one element each
//
//   outputs are overwritten
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(BLOCK) add(float* y, const float* a, const float* b, int n)
{
    FOR_EACH(i, n)
    {
        y[i] = a[i] + b[i];
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

extern "C" __global__ void __launch_bounds__(BLOCK) average(float* avg, const float* x, float decay, float share, int n)
{
    FOR_EACH(i, n)
    {
        avg[i] = decay * avg[i] + share * x[i];
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
extern "C" __global__ void balance(float* k, float* measure, const float* real, const float* fake, float gamma,
                                   float rate)
{
    float difference = gamma * *real - *fake;
    *k = fminf(fmaxf(*k + rate * difference, 0), 1);
    *measure = *real + fabsf(difference);
}
