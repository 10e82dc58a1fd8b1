// Counts of bytes. Planted: bins are incremented without an atomic operation.
extern "C" __global__ void histogram_plain_increment(unsigned* counts, const unsigned char* x, int n)
{
    __shared__ unsigned bins[256];
    for (int i = threadIdx.x; i < 256; i += blockDim.x)
        bins[i] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        bins[x[i]]++;
    __syncthreads();
    for (int i = threadIdx.x; i < 256; i += blockDim.x)
        atomicAdd(&counts[i], bins[i]);
}
