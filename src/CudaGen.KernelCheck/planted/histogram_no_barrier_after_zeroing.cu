// Counts of bytes. Planted: no barrier between the zeroing of the bins and the counting.
extern "C" __global__ void histogram_no_barrier_after_zeroing(unsigned* counts, const unsigned char* x, int n)
{
    __shared__ unsigned bins[256];
    for (int i = threadIdx.x; i < 256; i += blockDim.x)
        bins[i] = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&bins[x[i]], 1u);
    __syncthreads();
    for (int i = threadIdx.x; i < 256; i += blockDim.x)
        atomicAdd(&counts[i], bins[i]);
}
