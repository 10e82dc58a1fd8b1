namespace CudaGen.Training;

/// <summary>
/// Points in the plane for generators whose whole distribution can be seen. Each point depends on the seed and its own
/// number alone, and is the same bits on every system.
/// </summary>
public static class ToyPoints
{
    // Streams of Philox, apart from those that networks and other data sets use.
    private const uint GaussianStream = 0x70747300, RingStream = 0x70747301;

    /// <summary>
    /// A slanted Gaussian: rows n A + b with n from N(0, I), A = [[1, 2], [-0.1, 0.5]] and b = (1, 2), as in the tutorial
    /// on adversarial networks of MXNet's book "The Straight Dope". The covariance is A^T A = [[1.01, 1.95], [1.95, 4.25]].
    /// </summary>
    /// <param name="seed">The same seed gives the same points.</param>
    /// <param name="count">Number of points, at least 1.</param>
    /// <returns>(count, 2), row-major.</returns>
    public static float[] Create(ulong seed, int count = 1000)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var points = new float[2 * count];
        for (int i = 0; i < count; i++)
        {
            var draws = new Draws(seed, GaussianStream, (ulong)i);
            (float n0, float n1) = Normal(ref draws);
            (points[2 * i], points[2 * i + 1]) = (n0 - 0.1f * n1 + 1, 2 * n0 + 0.5f * n1 + 2);
        }
        return points;
    }

    /// <summary>
    /// Equally likely Gaussians, evenly spaced on a circle about 0, the first at (radius, 0) (Metz et al., "Unrolled
    /// generative adversarial networks", ICLR 2017).
    /// </summary>
    /// <param name="seed">The same seed gives the same points.</param>
    /// <param name="count">Number of points, at least 1.</param>
    /// <param name="modes">Number of Gaussians, at least 1.</param>
    /// <param name="radius">From 0 to their means, at least 0.</param>
    /// <param name="sigma">Deviation of each along both axes, at least 0.</param>
    /// <returns>(count, 2), row-major.</returns>
    public static float[] Ring(ulong seed, int count, int modes = 8, float radius = 1, float sigma = 0.01f)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(modes, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(radius);
        ArgumentOutOfRangeException.ThrowIfNegative(sigma);
        var points = new float[2 * count];
        for (int i = 0; i < count; i++)
        {
            var draws = new Draws(seed, RingStream, (ulong)i);
            (float x, float y) = OnCircle(draws.Below(modes) / (double)modes);
            (float n0, float n1) = Normal(ref draws);
            (points[2 * i], points[2 * i + 1]) = (radius * x + sigma * n0, radius * y + sigma * n1);
        }
        return points;
    }

    // Two independent numbers from N(0, 1) by Marsaglia's polar method.
    private static (float, float) Normal(ref Draws draws)
    {
        double u, v, square;
        do
        {
            (u, v) = (2 * draws.Unit() - 1, 2 * draws.Unit() - 1);
            square = u * u + v * v;
        }
        while (square is >= 1 or 0);
        double scale = Math.Sqrt(-2 * Ln(square) / square);
        return ((float)(u * scale), (float)(v * scale));
    }

    // The library's logarithm and sine differ in the last bit between systems; arithmetic does not.
    // ln(m 2^e) = e ln 2 + 2 artanh((m - 1) / (m + 1)).
    private static double Ln(double x)
    {
        const int Terms = 17; // the argument of artanh is below 1/3
        int exponent = Math.ILogB(x);
        double m = Math.ScaleB(x, -exponent), s = (m - 1) / (m + 1), sum = 0;
        for (int k = Terms - 1; k >= 0; k--)
            sum = sum * s * s + 1.0 / (2 * k + 1);
        return exponent * 0.69314718055994531 + 2 * s * sum;
    }

    // Cosine and sine of a turn of 0 to 1, by the exponential series of i times the angle.
    private static (float X, float Y) OnCircle(double turn)
    {
        double angle = 2 * Math.PI * (turn > 0.5 ? turn - 1 : turn), x = 0, y = 0, re = 1, im = 0;
        for (int k = 1; k < 30; k++)
        {
            (x, y) = (x + re, y + im);
            (re, im) = (-im * angle / k, re * angle / k);
        }
        return ((float)x, (float)y);
    }
}
