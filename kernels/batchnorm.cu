// batchnorm.cu - batch normalisation (Ioffe and Szegedy 2015) with an activation f; x, y (rows, C), all others (C).
//
//   training    mean = sum x / rows         var = sum (x - mean)^2 / rows       r = 1 / sqrt(var + eps)
//               y = f(gamma (x - mean) r + beta)
//               running mean += m (mean - running mean)
//               running var  += m (sum (x - mean)^2 / (rows - 1) - running var)
//   inference   the same y with the running statistics
//   backward    g = dy f'(y)                dbeta += sum g             dgamma += sum g (x - mean) r
//               dx = gamma r (g - sum g / rows - (x - mean) r^2 sum g (x - mean) / rows)
//               needs x, y (not where f is linear), mean and r; dx is overwritten and may be dy
//
// gamma and beta, dgamma and dbeta may be null; the last two are accumulated or overwritten, as `add` says. With m = 0
// the running statistics are left alone.
// A sum over many rows is taken in two stages: a block sums one slab of rows for 32 channels into partial (slabs, 2,
// C), then a block sums all slabs of 32 channels. Both have 32 x 8 threads. E(x^2) - mean^2 would cancel, so the
// squares of a slab of n rows are of x less the slab's own mean, and n (slab's mean - mean)^2 is added (Chan, Golub and
// LeVeque 1983).
#include "activation.cuh"
#include "common.cuh"

// Sum of one column of partial (slabs, stride), in the first thread of the channel. All threads call it.
static __device__ __forceinline__ float column_total(const float* partial, unsigned slabs, unsigned stride, bool inside)
{
    float sum = 0, error = 0;
    for (unsigned slab = threadIdx.y; inside && slab < slabs; slab += BLOCK / WARP)
        add_compensated(sum, error, partial[(size_t)slab * stride]);
    return column_sum_of_block(sum);
}

// The value that the first thread of a channel has, in all of them. All threads of the block call it; calls may follow
// each other.
static __device__ __forceinline__ float of_channel(float x)
{
    __shared__ float values[WARP];
    if (threadIdx.y == 0)
        values[threadIdx.x] = x;
    __syncthreads();
    x = values[threadIdx.x];
    __syncthreads(); // the next call writes values again
    return x;
}

// The sums of x over the rows first .. end - 1 of channel c, and of the squares of x less the mean of these rows, in
// the first thread of the channel. All threads call it.
static __device__ __forceinline__ float2 sums_of_rows(const float* x, unsigned first, unsigned end, unsigned c,
                                                      unsigned channels)
{
    float sum = 0, squares = 0, error = 0;
    for (unsigned row = first + threadIdx.y; c < channels && row < end; row += blockDim.y)
        add_compensated(sum, error, x[(size_t)row * channels + c]);
    sum = column_sum_of_block(sum);
    float m = of_channel(sum / (end - first));
    error = 0;
    for (unsigned row = first + threadIdx.y; c < channels && row < end; row += blockDim.y)
    {
        float d = x[(size_t)row * channels + c] - m;
        add_compensated(squares, error, d * d);
    }
    return make_float2(sum, column_sum_of_block(squares));
}

// What the statistics of a batch change.
struct Statistics
{
    float *mean, *rstd, *running_mean, *running_variance;
    float epsilon, momentum;

    __device__ __forceinline__ void store(unsigned c, float m, float squares, unsigned rows) const
    {
        mean[c] = m;
        rstd[c] = 1 / sqrtf(squares / rows + epsilon);
        if (momentum == 0)
            return;
        running_mean[c] += momentum * (m - running_mean[c]);
        running_variance[c] += momentum * (squares / (rows - 1) - running_variance[c]);
    }
};

// partial (slabs, 2, C) = the sums of each slab. Grid (slabs, ceil(C / 32)).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_sums(float* partial, const float* x, unsigned rows, unsigned channels, unsigned slab)
{
    unsigned c = blockIdx.y * WARP + threadIdx.x, first = blockIdx.x * slab, end = first + min(slab, rows - first);
    float2 sums = sums_of_rows(x, first, end, c, channels);
    if (threadIdx.y != 0 || c >= channels)
        return;
    partial[(2 * (size_t)blockIdx.x) * channels + c] = sums.x;
    partial[(2 * (size_t)blockIdx.x + 1) * channels + c] = sums.y;
}

// Grid ceil(C / 32).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_statistics(float* mean, float* rstd, float* running_mean, float* running_variance, const float* partial,
                          float epsilon, float momentum, unsigned slabs, unsigned slab, unsigned rows,
                          unsigned channels)
{
    unsigned c = blockIdx.x * WARP + threadIdx.x;
    float m = of_channel(column_total(partial + c, slabs, 2 * channels, c < channels) / rows);
    float squares = 0, error = 0;
    for (unsigned i = threadIdx.y; c < channels && i < slabs; i += BLOCK / WARP)
    {
        const float* of_slab = partial + 2 * (size_t)i * channels + c;
        float count = min(slab, rows - i * slab), d = of_slab[0] / count - m;
        add_compensated(squares, error, of_slab[channels] + count * d * d);
    }
    squares = column_sum_of_block(squares);
    Statistics all = {mean, rstd, running_mean, running_variance, epsilon, momentum};
    if (threadIdx.y == 0 && c < channels)
        all.store(c, m, squares, rows);
}

// What follows the statistics, with scale = gamma r.
static __device__ __forceinline__ float normalised(float x, float mean, float scale, const float* beta, unsigned c,
                                                   int kind, float slope)
{
    return activate(kind, slope, (x - mean) * scale + (beta == nullptr ? 0 : beta[c]));
}

// All of it in one launch, where there are few rows: a block has all rows of its channels, 8 x 32 threads.
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_training(float* y, float* mean, float* rstd, float* running_mean, float* running_variance,
                        const float* x, const float* gamma, const float* beta, float epsilon, float momentum,
                        unsigned rows, unsigned channels, int kind, float slope)
{
    unsigned c = blockIdx.x * blockDim.x + threadIdx.x;
    float2 sums = sums_of_rows(x, 0, rows, c, channels);
    Statistics all = {mean, rstd, running_mean, running_variance, epsilon, momentum};
    if (threadIdx.y == 0 && c < channels)
        all.store(c, sums.x / rows, sums.y, rows);
    __syncthreads(); // mean and rstd are there
    for (unsigned row = threadIdx.y; c < channels && row < rows; row += blockDim.y)
    {
        size_t i = (size_t)row * channels + c;
        y[i] = normalised(x[i], mean[c], (gamma == nullptr ? 1 : gamma[c]) * rstd[c], beta, c, kind, slope);
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_normalise(float* y, const float* x, const float* mean, const float* rstd, const float* gamma,
                         const float* beta, unsigned n, unsigned channels, int kind, float slope)
{
    FOR_EACH(i, n)
    {
        unsigned c = i % channels;
        y[i] = normalised(x[i], mean[c], (gamma == nullptr ? 1 : gamma[c]) * rstd[c], beta, c, kind, slope);
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
        y[i] = normalised(x[i], running_mean[c], scale, beta, c, kind, slope);
    }
}

// g = dy f'(y): the gradient of what the activation was applied to.
static __device__ __forceinline__ float inner_gradient(const float* dy, const float* y, size_t i, int kind, float slope)
{
    return kind == LINEAR ? dy[i] : dy[i] * activation_derivative(kind, slope, y[i]);
}

// The sums of g and of g (x - mean) over the rows first .. end - 1 of channel c, in the first thread of the channel.
// All threads call it.
static __device__ __forceinline__ float2 gradient_sums_of_rows(const float* dy, const float* x, const float* y,
                                                               const float* mean, unsigned first, unsigned end,
                                                               unsigned c, unsigned channels, int kind, float slope)
{
    float sum = 0, sum_error = 0, product = 0, product_error = 0, m = c < channels ? mean[c] : 0;
    for (unsigned row = first + threadIdx.y; c < channels && row < end; row += blockDim.y)
    {
        size_t i = (size_t)row * channels + c;
        float g = inner_gradient(dy, y, i, kind, slope);
        add_compensated(sum, sum_error, g);
        add_compensated(product, product_error, g * (x[i] - m));
    }
    sum = column_sum_of_block(sum);
    return make_float2(sum, column_sum_of_block(product));
}

// dgamma and dbeta from the sums over all rows.
static __device__ __forceinline__ void store_gradients(float* dgamma, float* dbeta, unsigned c, float2 sums, float r,
                                                       int add)
{
    if (dbeta != nullptr)
        dbeta[c] = add ? dbeta[c] + sums.x : sums.x;
    if (dgamma != nullptr)
        dgamma[c] = add ? dgamma[c] + sums.y * r : sums.y * r;
}

// partial (slabs, 2, C) = the sums of each slab. Grid (slabs, ceil(C / 32)).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_backward_sums(float* partial, const float* dy, const float* x, const float* y, const float* mean,
                             unsigned rows, unsigned channels, unsigned slab, int kind, float slope)
{
    unsigned c = blockIdx.y * WARP + threadIdx.x, first = blockIdx.x * slab, end = first + min(slab, rows - first);
    float2 sums = gradient_sums_of_rows(dy, x, y, mean, first, end, c, channels, kind, slope);
    if (threadIdx.y != 0 || c >= channels)
        return;
    partial[(2 * (size_t)blockIdx.x) * channels + c] = sums.x;
    partial[(2 * (size_t)blockIdx.x + 1) * channels + c] = sums.y;
}

// What the last pass subtracts from each g: offset, and slope times x - mean. Grid ceil(C / 32).
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_backward_totals(float* offset, float* slope, float* dgamma, float* dbeta, const float* partial,
                               const float* rstd, unsigned slabs, unsigned rows, unsigned channels, int add)
{
    unsigned c = blockIdx.x * WARP + threadIdx.x;
    float2 sums;
    sums.x = column_total(partial + c, slabs, 2 * channels, c < channels);
    sums.y = column_total(partial + channels + c, slabs, 2 * channels, c < channels);
    if (threadIdx.y != 0 || c >= channels)
        return;
    float r = rstd[c];
    offset[c] = sums.x / rows;
    slope[c] = sums.y * r * r / rows;
    store_gradients(dgamma, dbeta, c, sums, r, add);
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

// All of it in one launch, where there are few rows: a block has all rows of its channels, 8 x 32 threads.
extern "C" __global__ void __launch_bounds__(BLOCK)
    batch_norm_backward_whole(float* dx, float* dgamma, float* dbeta, const float* dy, const float* x, const float* y,
                              const float* mean, const float* rstd, const float* gamma, unsigned rows,
                              unsigned channels, int add, int kind, float activation_slope)
{
    unsigned c = blockIdx.x * blockDim.x + threadIdx.x;
    float2 sums = gradient_sums_of_rows(dy, x, y, mean, 0, rows, c, channels, kind, activation_slope);
    float r = c < channels ? rstd[c] : 0;
    if (threadIdx.y == 0 && c < channels)
        store_gradients(dgamma, dbeta, c, sums, r, add);
    float offset = of_channel(sums.x / rows), slope = of_channel(sums.y * r * r / rows);
    for (unsigned row = threadIdx.y; c < channels && row < rows; row += blockDim.y)
    {
        size_t i = (size_t)row * channels + c;
        float g = inner_gradient(dy, y, i, kind, activation_slope);
        dx[i] = (gamma == nullptr ? 1 : gamma[c]) * r * (g - offset - (x[i] - mean[c]) * slope);
    }
}
