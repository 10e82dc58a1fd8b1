// Reverses a block through dynamic shared memory. Planted in the launch: half of the bytes that the block needs.
extern "C" __global__ void shared_too_small(float* y, const float* x)
{
    extern __shared__ float s[];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}
