// Correct: the last warp is not full, and some of its lanes have left: __syncwarp waits for those that are there.
extern "C" __global__ void control_partial_warp(float* y, const float* x, int n)
{
    __shared__ float s[64];
    if (threadIdx.x >= n)
        return;
    s[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    y[threadIdx.x] = s[min(threadIdx.x ^ 1u, n - 1)];
}
