using System.Text.Json;

namespace CudaGen.KernelCheck;

/// <summary>How far a worker has come.</summary>
/// <param name="Kind">compiling, compiled, running, ran, unavailable or done.</param>
/// <param name="Case">Which case of the job is meant.</param>
/// <param name="Order">The order of threads that it runs in, as a person reads it.</param>
/// <param name="MaxError">Largest difference from what was expected; null where nothing was.</param>
/// <param name="Texts">Findings; errors of the compiler; the reason why nothing runs here.</param>
internal sealed record WorkerMessage(string Kind, int Case = -1, string Order = "", double? MaxError = null, IReadOnlyList<string>? Texts = null)
{
    public string ToJson()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("kind", Kind);
            json.WriteNumber("case", Case);
            json.WriteString("order", Order);
            if (MaxError is double error)
                json.WriteNumber("maxError", error);
            json.WriteStartArray("texts");
            foreach (string text in Texts ?? [])
                json.WriteStringValue(text);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }

    /// <summary>Null for a line that is no message: a kernel or a library may print what it likes.</summary>
    public static WorkerMessage? FromJson(string line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            return new WorkerMessage(Text(root, "kind"), root.GetProperty("case").GetInt32(), Text(root, "order"),
                root.TryGetProperty("maxError", out JsonElement error) ? error.GetDouble() : null,
                [.. root.GetProperty("texts").EnumerateArray().Select(t => t.GetString()!)]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string Text(JsonElement message, string property) => message.GetProperty(property).GetString()!;
}
