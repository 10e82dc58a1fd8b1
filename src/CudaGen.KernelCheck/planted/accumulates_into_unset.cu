// Gradient of a bias: the sum over rows. Planted: it adds to an output that nobody zeroed.
extern "C" __global__ void accumulates_into_unset(float* gradient, const float* dy, int rows, int columns)
{
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= columns)
        return;
    for (int r = 0; r < rows; ++r)
        gradient[c] += dy[r * columns + c];
}
