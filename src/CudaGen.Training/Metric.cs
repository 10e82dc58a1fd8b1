using System.Text.Json;

namespace CudaGen.Training;

/// <summary>A named number of a training run: step, epoch, loss, test.mse.</summary>
public readonly record struct Metric
{
    // A float32 is written with the digits that a float32 needs: 0.1 and not 0.10000000149011612.
    private readonly bool _single;

    public Metric(string key, double value) => (Key, Value) = (key, value);

    public Metric(string key, float value) => (Key, Value, _single) = (key, value, true);

    public Metric(string key, long value) => (Key, Value) = (key, value);

    public string Key { get; }

    public double Value { get; }

    // JSON has no word for these three, and a diverged run must still be recorded.
    internal void WriteTo(Utf8JsonWriter json)
    {
        if (double.IsNaN(Value))
            json.WriteString(Key, "NaN");
        else if (double.IsInfinity(Value))
            json.WriteString(Key, Value > 0 ? "Infinity" : "-Infinity");
        else if (_single)
            json.WriteNumber(Key, (float)Value);
        else
            json.WriteNumber(Key, Value);
    }

    internal static double Read(JsonElement value) => value.ValueKind == JsonValueKind.Number
        ? value.GetDouble()
        : value.GetString() switch
        {
            "NaN" => double.NaN,
            "Infinity" => double.PositiveInfinity,
            "-Infinity" => double.NegativeInfinity,
            _ => throw new FormatException(),
        };
}
