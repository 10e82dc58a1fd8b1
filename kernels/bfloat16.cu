// bfloat16.cu - to and from bfloat16, the upper half of a float32, for libraries that multiply it.
//
//   round   y = x to nearest, ties to even                y bfloat16, at a multiple of 8 bytes
//   pad     the same, with zeros around each image
//   widen   y = f(x + b)                                  x bfloat16; b may be null
//   crop    the same for the inside of each image
//   add     y += x                                        x bfloat16
//
//   outputs but that of add are overwritten; b (C), channels last
#include "activation.cuh"
#include "common.cuh"

static __device__ __forceinline__ unsigned short to_bfloat16(float x)
{
    unsigned bits = __float_as_uint(x);
    if (x != x)
        return bits >> 16 | 0x40; // rounding could carry a NaN into infinity
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static __device__ __forceinline__ float from_bfloat16(unsigned short x)
{
    return __uint_as_float((unsigned)x << 16);
}

extern "C" __global__ void __launch_bounds__(BLOCK) bfloat16_round(unsigned short* y, const float* x, int n)
{
    bool vectors = on_vector(x);
    FOR_EACH(four, ((unsigned)n + 3) / 4)
    {
        unsigned i = 4 * four;
        if (vectors && i + 4 <= (unsigned)n)
        {
            float4 v = *(const float4*)(x + i);
            *(ushort4*)(y + i) = make_ushort4(to_bfloat16(v.x), to_bfloat16(v.y), to_bfloat16(v.z), to_bfloat16(v.w));
        }
        else
        {
            for (; i < min(4 * four + 4, (unsigned)n); i++)
                y[i] = to_bfloat16(x[i]);
        }
    }
}

// padded (N, height, width, C), n elements.
extern "C" __global__ void __launch_bounds__(BLOCK) bfloat16_pad(unsigned short* padded, const float* x, int n, int H,
                                                                 int W, int C, int height, int width, int top, int left)
{
    FOR_EACH(i, n)
    {
        ImageElement at = image_element(i, height, width, C);
        unsigned row = at.row - top, column = at.column - left; // huge where it is before the image
        bool inside = row < (unsigned)H && column < (unsigned)W;
        padded[i] = inside ? to_bfloat16(x[((at.image * H + row) * W + column) * C + at.channel]) : 0;
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    bfloat16_widen(float* y, const unsigned short* x, const float* bias, int n, int channels, int kind, float slope)
{
    FOR_EACH(i, n)
    {
        float b = bias == nullptr ? 0 : bias[i % channels];
        y[i] = activate(kind, slope, from_bfloat16(x[i]) + b);
    }
}

// y (N, H, W, C), n elements, from padded (N, height, width, C).
extern "C" __global__ void __launch_bounds__(BLOCK)
    bfloat16_crop(float* y, const unsigned short* padded, const float* bias, int n, int H, int W, int C, int height,
                  int width, int top, int left, int kind, float slope)
{
    FOR_EACH(i, n)
    {
        ImageElement at = image_element(i, H, W, C);
        float b = bias == nullptr ? 0 : bias[at.channel];
        unsigned from = ((at.image * height + at.row + top) * width + at.column + left) * C + at.channel;
        y[i] = activate(kind, slope, from_bfloat16(padded[from]) + b);
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK) bfloat16_add(float* y, const unsigned short* x, int n)
{
    FOR_EACH(i, n)
    {
        y[i] += from_bfloat16(x[i]);
    }
}
