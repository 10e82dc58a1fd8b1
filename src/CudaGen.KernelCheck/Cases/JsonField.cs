using System.Globalization;
using System.Text.Json;
using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>A value of a JSON file that a person wrote, which knows its place for a complaint.</summary>
/// <param name="Element">The value.</param>
/// <param name="File">Path of the file, as the person gave it.</param>
/// <param name="Place">Where the value is: "[2].arguments[1].length".</param>
internal readonly record struct JsonField(JsonElement Element, string File, string Place)
{
    private static readonly JsonDocumentOptions Options =
        new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false };

    /// <summary>Reads a whole file.</summary>
    /// <exception cref="InputException">It cannot be read, or is no JSON.</exception>
    public static JsonField Read(string file)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(System.IO.File.ReadAllBytes(file), Options);
            return new JsonField(document.RootElement.Clone(), file, "");
        }
        catch (JsonException e)
        {
            string at = e.LineNumber is long line ? $"line {line + 1}, " : "";
            throw new InputException($"{file}: {at}found no valid JSON: {e.Message.Split(" LineNumber:")[0].ReplaceLineEndings(" ")}", e);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(file, e);
        }
    }

    /// <summary>What was found here and what was expected, as an exception to throw.</summary>
    public InputException Wrong(string expected)
    {
        string found = Element.ValueKind is JsonValueKind.Object or JsonValueKind.Array
            ? $"an {Element.ValueKind.ToString().ToLowerInvariant()}"
            : Element.GetRawText();
        return new InputException($"{Where}: found {(found.Length > 60 ? found[..60] + "..." : found)}, expected {expected}");
    }

    /// <summary>File and place, with which a complaint starts.</summary>
    public string Where => Place.Length == 0 ? File : $"{File}: {Place}";

    public bool IsArray => Element.ValueKind == JsonValueKind.Array;

    public bool IsObject => Element.ValueKind == JsonValueKind.Object;

    public bool IsNull => Element.ValueKind == JsonValueKind.Null;

    public IReadOnlyList<JsonField> Items(string expected)
    {
        if (!IsArray)
            throw Wrong(expected);
        JsonField self = this;
        return [.. Element.EnumerateArray().Select((e, i) => new JsonField(e, self.File, $"{self.Place}[{i}]"))];
    }

    /// <summary>Complaints about anything that is no object, or has properties that nobody reads: those are misspelt.</summary>
    public void RequireObject(string expected, params string[] properties)
    {
        if (!IsObject)
            throw Wrong(expected);
        foreach (JsonProperty property in Element.EnumerateObject())
            if (!properties.Contains(property.Name))
                throw new InputException($"{Where}: found the property '{property.Name}', expected one of {string.Join(", ", properties)}");
    }

    /// <summary>A property, or null when it is not there.</summary>
    public JsonField? Optional(string property)
    {
        string place = Place.Length == 0 ? property : $"{Place}.{property}";
        return Element.TryGetProperty(property, out JsonElement value) ? new JsonField(value, File, place) : null;
    }

    public JsonField Required(string property) =>
        Optional(property) ?? throw new InputException($"{Where}: found no property '{property}', expected one");

    public string Text(string expected) =>
        Element.ValueKind == JsonValueKind.String && Element.GetString() is { Length: > 0 } text ? text : throw Wrong(expected);

    public bool Flag() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("true or false"),
    };

    public int Whole(int low, int high) =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out int value) && value >= low && value <= high
            ? value : throw Wrong(high == int.MaxValue ? $"a whole number from {low}" : $"a whole number from {low} to {high}");

    public double Number(string expected = "a number") =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetDouble(out double value) && double.IsFinite(value) ? value : throw Wrong(expected);

    /// <summary>Writes a number of a type; "nan", "inf" and "-inf" are numbers too, which JSON has no other way to write.</summary>
    public void Write(ElementType type, Span<byte> at)
    {
        string expected = $"a number that {type.Name} can hold";
        bool fits = Element.ValueKind switch
        {
            JsonValueKind.Number when Element.TryGetDecimal(out decimal whole) && decimal.IsInteger(whole) && !type.IsFloat => type.Write(at, whole),
            JsonValueKind.Number => type.Write(at, Number(expected)),
            JsonValueKind.True or JsonValueKind.False => type.Write(at, Flag() ? 1m : 0m),
            JsonValueKind.String when type.IsFloat && Special(Element.GetString()!) is double special => type.Write(at, special),
            _ => false,
        };
        if (!fits)
            throw Wrong(expected);
    }

    private static double? Special(string text) => text.ToLower(CultureInfo.InvariantCulture) switch
    {
        "nan" => double.NaN,
        "inf" => double.PositiveInfinity,
        "-inf" => double.NegativeInfinity,
        _ => null,
    };
}
