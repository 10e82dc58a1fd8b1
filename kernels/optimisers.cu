// optimisers.cu - one update of all parameters of a network; p, g, m and v have n elements.
//
//   Adam      m = b1 m + (1 - b1) g       v = b2 v + (1 - b2) g^2
//             p -= lr mhat / (sqrt(vhat) + eps)                        Kingma and Ba 2015, algorithm 1
//             p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)  the paper's epsilon hat
//   Adam, back through the update, with r = sqrt(vhat) + eps as above and c its factor of sqrt(v)
//             dm -= lr dp / r          dv += lr dp m c / (2 sqrt(v) r^2), 0 where v is
//             dg = (1 - b1) dm + 2 (1 - b2) g dv, then dm = b1 dm, dv = b2 dv; needs g, and m and v of after the update
//   RMSProp   v = a v + (1 - a) g^2       p -= lr g / (sqrt(v) + eps) or lr g / sqrt(v + eps)
//             then p = min(max(p, -clip), clip), without a bound an infinite one   Arjovsky et al. 2017, algorithm 1
//
// p, m and v are updated, g is only read; back through Adam, dg is overwritten, dm and dv are updated.
#include "common.cuh"

struct AdamRates
{
    float beta1, beta2, rate, correction, epsilon;
};

// t = 1 + step. 1 - b^t = -expm1(t ln b) keeps its digits where b^t is close to 1, in float too.
static __device__ __forceinline__ AdamRates adam_rates(unsigned long long step, float learning_rate, float beta1,
                                                       float beta2, float log_beta1, float log_beta2, float epsilon,
                                                       int epsilon_hat)
{
    float t = (float)(step + 1), c1 = -expm1f(t * log_beta1), c2 = sqrtf(-expm1f(t * log_beta2));
    if (epsilon_hat)
        return {beta1, beta2, learning_rate * c2 / c1, 1, epsilon};
    return {beta1, beta2, learning_rate / c1, 1 / c2, epsilon};
}

static __device__ __forceinline__ void adam_update(float& p, float& m, float& v, float g, const AdamRates& a)
{
    m = a.beta1 * m + (1 - a.beta1) * g;
    v = a.beta2 * v + (1 - a.beta2) * g * g;
    p -= a.rate * m / (a.correction * sqrtf(v) + a.epsilon);
}

// A thread takes four neighbours at a time, at once where they lie at whole vectors.
extern "C" __global__ void __launch_bounds__(BLOCK)
    adam(float* p, float* m, float* v, const float* g, const unsigned long long* step, int n, float learning_rate,
         float beta1, float beta2, float log_beta1, float log_beta2, float epsilon, int epsilon_hat)
{
    AdamRates a = adam_rates(*step, learning_rate, beta1, beta2, log_beta1, log_beta2, epsilon, epsilon_hat);
    bool vectors = on_vector(p) && on_vector(m) && on_vector(v) && on_vector(g);
    FOR_EACH(four, ((unsigned)n + 3) / 4)
    {
        unsigned i = 4 * four;
        if (vectors && i + 4 <= (unsigned)n)
        {
            float4 p4 = *(float4*)(p + i), m4 = *(float4*)(m + i), v4 = *(float4*)(v + i), g4 = *(const float4*)(g + i);
            adam_update(p4.x, m4.x, v4.x, g4.x, a);
            adam_update(p4.y, m4.y, v4.y, g4.y, a);
            adam_update(p4.z, m4.z, v4.z, g4.z, a);
            adam_update(p4.w, m4.w, v4.w, g4.w, a);
            *(float4*)(p + i) = p4;
            *(float4*)(m + i) = m4;
            *(float4*)(v + i) = v4;
            continue;
        }
        for (unsigned j = i; j < min(i + 4, (unsigned)n); j++)
            adam_update(p[j], m[j], v[j], g[j], a);
    }
}

// dp is that of p before the update, too.
extern "C" __global__ void __launch_bounds__(BLOCK)
    adam_backward(float* dg, float* dm, float* dv, const float* dp, const float* g, const float* m, const float* v,
                  const unsigned long long* step, int n, float learning_rate, float beta1, float beta2, float log_beta1,
                  float log_beta2, float epsilon, int epsilon_hat)
{
    AdamRates a = adam_rates(*step, learning_rate, beta1, beta2, log_beta1, log_beta2, epsilon, epsilon_hat);
    FOR_EACH(i, n)
    {
        float root = sqrtf(v[i]), below = a.correction * root + a.epsilon, share = a.rate * dp[i] / below;
        float first = dm[i] - share, second = dv[i];
        if (root > 0)
            second += share * (m[i] / root) * (0.5f * a.correction) / below;
        dg[i] = (1 - a.beta1) * first + 2 * (1 - a.beta2) * g[i] * second;
        dm[i] = a.beta1 * first;
        dv[i] = a.beta2 * second;
    }
}

// NaN stays NaN.
extern "C" __global__ void __launch_bounds__(BLOCK)
    rms_prop(float* p, float* v, const float* g, int n, float learning_rate, float alpha, float epsilon,
             int inside_root, float clip)
{
    FOR_EACH(i, n)
    {
        float square = alpha * v[i] + (1 - alpha) * g[i] * g[i];
        v[i] = square;
        float x = p[i] - learning_rate * g[i] / (inside_root ? sqrtf(square + epsilon) : sqrtf(square) + epsilon);
        p[i] = x > clip ? clip : x < -clip ? -clip : x;
    }
}
