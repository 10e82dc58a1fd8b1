using System.Numerics;
using CudaGen.Kernels.Cpu;
using CudaGen.Kernels.Cuda;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// What a convolution needs besides its tensors, prepared once: on the CPU, tables of which taps of the kernel meet which
/// pixels; on a GPU, how the work is cut into blocks, or cuDNN's descriptors and algorithms.
/// </summary>
public sealed class ConvolutionPlan : IDisposable
{
    private bool _disposed;

    /// <summary>Plans for a device and a geometry.</summary>
    public ConvolutionPlan(Device device, ConvolutionShape shape)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(shape);
        Shape = shape;
        if (device.Kind == DeviceKind.Cuda)
        {
            // cuDNN knows no empty tensors; the kernels do.
            Cuda = device.Cuda!.Dnn is not { } dnn || shape.X.Length == 0 || shape.Y.Length == 0 ? new KernelConvolution(shape)
                : device.Precision == Precision.Bf16 ? new Bfloat16Convolution(dnn, shape)
                : WithLibrary(device, dnn, shape);
        }
        else if (!device.IsReference)
        {
            if (!Winograd.Pays(shape))
                (ForwardPass, BackwardPass, FilterPass) = (DirectPass.Forward(shape), DirectPass.BackwardData(shape), new FilterPass(shape));
            else if (shape.Stride == 1)
                (ForwardPass, BackwardPass, FilterPass) = Filtered<ThreeTaps>(shape, device.Workers.Count);
            else
                (ForwardPass, BackwardPass, FilterPass) = Filtered<TwoTaps>(shape, device.Workers.Count);
        }
        LiveObjects.Add(LiveObject.Plan);
    }

    private static (IConvolutionPass, IConvolutionPass, IFilterPass) Filtered<TFilter>(ConvolutionShape shape, int threads)
        where TFilter : struct, IFilter
        => (WinogradPass<TFilter>.Forward(shape, threads), WinogradPass<TFilter>.BackwardData(shape, threads),
            new WinogradFilterPass<TFilter>(shape, threads));

    private static ICudaConvolution WithLibrary(Device device, Dnn dnn, ConvolutionShape shape)
    {
        try
        {
            return new CudnnConvolution(dnn, shape, device.Precision);
        }
        catch (NoAlgorithmException e) when (device.Implementation == Implementation.Auto && device.Precision == Precision.Fp32)
        {
            device.AddNote($"{e.Message}, which is taken for it");
            return new KernelConvolution(shape);
        }
    }

    public ConvolutionShape Shape { get; }

    /// <summary>Floats of scratch memory that the passes need; see <see cref="Device.Scratch"/>.</summary>
    public int ScratchFloats => Cuda is { } cuda ? cuda.ScratchFloats
        : ForwardPass is null ? 0
        : Math.Max(Math.Max(ForwardPass.Scratch, BackwardPass!.Scratch), FilterPass!.Scratch);

    internal ICudaConvolution? Cuda { get; }

    internal IConvolutionPass? ForwardPass { get; }

    internal IConvolutionPass? BackwardPass { get; }

    internal IFilterPass? FilterPass { get; }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Cuda?.Dispose();
        ForwardPass?.Dispose();
        BackwardPass?.Dispose();
        FilterPass?.Dispose();
        LiveObjects.Remove(LiveObject.Plan);
    }
}

/// <summary>
/// Convolution in NHWC with weights (K, R, S, C); the formula and the letters are those of <see cref="ConvolutionShape"/>.
/// <code>
/// forward           y  = f(x * w + b)
/// backward data     dx = dy *' w          (the forward pass of a transposed convolution: also with bias and f)
/// backward filter   dw += sum over pixels of dy x, or dw = that sum
/// </code>
/// dy is the gradient before the activation (<see cref="BiasActivation.Backward"/>). dx is overwritten, dw accumulated unless asked otherwise.
/// </summary>
public static unsafe class Convolution
{
    /// <summary>y = f(x * w + bias). <paramref name="bias"/> has shape (K) or is null.</summary>
    /// <exception cref="ShapeException">A tensor does not fit the plan.</exception>
    public static void Forward(Device device, ConvolutionPlan plan, Tensor y, Tensor x, Tensor w, Tensor? bias, Activation activation)
    {
        ConvolutionShape shape = Check(device, plan, x, w, y, bias, 0);
        if (device.Kind == DeviceKind.Cuda)
            plan.Cuda!.Forward(device, y, x, w, bias, activation);
        else if (device.IsReference)
        {
            ReferenceForward<float>(shape, y.Span, x.Span, w.Span);
            BiasActivation.Forward(device, y, bias, activation);
        }
        else
            plan.ForwardPass!.Run(device, (float*)y.Address, (float*)x.Address, (float*)w.Address, bias, activation);
    }

    /// <summary>
    /// dx = dy *' w: what each pixel of x received from y. As a transposed convolution, with <paramref name="bias"/> (C)
    /// and activation.
    /// </summary>
    /// <exception cref="ShapeException">A tensor does not fit the plan.</exception>
    public static void BackwardData(Device device, ConvolutionPlan plan, Tensor dx, Tensor dy, Tensor w, Tensor? bias = null,
        Activation activation = default)
    {
        ConvolutionShape shape = Check(device, plan, dx, w, dy, bias, 3);
        if (device.Kind == DeviceKind.Cuda)
            plan.Cuda!.BackwardData(device, dx, dy, w, bias, activation);
        else if (device.IsReference)
        {
            ReferenceBackwardData<float>(shape, dx.Span, dy.Span, w.Span);
            BiasActivation.Forward(device, dx, bias, activation);
        }
        else
            plan.BackwardPass!.Run(device, (float*)dx.Address, (float*)dy.Address, (float*)w.Address, bias, activation);
    }

    /// <summary>dw += sum over pixels of dy x, or dw = that sum without <paramref name="add"/>, which spares a GPU zeroing dw and reading it back.</summary>
    /// <exception cref="ShapeException">A tensor does not fit the plan.</exception>
    public static void BackwardFilter(Device device, ConvolutionPlan plan, Tensor dw, Tensor dy, Tensor x, bool add = true)
    {
        ConvolutionShape shape = Check(device, plan, x, dw, dy, null, 0);
        if (device.Kind == DeviceKind.Cuda)
        {
            plan.Cuda!.BackwardFilter(device, dw, dy, x, add);
            return;
        }
        if (!add)
            RandomFill.Constant(device, dw, 0);
        if (device.IsReference)
            ReferenceBackwardFilter<float>(shape, dw.Span, dy.Span, x.Span);
        else
            plan.FilterPass!.Run(device, (float*)dw.Address, (float*)dy.Address, (float*)x.Address);
    }

    private static ConvolutionShape Check(Device device, ConvolutionPlan plan, Tensor x, Tensor w, Tensor y, Tensor? bias, int biasAxis)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(plan);
        ConvolutionShape shape = plan.Shape;
        Shape.Require(x, shape.X);
        Shape.Require(w, shape.W);
        Shape.Require(y, shape.Y);
        if (bias is { } b)
            Shape.RequireLength(b, shape.W[biasAxis]);
        return shape;
    }

    internal static void ReferenceForward<T>(ConvolutionShape g, Span<T> y, ReadOnlySpan<T> x, ReadOnlySpan<T> w)
        where T : IFloatingPointIeee754<T>
    {
        y.Clear();
        foreach (Tap t in Taps(g))
            y[t.Y] += x[t.X] * w[t.W];
    }

    internal static void ReferenceBackwardData<T>(ConvolutionShape g, Span<T> dx, ReadOnlySpan<T> dy, ReadOnlySpan<T> w)
        where T : IFloatingPointIeee754<T>
    {
        dx.Clear();
        foreach (Tap t in Taps(g))
            dx[t.X] += dy[t.Y] * w[t.W];
    }

    internal static void ReferenceBackwardFilter<T>(ConvolutionShape g, Span<T> dw, ReadOnlySpan<T> dy, ReadOnlySpan<T> x)
        where T : IFloatingPointIeee754<T>
    {
        foreach (Tap t in Taps(g))
            dw[t.W] += dy[t.Y] * x[t.X];
    }

    /// <summary>One product of the sum: flat indices into x, w and y.</summary>
    private readonly record struct Tap(int X, int W, int Y);

    /// <summary>Every product of the sum that is not with the padding. The three passes differ only in what they add where.</summary>
    private static IEnumerable<Tap> Taps(ConvolutionShape g)
    {
        (int height, int width, int channels) = (g.X[1], g.X[2], g.X[3]);
        (int filters, int kernelHeight, int kernelWidth) = (g.W[0], g.W[1], g.W[2]);
        for (int y = 0; y < g.Y.Length; y++)
        {
            (int pixel, int k) = Math.DivRem(y, filters);
            (int row, int q) = Math.DivRem(pixel, g.Y[2]);
            (int n, int p) = Math.DivRem(row, g.Y[1]);
            for (int tap = 0; tap < kernelHeight * kernelWidth; tap++)
            {
                (int r, int s) = Math.DivRem(tap, kernelWidth);
                int iy = p * g.Stride - g.Padding.Top + r, ix = q * g.Stride - g.Padding.Left + s;
                if (iy < 0 || iy >= height || ix < 0 || ix >= width)
                    continue;
                for (int c = 0; c < channels; c++)
                {
                    yield return new(((n * height + iy) * width + ix) * channels + c,
                        (k * kernelHeight * kernelWidth + tap) * channels + c, y);
                }
            }
        }
    }
}
