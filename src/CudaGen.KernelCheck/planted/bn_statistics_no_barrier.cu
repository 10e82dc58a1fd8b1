// Mean and variance of each channel, x (N, C). Planted: no barrier between the warps' partial sums and their reader.
extern "C" __global__ void bn_statistics_no_barrier(float* mean, float* variance, const float* x, int n, int channels)
{
    __shared__ float sums[8], squares[8];
    int c = blockIdx.x, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    float sum = 0.0f, square = 0.0f;
    for (int i = threadIdx.x; i < n; i += blockDim.x)
    {
        float v = x[i * channels + c];
        sum += v;
        square += v * v;
    }
    for (int offset = 16; offset > 0; offset /= 2)
    {
        sum += __shfl_down_sync(0xffffffffu, sum, offset);
        square += __shfl_down_sync(0xffffffffu, square, offset);
    }
    if (lane == 0)
    {
        sums[warp] = sum;
        squares[warp] = square;
    }
    if (threadIdx.x == 0)
    {
        sum = square = 0.0f;
        for (int w = 0; w < blockDim.x / 32; ++w)
        {
            sum += sums[w];
            square += squares[w];
        }
        mean[c] = sum / n;
        variance[c] = square / n - sum / n * (sum / n);
    }
}
