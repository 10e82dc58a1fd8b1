// Leaky ReLU in vectors of four. Planted: the last vector is taken whole where n is no multiple of four.
__device__ float leaky(float x, float slope)
{
    return x > 0.0f ? x : slope * x;
}

extern "C" __global__ void vector_overrun(float* y, const float* x, float slope, int n)
{
    int i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n)
    {
        float4 v = *reinterpret_cast<const float4*>(x + i);
        *reinterpret_cast<float4*>(y + i) =
            make_float4(leaky(v.x, slope), leaky(v.y, slope), leaky(v.z, slope), leaky(v.w, slope));
    }
}
