// libcudnn_passes.cpp - each pass of a convolution is a matrix product for each group. With pixels (n,p,q) of y and
// taps (r,s,c) of the kernel:
//
//   forward          y  (pixels x outputs) = patches of x (pixels x taps)    * w  (taps x outputs)
//   backward data    patches of dx (pixels x taps) += dy (pixels x outputs)  * w  (outputs x taps)
//   backward filter  dw (outputs x taps)   = dy (outputs x pixels)           * patches of x (pixels x taps)
#include "libcudnn_passes.h"
#include "product.h"

using namespace cudnn;

namespace
{

// Cuts taps [first, first + count) into runs of channels: visit(r, s, c, length of the run, taps before it).
template <class Visit> void each_run(const Geometry& geometry, long first, long count, Visit visit)
{
    const long channels = geometry.w.c;
    long s = first / channels % geometry.w.w, r = first / channels / geometry.w.w, c = first % channels;
    for (long done = 0; done < count; c = 0)
    {
        const long run = std::min(channels - c, count - done);
        visit(r, s, c, run, done);
        done += run;
        if (++s == geometry.w.w)
            s = 0, r++;
    }
}

// Where a pixel of y lies, and what each tap of the kernel meets there.
struct Pixel
{
    const Geometry& geometry;
    long n, p, q;

    Pixel(const Geometry& geometry, long index)
        : geometry(geometry), n(index / geometry.y.w / geometry.y.h), p(index / geometry.y.w % geometry.y.h),
          q(index % geometry.y.w)
    {
    }

    long of_y() const
    {
        return n * geometry.y.ns + p * geometry.y.hs + q * geometry.y.ws;
    }

    // The offset of x that tap (r, s) meets, for its first channel; -1 outside of the image.
    long of_x(long r, long s) const
    {
        const Convolution& with = geometry.convolution;
        const long h = p * with.stride_h - with.pad_h + r * with.dilation_h;
        const long w = q * with.stride_w - with.pad_w + s * with.dilation_w;
        const bool inside = h >= 0 && h < geometry.x.h && w >= 0 && w < geometry.x.w;
        return inside ? n * geometry.x.ns + h * geometry.x.hs + w * geometry.x.ws : -1;
    }
};

// The offset in a filter of an output channel and a tap. A convolution in the mathematical sense turns the kernel
// round.
long of_filter(const Geometry& geometry, long k, long r, long s, long c)
{
    const Tensor& w = geometry.w;
    const bool turned = geometry.convolution.mode == CUDNN_CONVOLUTION;
    return k * w.ns + c * w.cs + (turned ? w.h - 1 - r : r) * w.hs + (turned ? w.w - 1 - s : s) * w.ws;
}

struct Patches
{
    const Geometry& geometry;
    const float* x;
    long channel; // the first of the group
    bool along_inner;
    long shift = 0;

    void gather(long pixel, long first, long count, float* to, long stride) const
    {
        const Pixel at(geometry, (pixel + shift) % geometry.pixels());
        each_run(geometry, first, count, [&](long r, long s, long c, long run, long done) {
            const long offset = at.of_x(r, s);
            float* out = to + done * stride;
            if (offset >= 0)
                product::copy(x + offset + (channel + c) * geometry.x.cs, geometry.x.cs, run, out, stride,
                              geometry.tf32());
            else
                for (long i = 0; i < run; i++)
                    out[i * stride] = 0;
        });
    }
};

struct Filter
{
    const Geometry& geometry;
    const float* w;
    long output; // the first of the group
    bool along_inner;

    void gather(long k, long first, long count, float* to, long stride) const
    {
        each_run(geometry, first, count, [&](long r, long s, long c, long run, long done) {
            product::copy(w + of_filter(geometry, output + k, r, s, c), geometry.w.cs, run, to + done * stride, stride,
                          geometry.tf32());
        });
    }
};

struct Outputs
{
    const Geometry& geometry;
    const float* y;
    long output; // the first of the group
    bool along_inner;
    long shift = 0;

    void gather(long pixel, long first, long count, float* to, long stride) const
    {
        const Pixel at(geometry, (pixel + shift) % geometry.pixels());
        product::copy(y + at.of_y() + (output + first) * geometry.y.cs, geometry.y.cs, count, to, stride,
                      geometry.tf32());
    }
};

// Where a sum over all pixels starts.
long shift_of(const Geometry& geometry, unsigned turn)
{
    return turn * 7919L % geometry.pixels();
}

// tensor *= factor, image by image; 0 does not read it.
void scale(const Tensor& tensor, float* values, float factor)
{
    for (long n = 0; n < tensor.n; n++)
        for (size_t i = 0; i < tensor.floats(); i++)
            values[n * tensor.ns + i] = factor == 0 ? 0 : factor * values[n * tensor.ns + i];
}

} // namespace

Floats::Floats(const Tensor& tensor, const void* data, bool read) : _tensor(tensor), _memory(const_cast<void*>(data))
{
    if (tensor.type != CUDNN_DATA_BFLOAT16)
        return;
    _copy.resize((tensor.n - 1) * tensor.ns + tensor.floats());
    for (size_t i = 0; read && i < _copy.size(); i++)
        _copy[i] = product::from_bfloat16(static_cast<const uint16_t*>(data)[i]);
}

void Floats::store() const
{
    for (long n = 0; !_copy.empty() && n < _tensor.n; n++)
        for (size_t i = 0; i < _tensor.floats(); i++)
            static_cast<uint16_t*>(_memory)[n * _tensor.ns + i] = product::to_bfloat16(_copy[n * _tensor.ns + i]);
}

void cudnn::forward(const Geometry& geometry, const float* x, const float* w, float* y, const Epilogue& epilogue)
{
    for (int group = 0; group < geometry.convolution.groups; group++)
    {
        const long output = long(group) * geometry.outputs();
        const Patches patches = {geometry, x, long(group) * geometry.w.c, true};
        const Filter filter = {geometry, w, output, true};
        product::run(geometry.pixels(), geometry.outputs(), geometry.taps(), patches, filter,
                     [&](long pixel, long first, long count, const double* values) {
                         long at = Pixel(geometry, pixel).of_y() + (output + first) * geometry.y.cs;
                         for (long i = 0; i < count; i++, at += geometry.y.cs)
                         {
                             double value = epilogue.alpha * values[i];
                             if (epilogue.z != nullptr)
                                 value += double(epilogue.beta) * epilogue.z[at];
                             if (epilogue.bias != nullptr)
                                 value += epilogue.bias[output + first + i];
                             y[at] = float(!epilogue.relu || value > 0 ? value : 0);
                         }
                     });
    }
}

void cudnn::backward_data(const Geometry& geometry, const float* w, const float* dy, float* dx, float alpha, float beta,
                          unsigned turn)
{
    const long shift = shift_of(geometry, turn);
    scale(geometry.x, dx, beta);
    for (int group = 0; group < geometry.convolution.groups; group++)
    {
        const long output = long(group) * geometry.outputs(), channel = long(group) * geometry.w.c;
        const Outputs outputs = {geometry, dy, output, true, shift};
        const Filter filter = {geometry, w, output, false};
        product::run(geometry.pixels(), geometry.taps(), geometry.outputs(), outputs, filter,
                     [&](long pixel, long first, long count, const double* values) {
                         const Pixel at(geometry, (pixel + shift) % geometry.pixels());
                         each_run(geometry, first, count, [&](long r, long s, long c, long run, long done) {
                             const long offset = at.of_x(r, s);
                             float* to = dx + offset + (channel + c) * geometry.x.cs;
                             for (long i = 0; offset >= 0 && i < run; i++)
                                 to[i * geometry.x.cs] += float(alpha * values[done + i]);
                         });
                     });
    }
}

void cudnn::backward_filter(const Geometry& geometry, const float* x, const float* dy, float* dw, float alpha,
                            float beta, unsigned turn)
{
    const long shift = shift_of(geometry, turn);
    for (int group = 0; group < geometry.convolution.groups; group++)
    {
        const long output = long(group) * geometry.outputs();
        const Outputs outputs = {geometry, dy, output, false, shift};
        const Patches patches = {geometry, x, long(group) * geometry.w.c, false, shift};
        product::run(geometry.outputs(), geometry.taps(), geometry.pixels(), outputs, patches,
                     [&](long k, long first, long count, const double* values) {
                         each_run(geometry, first, count, [&](long r, long s, long c, long run, long done) {
                             float* to = dw + of_filter(geometry, output + k, r, s, c);
                             for (long i = 0; i < run; i++)
                             {
                                 float& d = to[i * geometry.w.cs];
                                 d = float(alpha * values[done + i] + (beta == 0 ? 0 : double(beta) * d));
                             }
                         });
                     });
    }
}
