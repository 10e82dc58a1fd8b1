// data.cu - what a training step takes from device memory and leaves there, without the host.
//
//   gather    x[row] = scale images[order(number rows + row)] + offset
//   labels    y[row] = one-hot(labels[order(number rows + row mod rows)])
//   points    x[row] = points[order(number rows + row)]
//   slice     x[row] = scale images[(first + row) mod count] + offset
//   advance   ring[step mod capacity] = losses, then step += 1
//   count     counter += 1
//
// x (rows, length) is overwritten; images (count, length) are bytes. The number of a minibatch is step batches + batch,
// as a step may take several. The order is that of Minibatch.Index in CudaGen.Kernels: position = epoch * count + rest,
// and rest goes through a Feistel network keyed by (seed, epoch) until the index is one below count (Black and Rogaway
// 2002).
#include "common.cuh"

// Minibatch.Stream
#define ORDER_STREAM 0xDA7Au

// Elements of a row that one block converts at a time.
#define SEGMENT 4096

static __device__ __forceinline__ unsigned image_index(unsigned long long position, unsigned count,
                                                       unsigned long long seed)
{
    unsigned long long epoch = position / count;
    // Half the bits of the smallest even width that holds count - 1.
    int half = max(1, (32 - __clz(count - 1) + 1) / 2);
    unsigned mask = (1u << half) - 1, index = (unsigned)(position % count);
    do
    {
        unsigned left = index >> half, right = index & mask;
        for (unsigned round = 0; round < 8; round++)
        {
            unsigned next = left ^ (philox(seed, ORDER_STREAM, epoch, right << 3 | round).x & mask);
            left = right;
            right = next;
        }
        index = left << half | right;
    } while (index >= count);
    return index;
}

// Calls index(row) once for each segment of a row that this thread has elements of.
template <typename Index>
static __device__ __forceinline__ void convert_rows(float* x, const unsigned char* images, int rows, int length,
                                                    float scale, float offset, Index index)
{
    unsigned segments = ((unsigned)length + SEGMENT - 1) / SEGMENT;
    for (unsigned item = blockIdx.x; item < rows * segments; item += gridDim.x)
    {
        unsigned row = item / segments, first = item % segments * SEGMENT;
        unsigned end = min(first + SEGMENT, (unsigned)length);
        if (first + threadIdx.x >= end)
            continue;
        const unsigned char* from = images + (size_t)index(row) * length;
        float* to = x + (size_t)row * length;
        for (unsigned i = first + threadIdx.x; i < end; i += BLOCK)
            to[i] = __fadd_rn(__fmul_rn(scale, from[i]), offset); // not fused: the same bits as on the CPU
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    minibatch_gather(float* x, const unsigned char* images, const unsigned long long* step, unsigned long long seed,
                     int rows, int length, int count, float scale, float offset, int batches, int batch)
{
    unsigned long long first = (*step * batches + batch) * rows;
    convert_rows(x, images, rows, length, scale, offset,
                 [=](unsigned row) { return image_index(first + row, count, seed); });
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    minibatch_slice(float* x, const unsigned char* images, int first, int rows, int length, int count, float scale,
                    float offset)
{
    convert_rows(x, images, rows, length, scale, offset,
                 [=](unsigned row) { return (unsigned)(((unsigned long long)first + row) % count); });
}

// y (copies rows, classes), labels (count): the same labels several times.
extern "C" __global__ void __launch_bounds__(BLOCK)
    minibatch_labels(float* y, const unsigned char* labels, const unsigned long long* step, unsigned long long seed,
                     int rows, int classes, int count, int copies, int batches, int batch)
{
    unsigned long long first = (*step * batches + batch) * rows;
    FOR_EACH(i, copies * rows * classes)
    {
        unsigned row = i / classes % rows;
        y[i] = labels[image_index(first + row, count, seed)] == i % classes ? 1.0f : 0.0f;
    }
}

// points (count, length)
extern "C" __global__ void __launch_bounds__(BLOCK)
    minibatch_points(float* x, const float* points, const unsigned long long* step, unsigned long long seed, int rows,
                     int length, int count, int batches, int batch)
{
    unsigned long long first = (*step * batches + batch) * rows;
    FOR_EACH(i, rows * length)
    {
        x[i] = points[(size_t)image_index(first + i / length, count, seed) * length + i % length];
    }
}

// One thread.
extern "C" __global__ void count_step(unsigned long long* counter)
{
    ++*counter;
}

// ring (capacity, count), losses (count). One block.
extern "C" __global__ void __launch_bounds__(BLOCK)
    advance_step(float* ring, unsigned long long* step, const float* losses, int capacity, int count)
{
    size_t row = *step % capacity;
    for (int i = threadIdx.x; i < count; i += BLOCK)
        ring[row * count + i] = losses[i];
    __syncthreads(); // all have read step
    if (threadIdx.x == 0)
        ++*step;
}
