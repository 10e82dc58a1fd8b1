// Sums neighbours of a block. Planted: the halo on the right has no room in shared memory.
__device__ void load(float* to, const float* from, int i)
{
    to[i] = from[i];
}

extern "C" __global__ void shared_pointer_overrun(float* y, const float* x)
{
    __shared__ float s[64];
    load(s, x, threadIdx.x);
    if (threadIdx.x == 0)
        load(s, x, blockDim.x);
    __syncthreads();
    y[threadIdx.x] = s[threadIdx.x] + s[min(threadIdx.x + 1, 63)];
}
