// y = a x + y
extern "C" __global__ void saxpy(float* __restrict__ y, const float* __restrict__ x, float a, int n)
{
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        y[i] = a * x[i] + y[i];
}

// sum[block] = the sum of the block's share of x; a power of two of threads.
extern "C" __global__ void block_sums(float* __restrict__ sum, const float* __restrict__ x, int n)
{
    extern __shared__ float part[];
    int thread = threadIdx.x, threads = blockDim.x;
    float total = 0.0f;
    for (int i = blockIdx.x * threads + thread; i < n; i += gridDim.x * threads)
        total += x[i];
    part[thread] = total;
    for (int half = threads / 2; half > 0; half /= 2)
    {
        __syncthreads();
        if (thread < half)
            part[thread] += part[thread + half];
    }
    if (thread == 0)
        sum[blockIdx.x] = part[0];
}
