// Transposes through a tile. Planted: the tile has one row less than the block.
extern "C" __global__ void tile_row_short(float* y, const float* x, int n)
{
    __shared__ float tile[15][17];
    int column = blockIdx.x * 16 + threadIdx.x, row = blockIdx.y * 16 + threadIdx.y;
    if (column < n && row < n)
        tile[threadIdx.y][threadIdx.x] = x[row * n + column];
    __syncthreads();
    column = blockIdx.y * 16 + threadIdx.x;
    row = blockIdx.x * 16 + threadIdx.y;
    if (column < n && row < n)
        y[row * n + column] = tile[threadIdx.x][threadIdx.y];
}
