using System.Security;
using System.Text;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>Curves of a training run as an SVG file that needs nothing else: no script, style sheet or font.</summary>
public static class LossPlot
{
    private const int PanelWidth = 520, PanelHeight = 300, Head = 52, Foot = 8;
    private const int Left = 66, Right = 18, Top = 34, Bottom = 46;
    private const int LetterWidth = 7; // of the legend, on average

    private static readonly string[] Colours = ["#2166ac", "#d6604d", "#1b9e77", "#8856a7", "#e08214", "#525252"];

    /// <summary>
    /// Draws the panels, two to a row. Values that are not finite are left out, and a panel without any says so.
    /// </summary>
    /// <param name="title">Above everything.</param>
    /// <param name="xLabel">Below every x axis, such as "step".</param>
    /// <param name="panels">At least one.</param>
    public static string Svg(string title, string xLabel, IReadOnlyList<PlotPanel> panels)
    {
        ArgumentNullException.ThrowIfNull(panels);
        ArgumentOutOfRangeException.ThrowIfZero(panels.Count);
        int columns = Math.Min(2, panels.Count), rows = (panels.Count + columns - 1) / columns;
        int width = columns * PanelWidth, height = Head + rows * PanelHeight + Foot;
        var svg = new StringBuilder();
        svg.Append($"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"
             font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" font-size="12" fill="#333">
            <rect width="{width}" height="{height}" fill="#fff"/>
            <text x="{Left}" y="32" font-size="18" font-weight="bold" fill="#111">{Escape(title)}</text>

            """);
        for (int i = 0; i < panels.Count; i++)
        {
            int left = i % columns * PanelWidth, top = Head + i / columns * PanelHeight;
            svg.Append($"""<g transform="translate({left} {top})">""").Append('\n');
            DrawPanel(svg, panels[i], xLabel);
            svg.Append("</g>\n");
        }
        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>Writes <see cref="Svg"/> to a file, whole or not at all.</summary>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public static void Save(string path, string title, string xLabel, IReadOnlyList<PlotPanel> panels)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Svg(title, xLabel, panels));
        AtomicFile.Write(path, file => file.Write(bytes));
    }

    private static void DrawPanel(StringBuilder svg, PlotPanel panel, string xLabel)
    {
        const int Width = PanelWidth - Left - Right, Height = PanelHeight - Top - Bottom;
        svg.Append($"""
            <text x="{Left}" y="{Top - 12}" font-size="14" font-weight="bold">{Escape(panel.Title)}</text>

            """);
        List<(string Name, List<PlotPoint> Points)> series = [.. panel.Series.Select(s => (s.Name, s.Decimate()))];
        List<PlotPoint> all = [.. series.SelectMany(s => s.Points)];
        if (all.Count == 0)
        {
            Frame(svg, Width, Height);
            svg.Append($"""
                <text x="{Left + Width / 2}" y="{Top + Height / 2}" text-anchor="middle" fill="#888">no finite values</text>

                """);
            return;
        }

        Axis x = Axis.For(all.Min(p => p.X), all.Max(p => p.X), ticks: 6, margin: 0.02);
        Axis y = Axis.For(all.Min(p => p.Y), all.Max(p => p.Y), ticks: 5, margin: 0.06);
        double Px(double v) => Left + Width * x.Fraction(v);
        double Py(double v) => Top + Height * (1 - y.Fraction(v));
        foreach (double tick in x.Ticks())
            svg.Append($"""
                <path d="M{Px(tick):F1} {Top}v{Height}" stroke="#e6e6e6"/>
                <text x="{Px(tick):F1}" y="{Top + Height + 17}" text-anchor="middle">{x.Label(tick)}</text>

                """);
        foreach (double tick in y.Ticks())
            svg.Append($"""
                <path d="M{Left} {Py(tick):F1}h{Width}" stroke="#e6e6e6"/>
                <text x="{Left - 8}" y="{Py(tick) + 4:F1}" text-anchor="end">{y.Label(tick)}</text>

                """);
        Frame(svg, Width, Height);
        svg.Append($"""
            <text x="{Left + Width / 2}" y="{Top + Height + 35}" text-anchor="middle" fill="#555">{Escape(xLabel)}</text>

            """);
        for (int i = 0; i < series.Count; i++)
            DrawCurve(svg, series[i].Points, Colours[i % Colours.Length], Px, Py);
        if (series.Count > 1 || series[0].Name != panel.Title)
            DrawLegend(svg, [.. series.Select(s => s.Name)]);
    }

    private static void Frame(StringBuilder svg, int width, int height) =>
        svg.Append($"""
            <rect x="{Left}" y="{Top}" width="{width}" height="{height}" fill="none" stroke="#999"/>

            """);

    private static void DrawCurve(StringBuilder svg, List<PlotPoint> points, string colour,
        Func<double, double> px, Func<double, double> py)
    {
        IEnumerable<string> places = points.Select(p => $"{px(p.X):F1},{py(p.Y):F1}");
        if (points.Count == 1)
            svg.Append($"""
                <circle cx="{px(points[0].X):F1}" cy="{py(points[0].Y):F1}" r="3.5" fill="{colour}"/>

                """);
        else if (points.Count > 1)
            svg.Append($"""
                <polyline fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round" points="{string.Join(' ', places)}"/>

                """);
    }

    // Right-aligned in the line of the panel's title.
    private static void DrawLegend(StringBuilder svg, string[] names)
    {
        int x = PanelWidth - Right - names.Sum(n => 36 + LetterWidth * n.Length) + 12;
        for (int i = 0; i < names.Length; i++)
        {
            svg.Append($"""
                <path d="M{x} {Top - 16}h18" stroke="{Colours[i % Colours.Length]}" stroke-width="3"/>
                <text x="{x + 23}" y="{Top - 12}">{Escape(names[i])}</text>

                """);
            x += 36 + LetterWidth * names[i].Length;
        }
    }

    private static string? Escape(string text) => SecurityElement.Escape(text);
}
