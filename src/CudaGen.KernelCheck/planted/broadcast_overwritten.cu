// y[i] = x[0] x[i], then x[0] doubled for the next round. Planted: no barrier between the readers of the shared value,
// all of one warp, and the thread that overwrites it.
extern "C" __global__ void broadcast_overwritten(float* y, const float* x, int rounds)
{
    __shared__ float factor;
    if (threadIdx.x == 0)
        factor = x[0];
    __syncthreads();
    float sum = 0.0f;
    for (int round = 0; round < rounds; ++round)
    {
        sum += factor * x[threadIdx.x];
        if (threadIdx.x == 31)
            factor *= 2.0f;
        __syncthreads();
    }
    y[threadIdx.x] = sum;
}
