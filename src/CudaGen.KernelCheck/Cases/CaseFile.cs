using System.Text.RegularExpressions;
using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>Reads the JSON files that tell how to launch a kernel and what comes out; docs/kernels.md describes them.</summary>
public static partial class CaseFile
{
    private const long MostBytes = 1 << 30;

    // Two roundings of float32, for sums of a few terms.
    private const double FloatRelative = 1e-5, FloatAbsolute = 1e-6;

    /// <summary>All cases of a file, in its order.</summary>
    /// <exception cref="InputException">Something in the file is wrong.</exception>
    public static IReadOnlyList<KernelCase> Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        JsonField root = JsonField.Read(path);
        JsonField? list = root.IsObject ? root.Optional("cases") : null;
        if (list is not null)
            root.RequireObject("an object with cases", "cases");
        KernelCase[] read = (list ?? root) is { IsArray: true } cases
            ? [.. cases.Items("a list of cases").Select(ReadCase)]
            : [ReadCase(root, 0)];
        // Cases of one kernel that have no names are told apart by their numbers.
        HashSet<string> repeated = [.. read.GroupBy(c => (c.Kernel, c.Name)).Where(g => g.Count() > 1).Select(g => g.Key.Kernel)];
        return [.. read.Select(c => c.Name.Length == 0 && repeated.Contains(c.Kernel) ? c with { Name = $"{c.Index}" } : c)];
    }

    private static KernelCase ReadCase(JsonField field, int index)
    {
        field.RequireObject("an object that describes a launch",
            "name", "kernel", "file", "grid", "block", "shared", "arguments", "reference", "expect");
        string folder = Path.GetDirectoryName(Path.GetFullPath(field.File))!;
        string kernel = field.Required("kernel").Text("the name of a kernel");
        CaseArgument[] arguments = [.. field.Required("arguments").Items("a list of arguments").Select((a, i) => ReadArgument(a, i, folder))];
        if (arguments.GroupBy(a => a.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InputException($"{field.Where}: found two arguments with the name '{twice.Key}', expected different ones");
        string? reference = field.Optional("reference") is JsonField r ? CaseContent.ExistingFile(r, folder, "the path of a C# program") : null;
        if (reference is not null && !arguments.Any(Reference.Computes))
            throw new InputException($"{field.Where}: found a reference, expected an output without 'expected' that it could compute");
        return new KernelCase
        {
            CaseFile = field.File,
            Index = index,
            Name = field.Optional("name")?.Text("a name for this case") ?? "",
            Kernel = kernel,
            SourceFile = field.Optional("file") is JsonField f ? CaseContent.ExistingFile(f, folder, "the path of a .cu file") : null,
            Grid = ReadExtent(field.Required("grid")),
            Block = ReadExtent(field.Required("block")),
            Shared = field.Optional("shared")?.Whole(0, int.MaxValue) ?? 0,
            Arguments = arguments,
            Reference = reference,
            Expect = field.Optional("expect") is { IsNull: false } e ? e.Text("text of a report, or null") : null,
        };
    }

    // Zeros and huge extents are let through: what a launch makes of them is for the driver to say.
    private static Extent ReadExtent(JsonField field)
    {
        const string Expected = "one to three whole numbers";
        if (!field.IsArray)
            return new Extent(field.Whole(0, int.MaxValue), 1, 1);
        int[] extents = [.. field.Items(Expected).Select(e => e.Whole(0, int.MaxValue))];
        return extents.Length is >= 1 and <= 3
            ? new Extent(extents[0], extents.ElementAtOrDefault(1, 1), extents.ElementAtOrDefault(2, 1))
            : throw new InputException($"{field.Where}: found {extents.Length} numbers, expected {Expected}");
    }

    private static int ElementAtOrDefault(this int[] array, int i, int otherwise) => i < array.Length ? array[i] : otherwise;

    private static CaseArgument ReadArgument(JsonField field, int index, string folder)
    {
        const string Expected = "an object that describes an argument";
        if (!field.IsObject)
            throw field.Wrong(Expected);
        JsonField typeField = field.Required("type");
        string text = typeField.Text("a type");
        bool constant = ConstWord().IsMatch(text), pointer = text.TrimEnd().EndsWith('*') || PointerSuffix().IsMatch(text);
        string name = Spaces().Replace(Decoration().Replace(text, " "), " ").Trim();
        ElementType type = ElementType.Find(name)
            ?? throw typeField.Wrong($"one of {string.Join(", ", ElementType.Names)}, a vector such as float4, or a pointer to one");
        string argumentName = field.Optional("name") is JsonField n ? ReadName(n) : $"{index + 1}";
        return pointer ? ReadPointer(field, argumentName, type, constant, folder) : ReadValue(field, argumentName, type);
    }

    // Also the name of a file.
    private static string ReadName(JsonField field)
    {
        const string Expected = "a name of letters, digits and underscores";
        string name = field.Text(Expected);
        return name.All(c => c == '_' || char.IsAsciiLetterOrDigit(c)) ? name : throw field.Wrong(Expected);
    }

    private static CaseArgument ReadValue(JsonField field, string name, ElementType type)
    {
        field.RequireObject("an object", "type", "name", "value");
        return new CaseArgument { Name = name, Type = type, Content = CaseContent.ReadNumbers(field.Required("value"), type, 1) };
    }

    private static CaseArgument ReadPointer(JsonField field, string name, ElementType type, bool constant, string folder)
    {
        field.RequireObject("an object", "type", "name", "length", "role", "values", "fill", "expected", "atol", "rtol", "null", "host", "offset");
        JsonField? initial = field.Optional("values") ?? field.Optional("fill"), expected = field.Optional("expected");
        bool isNull = field.Optional("null")?.Flag() ?? false, isHost = field.Optional("host")?.Flag() ?? false;
        if (field.Optional("values") is not null && field.Optional("fill") is not null)
            throw new InputException($"{field.Where}: found both 'values' and 'fill', expected one of them");
        int length = isNull ? field.Optional("length")?.Whole(0, int.MaxValue) ?? 0 : ReadLength(field, type, initial, expected);
        Role role = field.Optional("role") is JsonField r ? ReadRole(r) : constant ? Role.Input : initial is null ? Role.Output : Role.InOut;
        if (role != Role.Output && initial is null && !isNull)
            throw new InputException($"{field.Where}: found neither 'values' nor 'fill', expected the numbers of an {RoleName(role)}");
        if (role == Role.Input && expected is JsonField unused)
            throw new InputException($"{unused.Where}: found for an input, expected for an output or inout");
        return new CaseArgument
        {
            Name = name,
            Type = type,
            IsPointer = true,
            Length = length,
            Role = role,
            Place = isNull ? Place.Null : isHost ? Place.Host : Place.Device,
            Offset = field.Optional("offset")?.Whole(0, 4096) ?? 0,
            Content = initial is JsonField i ? CaseContent.Read(i, type, length, folder) : null,
            Expected = expected is { IsNull: false } e ? CaseContent.Read(e, type, length, folder) : null,
            AbsoluteTolerance = ReadTolerance(field, "atol") ?? (type.IsFloat ? FloatAbsolute : 0),
            RelativeTolerance = ReadTolerance(field, "rtol") ?? (type.IsFloat ? FloatRelative : 0),
        };
    }

    private static double? ReadTolerance(JsonField field, string name)
    {
        if (field.Optional(name) is not JsonField tolerance)
            return null;
        double value = tolerance.Number("a number from 0");
        return value >= 0 ? value : throw tolerance.Wrong("a number from 0");
    }

    // The length may be left out where a list of numbers gives it.
    private static int ReadLength(JsonField field, ElementType type, params JsonField?[] lists)
    {
        int length;
        if (field.Optional("length") is JsonField given)
            length = given.Whole(0, int.MaxValue);
        else if (lists.FirstOrDefault(l => l is { IsArray: true }) is JsonField list)
            length = list.Element.GetArrayLength() / type.Lanes;
        else
            throw new InputException($"{field.Where}: found no property 'length', expected the number of elements");
        return (long)length * type.Size <= MostBytes
            ? length : throw new InputException($"{field.Where}: found {length} elements of {type.Size} bytes, expected 1 GiB at most");
    }

    private static Role ReadRole(JsonField field) => field.Text("input, output or inout") switch
    {
        "input" => Role.Input,
        "output" => Role.Output,
        "inout" => Role.InOut,
        _ => throw field.Wrong("input, output or inout"),
    };

    private static string RoleName(Role role) => role == Role.Input ? "input" : "inout";

    [GeneratedRegex("""\bconst\b""")]
    private static partial Regex ConstWord();

    [GeneratedRegex("""\*\s*(?:__restrict__|const|\s)*$""")]
    private static partial Regex PointerSuffix();

    [GeneratedRegex("""\b(?:const|volatile|__restrict__)\b|\*\s*(?:__restrict__|const|\s)*$""")]
    private static partial Regex Decoration();

    [GeneratedRegex("""\s+""")]
    private static partial Regex Spaces();
}
