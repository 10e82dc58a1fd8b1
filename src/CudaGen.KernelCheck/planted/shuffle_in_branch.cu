// Sum of 16 numbers. Planted: half of the warp waits at the barrier while the shuffles ask for all of it.
extern "C" __global__ void shuffle_in_branch(float* y, const float* x)
{
    __shared__ float total;
    if (threadIdx.x < 16)
    {
        float sum = x[threadIdx.x];
        for (int offset = 8; offset > 0; offset /= 2)
            sum += __shfl_down_sync(0xffffffffu, sum, offset);
        if (threadIdx.x == 0)
            total = sum;
    }
    __syncthreads();
    y[threadIdx.x] = total;
}
