using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// The balance between the two networks of BEGAN (Berthelot et al. 2017, section 3.4), all tensors one element:
/// <code>
/// k = clip(k + rate (gamma real - fake), 0, 1)        measure = real + |gamma real - fake|
/// </code>
/// </summary>
public static class Equilibrium
{
    private static readonly Kernel BalanceKernel = new(KernelFiles.Arithmetic, "balance");

    /// <summary>k in place and once more in <paramref name="kept"/>, and the measure of convergence.</summary>
    /// <exception cref="ShapeException">A tensor is not one element.</exception>
    public static void Update(Device device, Tensor k, Tensor kept, Tensor measure, Tensor real, Tensor fake, float gamma, float rate)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireLength(k, 1);
        Shape.RequireLength(kept, 1);
        Shape.RequireLength(measure, 1);
        Shape.RequireLength(real, 1);
        Shape.RequireLength(fake, 1);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.Launch(BalanceKernel, 1, 1, 0, k, kept, measure, real, fake, gamma, rate);
            return;
        }
        float difference = gamma * real.Span[0] - fake.Span[0];
        k.Span[0] = kept.Span[0] = Math.Clamp(k.Span[0] + rate * difference, 0, 1);
        measure.Span[0] = real.Span[0] + Math.Abs(difference);
    }
}
