// losses.cu - losses with their value and their gradient in one pass; x, t and dx have n elements.
//
//   mean squared error      L = scale sum (x - t)^2                            dx = 2 scale (x - t)
//   mean absolute error     L = scale sum |x - t|                              dx = factor s scale sign(x - t)
//   binary cross-entropy    L = scale sum max(x, 0) - x t + ln(1 + e^-|x|)     dx = scale (sigmoid(x) - t)
//   mean                    L = scale sum x                                    dx = scale
//   softmax cross-entropy   L = scale sum over rows of ln(sum e^x) - x[target] dx = scale (softmax(x) - one-hot)
//     its tangent           tdx = scale p (tx - sum p tx), p = softmax(x): how dx changes where x moves along tx
//
// dx is overwritten, or null where only the value is wanted; s is one element, or null for 1. The value leaves as one
// partial sum of each CHUNK of elements, or of rows, times scale; sum_partials of reduce.cu adds them.
//
// Of a pair, x and dx have two halves: scores of real images and of generated ones, which are few, so that one block
// takes all. Its values are whole; dx is never null.
//
//   cross-entropies         as above, for each half, and the total of both
//   Wasserstein             L = scale (sum of generated - sum of real)         dx = -scale, scale
#include "common.cuh"

struct SquaredError
{
    __device__ __forceinline__ float operator()(float x, float t, float& slope) const
    {
        float d = x - t;
        slope = 2 * d;
        return d * d;
    }
};

struct AbsoluteError
{
    __device__ __forceinline__ float operator()(float x, float t, float& slope) const
    {
        float d = x - t;
        slope = d > 0 ? 1.0f : d < 0 ? -1.0f : 0.0f;
        return fabsf(d);
    }
};

// From logits: finite for any finite x.
struct CrossEntropy
{
    __device__ __forceinline__ float operator()(float x, float t, float& slope) const
    {
        float e = expf(-fabsf(x));
        slope = (x >= 0 ? 1.0f : e) / (1 + e) - t;
        return fmaxf(x, 0) - x * t + log1pf(e);
    }
};

// Half of a Wasserstein loss.
struct Mean
{
    __device__ __forceinline__ float operator()(float x, float, float& slope) const
    {
        slope = 1;
        return x;
    }
};

// A thread takes four neighbours at a time, at once where they lie at whole vectors. Without t, target is that of all.
// Values are multiplied by scale, gradients by dscale.
template <typename Loss>
static __device__ __forceinline__ void sum_losses(float* partial, float* dx, const float* x, const float* t,
                                                  float target, int n, float scale, float dscale)
{
    Loss loss;
    bool vectors = on_vector(dx) && on_vector(x) && on_vector(t);
    for (unsigned chunk = blockIdx.x; chunk * CHUNK < (unsigned)n; chunk += gridDim.x)
    {
        unsigned end = min((chunk + 1) * CHUNK, (unsigned)n);
        float sum = 0;
        for (unsigned i = chunk * CHUNK + 4 * threadIdx.x; i < end; i += 4 * BLOCK)
        {
            if (vectors && i + 4 <= end)
            {
                float4 a = *(const float4*)(x + i), b = make_float4(target, target, target, target), slope;
                if (t != nullptr)
                    b = *(const float4*)(t + i);
                sum += loss(a.x, b.x, slope.x);
                sum += loss(a.y, b.y, slope.y);
                sum += loss(a.z, b.z, slope.z);
                sum += loss(a.w, b.w, slope.w);
                if (dx != nullptr)
                    *(float4*)(dx + i) =
                        make_float4(dscale * slope.x, dscale * slope.y, dscale * slope.z, dscale * slope.w);
                continue;
            }
            for (unsigned j = i; j < min(i + 4, end); j++)
            {
                float slope;
                sum += loss(x[j], t == nullptr ? target : t[j], slope);
                if (dx != nullptr)
                    dx[j] = dscale * slope;
            }
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            partial[chunk] = scale * sum;
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    mean_squared_error(float* partial, float* dx, const float* x, const float* t, int n, float scale)
{
    sum_losses<SquaredError>(partial, dx, x, t, 0, n, scale, scale);
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    mean_absolute_error(float* partial, float* dx, const float* x, const float* t, int n, float scale, float factor,
                        const float* scalar)
{
    float s = scalar == nullptr ? factor : factor * *scalar;
    sum_losses<AbsoluteError>(partial, dx, x, t, 0, n, scale, s * scale);
}

extern "C" __global__ void __launch_bounds__(BLOCK) mean(float* partial, float* dx, const float* x, int n, float scale)
{
    sum_losses<Mean>(partial, dx, x, nullptr, 0, n, scale, scale);
}

// t may be null: then target is that of all elements.
extern "C" __global__ void __launch_bounds__(BLOCK)
    binary_cross_entropy(float* partial, float* dx, const float* x, const float* t, float target, int n, float scale)
{
    sum_losses<CrossEntropy>(partial, dx, x, t, target, n, scale, scale);
}

// The loss of one row of logits; dx is its gradient times scale.
static __device__ __forceinline__ float softmax_loss(float* dx, const float* x, int classes, int target, float scale)
{
    float largest = x[0], total = 0;
    for (int k = 1; k < classes; k++)
        largest = fmaxf(largest, x[k]);
    for (int k = 0; k < classes; k++)
        total += expf(x[k] - largest);
    for (int k = 0; dx != nullptr && k < classes; k++)
        dx[k] = scale * (expf(x[k] - largest) / total - (k == target ? 1.0f : 0.0f));
    return largest - x[target] + logf(total);
}

// x and dx (rows, classes). A thread takes a whole row, as there are two classes: real and fake.
extern "C" __global__ void __launch_bounds__(BLOCK)
    softmax_cross_entropy(float* partial, float* dx, const float* x, int rows, int classes, int target, float scale)
{
    for (unsigned chunk = blockIdx.x; chunk * CHUNK < (unsigned)rows; chunk += gridDim.x)
    {
        unsigned end = min((chunk + 1) * CHUNK, (unsigned)rows);
        float sum = 0;
        for (unsigned row = chunk * CHUNK + threadIdx.x; row < end; row += BLOCK)
        {
            unsigned first = row * classes;
            sum += softmax_loss(dx == nullptr ? nullptr : dx + first, x + first, classes, target, scale);
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            partial[chunk] = scale * sum;
    }
}

// The sums of loss(item, half) over the items of both halves, `count` each, in thread 0.
template <typename Loss> static __device__ __forceinline__ float2 pair_sums(unsigned count, Loss loss)
{
    float sums[2];
    for (unsigned half = 0; half < 2; half++)
    {
        float sum = 0;
        for (unsigned i = threadIdx.x; i < count; i += BLOCK)
            sum += loss(half * count + i, half);
        sums[half] = block_sum(sum);
    }
    return make_float2(sums[0], sums[1]);
}

static __device__ __forceinline__ void store_pair(float* total, float* real, float* fake, float2 sums, float scale)
{
    if (threadIdx.x != 0)
        return;
    *real = scale * sums.x;
    *fake = scale * sums.y;
    *total = *real + *fake;
}

// Without t, each half has a target. One block.
extern "C" __global__ void __launch_bounds__(BLOCK)
    pair_cross_entropy(float* total, float* real, float* fake, float* dx, const float* x, const float* t,
                       float real_target, float fake_target, int half, float scale)
{
    float2 sums = pair_sums(half, [=](unsigned i, unsigned second) {
        float slope, target = second ? fake_target : real_target;
        float loss = CrossEntropy()(x[i], t == nullptr ? target : t[i], slope);
        dx[i] = scale * slope;
        return loss;
    });
    store_pair(total, real, fake, sums, scale);
}

// x and dx (2 rows, classes). One block.
extern "C" __global__ void __launch_bounds__(BLOCK)
    pair_softmax_cross_entropy(float* total, float* real, float* fake, float* dx, const float* x, int rows, int classes,
                               int real_class, int fake_class, float scale)
{
    float2 sums = pair_sums(rows, [=](unsigned row, unsigned second) {
        unsigned first = row * classes;
        return softmax_loss(dx + first, x + first, classes, second ? fake_class : real_class, scale);
    });
    store_pair(total, real, fake, sums, scale);
}

// One block.
extern "C" __global__ void __launch_bounds__(BLOCK)
    pair_wasserstein(float* critic, float* distance, float* dx, const float* x, int half, float scale)
{
    float2 sums = pair_sums(half, [=](unsigned i, unsigned second) {
        dx[i] = second ? scale : -scale;
        return x[i];
    });
    if (threadIdx.x != 0)
        return;
    *critic = scale * (sums.y - sums.x);
    *distance = -*critic;
}

// tdx, tx and x (rows, classes): tdx = scale p (tx - sum p tx), p = softmax(x). A thread takes a whole row.
extern "C" __global__ void __launch_bounds__(BLOCK)
    softmax_tangent(float* tdx, const float* tx, const float* x, int rows, int classes, float scale)
{
    FOR_EACH(row, rows)
    {
        unsigned first = row * classes;
        float largest = x[first], total = 0, mean = 0;
        for (int k = 1; k < classes; k++)
            largest = fmaxf(largest, x[first + k]);
        for (int k = 0; k < classes; k++)
        {
            float weight = expf(x[first + k] - largest);
            total += weight;
            mean += weight * tx[first + k];
        }
        for (int k = 0; k < classes; k++)
            tdx[first + k] = scale * expf(x[first + k] - largest) / total * (tx[first + k] - mean / total);
    }
}
