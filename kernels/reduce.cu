// reduce.cu - sums to one element.
//
//   sum     s = x[0] + x[1] + ...     one partial sum of each CHUNK, then the sum of those
//   s is overwritten
#include "common.cuh"

// partial[chunk] = the sum of the CHUNK elements from chunk * CHUNK on.
extern "C" __global__ void __launch_bounds__(BLOCK) sum_chunks(float* partial, const float* x, int n)
{
    for (unsigned chunk = blockIdx.x; chunk * CHUNK < (unsigned)n; chunk += gridDim.x)
    {
        unsigned end = min((chunk + 1) * CHUNK, (unsigned)n);
        float sum = 0;
        for (unsigned i = chunk * CHUNK + threadIdx.x; i < end; i += BLOCK)
            sum += x[i];
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            partial[chunk] = sum;
    }
}

// sum = partial[0] + partial[1] + ..., 0 if there are none. One block: at most 2048 terms for each thread.
extern "C" __global__ void __launch_bounds__(BLOCK) sum_partials(float* sum, const float* partial, int count)
{
    float total = 0;
    for (int i = threadIdx.x; i < count; i += BLOCK)
        total += partial[i];
    total = block_sum(total);
    if (threadIdx.x == 0)
        *sum = total;
}
