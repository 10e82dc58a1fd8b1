using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>Something that runs for each chunk of a job, compiled for a vector type.</summary>
internal unsafe interface IChunk
{
    void Run<TSimd, TVec>(int chunk)
        where TSimd : struct, ISimd<TVec>
        where TVec : struct;
}

/// <summary>Runs jobs on the workers of a device with the widest vectors that this processor has.</summary>
internal static unsafe class Dispatch
{
    /// <summary>Floats in a vector of this processor.</summary>
    public static int Width => Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;

    /// <summary>Vectors of columns that the product kernel takes at once.</summary>
    public static int MaxColumns => Vector512.IsHardwareAccelerated ? Simd512.MaxColumns
        : Vector256.IsHardwareAccelerated ? Simd256.MaxColumns : Simd128.MaxColumns;

    /// <summary>Calls job.Run for each chunk. The job is a struct on the caller's stack: nothing is allocated.</summary>
    public static void Run<TJob>(Device device, int chunks, ref TJob job) where TJob : struct, IChunk
    {
        // The job lives on the stack of a caller that waits, so its address is stable.
        void* context = Unsafe.AsPointer(ref job);
        if (Vector512.IsHardwareAccelerated)
            device.Workers.Run(chunks, &Body512<TJob>, context);
        else if (Vector256.IsHardwareAccelerated)
            device.Workers.Run(chunks, &Body256<TJob>, context);
        else
            device.Workers.Run(chunks, &Body128<TJob>, context);
    }

    private static void Body512<TJob>(void* job, int chunk) where TJob : struct, IChunk
        => Unsafe.AsRef<TJob>(job).Run<Simd512, Vector512<float>>(chunk);

    private static void Body256<TJob>(void* job, int chunk) where TJob : struct, IChunk
        => Unsafe.AsRef<TJob>(job).Run<Simd256, Vector256<float>>(chunk);

    private static void Body128<TJob>(void* job, int chunk) where TJob : struct, IChunk
        => Unsafe.AsRef<TJob>(job).Run<Simd128, Vector128<float>>(chunk);
}
