// Correct: keeps the positive numbers of a block, in order, by ballots and the warps' counts.
extern "C" __global__ void control_ballot_compaction(float* y, int* count, const float* x)
{
    __shared__ int counts[4];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float v = x[threadIdx.x];
    unsigned kept = __ballot_sync(0xffffffffu, v > 0.0f);
    if (lane == 0)
        counts[warp] = __popc(kept);
    __syncthreads();
    int base = 0;
    for (int w = 0; w < warp; ++w)
        base += counts[w];
    if (v > 0.0f)
        y[base + __popc(kept & ((1u << lane) - 1))] = v;
    if (threadIdx.x == blockDim.x - 1)
        *count = base + counts[warp];
}
