// Scales in vectors of four. Planted in the launch: x starts 4 bytes behind an aligned address.
extern "C" __global__ void misaligned_float4(float* y, const float* x, float scale, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n / 4)
    {
        float4 v = reinterpret_cast<const float4*>(x)[i];
        reinterpret_cast<float4*>(y)[i] = make_float4(scale * v.x, scale * v.y, scale * v.z, scale * v.w);
    }
}
