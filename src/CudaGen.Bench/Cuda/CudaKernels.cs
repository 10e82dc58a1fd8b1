using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>The kernels of <c>ceilings.cu</c>.</summary>
internal static class CudaKernels
{
    private static readonly KernelSource Source = KernelSource.FromResource(typeof(CudaKernels).Assembly, "ceilings.cu");

    public static readonly Kernel MultiplyAdd = new(Source, "multiply_add");
    public static readonly Kernel Copy = new(Source, "copy");
    public static readonly Kernel Empty = new(Source, "empty");
    public static readonly Kernel Delay = new(Source, "delay");
}
