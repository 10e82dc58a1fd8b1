// The median of three. Planted: the sort compares one element too many.
extern "C" __global__ void local_array_overrun(float* y, const float* x, int n)
{
    float v[3];
    for (int k = 0; k < 3; ++k)
        v[k] = x[min(threadIdx.x + k, n - 1)];
    for (int pass = 0; pass < 3; ++pass)
        for (int k = 0; k < 3; ++k)
            if (v[k] > v[k + 1])
            {
                float t = v[k];
                v[k] = v[k + 1];
                v[k + 1] = t;
            }
    y[threadIdx.x] = v[1];
}
