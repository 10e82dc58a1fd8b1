using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Picks a minibatch from a uint8 data set in device memory and converts it: x = scale * byte + offset. Which images a
/// step takes is a function of the step number in device memory, so nothing is shuffled, stored or saved.
/// </summary>
/// <remarks>
/// The images of all epochs form one endless sequence, position = step * N + row; epoch e is the positions from e * count
/// on, in an order of its own. Every image comes once in an epoch, whatever the batch; a batch may span two epochs. The
/// order is a Feistel network of eight rounds on the smallest even number of bits that holds count, keyed by (seed,
/// epoch); indices beyond count walk on along their cycle (Black and Rogaway 2002).
/// </remarks>
public static unsafe class Minibatch
{
    private static readonly Kernel GatherKernel = new(KernelFiles.Data, "minibatch_gather");
    private static readonly Kernel LabelsKernel = new(KernelFiles.Data, "minibatch_labels");
    private static readonly Kernel PointsKernel = new(KernelFiles.Data, "minibatch_points");
    private static readonly Kernel SliceKernel = new(KernelFiles.Data, "minibatch_slice");

    /// <summary>The random stream of the order, apart from those of a model.</summary>
    public const uint Stream = 0xDA7A;

    /// <summary>
    /// x (N, ...) from <paramref name="images"/>, count rows of as many bytes as a row of x has elements, at the step that
    /// <paramref name="step"/> holds. A step that takes several minibatches asks for <paramref name="batch"/> 0, 1, ... of
    /// <paramref name="batchesPerStep"/>.
    /// </summary>
    /// <exception cref="ShapeException">The data set is no whole number of rows, or empty.</exception>
    public static void Gather(Device device, Tensor x, Buffer<byte> images, Buffer<ulong> step, ulong seed, float scale, float offset,
        int batchesPerStep = 1, int batch = 0)
    {
        int count = Count(device, x, images.Length, x.Shape.RowLength, "bytes");
        if (device.Kind == DeviceKind.Cuda)
        {
            device.Launch(GatherKernel, Grid(device, x), 256, 0, x, images, step, seed, x.Shape.Rows, x.Shape.RowLength, count, scale, offset,
                batchesPerStep, batch);
            return;
        }
        ulong first = First(step, x.Shape.Rows, batchesPerStep, batch);
        Job job = new((float*)x.Address, (byte*)images.Address, x.Shape.RowLength, x.Shape.Rows, count, first, seed, true, scale, offset);
        Dispatch.Run(device, job.Chunks, ref job);
    }

    /// <summary>
    /// y (N, classes), one-hot, from the labels (count) of the very images that <see cref="Gather(Device, Tensor, Buffer{byte}, Buffer{ulong}, ulong, float, float, int, int)"/>
    /// takes with the same numbers. A label beyond the classes gives zeros. y may have the labels of these N images several times, one
    /// <paramref name="copies"/> after the other.
    /// </summary>
    /// <exception cref="ShapeException">There are no labels, or no classes, or y is no whole number of copies.</exception>
    public static void GatherLabels(Device device, Tensor y, Buffer<byte> labels, Buffer<ulong> step, ulong seed, int batchesPerStep = 1, int batch = 0,
        int copies = 1)
    {
        int classes = y.Shape.RowLength, count = Count(device, y, labels.Length, Math.Min(classes, 1), "labels");
        if (y.Shape.Rows % copies != 0)
            throw new ShapeException($"labels: {y.Shape} are not {copies} times as many rows");
        int rows = y.Shape.Rows / copies;
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(LabelsKernel, y.Length, y, labels, step, seed, rows, classes, count, copies, batchesPerStep, batch);
            return;
        }
        ulong first = First(step, rows, batchesPerStep, batch);
        y.Span.Clear();
        for (int row = 0; row < rows; row++)
        {
            int label = labels.Span[Index(first + (ulong)row, count, seed)];
            for (int copy = 0; copy < copies && label < classes; copy++)
                y.Span[(copy * rows + row) * classes + label] = 1;
        }
    }

    /// <summary>x (N, ...) from a data set of float32, points (count, ...), in the same order.</summary>
    /// <exception cref="ShapeException">The rows differ in length, or there are none.</exception>
    public static void Gather(Device device, Tensor x, Tensor points, Buffer<ulong> step, ulong seed, int batchesPerStep = 1, int batch = 0)
    {
        int length = x.Shape.RowLength, count = Count(device, x, points.Length, length, "numbers");
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(PointsKernel, x.Length, x, points, step, seed, x.Shape.Rows, length, count, batchesPerStep, batch);
            return;
        }
        ulong first = First(step, x.Shape.Rows, batchesPerStep, batch);
        for (int row = 0; row < x.Shape.Rows; row++)
            points.Span.Slice(Index(first + (ulong)row, count, seed) * length, length).CopyTo(x.Span[(row * length)..]);
    }

    private static ulong First(Buffer<ulong> step, int rows, int batchesPerStep, int batch)
        => (step.Span[0] * (ulong)batchesPerStep + (ulong)batch) * (ulong)rows;

    /// <summary>x from <paramref name="images"/> in their order from row <paramref name="first"/> on, over the end to row 0.</summary>
    /// <exception cref="ShapeException">The data set is no whole number of rows, or empty.</exception>
    public static void Slice(Device device, Tensor x, Buffer<byte> images, int first, float scale, float offset)
    {
        int count = Count(device, x, images.Length, x.Shape.RowLength, "bytes");
        if (device.Kind == DeviceKind.Cuda)
        {
            device.Launch(SliceKernel, Grid(device, x), 256, 0, x, images, first, x.Shape.Rows, x.Shape.RowLength, count, scale, offset);
            return;
        }
        Job job = new((float*)x.Address, (byte*)images.Address, x.Shape.RowLength, x.Shape.Rows, count, (ulong)first, 0, false, scale, offset);
        Dispatch.Run(device, job.Chunks, ref job);
    }

    // SEGMENT of data.cu: elements of a row that one block takes at a time.
    private static int Grid(Device device, Tensor x)
    {
        const int Segment = 4096;
        long segments = (x.Shape.RowLength + Segment - 1L) / Segment;
        return (int)Math.Min(x.Shape.Rows * segments, device.BlockLimit);
    }

    /// <summary>The index in [0, count) at a position of the endless sequence.</summary>
    public static int Index(ulong position, int count, ulong seed)
    {
        (ulong epoch, ulong rest) = Math.DivRem(position, (ulong)count);
        // Half the bits of the smallest even width that holds count - 1.
        int half = Math.Max(1, (32 - int.LeadingZeroCount(count - 1) + 1) / 2);
        uint mask = (1u << half) - 1, index = (uint)rest;
        do
        {
            uint left = index >> half, right = index & mask;
            // Four rounds do for thousands of images; among ten, they favour some orders.
            for (uint round = 0; round < 8; round++)
                (left, right) = (right, left ^ (Philox.Words(seed, Stream, epoch, right << 3 | round).X & mask));
            index = left << half | right;
        }
        while (index >= (uint)count);
        return (int)index;
    }

    private static int Count(Device device, Tensor x, long elements, int row, string what)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (row == 0 || elements == 0 || elements % row != 0)
            throw new ShapeException($"a data set of {elements} {what} is no whole number of rows for {x.Shape}");
        // The elements may be more than an int counts, the rows may not.
        return elements / row <= int.MaxValue ? (int)(elements / row)
            : throw new ShapeException($"a data set of {elements} {what} has more than {int.MaxValue} rows for {x.Shape}");
    }

    private readonly struct Job(float* x, byte* images, int rowLength, int rows, int count, ulong first, ulong seed, bool shuffled, float scale,
        float offset) : IChunk
    {
        private int RowsPerChunk => Math.Max(1, ElementWise.ChunkLength / rowLength);

        public int Chunks => (rows + RowsPerChunk - 1) / RowsPerChunk;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            for (int row = chunk * RowsPerChunk; row < Math.Min(rows, (chunk + 1) * RowsPerChunk); row++)
            {
                int index = shuffled ? Index(first + (ulong)row, count, seed) : (int)((first + (ulong)row) % (ulong)count);
                byte* from = images + (nint)index * rowLength;
                float* to = x + (nint)row * rowLength;
                int i = 0;
                for (; i <= rowLength - Vector128<byte>.Count; i += Vector128<byte>.Count)
                {
                    (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.Load(from + i));
                    Convert(to + i, low);
                    Convert(to + i + 8, high);
                }
                for (; i < rowLength; i++)
                    to[i] = scale * from[i] + offset;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Convert(float* to, Vector128<ushort> eight)
        {
            (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(eight);
            (Vector128.ConvertToSingle(low.AsInt32()) * scale + Vector128.Create(offset)).Store(to);
            (Vector128.ConvertToSingle(high.AsInt32()) * scale + Vector128.Create(offset)).Store(to + 4);
        }
    }
}
