// Sum of 16 numbers. Planted: half of the warp has left when the shuffles ask for all of it.
extern "C" __global__ void shuffle_after_exit(float* y, const float* x)
{
    if (threadIdx.x >= 16)
        return;
    float sum = x[threadIdx.x];
    for (int offset = 8; offset > 0; offset /= 2)
        sum += __shfl_down_sync(0xffffffffu, sum, offset);
    if (threadIdx.x == 0)
        *y = sum;
}
