using CudaGen.Runtime;

namespace CudaGen.Kernels.Cuda;

/// <summary>
/// A convolution by cuDNN on bfloat16. Operands are rounded into scratch memory and what comes out is widened, as cuDNN documents no
/// other type of result for them; bias, activation and gradient are added in float32.
/// </summary>
internal sealed unsafe class Bfloat16Convolution(Dnn dnn, ConvolutionShape shape) : ICudaConvolution
{
    private readonly CudnnPasses _passes = new(dnn, shape, Precision.Bf16);

    private int ImageFloats => Bfloat16.ScratchFloats(_passes.Image.Length);

    private int FilterFloats => Bfloat16.ScratchFloats(shape.W.Length);

    private int OutputFloats => Bfloat16.ScratchFloats(shape.Y.Length);

    public int ScratchFloats => checked(ImageFloats + FilterFloats + OutputFloats + _passes.WorkspaceFloats);

    public void Forward(Device device, Tensor y, Tensor x, Tensor w, Tensor? bias, Activation activation)
    {
        Places at = PlacesIn(device);
        RoundImage(device, at.Image, x);
        Bfloat16.Round(device, at.Filter, w);
        _passes.Forward(at.Output, at.Image, at.Filter, at.Workspace);
        Bfloat16.Widen(device, y, at.Output, bias, activation);
    }

    public void BackwardData(Device device, Tensor dx, Tensor dy, Tensor w, Tensor? bias, Activation activation)
    {
        Places at = PlacesIn(device);
        Bfloat16.Round(device, at.Output, dy);
        Bfloat16.Round(device, at.Filter, w);
        _passes.BackwardData(at.Image, at.Output, at.Filter, at.Workspace);
        if (_passes.Padded is { } padded)
            Bfloat16.Crop(device, dx, at.Image, padded, shape.Padding, bias, activation);
        else
            Bfloat16.Widen(device, dx, at.Image, bias, activation);
    }

    public void BackwardFilter(Device device, Tensor dw, Tensor dy, Tensor x, bool add)
    {
        Places at = PlacesIn(device);
        RoundImage(device, at.Image, x);
        Bfloat16.Round(device, at.Output, dy);
        _passes.BackwardFilter(at.Filter, at.Output, at.Image, at.Workspace, accumulate: false);
        if (add)
            Bfloat16.Add(device, dw, at.Filter);
        else
            Bfloat16.Widen(device, dw, at.Filter, null, Activation.Linear);
    }

    private void RoundImage(Device device, nint image, Tensor x)
    {
        if (_passes.Padded is { } padded)
            Bfloat16.Pad(device, image, padded, x, shape.Padding);
        else
            Bfloat16.Round(device, image, x);
    }

    /// <summary>Where the tensors lie in scratch memory: x or dx, w or dw, y or dy.</summary>
    private readonly record struct Places(nint Image, nint Filter, nint Output, nint Workspace);

    private Places PlacesIn(Device device)
    {
        float* image = device.Scratch(ScratchFloats), filter = image + ImageFloats, output = filter + FilterFloats;
        return new((nint)image, (nint)filter, (nint)output, (nint)(output + OutputFloats));
    }

    public void Dispose() => _passes.Dispose();
}
