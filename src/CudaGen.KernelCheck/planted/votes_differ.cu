// Counts positive and negative numbers. Planted: the two halves of a warp vote in two places, with one mask.
extern "C" __global__ void votes_differ(unsigned* y, const float* x)
{
    float v = x[threadIdx.x];
    unsigned votes;
    if (threadIdx.x < 16)
        votes = __ballot_sync(0xffffffffu, v > 0.0f);
    else
        votes = __ballot_sync(0xffffffffu, v < 0.0f);
    y[threadIdx.x] = __popc(votes);
}
