// libcudnn_passes.h - the three passes of a convolution, as arithmetic on memory that has been checked.
//
//   y[n,p,q,k] = sum over r,s,c of x[n, p*stride - pad + r*dilation, q*stride - pad + s*dilation, c] * w[k,r,s,c]
//
// Any layout; with groups, the channels of x and of y are cut into that many parts of their own.
#pragma once
#include "libcudnn.h"

namespace cudnn
{

struct Geometry
{
    Tensor x, w, y;
    Convolution convolution;

    long pixels() const
    {
        return long(y.n) * y.h * y.w;
    }
    long taps() const // products that make one number of y: r, s and the channels of one group
    {
        return long(w.h) * w.w * w.c;
    }
    int outputs() const // channels of y in one group
    {
        return w.n / convolution.groups;
    }
    bool tf32() const
    {
        return convolution.math != CUDNN_FMA_MATH;
    }
};

// The numbers of a tensor as float32: its memory, or a copy of bfloat16.
class Floats
{
  public:
    Floats(const Tensor& tensor, const void* data, bool read = true);

    float* data()
    {
        return _tensor.type == CUDNN_DATA_BFLOAT16 ? _copy.data() : static_cast<float*>(_memory);
    }

    // Rounds what was computed into memory.
    void store() const;

  private:
    const Tensor _tensor;
    void* const _memory;
    std::vector<float> _copy; // with the strides of the tensor
};

// y = relu(alpha * convolution + beta * z + bias); z and bias are null where there is none.
struct Epilogue
{
    float alpha, beta;
    const float* z;
    const float* bias;
    bool relu;
};

void forward(const Geometry& geometry, const float* x, const float* w, float* y, const Epilogue& epilogue);

// dx = alpha * pass + beta * dx, and the same for dw. Algorithms that cuDNN calls non-deterministic pass a `turn` that
// differs from call to call: it changes the order of the sum and so the last bits.
void backward_data(const Geometry& geometry, const float* w, const float* dy, float* dx, float alpha, float beta,
                   unsigned turn);
void backward_filter(const Geometry& geometry, const float* x, const float* dy, float* dw, float alpha, float beta,
                     unsigned turn);

} // namespace cudnn
