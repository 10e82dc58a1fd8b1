namespace CudaGen.Training;

/// <summary>A point of a curve. Points that are not finite are left out of plots.</summary>
public readonly record struct PlotPoint(double X, double Y)
{
    internal bool IsFinite => double.IsFinite(X) && double.IsFinite(Y);
}

/// <summary>A curve.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="Points">By rising X; any number.</param>
public sealed record PlotSeries(string Name, IReadOnlyList<PlotPoint> Points)
{
    private const int Buckets = 499;

    /// <summary>
    /// The curve of <paramref name="key"/> over <paramref name="x"/> in metrics; lines without either are left out.
    /// </summary>
    public static PlotSeries FromMetrics(IEnumerable<IReadOnlyDictionary<string, double>> metrics, string x, string key)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        var points = new List<PlotPoint>();
        foreach (IReadOnlyDictionary<string, double> line in metrics)
        {
            if (line.TryGetValue(x, out double px) && line.TryGetValue(key, out double py))
                points.Add(new PlotPoint(px, py));
        }
        return new PlotSeries(key, points);
    }

    /// <summary>
    /// At most 1000 finite points: the first, the last, and the lowest and highest of equal stretches, so that a spike
    /// of one step stays visible.
    /// </summary>
    internal List<PlotPoint> Decimate()
    {
        List<PlotPoint> all = [.. Points.Where(p => p.IsFinite)];
        if (all.Count <= 2 * Buckets + 2)
            return all;
        var kept = new List<PlotPoint> { all[0] };
        for (int b = 0; b < Buckets; b++)
        {
            int start = 1 + (int)((all.Count - 2L) * b / Buckets);
            int end = 1 + (int)((all.Count - 2L) * (b + 1) / Buckets);
            int low = start, high = start;
            for (int i = start; i < end; i++)
            {
                if (all[i].Y < all[low].Y)
                    low = i;
                if (all[i].Y > all[high].Y)
                    high = i;
            }
            kept.Add(all[Math.Min(low, high)]);
            if (low != high)
                kept.Add(all[Math.Max(low, high)]);
        }
        kept.Add(all[^1]);
        return kept;
    }
}

/// <summary>One frame of a plot with its own axes.</summary>
public sealed record PlotPanel(string Title, IReadOnlyList<PlotSeries> Series);
