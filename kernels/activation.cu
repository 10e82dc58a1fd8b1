// activation.cu - bias and activation of a layer; x, y (rows, C).
//
//   forward    y = f(x + b)                 x may be y; b may be null
//   backward   dx = dy f'(y)                needs y; dx is overwritten and may be dy
//              db += column sums of dx      through partial sums, one for each SLAB of rows
//   tangent    tdx = tdy f'(y) + tx dx f''(y) / f'(y)      needs y and dx; tdx is overwritten and may be tdy
#include "activation.cuh"
#include "common.cuh"

// Rows of one partial column sum.
#define SLAB 64

extern "C" __global__ void __launch_bounds__(BLOCK)
    bias_activation_forward(float* y, const float* x, const float* bias, int n, int channels, int kind, float slope)
{
    FOR_EACH(i, n)
    {
        float b = bias == nullptr ? 0 : bias[i % channels];
        y[i] = activate(kind, slope, x[i] + b);
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    activation_backward(float* dx, const float* dy, const float* y, int n, int kind, float slope)
{
    FOR_EACH(i, n)
    {
        dx[i] = dy[i] * activation_derivative(kind, slope, y[i]);
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    activation_backward_tangent(float* tdx, const float* tdy, const float* tx, const float* dx, const float* y, int n,
                                int kind, float slope)
{
    FOR_EACH(i, n)
    {
        tdx[i] = tdy[i] * activation_derivative(kind, slope, y[i]) + tx[i] * dx[i] * activation_curvature(kind, y[i]);
    }
}

// partial (slabs, C). A block is one slab and 32 channels: grid (slabs, ceil(C / 32)), 32 x 8 threads.
extern "C" __global__ void __launch_bounds__(BLOCK)
    bias_activation_backward(float* dx, float* partial, const float* dy, const float* y, int rows, int channels,
                             int kind, float slope)
{
    __shared__ float sums[BLOCK / WARP][WARP];
    int c = blockIdx.y * WARP + threadIdx.x, first = blockIdx.x * SLAB;
    float sum = 0;
    if (c < channels)
    {
        for (int row = first + threadIdx.y; row < min(first + SLAB, rows); row += BLOCK / WARP)
        {
            size_t i = (size_t)row * channels + c;
            float d = dy[i] * activation_derivative(kind, slope, y[i]);
            dx[i] = d;
            sum += d;
        }
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || c >= channels)
        return;
    for (int i = 1; i < BLOCK / WARP; i++)
        sum += sums[i][threadIdx.x];
    partial[blockIdx.x * channels + c] = sum;
}

// sum[c] += partial[0][c] + partial[1][c] + ... A block is 32 channels, 32 x 8 threads.
extern "C" __global__ void __launch_bounds__(BLOCK) column_sum(float* sum, const float* partial, int rows, int channels)
{
    __shared__ float sums[BLOCK / WARP][WARP];
    int c = blockIdx.x * WARP + threadIdx.x;
    float total = 0;
    if (c < channels)
    {
        for (int row = threadIdx.y; row < rows; row += BLOCK / WARP)
            total += partial[row * channels + c];
    }
    sums[threadIdx.y][threadIdx.x] = total;
    __syncthreads();
    if (threadIdx.y != 0 || c >= channels)
        return;
    for (int i = 1; i < BLOCK / WARP; i++)
        total += sums[i][threadIdx.x];
    sum[c] += total;
}
