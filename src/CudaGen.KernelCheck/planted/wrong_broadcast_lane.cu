// Each warp reserves room in the output for its positive numbers. Planted: all lanes take the base of their own lane.
extern "C" __global__ void wrong_broadcast_lane(float* y, int* used, const float* x)
{
    int lane = threadIdx.x % 32, base = 0;
    float v = x[threadIdx.x];
    unsigned kept = __ballot_sync(0xffffffffu, v > 0.0f);
    if (lane == 0)
        base = atomicAdd(used, __popc(kept));
    base = __shfl_sync(0xffffffffu, base, lane);
    if (v > 0.0f)
        y[base + __popc(kept & ((1u << lane) - 1))] = v;
}
