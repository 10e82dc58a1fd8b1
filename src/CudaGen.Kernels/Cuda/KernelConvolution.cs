using CudaGen.Runtime;

namespace CudaGen.Kernels.Cuda;

/// <summary>The three passes of a convolution on a GPU. What they need prepared belongs to the plan.</summary>
internal interface ICudaConvolution : IDisposable
{
    /// <summary>Floats of <see cref="Device.Scratch"/> that a pass takes at most.</summary>
    int ScratchFloats { get; }

    void Forward(Device device, Tensor y, Tensor x, Tensor w, Tensor? bias, Activation activation);

    void BackwardData(Device device, Tensor dx, Tensor dy, Tensor w, Tensor? bias, Activation activation);

    /// <summary>dw = the sum, or dw += it.</summary>
    void BackwardFilter(Device device, Tensor dw, Tensor dy, Tensor x, bool add);
}

/// <summary>The handwritten kernels of <c>convolution.cu</c>.</summary>
internal sealed class KernelConvolution : ICudaConvolution
{
    private static readonly Kernel ForwardKernel = new(KernelFiles.Convolution, "convolution_forward");
    private static readonly Kernel BackwardDataKernel = new(KernelFiles.Convolution, "convolution_backward_data");
    private static readonly Kernel BackwardFilterKernel = new(KernelFiles.Convolution, "convolution_backward_filter");

    private readonly ConvolutionShape _shape;
    private readonly ProductGrid _forward, _data, _filter;

    internal KernelConvolution(ConvolutionShape g)
    {
        _shape = g;
        int pixels = g.Y[0] * g.Y[1] * g.Y[2], s = g.Stride;
        _forward = new(pixels, g.W[0], g.W.RowLength, g.Y.Length);
        _filter = new(g.W.RowLength, g.W[0], pixels, g.W.Length);
        // One product for each pair of residues; the largest has this many pixels and taps.
        _data = new(g.X[0] * Ceiling(g.X[1], s) * Ceiling(g.X[2], s), g.X[3], Ceiling(g.W[1], s) * Ceiling(g.W[2], s) * g.W[0], g.X.Length,
            s * s);
    }

    public int ScratchFloats => Math.Max(Math.Max(_forward.ScratchFloats, _data.ScratchFloats), _filter.ScratchFloats);

    public void Forward(Device device, Tensor y, Tensor x, Tensor w, Tensor? bias, Activation activation)
    {
        ConvolutionShape g = _shape;
        (Tensor? b, Activation f) = _forward.Parts == 1 ? (bias, activation) : default;
        device.Profile?.Describe(g.ToString(), g.Flops);
        device.Launch(ForwardKernel, _forward.Blocks, ProductGrid.Threads, 0, _forward.Target(device, y), x, w, b, g.X[0], g.X[1], g.X[2],
            g.X[3], g.W[0], g.W[1], g.W[2], g.Y[1], g.Y[2], g.Stride, g.Padding.Top, g.Padding.Left, _forward.Part, (int)f.Kind, f.Slope);
        _forward.AddParts(device, y, bias, accumulate: false, activation);
    }

    public void BackwardData(Device device, Tensor dx, Tensor dy, Tensor w, Tensor? bias, Activation activation)
    {
        ConvolutionShape g = _shape;
        (Tensor? b, Activation f) = _data.Parts == 1 ? (bias, activation) : default;
        device.Profile?.Describe(g.ToString(), g.Flops);
        device.Launch(BackwardDataKernel, _data.Blocks, ProductGrid.Threads, 0, _data.Target(device, dx), dy, w, b, g.X[0], g.X[1], g.X[2],
            g.X[3], g.W[0], g.W[1], g.W[2], g.Y[1], g.Y[2], g.Stride, g.Padding.Top, g.Padding.Left, _data.Part, (int)f.Kind, f.Slope);
        _data.AddParts(device, dx, bias, accumulate: false, activation);
    }

    public void BackwardFilter(Device device, Tensor dw, Tensor dy, Tensor x, bool add)
    {
        ConvolutionShape g = _shape;
        if (g.Y.Length == 0)
        {
            if (!add)
                RandomFill.Constant(device, dw, 0);
            return;
        }
        device.Profile?.Describe(g.ToString(), g.Flops);
        device.Launch(BackwardFilterKernel, _filter.Blocks, ProductGrid.Threads, 0, _filter.Target(device, dw), dy, x, g.X[0], g.X[1], g.X[2],
            g.X[3], g.W[0], g.W[1], g.W[2], g.Y[1], g.Y[2], g.Stride, g.Padding.Top, g.Padding.Left, _filter.Part, add && _filter.Parts == 1 ? 1 : 0);
        _filter.AddParts(device, dw, null, add, Activation.Linear);
    }

    // The kernels know all from their arguments.
    public void Dispose()
    {
    }

    private static int Ceiling(int n, int divisor) => (n + divisor - 1) / divisor;
}
