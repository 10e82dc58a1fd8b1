// Differences of neighbours. Planted: there is one difference less than there are numbers.
extern "C" __global__ void store_off_by_one(float* y, const float* x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = x[min(i + 1, n - 1)] - x[i];
}
