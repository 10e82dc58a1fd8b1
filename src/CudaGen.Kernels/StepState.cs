using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>The end of a training step: nothing in it depends on the host, so a recorded step replays as it is.</summary>
public static class StepState
{
    private static readonly Kernel CountKernel = new(KernelFiles.Data, "count_step");
    private static readonly Kernel AdvanceKernel = new(KernelFiles.Data, "advance_step");

    /// <summary>
    /// Copies the losses of this step (S) to row step mod capacity of <paramref name="ring"/> (capacity, S) and counts
    /// the step.
    /// </summary>
    /// <exception cref="ShapeException">The losses are no row of the ring.</exception>
    public static void Advance(Device device, Buffer<ulong> step, Tensor ring, Tensor losses)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireLength(losses, ring.Shape.RowLength);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.Launch(AdvanceKernel, 1, 256, 0, ring, step, losses, ring.Shape.Rows, losses.Length);
            return;
        }
        losses.Span.CopyTo(ring.Rows((int)(step.Span[0] % (ulong)ring.Shape.Rows), 1).Span);
        step.Span[0]++;
    }

    /// <summary>counter + 1, such as an optimiser's own number of updates.</summary>
    public static void Count(Device device, Buffer<ulong> counter)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Kind == DeviceKind.Cuda)
            device.Launch(CountKernel, 1, 1, 0, counter);
        else
            counter.Span[0]++;
    }
}
