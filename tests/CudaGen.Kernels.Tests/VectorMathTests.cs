using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

/// <summary>exp, log, tanh and sigmoid through the operations that use them, over the whole range of float32.</summary>
public sealed class VectorMathTests
{
    private const double TwoTo126th = 1.1754944e-38;

    /// <summary>Every magnitude from the smallest number to 1e4 with both signs, a fine sweep where functions bend, and the ends.</summary>
    private static float[] Points()
    {
        List<float> points = [0, -0f, 1e4f, -1e4f, float.Epsilon, -float.Epsilon, float.MaxValue, float.MinValue, float.PositiveInfinity,
            float.NegativeInfinity];
        Random random = new(1);
        for (double magnitude = 1e-45; magnitude < 1e4; magnitude *= 1.01)
        {
            points.Add((float)(magnitude * (1 + 0.01 * random.NextDouble())));
            points.Add(-points[^1]);
        }
        for (double x = -110; x < 110; x += 0.011)
            points.Add((float)x);
        for (double x = -2; x < 2; x += 0.0003)
            points.Add((float)x);
        // Around the borders between the branches of the vector functions.
        foreach (float border in (float[])[0.625f, 0.5f, 87.3f, 88.3f, 0.34657359f, 43.65f, 44.15f, 9.01f])
        {
            float below = border, above = border;
            for (int i = 0; i < 50; i++)
            {
                points.AddRange([below, above, -below, -above]);
                (below, above) = (MathF.BitDecrement(below), MathF.BitIncrement(above));
            }
        }
        return [.. points];
    }

    private static float[] Apply(Implementation implementation, Activation f, float[] x)
    {
        using Device device = Device.Cpu(1, implementation);
        using Arena arena = new(device, "test", x.Length * sizeof(float) + 64);
        Tensor y = arena.Take(new Shape(x.Length));
        x.CopyTo(y.Span);
        BiasActivation.Forward(device, y, null, f);
        return y.Span.ToArray();
    }

    private static double Exact(ActivationKind kind, double x) => kind switch
    {
        ActivationKind.Tanh => Math.Tanh(x),
        ActivationKind.Sigmoid => x > 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x)),
        // e^x - 1 without its cancellation near 0.
        _ => x > 0 ? x : Math.Tanh(x / 2) * (Math.Exp(x) + 1),
    };

    /// <summary>Units in the last place of float32 at this value; below 2^-126 those of 2^-126.</summary>
    private static double Ulp(double value)
        => Math.Pow(2, Math.Max(-126, Math.Floor(Math.Log2(Math.Max(Math.Abs(value), double.Epsilon)))) - 23);

    [Theory]
    [InlineData(ActivationKind.Tanh, Implementation.Cpu, 2.5)]
    [InlineData(ActivationKind.Tanh, Implementation.Reference, 4)]
    [InlineData(ActivationKind.Sigmoid, Implementation.Cpu, 2.5)]
    [InlineData(ActivationKind.Sigmoid, Implementation.Reference, 4)]
    [InlineData(ActivationKind.Elu, Implementation.Cpu, 2.5)]
    [InlineData(ActivationKind.Elu, Implementation.Reference, 4)]
    public void Activations_are_right_to_the_last_digits(ActivationKind kind, Implementation implementation, double allowedUlp)
    {
        float[] x = Points(), y = Apply(implementation, new(kind), x);
        int worst = 0;
        double worstUlp = -1;
        for (int i = 0; i < x.Length; i++)
        {
            double exact = Exact(kind, x[i]);
            Assert.True(!float.IsNaN(y[i]), $"{kind}({x[i]:R}) is NaN");
            double error = Math.Abs(y[i] - exact);
            // e^x ends at 2^-126: what is smaller may become that or nothing.
            if ((float)exact == y[i] || error <= 1.1 * TwoTo126th)
                continue;
            if (error / Ulp(exact) > worstUlp)
                (worst, worstUlp) = (i, error / Ulp(exact));
        }
        string report = $"{kind}({x[worst]:R}) is {y[worst]:R}, exactly {Exact(kind, x[worst]):R}: {worstUlp:F2} units in the last place";
        TestContext.Current.TestOutputHelper?.WriteLine(report);
        Assert.True(worstUlp <= allowedUlp, report);
    }

    [Theory]
    [InlineData(ActivationKind.Linear)]
    [InlineData(ActivationKind.Relu)]
    [InlineData(ActivationKind.LeakyRelu)]
    [InlineData(ActivationKind.Elu)]
    [InlineData(ActivationKind.Tanh)]
    [InlineData(ActivationKind.Sigmoid)]
    public void NaN_stays_NaN_in_every_lane(ActivationKind kind)
    {
        foreach (Implementation implementation in (Implementation[])[Implementation.Reference, Implementation.Cpu])
        {
            for (int lane = 0; lane < 37; lane++)
            {
                float[] x = new float[37];
                x[lane] = float.NaN;
                float[] y = Apply(implementation, new(kind, 0.2f), x);
                for (int i = 0; i < y.Length; i++)
                    Assert.Equal(i == lane, float.IsNaN(y[i]));
            }
        }
    }

    [Fact]
    public void The_ends_are_exact()
    {
        float[] x = [0, -0f, 1e4f, -1e4f, float.PositiveInfinity, float.NegativeInfinity];
        Assert.Equal([0, -0f, 1, -1, 1, -1], Apply(Implementation.Cpu, Activation.Tanh, x));
        Assert.Equal([0, -0f, 1e4f, -1, float.PositiveInfinity, -1], Apply(Implementation.Cpu, Activation.Elu, x));
        float[] sigmoid = Apply(Implementation.Cpu, Activation.Sigmoid, x);
        Assert.Equal([0.5f, 0.5f, 1], sigmoid[..3]);
        Assert.InRange(sigmoid[3], 0, 1.3e-38f);
    }

    [Theory]
    [InlineData(Implementation.Cpu)]
    [InlineData(Implementation.Reference)]
    public void Cross_entropy_is_right_from_one_end_to_the_other(Implementation implementation)
    {
        using Device device = Device.Cpu(1, implementation);
        using Arena arena = new(device, "test", 1024);
        Tensor x = arena.Take(new Shape(1)), dx = arena.Take(new Shape(1)), t = arena.Take(new Shape(1)), loss = arena.Take(Shape.Scalar);
        string report = "";
        double worst = -1;
        foreach (float point in Points())
        {
            if (Math.Abs(point) > 1e30)
                continue;
            foreach (float target in (float[])[0, 1, 0.3f])
            {
                (x.Span[0], t.Span[0]) = (point, target);
                Losses.BinaryCrossEntropy(device, loss, dx, x, t, 1);
                // ln(1 + e) = 2 atanh(e / (2 + e)) does not cancel.
                double e = Math.Exp(-Math.Abs((double)point)), tail = 2 * Math.Atanh(e / (2 + e));
                double first = Math.Max((double)point, 0) - (double)point * target, exact = first + tail;
                double exactGradient = Exact(ActivationKind.Sigmoid, point) - target;
                // x - x t cancels for x > 0 and is rounded twice.
                double allowed = 4 * Ulp(exact) + 1.5 * Ulp(point > 0 ? point * target : 0) + 1.1 * TwoTo126th;
                double share = Math.Abs(loss.Span[0] - exact) / allowed;
                if (share > worst || double.IsNaN(share))
                    (worst, report) = (share, $"loss({point:R}, {target}) is {loss.Span[0]:R}, exactly {exact:R}: {share:P0} of the allowance");
                double gradientShare = Math.Abs(dx.Span[0] - exactGradient) / (4 * Ulp(1) * Math.Max(target, Exact(ActivationKind.Sigmoid, point)) + 1.1 * TwoTo126th);
                if (gradientShare > worst || double.IsNaN(gradientShare))
                    (worst, report) = (gradientShare, $"gradient({point:R}, {target}) is {dx.Span[0]:R}, exactly {exactGradient:R}: {gradientShare:P0} of the allowance");
            }
        }
        TestContext.Current.TestOutputHelper?.WriteLine(report);
        Assert.True(worst <= 1, report);
        foreach (float target in (float[])[0, 1])
        {
            x.Span[0] = float.NaN;
            Losses.BinaryCrossEntropy(device, loss, dx, x, target, 1);
            Assert.True(float.IsNaN(loss.Span[0]) && float.IsNaN(dx.Span[0]));
        }
    }
}
