using System.Reflection;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>The texts of <c>kernels/</c>, which lie in this assembly.</summary>
internal static class KernelFiles
{
    private static readonly Assembly Assembly = typeof(KernelFiles).Assembly;

    internal static readonly KernelSource Activation = KernelSource.FromResource(Assembly, "activation.cu", "activation.cuh", "common.cuh");
}
