// Scales. Planted in the launch: x is memory of the host.
extern "C" __global__ void host_pointer(float* y, const float* x, float scale, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = scale * x[i];
}
