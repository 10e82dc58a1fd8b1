using System.Text.RegularExpressions;

namespace CudaGen.KernelCheck;

/// <summary>
/// Counts the 32-bit registers that are live at one time in a function's PTX: a backward dataflow pass over its instructions. PTX has
/// endlessly many registers and ptxas reorders instructions, so the result is no occupancy, but it grows when a kernel keeps more.
/// </summary>
internal static partial class PtxLiveness
{
    // Instructions whose first operand is read.
    private static readonly string[] WithoutResult =
        ["st", "red", "bra", "bar", "barrier", "membar", "fence", "ret", "exit", "trap", "call", "prefetch", "brx"];

    private sealed record Instruction(string[] Written, string[] Read, bool Guarded, string? Target, bool FallsThrough);

    public static int MostRegisters(IReadOnlyList<string> statements)
    {
        Dictionary<string, int> widths = [];
        Dictionary<string, int> labels = [];
        List<Instruction> code = [];
        foreach (string statement in statements)
        {
            if (RegisterDeclaration().Match(statement) is { Success: true } declaration)
                foreach (Match name in RegisterName().Matches(declaration.Groups["names"].Value))
                    widths[name.Value.TrimEnd('<')] = Width(declaration.Groups["type"].Value);
            else if (statement.EndsWith(':'))
                labels[statement[..^1]] = code.Count;
            else if (!statement.StartsWith('.'))
                code.Add(Parse(statement));
        }
        return Most(code, labels, register => widths.GetValueOrDefault(register, widths.GetValueOrDefault(register.TrimEnd(Digits))));
    }

    private static readonly char[] Digits = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

    // Predicates have registers of their own.
    private static int Width(string type) => type == "pred" ? 0 : type.EndsWith("64", StringComparison.Ordinal) ? 2 : 1;

    private static int Most(List<Instruction> code, Dictionary<string, int> labels, Func<string, int> width)
    {
        var live = new HashSet<string>[code.Count + 1]; // before each instruction
        for (int i = 0; i <= code.Count; i++)
            live[i] = [];
        int most = 0;
        for (bool changed = true; changed;)
        {
            changed = false;
            for (int i = code.Count - 1; i >= 0; i--)
            {
                Instruction instruction = code[i];
                HashSet<string> now = instruction.FallsThrough ? [.. live[i + 1]] : [];
                if (instruction.Target is string target && labels.TryGetValue(target, out int destination))
                    now.UnionWith(live[destination]);
                most = Math.Max(most, now.Union(instruction.Written).Sum(width));
                // What is written under a condition keeps its old value otherwise.
                if (!instruction.Guarded)
                    now.ExceptWith(instruction.Written);
                now.UnionWith(instruction.Read);
                if (now.Count > live[i].Count)
                {
                    live[i] = now;
                    changed = true;
                }
            }
        }
        return most;
    }

    private static Instruction Parse(string statement)
    {
        Match match = InstructionText().Match(statement);
        string operation = match.Groups["operation"].Value, operands = match.Groups["operands"].Value;
        string[] guard = [.. Registers(match.Groups["guard"].Value)];
        string name = operation.Split('.')[0];
        // The result is all before the first comma outside of braces: a register, two with a bar between, or {a, b}.
        int end = WithoutResult.Contains(name) ? 0 : FirstOperand().Match(operands).Length;
        bool leaves = name is "ret" or "exit" or "trap" || (name == "bra" && guard.Length == 0);
        return new Instruction([.. Registers(operands[..end])], [.. Registers(operands[end..]), .. guard], guard.Length > 0,
            name == "bra" ? operands.Trim() : null, !leaves || guard.Length > 0);
    }

    private static IEnumerable<string> Registers(string text) => RegisterName().Matches(text).Select(m => m.Value);

    [GeneratedRegex("""^\.reg\s+\.(?<type>\w+)\s+(?<names>.*)$""", RegexOptions.Singleline)]
    private static partial Regex RegisterDeclaration();

    [GeneratedRegex("""%[A-Za-z_]\w*<?""")]
    private static partial Regex RegisterName();

    [GeneratedRegex("""^(?<guard>@!?%\w+\s+)?(?<operation>[\w.:]+)\s*(?<operands>.*)$""", RegexOptions.Singleline)]
    private static partial Regex InstructionText();

    [GeneratedRegex("""^\s*(?:\{[^}]*\}|[^,{]*)""")]
    private static partial Regex FirstOperand();
}
