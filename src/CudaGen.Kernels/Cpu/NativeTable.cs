using System.Runtime.InteropServices;

namespace CudaGen.Kernels.Cpu;

/// <summary>Tables that a plan makes once and that every pass reads by pointer.</summary>
internal static unsafe class NativeTable
{
    /// <summary>A copy in native memory; the plan frees it with <see cref="NativeMemory.Free"/>.</summary>
    public static T* Copy<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        T* p = (T*)NativeMemory.Alloc((nuint)Math.Max(1, values.Length), (nuint)sizeof(T));
        values.CopyTo(new Span<T>(p, values.Length));
        return p;
    }
}
