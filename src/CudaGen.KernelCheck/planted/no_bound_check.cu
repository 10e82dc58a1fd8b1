// Adds a bias to each row. Planted: the grid is rounded up to whole blocks, and nothing stops the threads beyond n.
extern "C" __global__ void no_bound_check(float* y, const float* bias, int columns)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] += bias[i % columns];
}
