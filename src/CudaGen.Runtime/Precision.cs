namespace CudaGen.Runtime;

/// <summary>
/// How a GPU multiplies in dense layers and convolutions. Parameters, gradients, activations, losses and everything else that is
/// computed stay float32, and products are added in float32.
/// </summary>
public enum Precision
{
    /// <summary>float32: 24 bits of significand, a relative error of 2^-24 for each rounding. All devices have it.</summary>
    Fp32,

    /// <summary>
    /// TF32 on tensor cores: of a float32, cuBLAS and cuDNN multiply with the upper 11 bits of the significand. The relative error
    /// of a factor is at most 2^-11 where the rest is rounded and 2^-10 where it is cut off, that of a product twice that; the
    /// range is that of float32. Asks for cuBLAS and cuDNN and a GPU of compute capability 8.0.
    /// </summary>
    Tf32,

    /// <summary>
    /// bfloat16 on tensor cores: factors are rounded to 8 bits of significand, a relative error of at most 2^-8, that of a product
    /// twice that; the range is that of float32. What a convolution gives is rounded once more. Asks for the same as TF32.
    /// </summary>
    Bf16,
}
