namespace CudaGen.Training.Tests;

public class ToyPointsTests
{
    [Fact]
    public void The_modes_of_a_ring_are_counted_where_points_are_near()
    {
        (int modes, double near) = Ring.Cover(ToyPoints.Ring(4, 10_000, Ring.Modes, Ring.Radius, Ring.Sigma));
        Assert.Equal(8, modes);
        // 1 - e^-4.5
        Assert.Equal(0.9889, near, 0.004);
        // Half a turn on; three deviations and a little; one point of a hundred and one.
        Assert.Equal((1, 1.0), Ring.Cover([-1, 0]));
        Assert.Equal((0, 0.0), Ring.Cover([1.061f, 0]));
        Assert.Equal((1, 0.5), Ring.Cover([0, -0.95f, 0, 0]));
        Assert.Equal((0, 1.0 / 101), Ring.Cover([0, 1, .. new float[200]]));
    }

    [Fact]
    public void The_bits_are_the_same_on_every_system()
    {
        Assert.Equal("B8983960AD1D8FA7", Digest.Of(ToyPoints.Create(7)));
        Assert.Equal("E9A8EB6F617EC1E6", Digest.Of(ToyPoints.Ring(7, 1000)));
    }

    [Fact]
    public void The_seed_and_the_number_of_a_point_decide()
    {
        Assert.Equal(ToyPoints.Create(7, 1000)[..20], ToyPoints.Create(7, 10));
        Assert.Equal(ToyPoints.Ring(7, 1000)[..20], ToyPoints.Ring(7, 10));
        Assert.NotEqual(ToyPoints.Create(7, 10), ToyPoints.Create(8, 10));
        Assert.NotEqual(ToyPoints.Ring(7, 10), ToyPoints.Ring(8, 10));
    }

    [Fact]
    public void The_gaussian_has_the_mean_and_covariance_of_its_formula()
    {
        const int Count = 200_000;
        float[] points = ToyPoints.Create(3, Count);
        Assert.Equal(2 * Count, points.Length);
        double[] x = [.. Enumerable.Range(0, Count).Select(i => points[2 * i] - 1.0)];
        double[] y = [.. Enumerable.Range(0, Count).Select(i => points[2 * i + 1] - 2.0)];
        // Within five deviations of each estimate.
        Assert.InRange(x.Average(), -0.012, 0.012);
        Assert.InRange(y.Average(), -0.024, 0.024);
        Assert.InRange(x.Average(v => v * v), 1.01 - 0.016, 1.01 + 0.016);
        Assert.InRange(y.Average(v => v * v), 4.25 - 0.068, 4.25 + 0.068);
        Assert.InRange(x.Zip(y, (a, b) => a * b).Average(), 1.95 - 0.032, 1.95 + 0.032);
    }

    [Fact]
    public void The_numbers_behind_the_points_are_normal()
    {
        // A^-1 gives them back: the determinant of A is 0.7.
        float[] points = ToyPoints.Create(5, 100_000);
        var normal = new List<double>();
        for (int i = 0; i < points.Length; i += 2)
        {
            double x = points[i] - 1, y = points[i + 1] - 2;
            normal.Add((0.5 * x + 0.1 * y) / 0.7);
            normal.Add((y - 2 * x) / 0.7);
        }
        (double Bound, double Below)[] table =
            [(-3, 0.0013499), (-2, 0.0227501), (-1, 0.1586553), (-0.5, 0.3085375), (0, 0.5), (1, 0.8413447), (2.5, 0.9937903)];
        Assert.All(table, row =>
        {
            double deviation = Math.Sqrt(row.Below * (1 - row.Below) / normal.Count);
            Assert.InRange(normal.Count(n => n < row.Bound) / (double)normal.Count, row.Below - 5 * deviation, row.Below + 5 * deviation);
        });
    }

    [Theory]
    [InlineData(8, 1)]
    [InlineData(5, 2.5)]
    [InlineData(1, 0.5)]
    public void Without_deviation_the_ring_is_its_modes(int modes, float radius)
    {
        float[] points = ToyPoints.Ring(1, 4000, modes, radius, sigma: 0);
        var counts = new int[modes];
        for (int i = 0; i < points.Length; i += 2)
        {
            int k = Enumerable.Range(0, modes).MinBy(m => Distance(points, i, m, modes, radius));
            Assert.InRange(Distance(points, i, k, modes, radius), 0, 2e-7 * radius);
            counts[k]++;
        }
        Assert.All(counts, c => Assert.InRange(c, 4000 / modes * 0.8, 4000 / modes * 1.2));
    }

    [Fact]
    public void The_deviation_of_a_mode_is_sigma_along_both_axes()
    {
        const float Sigma = 0.05f;
        float[] points = ToyPoints.Ring(2, 50_000, modes: 4, radius: 1, Sigma), modes = ToyPoints.Ring(2, 50_000, modes: 4, radius: 1, sigma: 0);
        double[] across = [.. Enumerable.Range(0, 50_000).Select(i => points[2 * i] - (double)modes[2 * i])];
        double[] up = [.. Enumerable.Range(0, 50_000).Select(i => points[2 * i + 1] - (double)modes[2 * i + 1])];
        Assert.InRange(Math.Sqrt(across.Average(d => d * d)), 0.98 * Sigma, 1.02 * Sigma);
        Assert.InRange(Math.Sqrt(up.Average(d => d * d)), 0.98 * Sigma, 1.02 * Sigma);
        Assert.InRange(across.Zip(up, (a, b) => a * b).Average(), -0.03 * Sigma * Sigma, 0.03 * Sigma * Sigma);
    }

    [Fact]
    public void Bad_arguments_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ToyPoints.Create(1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ToyPoints.Ring(1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ToyPoints.Ring(1, 1, modes: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ToyPoints.Ring(1, 1, radius: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ToyPoints.Ring(1, 1, sigma: -1));
    }

    private static double Distance(float[] points, int i, int mode, int modes, double radius)
    {
        double angle = 2 * Math.PI * mode / modes;
        double x = points[i] - radius * Math.Cos(angle), y = points[i + 1] - radius * Math.Sin(angle);
        return Math.Sqrt(x * x + y * y);
    }
}
