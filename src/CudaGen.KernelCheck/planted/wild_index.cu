// Gathers rows. Planted in the data: an index of a million.
extern "C" __global__ void wild_index(float* y, const float* table, const int* index, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = table[index[i]];
}
