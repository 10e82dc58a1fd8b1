using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>The end of a training step: nothing in it depends on the host, so a recorded step replays as it is.</summary>
public static class StepState
{
    /// <summary>
    /// Copies the losses of this step (S) to row step mod capacity of <paramref name="ring"/> (capacity, S) and counts
    /// the step.
    /// </summary>
    /// <exception cref="ShapeException">The losses are no row of the ring.</exception>
    public static void Advance(Device device, Buffer<ulong> step, Tensor ring, Tensor losses)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireLength(losses, ring.Shape.RowLength);
        losses.Span.CopyTo(ring.Rows((int)(step.Span[0] % (ulong)ring.Shape.Rows), 1).Span);
        step.Span[0]++;
    }
}
