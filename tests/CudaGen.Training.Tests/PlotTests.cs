using System.Globalization;
using System.Xml.Linq;

namespace CudaGen.Training.Tests;

public class PlotTests
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    private static XElement Plot(params PlotPanel[] panels)
    {
        XElement svg = XDocument.Parse(LossPlot.Svg("a <title> & more", "step", panels)).Root!;
        Assert.Equal(Svg + "svg", svg.Name);
        Assert.DoesNotContain(svg.Descendants(), e => e.Name.LocalName == "script");
        Assert.DoesNotContain("NaN", svg.ToString(), StringComparison.Ordinal);
        return svg;
    }

    private static PlotPanel Panel(params PlotPoint[] points) => new("loss", [new PlotSeries("train", points)]);

    private static List<(double X, double Y)> Curve(XElement svg) =>
    [
        .. svg.Descendants(Svg + "polyline").Single().Attribute("points")!.Value.Split(' ').Select(p => p.Split(','))
            .Select(p => (double.Parse(p[0], CultureInfo.InvariantCulture), double.Parse(p[1], CultureInfo.InvariantCulture))),
    ];

    [Fact]
    public void Curves_go_up_where_values_do()
    {
        XElement svg = Plot(Panel(new(0, 1), new(10, 3), new(20, 2)));
        List<(double X, double Y)> curve = Curve(svg);
        Assert.Equal(3, curve.Count);
        Assert.Equal(curve[1].X - curve[0].X, curve[2].X - curve[1].X, 0.2);
        Assert.True(curve[0].Y > curve[2].Y && curve[2].Y > curve[1].Y);
        Assert.Contains(svg.Descendants(Svg + "text"), t => t.Value == "a <title> & more");
        Assert.Contains(svg.Descendants(Svg + "text"), t => t.Value == "train");
    }

    [Fact]
    public void Odd_series_still_make_a_plot()
    {
        Assert.Single(Plot(Panel(new PlotPoint(3, 0.5))).Descendants(Svg + "circle"));
        Assert.Equal(2, Curve(Plot(Panel(new(0, 0), new(1, 0)))).Count);
        Assert.Equal(2, Curve(Plot(Panel(new(0, 1), new(1, double.NaN), new(2, double.PositiveInfinity), new(3, 2)))).Count);
        Assert.Equal(2, Curve(Plot(Panel(new(0, 1e300), new(1, -1e300)))).Count);
        Assert.Equal(2, Curve(Plot(Panel(new(0, 1e-300), new(1, 2e-300)))).Count);
        Assert.Contains("no finite values", Plot(Panel(new PlotPoint(1, double.NaN))).ToString(), StringComparison.Ordinal);
        Assert.Contains("no finite values", Plot(new PlotPanel("empty", [])).ToString(), StringComparison.Ordinal);
        Assert.Equal(3, Plot(Panel(new(0, 1), new(1, 2)), Panel(new(0, 1), new(1, 2)), Panel(new(0, 1), new(1, 2)))
            .Descendants(Svg + "polyline").Count());
    }

    [Fact]
    public void A_long_series_is_thinned_and_keeps_its_spikes()
    {
        PlotPoint[] points = [.. Enumerable.Range(0, 100_000).Select(i => new PlotPoint(i, i switch { 51_234 => 50, 70_001 => -50, _ => Math.Sin(i) }))];
        List<PlotPoint> kept = new PlotSeries("s", points).Decimate();
        Assert.InRange(kept.Count, 900, 1000);
        Assert.Contains(new PlotPoint(51_234, 50), kept);
        Assert.Contains(new PlotPoint(70_001, -50), kept);
        Assert.Equal((points[0], points[^1]), (kept[0], kept[^1]));
        Assert.Equal(kept.OrderBy(p => p.X), kept);
    }

    [Theory]
    [InlineData(0, 100, "0 20 40 60 80 100")]
    [InlineData(0, 30000, "0 5k 10k 15k 20k 25k 30k")]
    [InlineData(-0.1, 0.1, "-0.10 -0.05 0 0.05 0.10")]
    [InlineData(2, 2, "1.8 1.9 2.0 2.1 2.2")]
    [InlineData(0, 2e-5, "0 5e-6 1e-5 1.5e-5 2e-5")]
    public void Ticks_are_round(double low, double high, string expected)
    {
        Axis axis = Axis.For(low, high, ticks: 5, margin: 0.001);
        Assert.Equal(expected, string.Join(' ', axis.Ticks().Select(axis.Label)));
    }

    [Fact]
    public void Series_come_from_metrics()
    {
        Dictionary<string, double>[] metrics = [new() { ["step"] = 1, ["loss"] = 5 }, new() { ["step"] = 2 }, new() { ["step"] = 3, ["loss"] = 4 }];
        PlotSeries series = PlotSeries.FromMetrics(metrics, "step", "loss");
        Assert.Equal("loss", series.Name);
        Assert.Equal([new PlotPoint(1, 5), new PlotPoint(3, 4)], series.Points);
    }

    [Fact]
    public void A_scatter_plot_shows_every_class_where_it_lies()
    {
        var points = new float[20];
        var labels = new byte[10];
        for (int c = 0; c < 10; c++)
            (points[2 * c], points[2 * c + 1], labels[c]) = (c, 9 - c, (byte)c);
        Picture plot = ScatterPlot.Draw(points, labels);
        Assert.Equal((800, 800, 3), (plot.Width, plot.Height, plot.Channels));
        // Class 0, blue, upper left; class 3, red, a third of the way to the lower right.
        Assert.True(CountLike(plot, 76, 24, 200, 150, (r, g, b) => b > 150 && r < 100) > 20, "no blue dot in the corner");
        Assert.True(CountLike(plot, 250, 200, 400, 400, (r, g, b) => r > 180 && g < 110 && b < 110) > 20, "no red dot");
    }

    /// <summary>Every letter of the legend has ink of its own, the frame makes room, and nothing reaches the edge.</summary>
    [Fact]
    public void A_scatter_plot_names_its_classes()
    {
        Picture numbers = ScatterPlot.Draw([1, 1, 2, 2], [0, 1], ["0", "1"]), names = ScatterPlot.Draw([1, 1, 2, 2], [0, 1], ["real", "generated"]);
        Func<int, int, int, bool> ink = (r, g, b) => r == 0x33 && g == 0x33 && b == 0x33;
        int left = 800 - 20 - Canvas.TextWidth("generated", 2);
        for (int letter = 0; letter < "generated".Length; letter++)
        {
            Assert.InRange(CountLike(names, left + 12 * letter, 24, left + 12 * letter + 10, 52, ink), letter < 4 ? 20 : 0, 100);
            Assert.InRange(CountLike(names, left + 12 * letter, 56, left + 12 * letter + 10, 80, ink), 20, 100);
        }
        Assert.Equal(0, CountLike(names, 790, 0, 800, 800, (r, g, b) => r < 255));
        Assert.Equal(0, CountLike(numbers, 790, 0, 800, 800, (r, g, b) => r < 255));
        // A column of the frame, right of all ticks.
        foreach ((Picture plot, int legend) in new[] { (numbers, 64), (names, 54 + Canvas.TextWidth("generated", 2)) })
            Assert.True(CountLike(plot, 800 - legend, 24, 801 - legend, 748, (r, g, b) => r == 0x99) > 700, "no frame");
    }

    [Fact]
    public void Odd_points_still_make_a_scatter_plot()
    {
        ScatterPlot.Draw([], []);
        ScatterPlot.Draw([1, 1], [0]);
        ScatterPlot.Draw([float.NaN, 1, float.PositiveInfinity, 2, 3, 4], [0, 1, 2]);
        ScatterPlot.Draw([float.MaxValue, 1, float.MinValue, 2], [0, 1]);
        Assert.Throws<ArgumentException>(() => ScatterPlot.Draw([1, 2, 3], [0]));
        Assert.Throws<ArgumentException>(() => ScatterPlot.Draw([1, 2], [10]));
    }

    private static int CountLike(Picture picture, int left, int top, int right, int bottom, Func<int, int, int, bool> like)
    {
        int count = 0;
        for (int y = top; y < bottom; y++)
        {
            for (int x = left; x < right; x++)
            {
                int at = (y * picture.Width + x) * 3;
                count += like(picture.Pixels[at], picture.Pixels[at + 1], picture.Pixels[at + 2]) ? 1 : 0;
            }
        }
        return count;
    }
}
