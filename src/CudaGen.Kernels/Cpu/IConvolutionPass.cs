using CudaGen.Runtime;

namespace CudaGen.Kernels.Cpu;

/// <summary>A forward or a backward-data pass of a convolution, prepared for its shape.</summary>
internal unsafe interface IConvolutionPass : IDisposable
{
    /// <summary>Floats of scratch memory.</summary>
    int Scratch { get; }

    /// <summary>target = f(pass(source, w) + bias)</summary>
    void Run(Device device, float* target, float* source, float* w, Tensor? bias, Activation activation);
}

/// <summary>The filter gradient of a convolution, prepared for its shape.</summary>
internal unsafe interface IFilterPass : IDisposable
{
    /// <summary>Floats of scratch memory.</summary>
    int Scratch { get; }

    /// <summary>dw += gradient</summary>
    void Run(Device device, float* dw, float* dy, float* x);
}
