// Gradient along a row. Planted: the first thread reads the element in front of the first.
extern "C" __global__ void before_the_start(float* y, const float* x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = x[i] - x[i - 1];
}
