using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>
/// Scratch memory of which every thread has a part, hot in its cache from task to task. Parts begin at a page: a processor that reads
/// ahead stops at its end, where it would take lines from another thread's part.
/// </summary>
/// <param name="threads">Of the device.</param>
/// <param name="floats">Of each thread.</param>
internal readonly unsafe struct ThreadRooms(int threads, int floats)
{
    private const int Page = 4096;

    private readonly int _stride = (floats + Page / sizeof(float) - 1) & ~(Page / sizeof(float) - 1);

    /// <summary>Floats of scratch memory, wherever it begins.</summary>
    public int Scratch => checked(threads * _stride + Page / sizeof(float));

    /// <summary>The part of the thread that asks.</summary>
    public float* Mine(float* scratch) => (float*)(((nint)scratch + Page - 1) & ~(nint)(Page - 1)) + Workers.Current * (nint)_stride;
}
