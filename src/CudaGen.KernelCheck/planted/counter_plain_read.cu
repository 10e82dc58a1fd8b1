// Numbers the positive elements. Planted: the counter is read while other threads still add to it.
extern "C" __global__ void counter_plain_read(int* last, int* counter, const float* x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && x[i] > 0.0f)
        atomicAdd(counter, 1);
    if (i < n)
        last[i] = *counter;
}
