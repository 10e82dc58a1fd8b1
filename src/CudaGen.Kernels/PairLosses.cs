using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Losses of what a discriminator says of real and of generated images, with their gradients: x and dx are two halves of as many rows each,
/// real images first. All losses are one element in device memory and, like dx, overwritten.
/// <code>
/// cross-entropies   as in <see cref="Losses"/>, of each half with a target of its own, and the total of both
/// Wasserstein       L = scale (sum of generated - sum of real)     dx = -scale, scale     (Arjovsky et al. 2017, algorithm 1)
/// </code>
/// On a GPU each is one launch of one block, as scores are few.
/// </summary>
public static class PairLosses
{
    private static readonly Kernel CrossEntropyKernel = new(KernelFiles.Losses, "pair_cross_entropy");
    private static readonly Kernel SoftmaxKernel = new(KernelFiles.Losses, "pair_softmax_cross_entropy");
    private static readonly Kernel WassersteinKernel = new(KernelFiles.Losses, "pair_wasserstein");

    /// <summary>Binary cross-entropies from logits, one target for each half.</summary>
    /// <exception cref="ShapeException">x and dx differ or are no two halves, or a loss is not one element.</exception>
    public static void BinaryCrossEntropy(Device device, Tensor total, Tensor onReal, Tensor onFake, Tensor dx, Tensor x, float realTarget,
        float fakeTarget, float scale)
    {
        int rows = Check(device, total, onReal, onFake, dx, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            LaunchCrossEntropy(device, total, onReal, onFake, dx, x, null, realTarget, fakeTarget, scale);
            return;
        }
        Losses.BinaryCrossEntropy(device, onReal, dx.Rows(0, rows), x.Rows(0, rows), realTarget, scale);
        Losses.BinaryCrossEntropy(device, onFake, dx.Rows(rows, rows), x.Rows(rows, rows), fakeTarget, scale);
        Add(total, onReal, onFake);
    }

    /// <summary>The same with a target for each logit, shape of x.</summary>
    /// <exception cref="ShapeException">x, t and dx differ or are no two halves, or a loss is not one element.</exception>
    public static void BinaryCrossEntropy(Device device, Tensor total, Tensor onReal, Tensor onFake, Tensor dx, Tensor x, Tensor t, float scale)
    {
        int rows = Check(device, total, onReal, onFake, dx, x);
        Shape.RequireEqual(t, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            LaunchCrossEntropy(device, total, onReal, onFake, dx, x, t, 0, 0, scale);
            return;
        }
        Losses.BinaryCrossEntropy(device, onReal, dx.Rows(0, rows), x.Rows(0, rows), t.Rows(0, rows), scale);
        Losses.BinaryCrossEntropy(device, onFake, dx.Rows(rows, rows), x.Rows(rows, rows), t.Rows(rows, rows), scale);
        Add(total, onReal, onFake);
    }

    private static void LaunchCrossEntropy(Device device, Tensor total, Tensor onReal, Tensor onFake, Tensor dx, Tensor x, Tensor? t, float realTarget,
        float fakeTarget, float scale)
        => device.Launch(CrossEntropyKernel, 1, ChunkedSum.Block, 0, total, onReal, onFake, dx, x, t, realTarget, fakeTarget, x.Length / 2, scale);

    /// <summary>Cross-entropies of softmax(x), x (2 N, classes), with one class for each half.</summary>
    /// <exception cref="ShapeException">x and dx differ or are no two halves, or a loss is not one element.</exception>
    public static void SoftmaxCrossEntropy(Device device, Tensor total, Tensor onReal, Tensor onFake, Tensor dx, Tensor x, int realClass, int fakeClass,
        float scale)
    {
        int rows = Check(device, total, onReal, onFake, dx, x), classes = x.Shape.RowLength;
        if ((uint)realClass >= (uint)classes || (uint)fakeClass >= (uint)classes)
            throw new ArgumentOutOfRangeException(nameof(realClass), $"classes {realClass} and {fakeClass} of logits {x.Shape}");
        if (device.Kind == DeviceKind.Cuda)
        {
            device.Launch(SoftmaxKernel, 1, ChunkedSum.Block, 0, total, onReal, onFake, dx, x, rows, classes, realClass, fakeClass, scale);
            return;
        }
        Losses.SoftmaxCrossEntropy(device, onReal, dx.Rows(0, rows), x.Rows(0, rows), realClass, scale);
        Losses.SoftmaxCrossEntropy(device, onFake, dx.Rows(rows, rows), x.Rows(rows, rows), fakeClass, scale);
        Add(total, onReal, onFake);
    }

    /// <summary>A critic's loss, the mean of generated less that of real images with 1 / N as <paramref name="scale"/>, and the distance, which is its opposite.</summary>
    /// <exception cref="ShapeException">x and dx differ or are no two halves, or a loss is not one element.</exception>
    public static void Wasserstein(Device device, Tensor critic, Tensor distance, Tensor dx, Tensor x, float scale)
    {
        int rows = Check(device, critic, distance, distance, dx, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.Launch(WassersteinKernel, 1, ChunkedSum.Block, 0, critic, distance, dx, x, x.Length / 2, scale);
            return;
        }
        Losses.Mean(device, critic, dx.Rows(rows, rows), x.Rows(rows, rows), scale);
        Losses.Mean(device, distance, dx.Rows(0, rows), x.Rows(0, rows), -scale);
        Add(critic, critic, distance);
        distance.Span[0] = -critic.Span[0];
    }

    private static void Add(Tensor total, Tensor a, Tensor b) => total.Span[0] = a.Span[0] + b.Span[0];

    // The rows of a half.
    private static int Check(Device device, Tensor total, Tensor onReal, Tensor onFake, Tensor dx, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireLength(total, 1);
        Shape.RequireLength(onReal, 1);
        Shape.RequireLength(onFake, 1);
        Shape.RequireEqual(dx, x);
        return x.Shape.Rows % 2 == 0 ? x.Shape.Rows / 2 : throw new ShapeException($"a pair of losses: {x.Shape} are no two halves of as many rows");
    }
}
