// Sum of each row by a tree. Planted: no barrier before its first level.
extern "C" __global__ void tree_no_barrier_before_loop(float* sums, const float* x, int columns)
{
    __shared__ float s[64];
    s[threadIdx.x] = threadIdx.x < columns ? x[blockIdx.x * columns + threadIdx.x] : 0.0f;
    for (int half = blockDim.x / 2; half > 0; half /= 2)
    {
        if (threadIdx.x < half)
            s[threadIdx.x] += s[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0)
        sums[blockIdx.x] = s[0];
}
