using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

public sealed class RandomFillTests
{
    private const int Many = 1 << 18;

    private static float[] Draw(int n, bool normal, ulong seed = 1, uint stream = 2, ulong step = 3)
    {
        using Device device = Device.Cpu(2);
        using Arena arena = new(device, "test", n * sizeof(float) + 256);
        Tensor y = arena.Take(new Shape(n));
        Buffer<ulong> counter = arena.Take<ulong>(1);
        counter.Span[0] = step;
        if (normal)
            RandomFill.Normal(device, y, seed, stream, counter);
        else
            RandomFill.Uniform(device, y, seed, stream, counter, 0, 1);
        return y.Span.ToArray();
    }

    /// <summary>Parameters start with the same bits on every device.</summary>
    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Every_device_draws_the_same_uniform_numbers(string implementation)
    {
        float[] Numbers(Device device)
        {
            using Arena arena = new(device, "test", 65536);
            Tensor y = arena.Take(new Shape(9001));
            Buffer<ulong> step = arena.Take<ulong>(1);
            device.Upload(step, [1UL << 40 | 3]);
            // Products with 1.1 are rounded.
            RandomFill.Uniform(device, y, 1UL << 50 | 7, 5, step, -0.3f, 0.8f);
            return device.ToArray(y);
        }
        using Device device = OpTest.Open(implementation), cpu = Device.Cpu(1);
        Assert.Equal(Numbers(cpu), Numbers(device));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void An_element_does_not_depend_on_the_length_of_the_tensor(bool normal)
    {
        float[] all = Draw(2000, normal);
        foreach (int n in (int[])[1, 2, 3, 4, 5, 7, 511, 512, 513, 1024, 1999])
            Assert.Equal(all[..n], Draw(n, normal));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Seed_stream_and_step_all_matter(bool normal)
    {
        float[][] draws =
        [
            Draw(64, normal), Draw(64, normal, seed: 2), Draw(64, normal, seed: 1UL << 32 | 1), Draw(64, normal, stream: 3), Draw(64, normal, step: 4),
            Draw(64, normal, step: 1UL << 32 | 3), Draw(64, normal, seed: 3, step: 1),
        ];
        for (int i = 0; i < draws.Length; i++)
        {
            for (int j = 0; j < i; j++)
                Assert.True(draws[i].Zip(draws[j]).Count(p => p.First == p.Second) <= 1, $"draws {i} and {j} are alike");
        }
        Assert.Equal(draws[0], Draw(64, normal));
    }

    // Bounds of five standard deviations of the statistic; the numbers are the same in every run.
    [Fact]
    public void Uniform_numbers_are_uniform()
    {
        double[] x = Array.ConvertAll(Draw(Many, false), v => (double)v);
        Assert.All(x, v => Assert.InRange(v, 0, 1 - 1.0 / 16777216));
        Assert.InRange(x.Average(), 0.5 - 5 * Math.Sqrt(1 / 12.0 / Many), 0.5 + 5 * Math.Sqrt(1 / 12.0 / Many));
        double variance = x.Average(v => (v - 0.5) * (v - 0.5));
        Assert.InRange(variance, 1 / 12.0 - 5 * Math.Sqrt(1 / 180.0 / Many), 1 / 12.0 + 5 * Math.Sqrt(1 / 180.0 / Many));
        Assert.InRange(KolmogorovSmirnov(x, v => v), 0, 1.95 / Math.Sqrt(Many));
        RequireIndependent(x, 0.5, 1 / 12.0);
    }

    [Fact]
    public void Normal_numbers_are_normal()
    {
        double[] x = Array.ConvertAll(Draw(Many, true), v => (double)v);
        double sigma = 1 / Math.Sqrt(Many);
        Assert.InRange(x.Average(), -5 * sigma, 5 * sigma);
        Assert.InRange(x.Average(v => v * v), 1 - 5 * Math.Sqrt(2) * sigma, 1 + 5 * Math.Sqrt(2) * sigma);
        Assert.InRange(x.Average(v => v * v * v), -5 * Math.Sqrt(15) * sigma, 5 * Math.Sqrt(15) * sigma);
        Assert.InRange(x.Average(v => v * v * v * v), 3 - 5 * Math.Sqrt(96) * sigma, 3 + 5 * Math.Sqrt(96) * sigma);
        Assert.InRange(x.Max(Math.Abs), 4, 5.8);
        Assert.InRange(KolmogorovSmirnov(x, NormalDistribution), 0, 1.95 / Math.Sqrt(Many));
        RequireIndependent(x, 0, 1);
    }

    // The largest distance between the distribution of a sample and the one it should have.
    private static double KolmogorovSmirnov(double[] sample, Func<double, double> distribution)
    {
        double[] sorted = [.. sample.Order()];
        double largest = 0;
        for (int i = 0; i < sorted.Length; i++)
        {
            double d = distribution(sorted[i]);
            largest = Math.Max(largest, Math.Max(d - i / (double)sorted.Length, (i + 1) / (double)sorted.Length - d));
        }
        return largest;
    }

    // Abramowitz and Stegun 26.2.17, to 1e-7.
    private static double NormalDistribution(double x)
    {
        double t = 1 / (1 + 0.2316419 * Math.Abs(x));
        double tail = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI)
            * t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
        return x < 0 ? tail : 1 - tail;
    }

    // Neighbours share a block of Philox, the two of a Box and Muller pair a radius: squares must not correlate either.
    private static void RequireIndependent(double[] x, double mean, double variance)
    {
        double fourth = x.Average(v => Math.Pow((v - mean) * (v - mean) - variance, 2));
        foreach (int lag in (int[])[1, 2, 3, 4, 512])
        {
            double sum = 0, squares = 0;
            for (int i = 0; i + lag < x.Length; i++)
            {
                double a = x[i] - mean, b = x[i + lag] - mean;
                sum += a * b;
                squares += (a * a - variance) * (b * b - variance);
            }
            Assert.InRange(sum / x.Length / variance, -5 / Math.Sqrt(Many), 5 / Math.Sqrt(Many));
            Assert.InRange(squares / x.Length / fourth, -5 / Math.Sqrt(Many), 5 / Math.Sqrt(Many));
        }
    }
}
