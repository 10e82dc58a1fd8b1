// Correct: running sums of a block, doubling the stride, between two halves of dynamic shared memory.
extern "C" __global__ void control_double_buffer(float* y, const float* x)
{
    extern __shared__ float s[];
    float *from = s, *to = s + blockDim.x;
    from[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (int stride = 1; stride < blockDim.x; stride *= 2)
    {
        to[threadIdx.x] = from[threadIdx.x] + (threadIdx.x >= stride ? from[threadIdx.x - stride] : 0.0f);
        __syncthreads();
        float* t = from;
        from = to;
        to = t;
    }
    y[threadIdx.x] = from[threadIdx.x];
}
