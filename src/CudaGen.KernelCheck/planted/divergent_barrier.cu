// Copies or negates through shared memory. Planted: a barrier in each branch.
extern "C" __global__ void divergent_barrier(float* y, const float* x)
{
    __shared__ float s[64];
    if (threadIdx.x < 32)
    {
        s[threadIdx.x] = x[threadIdx.x];
        __syncthreads();
    }
    else
    {
        s[threadIdx.x] = -x[threadIdx.x];
        __syncthreads();
    }
    y[threadIdx.x] = s[63 - threadIdx.x];
}
