using System.Numerics;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Rows of two tensors one behind the other: row n of y is row n of a, then row n of b. The backward pass takes them apart. Rows may have
/// any shape; only their lengths count.
/// </summary>
public static unsafe class Concat
{
    private static readonly Kernel ForwardKernel = new(KernelFiles.Arithmetic, "concat_forward");
    private static readonly Kernel BackwardKernel = new(KernelFiles.Arithmetic, "concat_backward");

    /// <summary>y = a, b.</summary>
    /// <exception cref="ShapeException">The numbers of rows differ, or the lengths of rows do not add up.</exception>
    public static void Forward(Device device, Tensor y, Tensor a, Tensor b)
    {
        (int first, int second) = Check(device, y, a, b);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(ForwardKernel, y.Length, y, a, b, y.Length, first, second);
        else if (device.IsReference)
            ReferenceForward<float>(y.Span, a.Span, b.Span, first, second);
        else
        {
            Job job = new((float*)y.Address, (float*)a.Address, (float*)b.Address, y.Shape.Rows, first, second, forward: true);
            Dispatch.Run(device, job.Chunks, ref job);
        }
    }

    /// <summary>da, db = dy, overwritten; one of them may be null.</summary>
    /// <exception cref="ShapeException">The numbers of rows differ, or the lengths of rows do not add up.</exception>
    public static void Backward(Device device, Tensor? da, Tensor? db, Tensor dy)
    {
        (int first, int second) = Check(device, dy, da, db);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(BackwardKernel, dy.Length, da, db, dy, dy.Length, first, second);
        else if (device.IsReference)
            ReferenceBackward<float>(da is null ? default : da.Value.Span, db is null ? default : db.Value.Span, dy.Span, first, second);
        else
        {
            Job job = new((float*)dy.Address, Pointer(da), Pointer(db), dy.Shape.Rows, first, second, forward: false);
            Dispatch.Run(device, job.Chunks, ref job);
        }
    }

    private static float* Pointer(Tensor? t) => t is null ? null : (float*)t.Value.Address;

    private static (int First, int Second) Check(Device device, Tensor y, Tensor? a, Tensor? b)
    {
        ArgumentNullException.ThrowIfNull(device);
        int length = y.Shape.RowLength;
        int first = a?.Shape.RowLength ?? length - (b?.Shape.RowLength ?? 0), second = b?.Shape.RowLength ?? length - first;
        if (first < 0 || second < 0 || first + second != length || (a ?? y).Shape.Rows != y.Shape.Rows || (b ?? y).Shape.Rows != y.Shape.Rows)
            throw new ShapeException($"Concat: {Text(a)} and {Text(b)} make no {y.Shape}");
        return (first, second);

        static string Text(Tensor? t) => t is { } tensor ? tensor.Shape.ToString() : "nothing";
    }

    internal static void ReferenceForward<T>(Span<T> y, ReadOnlySpan<T> a, ReadOnlySpan<T> b, int first, int second) where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < y.Length; i++)
        {
            (int row, int at) = Math.DivRem(i, first + second);
            y[i] = at < first ? a[row * first + at] : b[row * second + at - first];
        }
    }

    internal static void ReferenceBackward<T>(Span<T> da, Span<T> db, ReadOnlySpan<T> dy, int first, int second) where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < dy.Length; i++)
        {
            (int row, int at) = Math.DivRem(i, first + second);
            if (at < first && !da.IsEmpty)
                da[row * first + at] = dy[i];
            else if (at >= first && !db.IsEmpty)
                db[row * second + at - first] = dy[i];
        }
    }

    private readonly struct Job(float* y, float* a, float* b, int rows, int first, int second, bool forward) : IChunk
    {
        private int RowsPerChunk => Math.Max(1, ElementWise.ChunkLength / Math.Max(1, first + second));

        public int Chunks => (rows + RowsPerChunk - 1) / RowsPerChunk;

        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            for (int row = chunk * RowsPerChunk; row < Math.Min(rows, (chunk + 1) * RowsPerChunk); row++)
            {
                float* whole = y + (nint)row * (first + second);
                Copy(a == null ? null : a + (nint)row * first, whole, first);
                Copy(b == null ? null : b + (nint)row * second, whole + first, second);
            }
        }

        private void Copy(float* part, float* whole, int length)
        {
            if (part == null)
                return;
            Span<float> p = new(part, length), w = new(whole, length);
            if (forward)
                p.CopyTo(w);
            else
                w.CopyTo(p);
        }
    }
}
