namespace CudaGen.Training;

/// <summary>Where the points of each class lie in the plane: codes of two dimensions, real points and generated ones.</summary>
public static class ScatterPlot
{
    private const int Size = 800, Left = 76, Top = 24, Bottom = 52, Dot = 34;
    private const int Ink = 0x333333, Grid = 0xE8E8E8, Frame = 0x999999;

    // One colour per class, told apart also side by side and half transparent.
    private static readonly int[] Palette =
    [
        0x1F77B4, 0xFF7F0E, 0x2CA02C, 0xD62728, 0x9467BD, 0x8C564B, 0xE377C2, 0x6B6B6B, 0xBCBD22, 0x17BECF,
    ];

    /// <summary>Draws 800x800 RGB. Points that are not finite are left out.</summary>
    /// <param name="points">(N, 2), row-major.</param>
    /// <param name="labels">(N), 0 to 9.</param>
    /// <param name="classes">What the legend calls the classes, 1 to 10; the digits where nothing is given.</param>
    /// <exception cref="ArgumentException">The lengths do not fit together, or a label is above 9.</exception>
    public static Picture Draw(ReadOnlySpan<float> points, ReadOnlySpan<byte> labels, IReadOnlyList<string>? classes = null)
    {
        if (points.Length != 2 * labels.Length)
            throw new ArgumentException(
                $"{points.Length} coordinates for {labels.Length} labels, expected two each", nameof(points));
        if (labels.IndexOfAnyExceptInRange((byte)0, (byte)9) is >= 0 and int at)
            throw new ArgumentException($"label {at} is {labels[at]}, expected 0 to 9", nameof(labels));

        classes ??= [.. Enumerable.Range(0, 10).Select(c => $"{c}")];
        int legend = Dot + classes.Max(name => Canvas.TextWidth(name, 2)) + 20, width = Size - Left - legend;
        var canvas = new Canvas(Size, Size);
        Axis x = Range(points, 0), y = Range(points, 1);
        const int Height = Size - Top - Bottom;
        DrawAxes(canvas, x, y, width, Height);
        (double radius, float alpha) = labels.Length switch
        {
            <= 500 => (4.5, 0.8f),
            <= 4000 => (3.2, 0.65f),
            _ => (2.2, 0.5f),
        };
        for (int i = 0; i < labels.Length; i++)
        {
            if (!float.IsFinite(points[2 * i]) || !float.IsFinite(points[2 * i + 1]))
                continue;
            double px = Left + width * x.Fraction(points[2 * i]), py = Top + Height * (1 - y.Fraction(points[2 * i + 1]));
            canvas.Disc(px, py, radius, Palette[labels[i]], alpha);
        }
        for (int c = 0; c < classes.Count; c++)
        {
            int row = Top + 14 + 28 * c;
            canvas.Disc(Size - legend + 20, row, 7, Palette[c], 1);
            canvas.Text(Size - legend + Dot, row - Canvas.TextHeight(2) / 2, classes[c], Ink, 2);
        }
        return canvas.ToPicture();
    }

    private static Axis Range(ReadOnlySpan<float> points, int dimension)
    {
        double low = double.PositiveInfinity, high = double.NegativeInfinity;
        for (int i = 0; i < points.Length; i += 2)
        {
            if (float.IsFinite(points[i]) && float.IsFinite(points[i + 1]))
                (low, high) = (Math.Min(low, points[i + dimension]), Math.Max(high, points[i + dimension]));
        }
        return low <= high ? Axis.For(low, high, ticks: 6, margin: 0.04) : Axis.For(-1, 1, ticks: 6, margin: 0.04);
    }

    private static void DrawAxes(Canvas canvas, Axis x, Axis y, int width, int height)
    {
        int bottom = Top + height, right = Left + width;
        foreach (double tick in x.Ticks())
        {
            int px = (int)(Left + width * x.Fraction(tick));
            string label = x.Label(tick);
            canvas.Fill(px, Top, 1, height, Grid);
            canvas.Fill(px, bottom, 1, 6, Frame);
            canvas.Text(px - Canvas.TextWidth(label, 2) / 2, bottom + 14, label, Ink, 2);
        }
        foreach (double tick in y.Ticks())
        {
            int py = (int)(Top + height * (1 - y.Fraction(tick)));
            string label = y.Label(tick);
            canvas.Fill(Left, py, width, 1, Grid);
            canvas.Fill(Left - 6, py, 6, 1, Frame);
            canvas.Text(Left - 12 - Canvas.TextWidth(label, 2), py - Canvas.TextHeight(2) / 2, label, Ink, 2);
        }
        canvas.Fill(Left, Top, width, 1, Frame);
        canvas.Fill(Left, bottom, width + 1, 1, Frame);
        canvas.Fill(Left, Top, 1, height, Frame);
        canvas.Fill(right, Top, 1, height, Frame);
    }
}
