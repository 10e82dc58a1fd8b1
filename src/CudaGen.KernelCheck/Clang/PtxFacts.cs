using System.Globalization;
using System.Text.RegularExpressions;

namespace CudaGen.KernelCheck;

/// <summary>Accesses to global memory, by width.</summary>
/// <param name="Scalar">Instructions that move one value.</param>
/// <param name="Pairs">Instructions that move two (.v2).</param>
/// <param name="Quads">Instructions that move four (.v4).</param>
public sealed record AccessCount(int Scalar, int Pairs, int Quads)
{
    public int Total => Scalar + Pairs + Quads;

    public override string ToString() => (Pairs, Quads) switch
    {
        (0, 0) => $"{Total}",
        (0, _) => $"{Total} ({Quads} x4)",
        (_, 0) => $"{Total} ({Pairs} x2)",
        _ => $"{Total} ({Pairs} x2, {Quads} x4)",
    };
}

/// <summary>
/// What the PTX of a kernel tells about its use of resources. All are exact for this PTX, counted in the text of the kernel and of the
/// functions that it calls, but <paramref name="LiveRegisters"/>, which only serves to notice a change: ptxas assigns registers.
/// </summary>
/// <param name="Kernel">Name of the kernel.</param>
/// <param name="StaticShared">Bytes of shared memory of fixed size, each array aligned.</param>
/// <param name="DynamicShared">Whether it uses an extern __shared__ array.</param>
/// <param name="ParameterBytes">Size of all parameters; a launch takes 4096.</param>
/// <param name="MaxThreads">Threads of a block by __launch_bounds__; null without.</param>
/// <param name="LocalBytes">Local memory: arrays that did not stay in registers.</param>
/// <param name="Loads">Loads from global memory.</param>
/// <param name="Stores">Stores to global memory.</param>
/// <param name="Barriers">Barriers of a whole block.</param>
/// <param name="Shuffles">Shuffles between lanes.</param>
/// <param name="Atomics">Atomic operations.</param>
/// <param name="Divisions">Divisions and remainders, of integers too: each becomes many instructions.</param>
/// <param name="DoubleOperations">Arithmetic on double, of which most GPUs do one for 32 or 64 on float.</param>
/// <param name="Calls">Functions that are called and not in the file, such as __nv_expf.</param>
/// <param name="LiveRegisters">Most 32-bit registers that are in use at one time, estimated.</param>
public sealed partial record PtxFacts(string Kernel, int StaticShared, bool DynamicShared, int ParameterBytes, int? MaxThreads, int LocalBytes,
    AccessCount Loads, AccessCount Stores, int Barriers, int Shuffles, int Atomics, int Divisions, int DoubleOperations,
    IReadOnlyList<string> Calls, int LiveRegisters)
{
    /// <summary>The facts of every kernel of a PTX module, in its order.</summary>
    public static IReadOnlyList<PtxFacts> Read(string ptx)
    {
        ArgumentNullException.ThrowIfNull(ptx);
        ptx = Comment().Replace(ptx, "");
        List<PtxFunction> functions = PtxFunction.ReadAll(ptx);
        Dictionary<string, int> shared = [];
        HashSet<string> dynamic = [];
        foreach (Match match in SharedVariable().Matches(ptx))
        {
            if (match.Groups["count"] is { Success: true, Length: 0 })
                dynamic.Add(match.Groups["name"].Value);
            else
                shared[match.Groups["name"].Value] = Size(match);
        }
        return [.. functions.Where(f => f.IsEntry).Select(f => Of(f, functions, shared, dynamic))];
    }

    private static PtxFacts Of(PtxFunction entry, List<PtxFunction> functions, Dictionary<string, int> shared, HashSet<string> dynamic)
    {
        List<PtxFunction> reached = [entry];
        HashSet<string> calls = [];
        for (int i = 0; i < reached.Count; i++)
            foreach (string callee in reached[i].Statements.Select(s => Call().Match(s)).Where(m => m.Success).Select(m => m.Groups[1].Value))
            {
                if (functions.Find(f => f.Name == callee) is not PtxFunction function)
                    calls.Add(callee);
                else if (!reached.Contains(function))
                    reached.Add(function);
            }
        string[] statements = [.. reached.SelectMany(f => f.Statements)];
        HashSet<string> words = [.. statements.SelectMany(s => Word().Matches(s)).Select(m => m.Value)];
        string[] operations = [.. statements.Select(s => Guard().Replace(s, "").Split([' ', '\t', '\n'], 2)[0])];

        return new PtxFacts(entry.Name,
            StaticShared: shared.Where(v => words.Contains(v.Key)).Sum(v => v.Value),
            DynamicShared: dynamic.Any(words.Contains),
            ParameterBytes: Parameter().Matches(entry.Head).Aggregate(0, (end, m) => Aligned(end, Alignment(m)) + Size(m)),
            MaxThreads: MaxThreadsLine().Match(entry.Head) is { Success: true } bound ? Product(bound.Groups[1].Value) : null,
            LocalBytes: reached.Sum(f => f.Statements.Select(s => LocalVariable().Match(s)).Where(m => m.Success).Sum(Size)),
            Loads: Accesses(operations, "ld"),
            Stores: Accesses(operations, "st"),
            Barriers: operations.Count(o => Is(o, "bar.sync", "bar.red", "bar.arrive", "barrier")),
            Shuffles: operations.Count(o => Is(o, "shfl")),
            Atomics: operations.Count(o => Is(o, "atom", "red")),
            Divisions: operations.Count(o => Is(o, "div", "rem")),
            DoubleOperations: operations.Count(o => o.Contains(".f64", StringComparison.Ordinal) && !Is(o, "ld", "st", "mov", ".param", ".reg")),
            Calls: [.. calls.Order(StringComparer.Ordinal)],
            LiveRegisters: reached.Max(f => PtxLiveness.MostRegisters(f.Statements)));
    }

    // A load or store that names no state space is generic, which for a kernel's data means global memory.
    private static AccessCount Accesses(string[] operations, string name)
    {
        string[] global = [.. operations.Where(o => Is(o, name) && !OtherSpace().IsMatch(o))];
        int Wide(string width) => global.Count(o => o.Contains(width, StringComparison.Ordinal));
        return new AccessCount(global.Length - Wide(".v2") - Wide(".v4"), Wide(".v2"), Wide(".v4"));
    }

    private static bool Is(string operation, params string[] names) =>
        names.Any(n => operation == n || operation.StartsWith(n + ".", StringComparison.Ordinal));

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static int Product(string extents) => extents.Split(',').Aggregate(1, (product, extent) => product * Number(extent.Trim()));

    private static int Size(Match variable) =>
        Number(variable.Groups["bits"].Value) / 8 * (variable.Groups["count"] is { Length: > 0 } count ? Number(count.Value) : 1);

    private static int Alignment(Match parameter) =>
        parameter.Groups["align"].Success ? Number(parameter.Groups["align"].Value) : Number(parameter.Groups["bits"].Value) / 8;

    private static int Aligned(int offset, int alignment) => (offset + alignment - 1) / alignment * alignment;

    private const string Declared =
        """\s+(?:\.align\s+(?<align>\d+)\s+)?\.[a-z]+(?<bits>\d+)\s+(?:\.ptr[^,)]*?\s)?(?<name>[\w$]+)\s*(?:\[(?<count>\d*)\])?""";

    [GeneratedRegex("""//[^\n]*""")]
    private static partial Regex Comment();

    [GeneratedRegex("""\.shared""" + Declared)]
    private static partial Regex SharedVariable();

    [GeneratedRegex("""\.param""" + Declared)]
    private static partial Regex Parameter();

    [GeneratedRegex("""^\.local""" + Declared)]
    private static partial Regex LocalVariable();

    [GeneratedRegex("""\.maxntid\s+(\d+(?:\s*,\s*\d+)*)""")]
    private static partial Regex MaxThreadsLine();

    // The result in parentheses, if any, then the name of the function.
    [GeneratedRegex("""^(?:@!?%\w+\s+)?call(?:\.uni)?\s+(?:\([^)]*\)\s*,\s*)?([\w$]+)""")]
    private static partial Regex Call();

    [GeneratedRegex("""[A-Za-z_$][\w$]*""")]
    private static partial Regex Word();

    [GeneratedRegex("""^@!?%\w+\s+""")]
    private static partial Regex Guard();

    [GeneratedRegex("""\.(?:shared|local|param|const)""")]
    private static partial Regex OtherSpace();
}
