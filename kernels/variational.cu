// variational.cu - the posterior of a VAE, a diagonal Gaussian. heads (N, 2L) holds a row's L means and then its L
// second heads h; z, eps and mean (N, L), n = N L.
//
//   sample       z = mean + sigma eps              dmean += dz         dh += dz eps dsigma/dh
//   divergence   L = scale sum 1/2 (mean^2 + sigma^2 - ln sigma^2 - 1)
//                dmean = scale mean                dh = scale d/dh
//
// h is ln sigma^2, clamped (Kingma and Welling 2014, appendices B and C), or sigma of either sign. The divergence,
// which comes first, overwrites dheads unless that is null, and leaves its value as one partial sum of each CHUNK of
// the n elements (sum_partials of reduce.cu). The backward pass of the sample needs heads and eps and adds to dheads.
#include "common.cuh"

// The numbers of PosteriorHead in CudaGen.Kernels.
enum
{
    LOG_VARIANCE,
    STANDARD_DEVIATION,
};

// Variational.MaxLogVariance
#define MAX_LOG_VARIANCE 10.0f

// NaN stays NaN.
static __device__ __forceinline__ float clamp_log_variance(float h)
{
    return h > MAX_LOG_VARIANCE ? MAX_LOG_VARIANCE : h < -MAX_LOG_VARIANCE ? -MAX_LOG_VARIANCE : h;
}

// sigma and its derivative with respect to h.
static __device__ __forceinline__ float sigma_of(float h, int head, float& slope)
{
    if (head == STANDARD_DEVIATION)
    {
        slope = 1;
        return h;
    }
    float v = clamp_log_variance(h), sigma = expf(0.5f * v);
    slope = v == h ? 0.5f * sigma : 0;
    return sigma;
}

// Where the mean of element i of z lies in heads; its h is latent further on.
static __device__ __forceinline__ unsigned mean_index(unsigned i, int latent)
{
    return i + i / latent * latent;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    sample_forward(float* z, const float* heads, const float* eps, int n, int latent, int head)
{
    FOR_EACH(i, n)
    {
        unsigned m = mean_index(i, latent);
        float slope;
        z[i] = heads[m] + sigma_of(heads[m + latent], head, slope) * eps[i];
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    sample_backward(float* dheads, const float* dz, const float* heads, const float* eps, int n, int latent, int head)
{
    FOR_EACH(i, n)
    {
        unsigned m = mean_index(i, latent);
        float slope;
        sigma_of(heads[m + latent], head, slope);
        dheads[m] += dz[i];
        dheads[m + latent] += dz[i] * eps[i] * slope;
    }
}

// The divergence of one element and its derivative with respect to h. epsilon keeps the logarithm of a standard
// deviation away from 0.
static __device__ __forceinline__ float divergence_of(float mean, float h, int head, float epsilon, float& slope)
{
    if (head == LOG_VARIANCE)
    {
        float v = clamp_log_variance(h), variance = expf(v);
        slope = v == h ? 0.5f * (variance - 1) : 0;
        return 0.5f * (mean * mean + variance - v - 1);
    }
    float square = h * h + epsilon;
    slope = h - h / square;
    return 0.5f * (mean * mean + h * h - logf(square) - 1);
}

extern "C" __global__ void __launch_bounds__(BLOCK) divergence(float* partial, float* dheads, const float* heads, int n,
                                                               int latent, int head, float epsilon, float scale)
{
    for (unsigned chunk = blockIdx.x; chunk * CHUNK < (unsigned)n; chunk += gridDim.x)
    {
        unsigned end = min((chunk + 1) * CHUNK, (unsigned)n);
        float sum = 0;
        for (unsigned i = chunk * CHUNK + threadIdx.x; i < end; i += BLOCK)
        {
            unsigned m = mean_index(i, latent);
            float mean = heads[m], slope;
            sum += divergence_of(mean, heads[m + latent], head, epsilon, slope);
            if (dheads == nullptr)
                continue;
            dheads[m] = scale * mean;
            dheads[m + latent] = scale * slope;
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            partial[chunk] = scale * sum;
    }
}

// mean = the first halves of the rows of heads.
extern "C" __global__ void __launch_bounds__(BLOCK) posterior_mean(float* mean, const float* heads, int n, int latent)
{
    FOR_EACH(i, n)
    {
        mean[i] = heads[mean_index(i, latent)];
    }
}
