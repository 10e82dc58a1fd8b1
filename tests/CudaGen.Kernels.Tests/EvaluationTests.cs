using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

/// <summary>What a training step does beside its arithmetic.</summary>
public sealed class EvaluationTests
{
    [Fact]
    public void A_step_leaves_its_losses_in_the_ring_and_counts()
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", 4096);
        Tensor ring = arena.Take(new Shape(3, 2)), losses = arena.Take(new Shape(2));
        Buffer<ulong> step = arena.Take<ulong>(1);
        for (int i = 0; i < 4; i++)
        {
            (losses.Span[0], losses.Span[1]) = (i, 10 + i);
            StepState.Advance(device, step, ring, losses);
        }
        Assert.Equal(4ul, step.Span[0]);
        Assert.Equal([3, 13, 1, 11, 2, 12], ring.Span.ToArray());
        string message = Assert.Throws<ShapeException>(() => StepState.Advance(device, step, ring, arena.Take(new Shape(3)))).Message;
        Assert.Contains("[3]", message, StringComparison.Ordinal);
        Assert.Equal(4ul, step.Span[0]);
    }

    [Theory, InlineData(PosteriorHead.LogVariance), InlineData(PosteriorHead.StandardDeviation)]
    public void The_divergences_of_the_dimensions_add_up(PosteriorHead head)
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", 4096);
        Tensor heads = arena.Take(new Shape(5, 6)), loss = arena.Take(Shape.Scalar);
        Sample.Floats("heads", 30, -2, 2).CopyTo(heads.Span);
        Variational.Divergence(device, loss, null, heads, head, 1);
        double[] sums = Variational.DivergenceByDimension(device, heads, head);
        Assert.Equal(3, sums.Length);
        Assert.Equal(loss.Span[0], sums.Sum(), 1e-5);
        // The first dimension of a single row, by itself.
        Tensor one = arena.Take(new Shape(1, 2));
        double first = 0;
        for (int n = 0; n < 5; n++)
        {
            (one.Span[0], one.Span[1]) = (heads.Span[6 * n], heads.Span[6 * n + 3]);
            Variational.Divergence(device, loss, null, one, head, 1);
            first += loss.Span[0];
        }
        Assert.Equal(first, sums[0], 1e-5);
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

    [Theory, InlineData(Implementation.Cpu), InlineData(Implementation.Reference)]
    public void The_largest_of_a_window_may_be_NaN(Implementation implementation)
    {
        using Device device = Device.Cpu(1, implementation);
        using Arena arena = new(device, "test", 4096);
        Tensor x = arena.Take(new Shape(1, 2, 4, 17)), y = arena.Take(new Shape(1, 1, 2, 17));
        for (int k = 0; k < 4; k++)
        {
            x.Span.Fill(1);
            // Pixels (0,0), (0,1), (1,0) and (1,1) of the first window, one after the other.
            x.Span[(k / 2 * 4 + k % 2) * 17 + 5] = float.NaN;
            x.Span[(k / 2 * 4 + k % 2) * 17 + 16] = float.NaN;
            MaxPool.Forward(device, new PoolingShape(x.Shape, 2, 2), y, x);
            for (int i = 0; i < y.Length; i++)
                Assert.Equal(i is 5 or 16, float.IsNaN(y.Span[i]));
        }
    }

    [Theory, InlineData(Implementation.Cpu), InlineData(Implementation.Reference)]
    public void A_gradient_of_zero_has_a_penalty_and_no_direction(Implementation implementation)
    {
        using Device device = Device.Cpu(1, implementation);
        using Arena arena = new(device, "test", 4096);
        Tensor g = arena.Take(new Shape(2, 5)), dg = arena.Take(new Shape(2, 5)), norms = arena.Take(new Shape(2)), loss = arena.Take(Shape.Scalar);
        g.Span[5] = 3;
        GradientPenalty.Evaluate(device, loss, norms, dg, g, 0.5f);
        Assert.Equal([0, 3], norms.Span.ToArray());
        Assert.Equal(0.5f * (1 + 4), loss.Span[0]);
        Assert.Equal([0, 0, 0, 0, 0, 2, 0, 0, 0, 0], dg.Span.ToArray());
    }
}
