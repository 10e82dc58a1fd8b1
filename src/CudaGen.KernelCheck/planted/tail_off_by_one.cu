// Leaky ReLU. Planted: the last round runs one element too far.
extern "C" __global__ void tail_off_by_one(float* y, const float* x, float slope, int n)
{
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i <= n; i += gridDim.x * blockDim.x)
        y[i] = x[i] > 0.0f ? x[i] : slope * x[i];
}
