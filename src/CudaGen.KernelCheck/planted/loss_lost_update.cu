// Mean squared error. Planted: the blocks add to the loss without an atomic operation.
extern "C" __global__ void loss_lost_update(float* loss, const float* y, const float* target, int n)
{
    float sum = 0.0f;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        sum += (y[i] - target[i]) * (y[i] - target[i]);
    for (int offset = 16; offset > 0; offset /= 2)
        sum += __shfl_down_sync(0xffffffffu, sum, offset);
    if (threadIdx.x == 0)
        *loss += sum / n;
}
