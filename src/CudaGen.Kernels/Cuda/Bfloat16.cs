using CudaGen.Runtime;

namespace CudaGen.Kernels.Cuda;

/// <summary>
/// Tensors in bfloat16, which live in scratch memory for one operation: the kernels of <c>bfloat16.cu</c>. An address of bfloat16 is a
/// multiple of 256 bytes, as the libraries like it best.
/// </summary>
internal static class Bfloat16
{
    private static readonly Kernel RoundKernel = new(KernelFiles.Bfloat16, "bfloat16_round");
    private static readonly Kernel PadKernel = new(KernelFiles.Bfloat16, "bfloat16_pad");
    private static readonly Kernel WidenKernel = new(KernelFiles.Bfloat16, "bfloat16_widen");
    private static readonly Kernel CropKernel = new(KernelFiles.Bfloat16, "bfloat16_crop");
    private static readonly Kernel AddKernel = new(KernelFiles.Bfloat16, "bfloat16_add");

    /// <summary>Floats of scratch memory that a tensor takes in bfloat16.</summary>
    internal static int ScratchFloats(int length) => checked((length + 127) / 128 * 64);

    /// <summary>y = x, rounded to nearest, ties to even.</summary>
    internal static void Round(Device device, nint y, Tensor x) => device.LaunchOver(RoundKernel, (x.Length + 3) / 4, y, x, x.Length);

    /// <summary>y = x with all of the padding around it, rounded.</summary>
    internal static void Pad(Device device, nint y, Shape padded, Tensor x, Padding padding)
        => device.LaunchOver(PadKernel, padded.Length, y, x, padded.Length, x.Shape[1], x.Shape[2], x.Shape[3], padded[1], padded[2],
            padding.Top, padding.Left);

    /// <summary>y = f(x + bias)</summary>
    internal static void Widen(Device device, Tensor y, nint x, Tensor? bias, Activation f)
        => device.LaunchOver(WidenKernel, y.Length, y, x, bias, y.Length, y.Shape.Channels, (int)f.Kind, f.Slope);

    /// <summary>y = f(what is inside of the padding + bias)</summary>
    internal static void Crop(Device device, Tensor y, nint x, Shape padded, Padding padding, Tensor? bias, Activation f)
        => device.LaunchOver(CropKernel, y.Length, y, x, bias, y.Length, y.Shape[1], y.Shape[2], y.Shape[3], padded[1], padded[2],
            padding.Top, padding.Left, (int)f.Kind, f.Slope);

    /// <summary>y += x</summary>
    internal static void Add(Device device, Tensor y, nint x) => device.LaunchOver(AddKernel, y.Length, y, x, y.Length);
}
