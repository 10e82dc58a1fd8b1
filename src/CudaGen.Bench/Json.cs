using System.Text.Json.Nodes;

namespace CudaGen.Bench;

/// <summary>Numbers and names as they are written to files.</summary>
internal static class Json
{
    /// <summary>Of an implementation or a precision, as a person types it.</summary>
    public static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    /// <summary>Five significant digits; null for what was not measured.</summary>
    public static JsonNode? Number(double value)
    {
        if (!double.IsFinite(value))
            return null;
        if (value == 0)
            return 0.0;
        int digits = 4 - (int)Math.Floor(Math.Log10(Math.Abs(value)));
        return digits < 0 ? Math.Round(value) : Math.Round(value, Math.Min(digits, 15));
    }
}
