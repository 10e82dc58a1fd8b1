// activation.cu - bias and activation of a layer; x, y (rows, C).
//
//   forward    y = f(x + b)                 x may be y; b may be null
//   backward   dx = dy f'(y)                needs y unless f is linear; dx is overwritten and may be dy
//              db += column sums of dx      or =, as `add` says; over `summed` parts of the batch, one after the other;
//                                           by one block where there are few rows, else through partial sums, one for
//                                           each SLAB of the rows of a part
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

// The blocks of the kernels below have BLOCK threads: some channels, and some rows at a time.

// dx of the rows first .. end - 1 of channel c, and the sum of them in the first thread of the channel. dx may be null:
// where f is linear, dy may be all of it already.
static __device__ __forceinline__ float backward_rows(float* dx, const float* dy, const float* y, int first, int end,
                                                      int c, int channels, int kind, float slope)
{
    float sum = 0;
    for (int row = first + threadIdx.y; c < channels && row < end; row += blockDim.y)
    {
        size_t i = (size_t)row * channels + c;
        float d = kind == LINEAR ? dy[i] : dy[i] * activation_derivative(kind, slope, y[i]);
        if (dx != nullptr)
            dx[i] = d;
        sum += d;
    }
    return column_sum_of_block(sum);
}

// A block has all rows of its channels. `part` is how many rows a part has.
extern "C" __global__ void __launch_bounds__(BLOCK)
    bias_activation_backward(float* dx, float* db, const float* dy, const float* y, int rows, int channels, int part,
                             int summed, int add, int kind, float slope)
{
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    bool first_of_channel = threadIdx.y == 0 && c < channels;
    float total = first_of_channel && add ? db[c] : 0;
    for (int first = 0; first < rows; first += part)
    {
        float sum = backward_rows(dx, dy, y, first, first + part, c, channels, kind, slope);
        if (first < summed * part)
            total += sum;
    }
    if (first_of_channel)
        db[c] = total;
}

// partial (slabs, C), of which each part has so many. A block is one slab: grid (all slabs, blocks of channels).
extern "C" __global__ void __launch_bounds__(BLOCK)
    bias_activation_backward_slabs(float* dx, float* partial, const float* dy, const float* y, int channels, int part,
                                   int slabs, int kind, float slope)
{
    int c = blockIdx.y * blockDim.x + threadIdx.x, start = blockIdx.x / slabs * part;
    int first = start + blockIdx.x % slabs * SLAB;
    float sum = backward_rows(dx, dy, y, first, min(first + SLAB, start + part), c, channels, kind, slope);
    if (threadIdx.y == 0 && c < channels)
        partial[blockIdx.x * channels + c] = sum;
}

// db[c] = the sums of the slabs of each part, added up.
extern "C" __global__ void __launch_bounds__(BLOCK)
    column_sum(float* db, const float* partial, int slabs, int channels, int summed, int add)
{
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    bool first_of_channel = threadIdx.y == 0 && c < channels;
    float total = first_of_channel && add ? db[c] : 0;
    for (int part = 0; part < summed; part++)
    {
        float sum = 0;
        for (int slab = threadIdx.y; c < channels && slab < slabs; slab += blockDim.y)
            sum += partial[(part * slabs + slab) * channels + c];
        total += column_sum_of_block(sum);
    }
    if (first_of_channel)
        db[c] = total;
}
