// y = x - mean of each row. Planted: no barrier between the thread that writes the mean and those that read it.
extern "C" __global__ void bn_normalise_no_barrier(float* y, const float* x, int columns)
{
    __shared__ float mean;
    const float* row = x + blockIdx.x * columns;
    if (threadIdx.x == blockDim.x - 1)
    {
        float sum = 0.0f;
        for (int i = 0; i < columns; ++i)
            sum += row[i];
        mean = sum / columns;
    }
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        y[blockIdx.x * columns + i] = row[i] - mean;
}
