// convolution.cu - convolutions as matrix products of which no matrix is ever in memory, only the images.
//
//   x (N, H, W, C), w (K, R, S, C), y (N, P, Q, K); tap (r, s) of output pixel (p, q) meets input pixel
//   (p * stride - top + r, q * stride - left + s)
//
//   forward           y = f(x * w + b)       rows: pixels of y; columns: K; terms: (r, s, c)
//   backward data     dx = f(dy *' w + b)    rows: pixels of x; columns: C; terms: (r, s, k)
//   backward filter   dw += sum of dy x      rows: (r, s, c); columns: K; terms: pixels of y
//
// Backward data needs w, and is the forward pass of a transposed convolution, which is why it has a bias and f.
// Backward filter needs x. y and dx are overwritten, dw is accumulated or overwritten. `part` is how many terms a part
// has, a multiple of STRETCH; with several parts the result is (parts, elements), without f, and dense_sum follows.
#include "product.cuh"

// The letters above.
struct Geometry
{
    int N, H, W, C, K, R, S, P, Q, stride, top, left;

    // An output pixel: where its window starts in x. Its other offset is where it is in y.
    __device__ __forceinline__ Place window(unsigned pixel) const
    {
        int q = pixel % Q, p = pixel / Q % P, n = pixel / Q / P;
        int y = p * stride - top, x = q * stride - left;
        return {(((unsigned)n * H + y) * W + x) * C, y, x, pixel * K};
    }

    // Element (r, s, c) of a filter: where it is in a window of x. Its other offset is where it is in the filter.
    __device__ __forceinline__ Place tap(unsigned i) const
    {
        int c = i % C, s = i / C % S, r = i / C / S;
        return {((unsigned)r * W + s) * C + c, r, s, i};
    }
};

struct Forward : Factors
{
    Geometry g;

    __device__ __forceinline__ Place row(unsigned m) const
    {
        return g.window(m);
    }

    __device__ __forceinline__ Place term(unsigned k) const
    {
        return g.tap(k);
    }

    __device__ __forceinline__ unsigned result(unsigned m) const
    {
        return m * g.K;
    }
};

struct BackwardFilter : Factors
{
    Geometry g;

    __device__ __forceinline__ Place row(unsigned m) const
    {
        return g.tap(m);
    }

    __device__ __forceinline__ Place term(unsigned k) const
    {
        return g.window(k);
    }

    __device__ __forceinline__ unsigned result(unsigned m) const
    {
        return m;
    }
};

// Along one axis of x, the pixels that meet the same taps: those whose distance to the padding's edge leaves the same
// remainder when divided by the stride. No other tap has to be looked at.
struct Residue
{
    int tap, taps;     // the first of them, and how many; each is one stride after the one before
    int pixel, pixels; // the same of pixels
    int output;        // where the first tap of the first pixel lies in y; of the next pixel, one further

    __device__ __forceinline__ Residue(int remainder, int stride, int padding, int kernel, int extent)
    {
        tap = remainder;
        taps = max(kernel - tap + stride - 1, 0) / stride;
        pixel = (remainder + stride - padding % stride) % stride;
        pixels = max(extent - pixel + stride - 1, 0) / stride;
        output = (pixel + padding - tap) / stride;
    }
};

struct BackwardData : Factors
{
    Geometry g;
    Residue y, x;

    __device__ __forceinline__ Place row(unsigned m) const
    {
        int q = m % x.pixels + x.output, p = m / x.pixels % y.pixels + y.output, n = m / x.pixels / y.pixels;
        return {(((unsigned)n * g.P + p) * g.Q + q) * g.K, p, q, 0};
    }

    // The i-th tap of a pixel is i rows before the first in y.
    __device__ __forceinline__ Place term(unsigned k) const
    {
        int filter = k % g.K, j = k / g.K % x.taps, i = k / g.K / x.taps;
        int r = y.tap + i * g.stride, s = x.tap + j * g.stride;
        return {filter - ((unsigned)i * g.Q + j) * g.K, -i, -j, (((unsigned)filter * g.R + r) * g.S + s) * g.C};
    }

    __device__ __forceinline__ unsigned result(unsigned m) const
    {
        int w = m % x.pixels * g.stride + x.pixel, h = m / x.pixels % y.pixels * g.stride + y.pixel;
        return (((unsigned)(m / x.pixels / y.pixels) * g.H + h) * g.W + w) * g.C;
    }
};

extern "C" __global__ void __launch_bounds__(BLOCK)
    convolution_forward(float* y, const float* x, const float* w, const float* bias, int N, int H, int W, int C, int K,
                        int R, int S, int P, int Q, int stride, int top, int left, int part, int kind, float slope)
{
    __shared__ BlockTiles tiles;
    unsigned pixels = N * P * Q, terms = R * S * C;
    Forward in = {{x, (unsigned)H, (unsigned)W, w, pixels, (unsigned)K, terms, 1, true, true},
                  {N, H, W, C, K, R, S, P, Q, stride, top, left}};
    Output out = {y + (size_t)blockIdx.z * pixels * K, bias, K, 0, kind, slope};
    unsigned first = blockIdx.z * part;
    product(tiles, in, out, first, min(first + part, terms));
}

// Blocks along z: parts x stride x stride, one for each pair of residues.
extern "C" __global__ void __launch_bounds__(BLOCK)
    convolution_backward_data(float* dx, const float* dy, const float* w, const float* bias, int N, int H, int W, int C,
                              int K, int R, int S, int P, int Q, int stride, int top, int left, int part, int kind,
                              float slope)
{
    __shared__ BlockTiles tiles;
    int pair = blockIdx.z % (stride * stride);
    Residue along_y(pair / stride, stride, top, R, H), along_x(pair % stride, stride, left, S, W);
    unsigned pixels = N * along_y.pixels * along_x.pixels, terms = along_y.taps * along_x.taps * K;
    BackwardData in = {{dy, (unsigned)P, (unsigned)Q, w, pixels, (unsigned)C, 1, 1, true, false},
                       {N, H, W, C, K, R, S, P, Q, stride, top, left},
                       along_y,
                       along_x};
    Output out = {dx + (size_t)(blockIdx.z / (stride * stride)) * N * H * W * C, bias, C, 0, kind, slope};
    unsigned first = blockIdx.z / (stride * stride) * part;
    product(tiles, in, out, first, min(first + part, terms));
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    convolution_backward_filter(float* dw, const float* dy, const float* x, int N, int H, int W, int C, int K, int R,
                                int S, int P, int Q, int stride, int top, int left, int part, int accumulate)
{
    __shared__ BlockTiles tiles;
    unsigned pixels = N * P * Q, taps = R * S * C;
    BackwardFilter in = {{x, (unsigned)H, (unsigned)W, dy, taps, (unsigned)K, 1, taps, false, false},
                         {N, H, W, C, K, R, S, P, Q, stride, top, left}};
    Output out = {dw + (size_t)blockIdx.z * taps * K, nullptr, 1, accumulate, LINEAR, 0};
    unsigned first = blockIdx.z * part;
    product(tiles, in, out, first, min(first + part, pixels));
}

// For libraries that pad an image by the same on both sides only: padded (N, height, width, C) is x with zeros around
// it, n elements. Overwritten whole.
extern "C" __global__ void __launch_bounds__(BLOCK)
    convolution_pad(float* padded, const float* x, int n, int H, int W, int C, int height, int width, int top, int left)
{
    FOR_EACH(i, n)
    {
        int column = (int)(i / C % width) - left, row = (int)(i / C / width % height) - top;
        unsigned image = i / C / width / height;
        bool inside = (unsigned)row < (unsigned)H && (unsigned)column < (unsigned)W;
        padded[i] = inside ? x[((image * H + row) * W + column) * C + i % C] : 0;
    }
}

// x (N, H, W, C), n elements, from the inside of padded (N, height, width, C).
extern "C" __global__ void __launch_bounds__(BLOCK) convolution_crop(float* x, const float* padded, int n, int H, int W,
                                                                     int C, int height, int width, int top, int left)
{
    FOR_EACH(i, n)
    {
        unsigned column = i / C % W + left, row = i / C / W % H + top, image = i / C / W / H;
        x[i] = padded[((image * height + row) * width + column) * C + i % C];
    }
}
