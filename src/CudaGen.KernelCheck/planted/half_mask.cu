// Sum of a warp. Planted: the mask names half of the lanes that the shuffles read.
extern "C" __global__ void half_mask(float* y, const float* x)
{
    float sum = x[threadIdx.x];
    if (threadIdx.x < 16)
        for (int offset = 16; offset > 0; offset /= 2)
            sum += __shfl_down_sync(0x0000ffffu, sum, offset);
    if (threadIdx.x == 0)
        *y = sum;
}
