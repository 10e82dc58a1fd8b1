using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

/// <summary>What a training step does beside its arithmetic.</summary>
public sealed class EvaluationTests
{
    // With more losses than a block has threads, too.
    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void A_step_leaves_its_losses_in_the_ring_and_counts(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        using Arena arena = new(device, "test", 65536);
        foreach (int count in (int[])[2, 300])
        {
            Tensor ring = arena.Take(new Shape(3, count)), losses = arena.Take(new Shape(count));
            Buffer<ulong> step = arena.Take<ulong>(1);
            device.Upload(step, [uint.MaxValue - 2ul]);
            for (int i = 0; i < 4; i++)
            {
                device.Upload(losses, [.. Enumerable.Range(10 * i, count)]);
                StepState.Advance(device, step, ring, losses);
            }
            Assert.Equal(uint.MaxValue + 2ul, device.Read(step));
            // 2^32 - 3 = 1 (mod 3).
            Assert.Equal([.. Enumerable.Range(20, count), .. Enumerable.Range(30, count), .. Enumerable.Range(10, count)], device.ToArray(ring));
            string message = Assert.Throws<ShapeException>(() => StepState.Advance(device, step, ring, arena.Take(new Shape(3)))).Message;
            Assert.Contains("[3]", message, StringComparison.Ordinal);
            Assert.Equal(uint.MaxValue + 2ul, device.Read(step));
        }
    }

    public static TheoryData<string, PosteriorHead> Heads
        => [.. OpTest.Implementations.SelectMany(i => Enum.GetValues<PosteriorHead>(), (i, head) => (i.Name, head))];

    [Theory, MemberData(nameof(Heads))]
    public void The_divergences_of_the_dimensions_add_up(string implementation, PosteriorHead head)
    {
        using Device device = OpTest.Open(implementation);
        using Arena arena = new(device, "test", 4096);
        Tensor heads = arena.Take(new Shape(5, 6)), loss = arena.Take(Shape.Scalar);
        float[] values = Sample.Floats("heads", 30, -2, 2);
        device.Upload(heads, values);
        Variational.Divergence(device, loss, null, heads, head, 1);
        double[] sums = Variational.DivergenceByDimension(device, heads, head);
        Assert.Equal(3, sums.Length);
        Assert.Equal(device.Read(loss), sums.Sum(), 1e-5);
        // The first dimension of a single row, by itself.
        Tensor one = arena.Take(new Shape(1, 2));
        double first = 0;
        for (int n = 0; n < 5; n++)
        {
            device.Upload(one, [values[6 * n], values[6 * n + 3]]);
            Variational.Divergence(device, loss, null, one, head, 1);
            first += device.Read(loss);
        }
        Assert.Equal(first, sums[0], 1e-5);
    }

    /// <summary>Outside of the clamp of ln sigma^2 everything is flat in h, and NaN comes through.</summary>
    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void The_log_variance_is_clamped(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        using Arena arena = new(device, "test", 4096);
        Tensor heads = arena.Take(new Shape(4, 2)), dheads = arena.Take(new Shape(4, 2)), loss = arena.Take(Shape.Scalar);
        Tensor z = arena.Take(new Shape(4, 1)), eps = arena.Take(new Shape(4, 1));
        device.Upload(heads, [1, 12, 2, -12, 3, float.NaN, 4, 10]);
        device.Upload(eps, [2, 2, 2, 2]);
        Variational.SampleForward(device, z, heads, eps, PosteriorHead.LogVariance);
        float sigma = MathF.Exp(5);
        Assert.Equal([1 + 2 * sigma, 2 + 2 / sigma, float.NaN, 4 + 2 * sigma], device.ToArray(z),
            (a, b) => Math.Abs(a - b) <= 1e-4 || (float.IsNaN(a) && float.IsNaN(b)));
        Variational.SampleBackward(device, dheads, z, heads, eps, PosteriorHead.LogVariance);
        float[] slopes = device.ToArray(dheads);
        Assert.Equal([0, 0, float.NaN], [slopes[1], slopes[3], slopes[5]]);
        Assert.NotEqual(0, slopes[7]);

        Variational.Divergence(device, loss, dheads, heads, PosteriorHead.LogVariance, 1);
        Assert.Equal(float.NaN, device.Read(loss));
        slopes = device.ToArray(dheads);
        Assert.Equal([1, 0, 2, 0, 3], slopes[..5]);
        Assert.NotEqual(0, slopes[7]);
    }

    [Fact]
    public void Batch_norm_of_one_row_is_refused()
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", 4096);
        Tensor x = arena.Take(new Shape(1, 3)), y = arena.Take(new Shape(1, 3)), c = arena.Take(new Shape(3));
        string message = Assert.Throws<ShapeException>(() => BatchNorm.ForwardTraining(device, y, c, c, c, c, x, null, null, 1e-3f, 0.1f)).Message;
        Assert.Contains("[1, 3]", message, StringComparison.Ordinal);
        Assert.Contains("[2, 3]", message, StringComparison.Ordinal);
    }
}
