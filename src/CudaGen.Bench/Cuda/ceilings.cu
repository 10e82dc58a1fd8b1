// ceilings.cu - what a GPU can do at most, for comparison: arithmetic, copying, launching.

// y = the sum of 16 independent chains s = a s + b of as many fused multiply-adds as 16 times the rounds: two
// operations each.
extern "C" __global__ void multiply_add(float* y, float a, float b, int rounds)
{
    float s[16];
#pragma unroll
    for (int i = 0; i < 16; i++)
        s[i] = threadIdx.x + i;
    for (int r = 0; r < rounds; r++)
    {
        // 256 between two tests of the loop.
#pragma unroll
        for (int j = 0; j < 16; j++)
        {
#pragma unroll
            for (int i = 0; i < 16; i++)
                s[i] = fmaf(s[i], a, b);
        }
    }
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 16; i++)
        sum += s[i];
    y[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

// y = x, n float4.
extern "C" __global__ void copy(float4* y, const float4* x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = x[i];
}

extern "C" __global__ void empty()
{
}

// One thread, multiply-adds that wait for each other: keeps the GPU busy while the host gets ahead.
extern "C" __global__ void delay(float* y, float a, int rounds)
{
    float s = 1;
    for (int r = 0; r < rounds; r++)
        s = fmaf(s, a, a);
    y[0] = s;
}
