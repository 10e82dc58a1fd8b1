using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>The numbers of a buffer, as a case gives them: a list, a file or a rule.</summary>
internal static class CaseContent
{
    private delegate void Writer(int i, Span<byte> at);

    /// <summary>The full path of a file that a case names, which must be there.</summary>
    public static string ExistingFile(JsonField field, string folder, string expected)
    {
        string name = field.Text(expected), path = Path.GetFullPath(name, folder);
        return File.Exists(path) ? path : throw new InputException($"{field.Where}: found '{name}', no file in {folder}, expected {expected}");
    }

    public static byte[] Read(JsonField field, ElementType type, int length, string folder)
    {
        const string Forms = "a list of numbers or an object with one of file, constant, random, range";
        if (field.IsArray)
            return ReadNumbers(field, type, length);
        field.RequireObject(Forms, "file", "constant", "random", "low", "high", "range");
        var bytes = new byte[length * type.Size];
        int count = length * type.Lanes;
        if (field.Optional("file") is JsonField file)
            return ReadRaw(file, bytes.Length, folder);
        if (field.Optional("constant") is JsonField constant)
            Fill(count, type, bytes, (_, at) => constant.Write(type, at));
        else if (field.Optional("random") is JsonField)
            Fill(count, type, bytes, Random(field, type));
        else if (field.Optional("range") is JsonField range)
            Fill(count, type, bytes, Range(range, type));
        else
            throw field.Wrong(Forms);
        return bytes;
    }

    public static byte[] ReadNumbers(JsonField field, ElementType type, int length)
    {
        int count = length * type.Lanes;
        IReadOnlyList<JsonField> items = field.IsArray ? field.Items("") : [field];
        if (items.Count != count)
            throw new InputException($"{field.Where}: found {items.Count} numbers, expected {count}");
        var bytes = new byte[length * type.Size];
        Fill(count, type, bytes, (i, at) => items[i].Write(type, at));
        return bytes;
    }

    private static byte[] ReadRaw(JsonField field, int size, string folder)
    {
        string path = ExistingFile(field, folder, "the path of a file with raw little-endian numbers");
        byte[] bytes = File.ReadAllBytes(path);
        return bytes.Length == size ? bytes : throw new InputException($"{path}: found {bytes.Length} bytes, expected {size}");
    }

    private static void Fill(int count, ElementType type, Span<byte> bytes, Writer write)
    {
        for (int i = 0; i < count; i++)
            write(i, bytes[(i * type.ScalarSize)..]);
    }

    // Philox numbers of the stream 0 and step 0, as RandomFill makes them: uniform in [low, high), whole ones from low to high.
    private static Writer Random(JsonField field, ElementType type)
    {
        JsonField seed = field.Required("random");
        int key = seed.Whole(0, int.MaxValue);
        bool signed = type.IsFloat || type.Scalar is Scalar.I8 or Scalar.I16 or Scalar.I32 or Scalar.I64;
        double low = field.Optional("low")?.Number() ?? (signed ? -1 : 0), high = field.Optional("high")?.Number() ?? 1;
        if (low > high)
            throw new InputException($"{field.Where}: found low {low} above high {high}, expected them in order");
        return (i, at) =>
        {
            (uint x, uint y, uint z, uint w) = Philox.Words((ulong)key, 0, 0, (uint)i / 4);
            double unit = Philox.Unit((i & 3) switch { 0 => x, 1 => y, 2 => z, _ => w });
            double value = type.IsFloat ? low + unit * (high - low) : Math.Floor(low + unit * (high - low + 1));
            if (!type.Write(at, value))
                throw seed.Wrong($"low and high to be numbers that {type.Name} can hold");
        };
    }

    private static Writer Range(JsonField field, ElementType type)
    {
        IReadOnlyList<JsonField> numbers = field.Items("[start, step]");
        if (numbers.Count != 2)
            throw new InputException($"{field.Where}: found {numbers.Count} numbers, expected [start, step]");
        double start = numbers[0].Number(), step = numbers[1].Number();
        return (i, at) =>
        {
            if (!type.Write(at, start + i * step))
                throw new InputException($"{field.Where}: found {start + i * step} as number {i}, expected numbers that {type.Name} can hold");
        };
    }
}
