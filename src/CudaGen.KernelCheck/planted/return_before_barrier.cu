// Sum of a block. Planted: threads without an element leave before the barrier.
extern "C" __global__ void return_before_barrier(float* y, const float* x, int n)
{
    __shared__ float s[64];
    if (threadIdx.x >= n)
        return;
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    if (threadIdx.x == 0)
    {
        float sum = 0.0f;
        for (int i = 0; i < n; ++i)
            sum += s[i];
        *y = sum;
    }
}
