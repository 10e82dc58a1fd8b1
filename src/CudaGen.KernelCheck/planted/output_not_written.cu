// Scales. Planted: the stride is twice the number of threads, so every second stretch of the output stays unset.
extern "C" __global__ void output_not_written(float* y, const float* x, float scale, int n)
{
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += 2 * gridDim.x * blockDim.x)
        y[i] = scale * x[i];
}
