using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>Sums in a fixed order: the same bits for any number of threads.</summary>
public static unsafe class Reduce
{
    private static readonly Kernel SumChunksKernel = new(KernelFiles.Reduce, "sum_chunks");

    /// <summary>sum (one element) = the sum of all elements of x.</summary>
    /// <exception cref="ShapeException">sum is not one element.</exception>
    public static void Sum(Device device, Tensor sum, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireLength(sum, 1);
        if (device.Kind == DeviceKind.Cuda)
        {
            ChunkedSum chunks = new(device, sum, x.Length);
            device.Launch(SumChunksKernel, chunks.Grid, ChunkedSum.Block, 0, chunks.Partial, x, x.Length);
            chunks.Finish();
        }
        else if (device.IsReference)
        {
            double total = 0;
            foreach (float value in x.Span)
                total += value;
            sum.Span[0] = (float)total;
        }
        else
            sum.Span[0] = (float)Maps.Sum(device, x.Length, new Identity((float*)x.Address));
    }

    /// <summary>Floats of scratch memory that a sum over this many terms needs, on any device.</summary>
    public static int ScratchFloats(int terms) => Math.Max(ElementWise.Chunks(terms), ChunkedSum.Chunks(terms));

    private readonly struct Identity(float* x) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
            => lanes.Load<TSimd, TVec>(x + i);
    }
}
