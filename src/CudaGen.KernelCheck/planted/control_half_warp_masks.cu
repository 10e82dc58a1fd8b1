// Correct: the halves of a warp reduce on their own, each with its own mask, in one branch each.
extern "C" __global__ void control_half_warp_masks(float* y, const float* x)
{
    float v = x[threadIdx.x];
    if (threadIdx.x < 16)
        for (int offset = 8; offset > 0; offset /= 2)
            v += __shfl_down_sync(0x0000ffffu, v, offset, 16);
    else
        for (int offset = 8; offset > 0; offset /= 2)
            v = fmaxf(v, __shfl_xor_sync(0xffff0000u, v, offset, 16));
    if (threadIdx.x % 16 == 0)
        y[threadIdx.x / 16] = v;
}
