namespace CudaGen.Training;

/// <summary>The ring that programs train on (<see cref="ToyPoints.Ring"/>), and how much of it a generator has learnt.</summary>
public static class Ring
{
    /// <summary>Gaussians on the circle.</summary>
    public const int Modes = 8;

    /// <summary>The radius of the circle, and the deviation of each (Metz et al. 2017, appendix).</summary>
    public const float Radius = 1, Sigma = 0.02f;

    /// <summary>
    /// The modes that have at least a hundredth of the points within three deviations of their mean, where an eighth of 98.9 % would be
    /// perfect, and the share of all points that lie so near to one.
    /// </summary>
    /// <param name="points">(N, 2), row-major; at least one.</param>
    public static (int Modes, double Near) Cover(ReadOnlySpan<float> points)
    {
        Span<int> counts = stackalloc int[Modes];
        counts.Clear();
        for (int i = 0; i < points.Length; i += 2)
        {
            (double x, double y) = (points[i], points[i + 1]);
            int mode = (int)Math.Round(Math.Atan2(y, x) / Math.Tau * Modes);
            (double sine, double cosine) = Math.SinCos(Math.Tau * mode / Modes);
            if (Math.Pow(x - Radius * cosine, 2) + Math.Pow(y - Radius * sine, 2) <= 9 * Sigma * Sigma)
                counts[(mode + Modes) % Modes]++;
        }
        int total = points.Length / 2, covered = 0, near = 0;
        foreach (int count in counts)
        {
            near += count;
            covered += 100 * count >= total ? 1 : 0;
        }
        return (covered, (double)near / total);
    }
}
