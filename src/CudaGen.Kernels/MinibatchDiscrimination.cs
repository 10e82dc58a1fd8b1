using System.Numerics;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// How close the rows of a batch are to each other (Salimans et al. 2016, section 3.2), with m (N, B, C) and o (N, B):
/// <code>
/// e_ijb = exp(-sum_c |m_ibc - m_jbc|)
/// forward    o_ib = sum over j != i of e_ijb
/// backward   dm_ibc = -sum over j != i of sign(m_ibc - m_jbc) e_ijb (do_ib + do_jb)
/// </code>
/// The backward pass needs m; dm is overwritten. The work grows with the square of the batch.
/// </summary>
public static unsafe class MinibatchDiscrimination
{
    private static readonly Kernel ForwardKernel = new(KernelFiles.MinibatchDiscrimination, "minibatch_discrimination_forward");
    private static readonly Kernel BackwardKernel = new(KernelFiles.MinibatchDiscrimination, "minibatch_discrimination_backward");

    /// <summary>o from m.</summary>
    /// <exception cref="ShapeException">m has not three extents, or o is not (N, B).</exception>
    public static void Forward(Device device, Tensor o, Tensor m)
    {
        (int rows, int kernels, int dimensions) = Check(device, o, m);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(ForwardKernel, o.Length, o, m, rows, kernels, dimensions);
        else if (device.IsReference)
            ReferenceForward<float>(o.Span, m.Span, rows, kernels, dimensions);
        else
        {
            ForwardJob job = new((float*)o.Address, (float*)m.Address, rows, kernels, dimensions);
            Dispatch.Run(device, rows, ref job);
        }
    }

    /// <summary>dm from the gradient of o.</summary>
    /// <exception cref="ShapeException">m has not three extents, or the others do not fit it.</exception>
    public static void Backward(Device device, Tensor dm, Tensor dO, Tensor m)
    {
        Shape.RequireEqual(dm, m);
        (int rows, int kernels, int dimensions) = Check(device, dO, m);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(BackwardKernel, dO.Length, dm, dO, m, rows, kernels, dimensions);
        else if (device.IsReference)
            ReferenceBackward<float>(dm.Span, dO.Span, m.Span, rows, kernels, dimensions);
        else
        {
            BackwardJob job = new((float*)dm.Address, (float*)dO.Address, (float*)m.Address, rows, kernels, dimensions);
            Dispatch.Run(device, rows, ref job);
        }
    }

    private static (int Rows, int Kernels, int Dimensions) Check(Device device, Tensor o, Tensor m)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape s = m.Shape;
        if (s.Rank != 3)
            throw new ShapeException($"MinibatchDiscrimination: m is {s}, expected (N, B, C)");
        Shape.Require(o, new Shape(s[0], s[1]));
        return (s[0], s[1], s[2]);
    }

    internal static void ReferenceForward<T>(Span<T> o, ReadOnlySpan<T> m, int rows, int kernels, int dimensions) where T : IFloatingPointIeee754<T>
    {
        for (int i = 0; i < rows; i++)
        {
            for (int b = 0; b < kernels; b++)
                o[i * kernels + b] = Sum(m, rows, kernels, dimensions, i, b);
        }
    }

    private static T Sum<T>(ReadOnlySpan<T> m, int rows, int kernels, int dimensions, int i, int b) where T : IFloatingPointIeee754<T>
    {
        double sum = 0;
        for (int j = 0; j < rows; j++)
        {
            if (j != i)
                sum += double.CreateChecked(Closeness(m, kernels, dimensions, i, j, b));
        }
        return T.CreateChecked(sum);
    }

    private static T Closeness<T>(ReadOnlySpan<T> m, int kernels, int dimensions, int i, int j, int b) where T : IFloatingPointIeee754<T>
    {
        T distance = T.Zero;
        for (int c = 0; c < dimensions; c++)
            distance += T.Abs(m[(i * kernels + b) * dimensions + c] - m[(j * kernels + b) * dimensions + c]);
        return T.Exp(-distance);
    }

    internal static void ReferenceBackward<T>(Span<T> dm, ReadOnlySpan<T> dO, ReadOnlySpan<T> m, int rows, int kernels, int dimensions)
        where T : IFloatingPointIeee754<T>
    {
        dm.Clear();
        for (int i = 0; i < rows; i++)
            BackwardRow(dm, dO, m, rows, kernels, dimensions, i);
    }

    private static void BackwardRow<T>(Span<T> dm, ReadOnlySpan<T> dO, ReadOnlySpan<T> m, int rows, int kernels, int dimensions, int i)
        where T : IFloatingPointIeee754<T>
    {
        Span<double> sums = stackalloc double[dimensions];
        for (int b = 0; b < kernels; b++)
        {
            sums.Clear();
            for (int j = 0; j < rows; j++)
            {
                if (j == i)
                    continue;
                T slope = Closeness(m, kernels, dimensions, i, j, b) * (dO[i * kernels + b] + dO[j * kernels + b]);
                for (int c = 0; c < dimensions; c++)
                    sums[c] -= T.Sign(m[(i * kernels + b) * dimensions + c] - m[(j * kernels + b) * dimensions + c]) * double.CreateChecked(slope);
            }
            for (int c = 0; c < dimensions; c++)
                dm[(i * kernels + b) * dimensions + c] = T.CreateChecked(sums[c]);
        }
    }

    // A chunk is a row; the CPU path is the reference on several threads.
    private readonly struct ForwardJob(float* o, float* m, int rows, int kernels, int dimensions) : IChunk
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            ReadOnlySpan<float> all = new(m, rows * kernels * dimensions);
            for (int b = 0; b < kernels; b++)
                o[chunk * kernels + b] = Sum(all, rows, kernels, dimensions, chunk, b);
        }
    }

    private readonly struct BackwardJob(float* dm, float* dO, float* m, int rows, int kernels, int dimensions) : IChunk
    {
        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            int length = rows * kernels * dimensions;
            BackwardRow(new(dm, length), new ReadOnlySpan<float>(dO, rows * kernels), new ReadOnlySpan<float>(m, length), rows, kernels, dimensions, chunk);
        }
    }
}
