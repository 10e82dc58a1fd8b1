// Sum of each warp through shared memory. Planted: no __syncwarp between the levels of the tree.
extern "C" __global__ void warp_tree_no_syncwarp(float* sums, const float* x)
{
    __shared__ float s[64];
    int lane = threadIdx.x % 32, first = threadIdx.x - lane;
    s[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
    __syncwarp();
    for (int half = 16; half > 0; half /= 2)
    {
        float other = lane < half ? s[first + lane + half] : 0.0f;
        s[threadIdx.x] += other;
    }
    if (lane == 0)
        sums[(blockIdx.x * blockDim.x + threadIdx.x) / 32] = s[first];
}
