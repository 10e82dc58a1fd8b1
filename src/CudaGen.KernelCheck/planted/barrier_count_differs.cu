// Sums chunks of unequal rows. Planted: the number of rounds, and so of barriers, depends on the thread.
extern "C" __global__ void barrier_count_differs(float* y, const float* x, int n)
{
    __shared__ float s[64];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
    {
        s[threadIdx.x] = x[i];
        __syncthreads();
        sum += s[63 - threadIdx.x];
    }
    y[threadIdx.x] = sum;
}
