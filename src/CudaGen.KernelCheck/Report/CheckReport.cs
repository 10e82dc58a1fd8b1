namespace CudaGen.KernelCheck;

public enum Outcome
{
    Passed,
    Failed,
    NotRun,
}

/// <summary>What came of one layer for one file, or for one case of it.</summary>
/// <param name="File">Name of the .cu file.</param>
/// <param name="Case">Null for the file as a whole.</param>
/// <param name="Layer">Name of the layer.</param>
/// <param name="Outcome">Failed when something was found, or not found that was expected.</param>
/// <param name="Findings">One line each. For a planted bug that was found: what was found.</param>
/// <param name="MaxError">Largest difference from what was expected, null where nothing was.</param>
/// <param name="Reason">Why it did not run.</param>
public sealed record CheckResult(string File, KernelCase? Case, string Layer, Outcome Outcome, IReadOnlyList<string> Findings,
    double? MaxError = null, string? Reason = null);

/// <summary>Everything that a run found, in the order of files, cases and layers.</summary>
/// <param name="Files">All files that were checked.</param>
/// <param name="Results">All results.</param>
/// <param name="Facts">What kernels use, from the layer that knows; by file.</param>
/// <param name="Warnings">What compilers remarked, without repetitions: file and line stand in them.</param>
/// <param name="Absent">Layers that were asked for and could not run.</param>
/// <param name="Strict">Whether a warning is a finding.</param>
public sealed record CheckReport(IReadOnlyList<KernelFile> Files, IReadOnlyList<CheckResult> Results,
    IReadOnlyList<(string File, PtxFacts Facts)> Facts, IReadOnlyList<string> Warnings, IReadOnlyList<AbsentLayer> Absent, bool Strict)
{
    public bool Clean => Results.All(r => r.Outcome != Outcome.Failed) && !(Strict && Warnings.Count > 0);

    public int Count(Outcome outcome) => Results.Count(r => r.Outcome == outcome);

    /// <summary>The last line of a run.</summary>
    public string Summary
    {
        get
        {
            int kernels = Files.Sum(f => f.Source.Kernels.Count), cases = Results.Select(r => r.Case).OfType<KernelCase>().Distinct().Count();
            string warnings = Warnings.Count == 0 ? "" : $", {Some(Warnings.Count, "warning")}{(Strict ? ", which is a finding" : "")}";
            return $"{Some(kernels, "kernel")} in {Some(Files.Count, "file")}, {Some(cases, "case")}: "
                + $"{Some(Count(Outcome.Passed), "check")} passed, {Count(Outcome.Failed)} failed, {Count(Outcome.NotRun)} not run{warnings}";
        }
    }

    private static string Some(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";
}
