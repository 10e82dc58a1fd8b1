using CudaGen.Runtime;

namespace CudaGen.Kernels.Cuda;

/// <summary>
/// A convolution by cuDNN on float32, by TF32 or not. cuDNN pads both sides of an image alike; where that does not do, a padded
/// copy in scratch memory takes the place of x, before the workspace.
/// </summary>
internal sealed unsafe class CudnnConvolution(Dnn dnn, ConvolutionShape shape, Precision precision) : ICudaConvolution
{
    private static readonly Kernel PadKernel = new(KernelFiles.Convolution, "convolution_pad");
    private static readonly Kernel CropKernel = new(KernelFiles.Convolution, "convolution_crop");

    private readonly CudnnPasses _passes = new(dnn, shape, precision);

    public int ScratchFloats => checked(PaddedFloats + _passes.WorkspaceFloats);

    // The workspace after it starts at a multiple of 256 bytes, as memory from the driver does.
    private int PaddedFloats => _passes.Padded is { } padded ? checked((padded.Length + 63) / 64 * 64) : 0;

    public void Forward(Device device, Tensor y, Tensor x, Tensor w, Tensor? bias, Activation activation)
    {
        _passes.Forward(y.Address, Image(device, x), w.Address, Workspace(device));
        Finish(device, y, bias, activation);
    }

    public void BackwardData(Device device, Tensor dx, Tensor dy, Tensor w, Tensor? bias, Activation activation)
    {
        if (_passes.Padded is { } padded)
        {
            nint image = (nint)device.Scratch(ScratchFloats);
            _passes.BackwardData(image, dy.Address, w.Address, Workspace(device));
            device.LaunchOver(CropKernel, dx.Length, dx, image, dx.Length, dx.Shape[1], dx.Shape[2], dx.Shape[3], padded[1], padded[2],
                shape.Padding.Top, shape.Padding.Left);
        }
        else
            _passes.BackwardData(dx.Address, dy.Address, w.Address, Workspace(device));
        Finish(device, dx, bias, activation);
    }

    public void BackwardFilter(Device device, Tensor dw, Tensor dy, Tensor x, bool add)
        => _passes.BackwardFilter(dw.Address, dy.Address, Image(device, x), Workspace(device), add);

    /// <summary>The tensor itself, or its padded copy.</summary>
    private nint Image(Device device, Tensor x)
    {
        if (_passes.Padded is not { } padded)
            return x.Address;
        nint image = (nint)device.Scratch(ScratchFloats);
        device.LaunchOver(PadKernel, padded.Length, image, x, padded.Length, x.Shape[1], x.Shape[2], x.Shape[3], padded[1], padded[2],
            shape.Padding.Top, shape.Padding.Left);
        return image;
    }

    private nint Workspace(Device device) => (nint)(device.Scratch(ScratchFloats) + PaddedFloats);

    private static void Finish(Device device, Tensor y, Tensor? bias, Activation activation)
    {
        if (bias is not null || activation.Kind != ActivationKind.Linear)
            BiasActivation.Forward(device, y, bias, activation);
    }

    public void Dispose() => _passes.Dispose();
}
