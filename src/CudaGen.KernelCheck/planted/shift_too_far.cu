// Lanes below one's own as a mask. Planted: lane 31 shifts by 32.
extern "C" __global__ void shift_too_far(unsigned* y)
{
    int bits = threadIdx.x + 1;
    y[threadIdx.x] = (1u << bits) - 1;
}
