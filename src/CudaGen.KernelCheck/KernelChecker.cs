using System.Runtime.ExceptionServices;

namespace CudaGen.KernelCheck;

/// <summary>Sends kernel files and their cases through layers, and says what came of it.</summary>
public static class KernelChecker
{
    /// <param name="files">The files, in the order of the report.</param>
    /// <param name="cases">The file of each case, and the cases.</param>
    /// <param name="layers">The layers, the most careful first.</param>
    /// <param name="absent">Layers that were asked for and are not here.</param>
    /// <param name="strict">Whether a warning is a finding.</param>
    public static CheckReport Run(IReadOnlyList<KernelFile> files, ILookup<KernelFile, KernelCase> cases, IReadOnlyList<Layer> layers,
        IReadOnlyList<AbsentLayer> absent, bool strict)
    {
        ArgumentNullException.ThrowIfNull(files);
        FileCheck[] checkedFiles = CheckAll(files, cases, layers);
        return new CheckReport(files,
            [.. checkedFiles.SelectMany(f => f.Results)],
            [.. checkedFiles.SelectMany(f => f.Facts.Select(facts => (f.File.Name, facts)))],
            [.. checkedFiles.SelectMany(f => f.Warnings)],
            [.. absent, .. checkedFiles.SelectMany(f => f.Absent).Distinct()],
            strict);
    }

    // Files are independent of each other, and compilers take most of the time.
    private static FileCheck[] CheckAll(IReadOnlyList<KernelFile> files, ILookup<KernelFile, KernelCase> cases, IReadOnlyList<Layer> layers)
    {
        var checks = new FileCheck[files.Count];
        try
        {
            Parallel.For(0, files.Count, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
                i => checks[i] = FileCheck.Run(files[i], [.. cases[files[i]]], layers));
        }
        catch (AggregateException e)
        {
            // What went wrong in one file ends the run as it would without threads.
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
        return checks;
    }

    private sealed class FileCheck(KernelFile file)
    {
        private readonly Dictionary<KernelCase, string> _unclean = []; // with the layer that found something
        private readonly List<string> _warnings = [];

        public KernelFile File => file;
        public List<CheckResult> Results { get; } = [];
        public List<PtxFacts> Facts { get; private set; } = [];
        public IEnumerable<string> Warnings => _warnings.Distinct();
        public List<AbsentLayer> Absent { get; } = [];

        public static FileCheck Run(KernelFile file, IReadOnlyList<KernelCase> cases, IReadOnlyList<Layer> layers)
        {
            var check = new FileCheck(file);
            foreach (Layer layer in layers)
                check.Run(layer, cases);
            return check;
        }

        private void Run(Layer layer, IReadOnlyList<KernelCase> cases)
        {
            KernelCase[] launched = layer.Launches ? [.. cases.Where(c => Withheld(layer, c) is null)] : [];
            LayerResult result = launched.Length == 0 && !layer.CompilesAlone ? new LayerResult([], [], [], []) : layer.Check(file, launched);
            if (result.NotRun is string reason)
            {
                Absent.Add(new AbsentLayer(layer.Name, reason));
                return;
            }
            _warnings.AddRange(result.Warnings);
            // The same facts from several architectures would only fill the page: the middle one stands for all.
            if (Facts.Count == 0 || layer.Name == "clang sm_80")
                Facts = [.. result.Facts];
            bool compiled = result.Findings.Count == 0;
            if (launched.Length > 0 || layer.CompilesAlone)
                Results.Add(new CheckResult(file.Name, null, layer.Name, compiled ? Outcome.Passed : Outcome.Failed, result.Findings));
            if (layer.Launches)
                Judge(layer, cases, compiled, result.Cases);
        }

        private void Judge(Layer layer, IReadOnlyList<KernelCase> cases, bool compiled, IReadOnlyList<CaseResult> results)
        {
            Dictionary<KernelCase, CaseResult> launches = results.ToDictionary(c => c.Case);
            foreach (KernelCase kernelCase in cases)
                Results.Add(Withheld(layer, kernelCase) is string why ? NotRun(layer, kernelCase, why)
                    : !compiled ? NotRun(layer, kernelCase, "the file does not compile or run")
                    : Judge(layer, launches[kernelCase]));
        }

        private string? Withheld(Layer layer, KernelCase kernelCase) =>
            !layer.NeedsCleanCases ? null
            : kernelCase.Expect is not null ? "it has a planted bug"
            : _unclean.TryGetValue(kernelCase, out string? finder) ? $"{finder} found something"
            : null;

        private CheckResult NotRun(Layer layer, KernelCase kernelCase, string reason)
        {
            _unclean.TryAdd(kernelCase, layer.Name);
            return new CheckResult(file.Name, kernelCase, layer.Name, Outcome.NotRun, [], Reason: reason);
        }

        private CheckResult Judge(Layer layer, CaseResult result)
        {
            IReadOnlyList<string> findings = result.Findings;
            bool passed = findings.Count == 0;
            if (result.Case.Expect is string expected)
            {
                passed = findings.Any(f => f.Contains(expected, StringComparison.Ordinal));
                if (!passed)
                    findings = [$"expected a report with '{expected}', found {(findings.Count == 0 ? "none" : "others")}", .. findings];
            }
            else if (!passed)
                _unclean.TryAdd(result.Case, layer.Name);
            return new CheckResult(file.Name, result.Case, layer.Name, passed ? Outcome.Passed : Outcome.Failed, findings, result.MaxError);
        }
    }
}
