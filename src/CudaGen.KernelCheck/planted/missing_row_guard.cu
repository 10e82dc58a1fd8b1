// Flips planes of (height, width) upside down. Planted: rows beyond the height reach into the next plane.
extern "C" __global__ void missing_row_guard(float* y, const float* x, int height, int width)
{
    int plane = blockIdx.z * height * width;
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column < width)
    {
        int from = plane + (height - 1 - min(row, height - 1)) * width + column;
        int to = plane + row * width + column;
        if (to < gridDim.z * height * width)
            y[to] = x[from];
    }
}
