using System.Text.Json.Nodes;

namespace CudaGen.Bench;

internal sealed class Times(string name)
{
    private readonly List<double> _milliseconds = [];

    public string Name => name;

    public int Count => _milliseconds.Count;

    public double Best => _milliseconds.Min();

    public double Mean => _milliseconds.Average();

    public double Median
    {
        get
        {
            double[] sorted = [.. _milliseconds.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }

    public void Add(double milliseconds) => _milliseconds.Add(milliseconds);

    public JsonObject ToJson(Times? ours)
    {
        var json = new JsonObject { ["side"] = name, ["ms_median"] = Math.Round(Median, 3), ["ms_best"] = Math.Round(Best, 3), ["timed"] = _milliseconds.Count };
        if (ours is not null)
        {
            json["ratio_of_medians"] = Math.Round(Median / ours.Median, 3);
            json["ratio_of_bests"] = Math.Round(Best / ours.Best, 3);
        }
        return json;
    }
}
