// Correct: the sum of each warp through shared memory, with a __syncwarp between reading and writing.
extern "C" __global__ void control_syncwarp_tree(float* sums, const float* x)
{
    __shared__ float s[64];
    int lane = threadIdx.x % 32, first = threadIdx.x - lane;
    s[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
    __syncwarp();
    for (int half = 16; half > 0; half /= 2)
    {
        float other = lane < half ? s[first + lane + half] : 0.0f;
        __syncwarp();
        s[threadIdx.x] += other;
        __syncwarp();
    }
    if (lane == 0)
        sums[(blockIdx.x * blockDim.x + threadIdx.x) / 32] = s[first];
}
