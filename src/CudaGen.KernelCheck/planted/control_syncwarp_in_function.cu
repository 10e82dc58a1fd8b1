// Correct: lanes of a warp read a word that one of them then overwrites, ordered by a __syncwarp in a function of its own.
__device__ __noinline__ void meet()
{
    __syncwarp();
}

extern "C" __global__ void control_syncwarp_in_function(float* y, const float* x)
{
    __shared__ float factor;
    if (threadIdx.x == 0)
        factor = x[0];
    __syncthreads();
    float sum = 0.0f;
    for (int round = 0; round < 3; ++round)
    {
        sum += factor * x[threadIdx.x];
        meet();
        if (threadIdx.x == 31)
            factor *= 2.0f;
        meet();
    }
    y[threadIdx.x] = sum;
}
