// Adds a bias if there is one. Planted: the test for null is forgotten.
extern "C" __global__ void null_pointer(float* y, const float* x, const float* bias, int n, int columns)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = x[i] + bias[i % columns];
}
