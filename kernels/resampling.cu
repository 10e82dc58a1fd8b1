// resampling.cu - images made larger or smaller; x (N, H, W, C), y (N, P, Q, C).
//
//   nearest    forward    y = x[i / scale, j / scale], P = H scale, Q = W scale
//              backward   dx = sum of the scale x scale dy that were copied from it
//   bilinear   forward    TensorFlow 1's resize_bilinear without aligned corners: row i of y lies at i H / P in x,
//   between
//                         lower = floor and upper = min(lower + 1, H - 1); columns likewise
//              backward   dx = sum of weight dy over the elements of y that were mixed from it
//
// dx is overwritten. A thread has one element of the output; backward passes gather, in the order of y. Positions are
// fractions of whole numbers, so that no rounding moves a floor.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(BLOCK)
    nearest_upsample_forward(float* y, const float* x, unsigned n, unsigned width, unsigned channels, unsigned scale)
{
    FOR_EACH(k, n)
    {
        // Rows of all images together: N H scale is N times H scale.
        unsigned pixel = k / channels, row = pixel / (width * scale), column = pixel % (width * scale);
        y[k] = x[(row / scale * width + column / scale) * channels + k % channels];
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    nearest_upsample_backward(float* dx, const float* dy, unsigned n, unsigned width, unsigned channels, unsigned scale)
{
    FOR_EACH(k, n)
    {
        unsigned pixel = k / channels, row = pixel / width, column = pixel % width;
        unsigned first = (row * scale * width + column) * scale * channels + k % channels;
        float sum = 0;
        for (unsigned i = 0; i < scale; i++)
        {
            for (unsigned j = 0; j < scale; j++)
                sum += dy[first + (i * width * scale + j) * channels];
        }
        dx[k] = sum;
    }
}

// Where an output lies among the inputs of an axis, and how far it is from the lower one.
struct Mix
{
    unsigned lower, upper;
    float fraction;
};

static __device__ __forceinline__ Mix mix_of(unsigned at, unsigned inputs, unsigned outputs)
{
    unsigned long long position = (unsigned long long)at * inputs;
    unsigned lower = (unsigned)(position / outputs);
    float rest = (float)(unsigned)(position % outputs);
    return {lower, min(lower + 1, inputs - 1), rest / outputs};
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    bilinear_resize_forward(float* y, const float* x, unsigned n, unsigned height, unsigned width, unsigned channels,
                            unsigned p, unsigned q)
{
    FOR_EACH(k, n)
    {
        ImageElement at = image_element(k, p, q, channels);
        Mix row = mix_of(at.row, height, p), column = mix_of(at.column, width, q);
        const float* image = x + (size_t)at.image * height * width * channels + at.channel;
        const float* upper = image + (size_t)row.lower * width * channels;
        const float* lower = image + (size_t)row.upper * width * channels;
        unsigned left = column.lower * channels, right = column.upper * channels;
        float v = row.fraction, h = column.fraction;
        y[k] = (1 - v) * (1 - h) * upper[left] + (1 - v) * h * upper[right] + v * (1 - h) * lower[left] +
               v * h * lower[right];
    }
}

// The first output of an axis that lies at or after `input`: outputs i with i inputs / outputs >= input.
static __device__ __forceinline__ unsigned first_output(unsigned input, unsigned inputs, unsigned outputs)
{
    return (unsigned)(((unsigned long long)input * outputs + inputs - 1) / inputs);
}

// How much of an output comes from `input`, which at the end of the axis may be both of its neighbours.
static __device__ __forceinline__ float share_of(Mix mix, unsigned input)
{
    return (mix.lower == input ? 1 - mix.fraction : 0) + (mix.upper == input ? mix.fraction : 0);
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    bilinear_resize_backward(float* dx, const float* dy, unsigned n, unsigned height, unsigned width, unsigned channels,
                             unsigned p, unsigned q)
{
    FOR_EACH(k, n)
    {
        ImageElement at = image_element(k, height, width, channels);
        // Outputs between the neighbours before and after this input take part of it.
        unsigned first_row = first_output(at.row == 0 ? 0 : at.row - 1, height, p);
        unsigned first_column = first_output(at.column == 0 ? 0 : at.column - 1, width, q);
        unsigned end_row = first_output(at.row + 1, height, p), end_column = first_output(at.column + 1, width, q);
        float sum = 0;
        for (unsigned i = first_row; i < end_row; i++)
        {
            float v = share_of(mix_of(i, height, p), at.row);
            for (unsigned j = first_column; j < end_column; j++)
            {
                float h = share_of(mix_of(j, width, q), at.column);
                sum += v * h * dy[((at.image * p + i) * q + j) * channels + at.channel];
            }
        }
        dx[k] = sum;
    }
}
