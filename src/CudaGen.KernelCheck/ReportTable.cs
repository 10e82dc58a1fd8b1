using System.Globalization;
using System.Text;

namespace CudaGen.KernelCheck;

/// <summary>The tables of a report, which the terminal and Markdown show alike.</summary>
internal static class ReportTable
{
    private static readonly string[] CheckHeader = ["kernel", "case", "launch", "layers that ran", "max error", "result"];
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
            rows.Add([file.Name, "", "", Layers(whole), "", Verdict(whole)]);
            HashSet<string> launched = [];
            foreach (IGrouping<KernelCase, CheckResult> group in results.Where(r => r.Case is not null).GroupBy(r => r.Case!))
            {
                launched.Add(group.Key.Kernel);
                rows.Add([$"  {group.Key.Kernel}", group.Key.Name, group.Key.Launch, Layers(group), MaxError(group), Verdict(group)]);
            }
            foreach (KernelDeclaration kernel in file.Source.Kernels.Where(k => !launched.Contains(k.Name)))
                rows.Add([$"  {kernel.Name}", "", "", whole.Length == 0 ? "" : "compiled, not launched", "", kernel.ExternC ? "" : "not extern \"C\""]);
        }
        return rows;
    }

    public static List<string[]> Facts(CheckReport report) =>
    [
        FactsHeader,
        .. report.Facts.Select(f => f.Facts).Select(f => new[]
        {
            f.Kernel, Text(f.LiveRegisters), f.DynamicShared ? $"{f.StaticShared} + dynamic" : Text(f.StaticShared), Text(f.LocalBytes), Text(f.ParameterBytes),
            f.MaxThreads is int threads ? Text(threads) : "", f.Loads.ToString(), f.Stores.ToString(), Text(f.Barriers), Text(f.Shuffles), Text(f.Atomics),
            Text(f.Divisions), Text(f.DoubleOperations), string.Join(" ", f.Calls.Select(c => c.StartsWith("__nv_", StringComparison.Ordinal) ? c[5..] : c)),
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
        .. report.Results.Where(r => r.Outcome == Outcome.NotRun).GroupBy(r => (r.Layer, r.Reason)).Select(g =>
            $"{g.Key.Layer}, {(g.Count() <= 3 ? string.Join(" and ", g.Select(r => $"{r.File} {CaseName(r.Case!)}")) : $"{g.Count()} cases")}: {g.Key.Reason}"),
    ];

    /// <summary>Columns of equal width, two spaces between them.</summary>
    public static string Align(List<string[]> rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(c => rows.Max(r => r[c].Length))];
        var text = new StringBuilder();
        foreach (string[] row in rows)
            text.Append(string.Concat(row.Select((cell, c) => cell.PadRight(widths[c] + 2))).TrimEnd()).Append('\n');
        return text.ToString();
    }

    public static string CaseName(KernelCase kernelCase) => kernelCase.Name.Length == 0 ? kernelCase.Kernel : $"{kernelCase.Kernel} [{kernelCase.Name}]";

    private static string Subject(CheckResult result) => result.Case is null ? $"{result.File}, {result.Layer}" : $"{result.File}, {CaseName(result.Case)}, {result.Layer}";

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
