using System.Reflection;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>The texts of <c>kernels/</c>, which lie in this assembly.</summary>
internal static class KernelFiles
{
    private static readonly Assembly Assembly = typeof(KernelFiles).Assembly;

    internal static readonly KernelSource Activation = KernelSource.FromResource(Assembly, "activation.cu", "activation.cuh", "common.cuh");
    internal static readonly KernelSource Arithmetic = KernelSource.FromResource(Assembly, "arithmetic.cu", "common.cuh");
    internal static readonly KernelSource BatchNorm = KernelSource.FromResource(Assembly, "batchnorm.cu", "activation.cuh", "common.cuh");
    internal static readonly KernelSource Bfloat16 = KernelSource.FromResource(Assembly, "bfloat16.cu", "activation.cuh", "common.cuh");
    internal static readonly KernelSource Convolution =
        KernelSource.FromResource(Assembly, "convolution.cu", "product.cuh", "activation.cuh", "common.cuh");
    internal static readonly KernelSource Data = KernelSource.FromResource(Assembly, "data.cu", "common.cuh");
    internal static readonly KernelSource Dense = KernelSource.FromResource(Assembly, "dense.cu", "product.cuh", "activation.cuh", "common.cuh");
    internal static readonly KernelSource Dropout = KernelSource.FromResource(Assembly, "dropout.cu", "common.cuh");
    internal static readonly KernelSource Losses = KernelSource.FromResource(Assembly, "losses.cu", "common.cuh");
    internal static readonly KernelSource MinibatchDiscrimination = KernelSource.FromResource(Assembly, "minibatch_discrimination.cu", "common.cuh");
    internal static readonly KernelSource Noise = KernelSource.FromResource(Assembly, "noise.cu", "common.cuh");
    internal static readonly KernelSource Optimisers = KernelSource.FromResource(Assembly, "optimisers.cu", "common.cuh");
    internal static readonly KernelSource Penalty = KernelSource.FromResource(Assembly, "penalty.cu", "common.cuh");
    internal static readonly KernelSource Pooling = KernelSource.FromResource(Assembly, "pooling.cu", "common.cuh");
    internal static readonly KernelSource Random = KernelSource.FromResource(Assembly, "random.cu", "common.cuh");
    internal static readonly KernelSource Reduce = KernelSource.FromResource(Assembly, "reduce.cu", "common.cuh");
    internal static readonly KernelSource Resampling = KernelSource.FromResource(Assembly, "resampling.cu", "common.cuh");
    internal static readonly KernelSource Variational = KernelSource.FromResource(Assembly, "variational.cu", "common.cuh");
}
