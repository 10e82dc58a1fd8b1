// Correct: the sum of each row by shuffles and shared memory, which a second sum uses again.
__device__ float block_sum(float v)
{
    __shared__ float parts[32];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int offset = 16; offset > 0; offset /= 2)
        v += __shfl_down_sync(0xffffffffu, v, offset);
    __syncthreads(); // the parts of the sum before have been read
    if (lane == 0)
        parts[warp] = v;
    __syncthreads();
    v = 0.0f;
    for (int w = 0; w < blockDim.x / 32; ++w)
        v += parts[w];
    return v;
}

extern "C" __global__ void control_block_reduce(float* y, const float* x, int columns)
{
    const float* row = x + blockIdx.x * columns;
    float sum = 0.0f, deviation = 0.0f;
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        sum += row[i];
    float mean = block_sum(sum) / columns;
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        deviation += (row[i] - mean) * (row[i] - mean);
    deviation = block_sum(deviation);
    if (threadIdx.x == 0)
    {
        y[2 * blockIdx.x] = mean;
        y[2 * blockIdx.x + 1] = deviation / columns;
    }
}
