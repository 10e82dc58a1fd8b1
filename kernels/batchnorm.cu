// batchnorm.cu - batch normalisation (Ioffe and Szegedy 2015) with an activation f; x, y (rows, C), all others (C).
//
//   training    mean = sum x / rows         var = sum (x - mean)^2 / rows       r = 1 / sqrt(var + eps)
//               y = f(gamma (x - mean) r + beta)
//               running mean += m (mean - running mean)
//               running var  += m (sum (x - mean)^2 / (rows - 1) - running var)
//   inference   the same y with the running statistics
//   backward    g = dy f'(y)                dbeta += sum g             dgamma += sum g (x - mean) r, or =, as `add` says
//               dx = gamma r (g - sum g / rows - (x - mean) r^2 sum g (x - mean) / rows)
//               needs x, y (not where f is linear), mean and r; dx is overwritten and may be dy
//
// gamma and beta, dgamma and dbeta may be null. With m = 0 the running statistics are left alone. The variance takes a
// second pass over x: E(x^2) - mean^2 would cancel.
// A sum over rows is taken in two stages: a block sums one slab of rows for 32 channels into partial (slabs, C), then a
// block sums all slabs of 32 channels. Both have 32 x 8 threads.
#include "activation.cuh"
#include "common.cuh"

// Sum over the 8 threads of a channel, in the first of them. All threads of the block call it.
static __device__ __forceinline__ float channel_sum(float x)
{
    __shared__ float sums[BLOCK / WARP][WARP];
    sums[threadIdx.y][threadIdx.x] = x;
    __syncthreads();
    if (threadIdx.y == 0)
    {
        for (int i = 1; i < BLOCK / WARP; i++)
            x += sums[i][threadIdx.x];
    }
    __syncthreads(); // the next call writes sums again
    return x;
}

// Sum of one column of partial (slabs, stride), in the first of the 8 threads of the channel. All threads call it.
static __device__ __forceinline__ float column_total(const float* partial, unsigned slabs, unsigned stride, bool inside)
{
    float sum = 0, error = 0;
    for (unsigned slab = threadIdx.y; inside && slab < slabs; slab += BLOCK / WARP)
        add_compensated(sum, error, partial[(size_t)slab * stride]);
    return channel_sum(sum);
}

// partial = sum of x over each slab. Grid (slabs, ceil(C / 32)).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_sum(float* partial, const float* x, unsigned rows, unsigned channels, unsigned slab)
{
    unsigned c = blockIdx.y * WARP + threadIdx.x, first = blockIdx.x * slab, end = first + min(slab, rows - first);
    float sum = 0, error = 0;
    for (unsigned row = first + threadIdx.y; c < channels && row < end; row += BLOCK / WARP)
        add_compensated(sum, error, x[(size_t)row * channels + c]);
    sum = channel_sum(sum);
    if (threadIdx.y == 0 && c < channels)
        partial[(size_t)blockIdx.x * channels + c] = sum;
}

// Grid ceil(C / 32).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_mean(float* mean, const float* partial, unsigned slabs, unsigned rows, unsigned channels)
{
    unsigned c = blockIdx.x * WARP + threadIdx.x;
    float sum = column_total(partial + c, slabs, channels, c < channels);
    if (threadIdx.y == 0 && c < channels)
        mean[c] = sum / rows;
}

// partial = sum of (x - mean)^2 over each slab. Grid (slabs, ceil(C / 32)).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_squares(float* partial, const float* x, const float* mean, unsigned rows, unsigned channels,
                       unsigned slab)
{
    unsigned c = blockIdx.y * WARP + threadIdx.x, first = blockIdx.x * slab, end = first + min(slab, rows - first);
    float sum = 0, error = 0, m = c < channels ? mean[c] : 0;
    for (unsigned row = first + threadIdx.y; c < channels && row < end; row += BLOCK / WARP)
    {
        float d = x[(size_t)row * channels + c] - m;
        add_compensated(sum, error, d * d);
    }
    sum = channel_sum(sum);
    if (threadIdx.y == 0 && c < channels)
        partial[(size_t)blockIdx.x * channels + c] = sum;
}

// Grid ceil(C / 32).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_statistics(float* rstd, float* running_mean, float* running_variance, const float* mean,
                          const float* partial, float epsilon, float momentum, unsigned slabs, unsigned rows,
                          unsigned channels)
{
    unsigned c = blockIdx.x * WARP + threadIdx.x;
    float squares = column_total(partial + c, slabs, channels, c < channels);
    if (threadIdx.y != 0 || c >= channels)
        return;
    rstd[c] = 1 / sqrtf(squares / rows + epsilon);
    if (momentum == 0)
        return;
    running_mean[c] += momentum * (mean[c] - running_mean[c]);
    running_variance[c] += momentum * (squares / (rows - 1) - running_variance[c]);
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_normalise(float* y, const float* x, const float* mean, const float* rstd, const float* gamma,
                         const float* beta, unsigned n, unsigned channels, int kind, float slope)
{
    FOR_EACH(i, n)
    {
        unsigned c = i % channels;
        float scale = (gamma == nullptr ? 1 : gamma[c]) * rstd[c];
        y[i] = activate(kind, slope, (x[i] - mean[c]) * scale + (beta == nullptr ? 0 : beta[c]));
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_inference(float* y, const float* x, const float* running_mean, const float* running_variance,
                         const float* gamma, const float* beta, float epsilon, unsigned n, unsigned channels, int kind,
                         float slope)
{
    FOR_EACH(i, n)
    {
        unsigned c = i % channels;
        float scale = (gamma == nullptr ? 1 : gamma[c]) / sqrtf(running_variance[c] + epsilon);
        y[i] = activate(kind, slope, (x[i] - running_mean[c]) * scale + (beta == nullptr ? 0 : beta[c]));
    }
}

// g = dy f'(y): the gradient of what the activation was applied to.
static __device__ __forceinline__ float inner_gradient(const float* dy, const float* y, size_t i, int kind, float slope)
{
    return kind == LINEAR ? dy[i] : dy[i] * activation_derivative(kind, slope, y[i]);
}

// partial (slabs, 2, C) = sums of g and of g (x - mean) over each slab. Grid (slabs, ceil(C / 32)).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_backward_sums(float* partial, const float* dy, const float* x, const float* y, const float* mean,
                             unsigned rows, unsigned channels, unsigned slab, int kind, float slope)
{
    unsigned c = blockIdx.y * WARP + threadIdx.x, first = blockIdx.x * slab, end = first + min(slab, rows - first);
    float sum = 0, sum_error = 0, product = 0, product_error = 0, m = c < channels ? mean[c] : 0;
    for (unsigned row = first + threadIdx.y; c < channels && row < end; row += BLOCK / WARP)
    {
        size_t i = (size_t)row * channels + c;
        float g = inner_gradient(dy, y, i, kind, slope);
        add_compensated(sum, sum_error, g);
        add_compensated(product, product_error, g * (x[i] - m));
    }
    sum = channel_sum(sum);
    product = channel_sum(product);
    if (threadIdx.y != 0 || c >= channels)
        return;
    partial[(2 * (size_t)blockIdx.x) * channels + c] = sum;
    partial[(2 * (size_t)blockIdx.x + 1) * channels + c] = product;
}

// What the last pass subtracts from each g: offset, and slope times x - mean. Grid ceil(C / 32).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_backward_totals(float* offset, float* slope, float* dgamma, float* dbeta, const float* partial,
                               const float* rstd, unsigned slabs, unsigned rows, unsigned channels, int add)
{
    unsigned c = blockIdx.x * WARP + threadIdx.x;
    float sum = column_total(partial + c, slabs, 2 * channels, c < channels);
    float product = column_total(partial + channels + c, slabs, 2 * channels, c < channels);
    if (threadIdx.y != 0 || c >= channels)
        return;
    float r = rstd[c];
    offset[c] = sum / rows;
    slope[c] = product * r * r / rows;
    if (dbeta != nullptr)
        dbeta[c] = add ? dbeta[c] + sum : sum;
    if (dgamma != nullptr)
        dgamma[c] = add ? dgamma[c] + product * r : product * r;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_backward(float* dx, const float* dy, const float* x, const float* y, const float* mean,
                        const float* rstd, const float* gamma, const float* offset, const float* slope, unsigned n,
                        unsigned channels, int kind, float activation_slope)
{
    FOR_EACH(i, n)
    {
        unsigned c = i % channels;
        float scale = (gamma == nullptr ? 1 : gamma[c]) * rstd[c];
        float g = inner_gradient(dy, y, i, kind, activation_slope);
        dx[i] = scale * (g - offset[c] - (x[i] - mean[c]) * slope[c]);
    }
}
