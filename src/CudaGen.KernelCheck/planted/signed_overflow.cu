// A hash of the index. Planted: it multiplies signed numbers beyond their range.
extern "C" __global__ void signed_overflow(int* y, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = (i * 1000003) ^ 0x5bd1e995;
}
