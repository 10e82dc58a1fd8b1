// A step of gradient descent in vectors of four. Planted: the scalar tail starts one element too early.
extern "C" __global__ void overlapping_tail(float* p, const float* g, float rate, int n)
{
    int i = threadIdx.x, vectors = n / 4;
    if (i < vectors)
    {
        float4 v = reinterpret_cast<float4*>(p)[i], d = reinterpret_cast<const float4*>(g)[i];
        reinterpret_cast<float4*>(p)[i] =
            make_float4(v.x - rate * d.x, v.y - rate * d.y, v.z - rate * d.z, v.w - rate * d.w);
    }
    int tail = 4 * vectors - 1 + i - 32;
    if (i >= 32 && tail < n)
        p[tail] -= rate * g[tail];
}
