// pooling.cu - square windows of `size` every `stride` pixels, without padding; x (N, H, W, C), y (N, P, Q, C) with
// P = (H - size) / stride + 1. What is left over at the bottom and right belongs to no window.
//
//   max       forward    y = the largest of a window; NaN if there is one
//             backward   dx = sum of dy of the windows whose first largest element, row by row, is this one; needs x
//   average   forward    y = sum of a window / size^2
//             backward   dx = sum of dy of the windows around it / size^2
//
// dx is overwritten. A thread has one element of the output; in a backward pass it gathers from all windows around its
// element, in their order, so that nothing is added by two threads.
#include "common.cuh"

// The windows of one axis that element `at` lies in: first to end - 1.
struct Windows
{
    unsigned first, end;
};

static __device__ __forceinline__ Windows windows_around(unsigned at, unsigned size, unsigned stride, unsigned count)
{
    return {at < size ? 0 : (at - size) / stride + 1, min(at / stride + 1, count)};
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    max_pool_forward(float* y, const float* x, unsigned n, unsigned height, unsigned width, unsigned channels,
                     unsigned p, unsigned q, unsigned size, unsigned stride)
{
    FOR_EACH(k, n)
    {
        ImageElement at = image_element(k, p, q, channels);
        unsigned first = ((at.image * height + at.row * stride) * width + at.column * stride) * channels + at.channel;
        float best = x[first];
        for (unsigned i = 0; i < size; i++)
        {
            for (unsigned j = 0; j < size; j++)
            {
                float v = x[first + (i * width + j) * channels];
                best = v > best || isnan(v) ? v : best;
            }
        }
        y[k] = best;
    }
}

// The element of the window from `first` on that the maximum was taken from.
static __device__ __forceinline__ unsigned first_largest(const float* x, unsigned first, unsigned width,
                                                         unsigned channels, unsigned size)
{
    unsigned best = first;
    float largest = x[first];
    for (unsigned i = 0; i < size; i++)
    {
        for (unsigned j = 0; j < size; j++)
        {
            unsigned at = first + (i * width + j) * channels;
            if (x[at] > largest)
            {
                best = at;
                largest = x[at];
            }
        }
    }
    return best;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    max_pool_backward(float* dx, const float* dy, const float* x, unsigned n, unsigned height, unsigned width,
                      unsigned channels, unsigned p, unsigned q, unsigned size, unsigned stride)
{
    FOR_EACH(k, n)
    {
        ImageElement at = image_element(k, height, width, channels);
        Windows rows = windows_around(at.row, size, stride, p), columns = windows_around(at.column, size, stride, q);
        float sum = 0;
        for (unsigned i = rows.first; i < rows.end; i++)
        {
            for (unsigned j = columns.first; j < columns.end; j++)
            {
                unsigned first = ((at.image * height + i * stride) * width + j * stride) * channels + at.channel;
                if (first_largest(x, first, width, channels, size) == k)
                    sum += dy[((at.image * p + i) * q + j) * channels + at.channel];
            }
        }
        dx[k] = sum;
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    average_pool_forward(float* y, const float* x, unsigned n, unsigned height, unsigned width, unsigned channels,
                         unsigned p, unsigned q, unsigned size, unsigned stride)
{
    FOR_EACH(k, n)
    {
        ImageElement at = image_element(k, p, q, channels);
        unsigned first = ((at.image * height + at.row * stride) * width + at.column * stride) * channels + at.channel;
        float sum = 0;
        for (unsigned i = 0; i < size; i++)
        {
            for (unsigned j = 0; j < size; j++)
                sum += x[first + (i * width + j) * channels];
        }
        y[k] = sum / (size * size);
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    average_pool_backward(float* dx, const float* dy, unsigned n, unsigned height, unsigned width, unsigned channels,
                          unsigned p, unsigned q, unsigned size, unsigned stride)
{
    FOR_EACH(k, n)
    {
        ImageElement at = image_element(k, height, width, channels);
        Windows rows = windows_around(at.row, size, stride, p), columns = windows_around(at.column, size, stride, q);
        float sum = 0;
        for (unsigned i = rows.first; i < rows.end; i++)
        {
            for (unsigned j = columns.first; j < columns.end; j++)
                sum += dy[((at.image * p + i) * q + j) * channels + at.channel];
        }
        dx[k] = sum / (size * size);
    }
}
