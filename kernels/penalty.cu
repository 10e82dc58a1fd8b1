// penalty.cu - the element-wise ends of WGAN-GP (Gulrajani et al. 2017, algorithm 1, lines 6 and 7); rows are samples.
//
//   interpolate   y = x + alpha (fake - x), one alpha for each row
//   penalty       norm = |g| of each row       loss = sum (norm - 1)^2 / rows       total += weight loss
//                 dg = 2 weight (1 - 1 / norm) g / rows, and 0 where the norm is 0; dg may be g
//
// y, loss, norms and dg are overwritten, total may be null. dg is the start of the tangent pass that gives the gradient
// of the weights.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(BLOCK)
    penalty_interpolate(float* y, const float* x, const float* fake, const float* alpha, unsigned n, unsigned length)
{
    FOR_EACH(i, n)
    {
        y[i] = x[i] + alpha[i / length] * (fake[i] - x[i]);
    }
}

// norms and dg, with scale = weight / rows. A block has one row at a time.
extern "C" __global__ void __launch_bounds__(BLOCK)
    penalty_slopes(float* norms, float* dg, const float* g, float scale, unsigned rows, unsigned length)
{
    __shared__ float slope;
    for (unsigned row = blockIdx.x; row < rows; row += gridDim.x)
    {
        size_t start = (size_t)row * length;
        float squares = 0, error = 0;
        for (unsigned i = threadIdx.x; i < length; i += BLOCK)
            add_compensated(squares, error, g[start + i] * g[start + i]);
        squares = block_sum(squares);
        if (threadIdx.x == 0)
        {
            float norm = sqrtf(squares);
            norms[row] = norm;
            slope = norm > 0 ? 2 * scale * (norm - 1) / norm : 0;
        }
        __syncthreads();
        // The barriers of the next block_sum come before the next slope.
        for (unsigned i = threadIdx.x; i < length; i += BLOCK)
            dg[start + i] = slope * g[start + i];
    }
}

// One block.
extern "C" __global__ void __launch_bounds__(BLOCK)
    penalty_loss(float* loss, float* total, const float* norms, float weight, unsigned rows)
{
    float sum = 0, error = 0;
    for (unsigned row = threadIdx.x; row < rows; row += BLOCK)
        add_compensated(sum, error, (norms[row] - 1) * (norms[row] - 1));
    sum = block_sum(sum);
    if (threadIdx.x != 0)
        return;
    *loss = sum / max(rows, 1u);
    if (total != nullptr)
        *total += weight * *loss;
}
