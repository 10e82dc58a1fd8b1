using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

/// <summary>
/// Values worked out by hand, where the implementations share the rule that says what belongs where: the table cannot see
/// an error that all of them make.
/// </summary>
public sealed class HandWorkedTests
{
    private static float[] Run(Device device, Shape input, float[] x, Shape output, Action<Device, Tensor, Tensor> forward)
    {
        using Arena arena = new(device, "test", 1 << 16);
        Tensor from = Take(device, arena, input, x), to = arena.Take(output);
        forward(device, to, from);
        return device.ToArray(to);
    }

    private static Tensor Take(Device device, Arena arena, Shape shape, params ReadOnlySpan<float> values)
    {
        Tensor tensor = arena.Take(shape);
        device.Upload(tensor, values);
        return tensor;
    }

    private static void Expect(string implementation, float[] expected, Shape input, float[] x, Shape output, Action<Device, Tensor, Tensor> forward)
    {
        using Device device = OpTest.Open(implementation);
        float[] y = Run(device, input, x, output, forward);
        Assert.Equal(expected.Length, y.Length);
        for (int i = 0; i < y.Length; i++)
            Assert.Equal(expected[i], y[i], 1e-6f);
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Resizing_starts_at_the_first_pixel_and_repeats_the_last(string implementation)
    {
        // Two rows to four: 0, 1/2, 1 and the edge again; three columns to two: 0 and 3/2.
        Expect(implementation, [0, 1.5f, 5, 6.5f, 10, 11.5f, 10, 11.5f], new(1, 2, 3, 1), [0, 1, 2, 10, 11, 12], new(1, 4, 2, 1),
            BilinearResize.Forward);
        // Three to seven: 3 i / 7 = 0, 3/7, 6/7, 9/7, 12/7, 15/7, 18/7.
        Expect(implementation, [0, 3f, 6, 7 + 14 * 2 / 7f, 7 + 14 * 5 / 7f, 21, 21], new(1, 1, 3, 1), [0, 7, 21], new(1, 1, 7, 1),
            BilinearResize.Forward);
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Windows_start_every_stride_and_leave_the_rest(string implementation)
    {
        float[] x = [1, 5, 3, 4, 9, 2, 7, 8, 6, 0, 30, 31, 32, 33, 34];
        PoolingShape two = new(new(1, 3, 5, 1), 2, 2), overlapping = new(new(1, 3, 5, 1), 2, 1), apart = new(new(1, 3, 5, 1), 1, 3);
        Expect(implementation, [7, 8], two.X, x, two.Y, (d, y, t) => MaxPool.Forward(d, two, y, t));
        Expect(implementation, [3.75f, 5.25f], two.X, x, two.Y, (d, y, t) => AveragePool.Forward(d, two, y, t));
        Expect(implementation, [7, 8, 8, 9, 31, 32, 33, 34], overlapping.X, x, overlapping.Y, (d, y, t) => MaxPool.Forward(d, overlapping, y, t));
        Expect(implementation, [1, 4], apart.X, x, apart.Y, (d, y, t) => AveragePool.Forward(d, apart, y, t));
        Assert.Equal(new Shape(2, 3, 2, 8), new PoolingShape(new(2, 7, 6, 8), 3, 2).Y);
        Assert.Contains("[1, 2, 5, 1]", Assert.Throws<ShapeException>(() => new PoolingShape(new(1, 2, 5, 1), 3, 1)).Message,
            StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Upsampling_repeats_rows_and_columns(string implementation)
        => Expect(implementation, [1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4], new(1, 1, 2, 2), [1, 2, 3, 4], new(1, 2, 4, 2),
            (d, y, x) => NearestUpsample.Forward(d, y, x, 2));

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Batch_norm_normalises_with_the_biased_and_remembers_the_unbiased_variance(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        using Arena arena = new(device, "test", 1 << 12);
        Tensor y = arena.Take(new Shape(4, 1)), c = arena.Take(new Shape(1)), r = arena.Take(new Shape(1));
        Tensor mean = Take(device, arena, new(1), 2), variance = Take(device, arena, new(1), 1);
        Tensor gamma = Take(device, arena, new(1), 3), beta = Take(device, arena, new(1), 0.5f);
        // Mean 4, squares 9 + 1 + 1 + 9: biased 5, unbiased 20 / 3.
        Tensor x = Take(device, arena, new(4, 1), 1, 3, 5, 7);
        BatchNorm.ForwardTraining(device, y, c, r, mean, variance, x, gamma, beta, 4, 0.25f);
        Assert.Equal([-2.5f, -0.5f, 1.5f, 3.5f], device.ToArray(y));
        Assert.Equal([4, 1 / 3f, 2.5f], new[] { device.Read(c), device.Read(r), device.Read(mean) });
        Assert.Equal(0.75 + 0.25 * 20 / 3, device.Read(variance), 1e-6);
        device.Upload(mean, [1]);
        device.Upload(variance, [5]);
        BatchNorm.ForwardInference(device, y, x, mean, variance, gamma, beta, 4);
        Assert.Equal([0.5f, 2.5f, 4.5f, 6.5f], device.ToArray(y));
        BatchNorm.ForwardInference(device, y, x, mean, variance, gamma, null, 4);
        Assert.Equal([0, 2, 4, 6], device.ToArray(y));
        BatchNorm.ForwardInference(device, y, x, mean, variance, null, beta, 4);
        Assert.Equal([0.5f, 0.5f + 2 / 3f, 0.5f + 4 / 3f, 2.5f], device.ToArray(y), (a, b) => Math.Abs(a - b) < 1e-6f);
    }

    [Theory, InlineData(Implementation.Reference), InlineData(Implementation.Cpu)]
    public void Losses_are_the_sums_that_they_say(Implementation implementation)
    {
        using Device device = Device.Cpu(1, implementation);
        using Arena arena = new(device, "test", 1 << 12);
        Tensor loss = arena.Take(Shape.Scalar), x = arena.Take(new Shape(2, 2)), t = arena.Take(new Shape(2, 2));
        ((float[])[1, -2, 0.5f, 3]).CopyTo(x.Span);
        ((float[])[0, 1, 0.5f, 1]).CopyTo(t.Span);
        Losses.MeanSquaredError(device, loss, null, x, t, 0.5f);
        Assert.Equal(0.5f * (1 + 9 + 0 + 4), loss.Span[0]);
        Losses.MeanAbsoluteError(device, loss, t, x, t, 0.5f);
        Assert.Equal(0.5f * (1 + 3 + 0 + 2), loss.Span[0]);
        Assert.Equal([0.5f, -0.5f, 0, 0.5f], t.Span.ToArray());
        Losses.SoftmaxCrossEntropy(device, loss, null, x, 1, 0.5f);
        Assert.Equal(0.5 * (Math.Log(1 + Math.Exp(3)) + Math.Log(1 + Math.Exp(-2.5))), loss.Span[0], 1e-6);
        ((float[])[1e4f, -1e4f, -1e4f, 1e4f]).CopyTo(x.Span);
        Losses.SoftmaxCrossEntropy(device, loss, t, x, 1, 0.5f);
        Assert.Equal(1e4f, loss.Span[0]);
        Assert.Equal([0.5f, -0.5f, 0, 0], t.Span.ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => Losses.SoftmaxCrossEntropy(device, loss, null, x, 2, 1));
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void A_mask_scales_what_it_keeps(string implementation)
        => Expect(implementation, [2, 0, 6], new(3), [1, 2, 3], new(3), (device, y, x) =>
        {
            using Arena arena = new(device, "mask", 64);
            Dropout.Apply(device, y, x, Take(device, arena, new(3), 1, 0, 1), 0.5f);
        });

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Interpolation_goes_from_the_real_to_the_fake(string implementation)
        => Expect(implementation, [1, 2, 3 + 0.25f * 7, 4 + 0.25f * 6], new(2, 2), [1, 2, 3, 4], new(2, 2), (device, y, x) =>
        {
            using Arena arena = new(device, "fake", 256);
            Tensor fake = Take(device, arena, new(2, 2), 10, 10, 10, 10), alpha = Take(device, arena, new(2), 0, 0.25f);
            GradientPenalty.Interpolate(device, y, x, fake, alpha);
        });

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void A_gradient_of_zero_has_a_penalty_and_no_direction(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        using Arena arena = new(device, "test", 4096);
        Tensor g = Take(device, arena, new(2, 5), 0, 0, 0, 0, 0, 3, 0, 0, 0, 0);
        Tensor dg = arena.Take(new Shape(2, 5)), norms = arena.Take(new Shape(2)), loss = arena.Take(Shape.Scalar);
        GradientPenalty.Evaluate(device, loss, norms, dg, g, 1);
        Assert.Equal([0, 3], device.ToArray(norms));
        Assert.Equal(0.5f * (1 + 4), device.Read(loss));
        Assert.Equal([0, 0, 0, 0, 0, 2, 0, 0, 0, 0], device.ToArray(dg));
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void The_largest_of_a_window_may_be_NaN(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        using Arena arena = new(device, "test", 4096);
        Tensor x = arena.Take(new Shape(1, 2, 4, 17)), y = arena.Take(new Shape(1, 1, 2, 17));
        for (int k = 0; k < 4; k++)
        {
            float[] values = new float[x.Length];
            Array.Fill(values, 1);
            // Pixels (0,0), (0,1), (1,0) and (1,1) of the first window, one after the other.
            values[(k / 2 * 4 + k % 2) * 17 + 5] = float.NaN;
            values[(k / 2 * 4 + k % 2) * 17 + 16] = float.NaN;
            device.Upload(x, values);
            MaxPool.Forward(device, new PoolingShape(x.Shape, 2, 2), y, x);
            float[] largest = device.ToArray(y);
            for (int i = 0; i < largest.Length; i++)
                Assert.Equal(i is 5 or 16, float.IsNaN(largest[i]));
        }
    }
}
