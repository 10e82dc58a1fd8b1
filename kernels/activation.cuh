// activation.cuh - the element-wise functions f after a layer and their derivatives, first and second, from y = f(x).
#pragma once

// The numbers of ActivationKind in CudaGen.Kernels.
enum
{
    LINEAR,
    RELU,
    LEAKY_RELU, // Maas et al. 2013
    ELU,        // Clevert et al. 2016, alpha 1
    TANH,
    SIGMOID,
};

static __device__ __forceinline__ float activate(int kind, float slope, float x)
{
    switch (kind)
    {
    case RELU:
        return x <= 0 ? 0 : x; // NaN stays NaN
    case LEAKY_RELU:
        return x > 0 ? x : slope * x;
    case ELU:
        return x > 0 ? x : expm1f(x);
    case TANH:
        return tanhf(x);
    case SIGMOID:
        return 1 / (1 + expf(-x));
    default:
        return x;
    }
}

static __device__ __forceinline__ float activation_derivative(int kind, float slope, float y)
{
    switch (kind)
    {
    case RELU:
        return y > 0 ? 1.0f : 0.0f;
    case LEAKY_RELU:
        return y > 0 ? 1.0f : slope;
    case ELU:
        return y > 0 ? 1.0f : y + 1;
    case TANH:
        return 1 - y * y;
    case SIGMOID:
        return y * (1 - y);
    default:
        return 1;
    }
}

// f'' / f', without the kinks.
static __device__ __forceinline__ float activation_curvature(int kind, float y)
{
    switch (kind)
    {
    case ELU:
        return y > 0 ? 0.0f : 1.0f;
    case TANH:
        return -2 * y;
    case SIGMOID:
        return 1 - 2 * y;
    default:
        return 0;
    }
}
