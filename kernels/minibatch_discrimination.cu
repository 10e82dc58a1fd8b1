// minibatch_discrimination.cu - how close the rows of a batch are to each other (Salimans et al. 2016, section 3.2);
// m (N, B, C), o (N, B).
//
//   e_ijb = exp(-sum_c |m_ibc - m_jbc|)
//   forward    o_ib = sum over j != i of e_ijb
//   backward   dm_ibc = -sum over j != i of sign(m_ibc - m_jbc) e_ijb (do_ib + do_jb)     needs m
//
// outputs are overwritten. A thread is one row and kernel b: its sum over j has a fixed order.
#include "common.cuh"

static __device__ __forceinline__ float closeness(const float* a, const float* b, int dimensions)
{
    float distance = 0;
    for (int c = 0; c < dimensions; c++)
        distance += fabsf(a[c] - b[c]);
    return expf(-distance);
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    minibatch_discrimination_forward(float* o, const float* m, int rows, int kernels, int dimensions)
{
    FOR_EACH(item, rows * kernels)
    {
        unsigned row = item / kernels, kernel = item % kernels;
        float sum = 0, error = 0;
        for (int other = 0; other < rows; other++)
        {
            if (other != (int)row)
                add_compensated(sum, error,
                                closeness(m + (size_t)item * dimensions,
                                          m + ((size_t)other * kernels + kernel) * dimensions, dimensions));
        }
        o[item] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    minibatch_discrimination_backward(float* dm, const float* dout, const float* m, int rows, int kernels,
                                      int dimensions)
{
    FOR_EACH(item, rows * kernels)
    {
        unsigned row = item / kernels, kernel = item % kernels;
        const float* mine = m + (size_t)item * dimensions;
        for (int c = 0; c < dimensions; c++)
        {
            float sum = 0, error = 0;
            for (int other = 0; other < rows; other++)
            {
                const float* theirs = m + ((size_t)other * kernels + kernel) * dimensions;
                float difference = mine[c] - theirs[c];
                if (other == (int)row || difference == 0)
                    continue;
                float slope = closeness(mine, theirs, dimensions) * (dout[item] + dout[other * kernels + kernel]);
                add_compensated(sum, error, difference > 0 ? -slope : slope);
            }
            dm[(size_t)item * dimensions + c] = sum;
        }
    }
}
