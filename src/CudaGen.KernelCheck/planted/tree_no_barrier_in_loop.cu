// Sum of squares of each row by a tree. Planted: no barrier between the levels of the tree.
extern "C" __global__ void tree_no_barrier_in_loop(float* norms, const float* g, int columns)
{
    __shared__ float s[128];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
    {
        float v = g[blockIdx.x * columns + i];
        sum += v * v;
    }
    s[threadIdx.x] = sum;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2)
        if (threadIdx.x < half)
            s[threadIdx.x] += s[threadIdx.x + half];
    if (threadIdx.x == 0)
        norms[blockIdx.x] = sqrtf(s[0]);
}
