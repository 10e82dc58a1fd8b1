using System.Globalization;
using System.Text;

namespace CudaGen.KernelCheck;

/// <summary>The tables of a report, which the terminal and Markdown show alike.</summary>
internal static class ReportTable
{
    private static readonly string[] CheckHeader = ["kernel", "case", "launch", "buffers", "layers that ran", "max error", "result"];
    private static readonly string[] FactsHeader =
        ["kernel", "registers", "shared", "local", "params", "threads", "loads", "stores", "barriers", "shuffles", "atomics", "div", "fp64", "calls"];

    /// <summary>A row for each file, then one for each of its cases and for each kernel that has none.</summary>
    public static List<string[]> Checks(CheckReport report)
    {
        List<string[]> rows = [CheckHeader];
        foreach (KernelFile file in report.Files)
        {
            CheckResult[] results = [.. report.Results.Where(r => r.File == file.Name)];
            CheckResult[] whole = [.. results.Where(r => r.Case is null)];
            rows.Add([file.Name, "", "", "", Layers(whole), "", Verdict(whole)]);
            HashSet<string> launched = [];
            foreach (IGrouping<KernelCase, CheckResult> group in results.Where(r => r.Case is not null).GroupBy(r => r.Case!))
            {
                launched.Add(group.Key.Kernel);
                (KernelCase c, string result) = (group.Key, Verdict(group));
                rows.Add([$"  {c.Kernel}", c.Name, c.Launch, Buffers(c), Layers(group), MaxError(group), result]);
            }
            string compiled = whole.Length == 0 ? "" : "compiled, not launched";
            foreach (KernelDeclaration kernel in file.Source.Kernels.Where(k => !launched.Contains(k.Name)))
                rows.Add([$"  {kernel.Name}", "", "", "", compiled, "", kernel.ExternC ? "" : "not extern \"C\""]);
        }
        return rows;
    }

    public static List<string[]> Facts(CheckReport report) =>
    [
        FactsHeader,
        .. report.Facts.Select(f => f.Facts).Select(f => new[]
        {
            f.Kernel, Text(f.LiveRegisters), f.DynamicShared ? $"{f.StaticShared} + dynamic" : Text(f.StaticShared), Text(f.LocalBytes),
            Text(f.ParameterBytes), f.MaxThreads is int threads ? Text(threads) : "", f.Loads.ToString(), f.Stores.ToString(),
            Text(f.Barriers), Text(f.Shuffles), Text(f.Atomics), Text(f.Divisions), Text(f.DoubleOperations),
            string.Join(" ", f.Calls.Select(c => c.Replace("__nv_", "", StringComparison.Ordinal))),
        }),
    ];

    /// <summary>What a reader has to look at, one line each.</summary>
    public static IEnumerable<string> Findings(CheckReport report) =>
        report.Results.Where(r => r.Outcome == Outcome.Failed).SelectMany(r => r.Findings.Select(f => $"{Subject(r)}: {f}"));

    /// <summary>Planted bugs that were found, with what was said of them.</summary>
    public static IEnumerable<string> Found(CheckReport report) =>
        report.Results.Where(r => r is { Outcome: Outcome.Passed, Case.Expect: not null }).Select(r =>
            $"{Subject(r)}: {r.Findings.First(f => f.Contains(r.Case!.Expect!, StringComparison.Ordinal))}");

    /// <summary>What did not run, with the reason, for cases together.</summary>
    public static IEnumerable<string> NotRun(CheckReport report) =>
    [
        .. report.Absent.Select(a => $"{a.Name}: {a.Reason}"),
        .. report.Results.Where(r => r.Outcome == Outcome.NotRun).GroupBy(r => (r.Layer, r.Reason))
            .Select(g => $"{g.Key.Layer}, {Cases([.. g])}: {g.Key.Reason}"),
    ];

    private static string Cases(CheckResult[] results) =>
        results.Length <= 3 ? string.Join(" and ", results.Select(r => $"{r.File} {CaseName(r.Case!)}")) : $"{results.Length} cases";

    /// <summary>Columns of equal width, two spaces between them.</summary>
    public static string Align(List<string[]> rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(c => rows.Max(r => r[c].Length))];
        var text = new StringBuilder();
        foreach (string[] row in rows)
            text.Append(string.Concat(row.Select((cell, c) => cell.PadRight(widths[c] + 2))).TrimEnd()).Append('\n');
        return text.ToString();
    }

    public static string CaseName(KernelCase kernelCase) =>
        kernelCase.Name.Length == 0 ? kernelCase.Kernel : $"{kernelCase.Kernel} [{kernelCase.Name}]";

    private static string Subject(CheckResult result) =>
        result.Case is null ? $"{result.File}, {result.Layer}" : $"{result.File}, {CaseName(result.Case)}, {result.Layer}";

    // "y[1000] x[1000]", as much of it as a table has room for.
    private static string Buffers(KernelCase kernelCase)
    {
        const int Room = 36;
        string all = string.Join(" ", kernelCase.Arguments.Where(a => a.IsPointer).Select(a => $"{a.Name}[{a.Length}]"));
        return all.Length <= Room ? all : $"{all[..(Room - 3)]}...";
    }

    // "clang sm_70, sm_80, checked": layers of one tool share its name.
    private static string Layers(IEnumerable<CheckResult> results)
    {
        List<string> names = [];
        string tool = "";
        foreach (string layer in results.Where(r => r.Outcome != Outcome.NotRun).Select(r => r.Layer))
        {
            string[] parts = layer.Split(' ', 2);
            names.Add(parts.Length == 2 && parts[0] == tool ? parts[1] : layer);
            tool = parts[0];
        }
        return string.Join(", ", names);
    }

    private static string MaxError(IEnumerable<CheckResult> results) =>
        results.Max(r => r.MaxError) is double error ? error.ToString("g3", CultureInfo.InvariantCulture) : "";

    private static string Verdict(IEnumerable<CheckResult> results)
    {
        int findings = results.Where(r => r.Outcome == Outcome.Failed).Sum(r => r.Findings.Count);
        if (findings > 0)
            return findings == 1 ? "1 finding" : $"{findings} findings";
        if (results.All(r => r.Outcome == Outcome.NotRun))
            return "not run";
        return results.Any(r => r is { Outcome: Outcome.Passed, Case.Expect: not null }) ? "found, as expected" : "ok";
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
