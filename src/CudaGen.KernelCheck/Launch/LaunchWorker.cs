namespace CudaGen.KernelCheck;

/// <summary>What the launches of a file run on, and how its kernels are compiled for that.</summary>
public enum LaunchMode
{
    Checked,     // emulator with every access watched
    Fast,        // emulator without
    Contraction, // the fast one, with a * b + c fused as NVRTC does it
    Gpu,
}

/// <summary>A file, the cases to launch from it, and how.</summary>
/// <param name="Mode">What they run on.</param>
/// <param name="Libraries">Folder of the stand-ins; null for a GPU.</param>
/// <param name="SourceFile">Path of the .cu file.</param>
/// <param name="Cases">The cases.</param>
/// <param name="Orders">In how many orders of threads each case runs.</param>
internal sealed record LaunchJob(LaunchMode Mode, string? Libraries, string SourceFile, IReadOnlyList<KernelCase> Cases, int Orders);

/// <summary>
/// Compiles a file and launches its cases in this process, which a kernel may bring down; <see cref="LaunchLayer"/> runs it
/// in one of its own.
/// </summary>
internal static class LaunchWorker
{
    // An order of threads and blocks as the emulator takes it, and one in how many accesses it switches threads at.
    private sealed record Order(string Name, string Setting, int Preempt);

    public static void Run(LaunchJob job, Action<WorkerMessage> tell)
    {
        string reason = "";
        CudaLibraries? libraries = job.Libraries is string folder ? CudaLibraries.OpenStandIns(folder) : CudaLibraries.OpenReal(out reason);
        if (libraries is null)
        {
            tell(new WorkerMessage("unavailable", Texts: [reason]));
            return;
        }
        try
        {
            if (libraries.StandIns is StandInControl standIns)
                Configure(standIns, job.Mode);
            using var host = new KernelHost(libraries);
            RunCases(job, libraries, host, tell);
        }
        catch (CudaCallException e)
        {
            tell(new WorkerMessage("unavailable", Texts: [e.Message]));
        }
    }

    private static void Configure(StandInControl standIns, LaunchMode mode)
    {
        standIns.Checked = mode == LaunchMode.Checked;
        standIns.Configure("contract", mode == LaunchMode.Contraction ? "1" : "0");
        standIns.Clear();
    }

    private static void RunCases(LaunchJob job, CudaLibraries libraries, KernelHost host, Action<WorkerMessage> tell)
    {
        tell(new WorkerMessage("compiling"));
        CudaSource source = CudaSource.Read(job.SourceFile);
        KernelCompiler.Result compiled = new KernelCompiler(libraries).Compile(source, source.Headers, host.Architecture);
        tell(new WorkerMessage("compiled", Texts: compiled.Errors));
        if (compiled.Image is byte[] image)
            for (int i = 0; i < job.Cases.Count; i++)
                foreach (Order order in Orders(job))
                {
                    tell(new WorkerMessage("running", i, order.Name));
                    WorkerMessage result = RunOnce(libraries, host, image, job.Cases[i], order) with { Case = i, Order = order.Name };
                    tell(result);
                    // An error on a GPU leaves its context useless: the rest is for another process.
                    if (result.Texts is { Count: > 0 } && libraries.StandIns is null)
                        return;
                }
        tell(new WorkerMessage("done"));
    }

    private static IEnumerable<Order> Orders(LaunchJob job)
    {
        if (job.Mode is LaunchMode.Gpu or LaunchMode.Contraction)
            return [new Order("", "ascending", 0)];
        // The last of the checked runs also switches threads in the middle of things, which lost updates need to show.
        const int PreemptEvery = 16;
        Order[] orders = [new Order("", "ascending", 0), new Order("descending", "descending", 0),
            .. Enumerable.Range(1, Math.Max(0, job.Orders - 2)).Select(seed => new Order($"random {seed}", $"random:{seed}",
                job.Mode == LaunchMode.Checked && seed == job.Orders - 2 ? PreemptEvery : 0))];
        return orders.Take(job.Orders);
    }

    private static WorkerMessage RunOnce(CudaLibraries libraries, KernelHost host, byte[] image, KernelCase kernelCase, Order order)
    {
        if (libraries.StandIns is StandInControl settings)
        {
            settings.Order = order.Setting;
            settings.Configure("preempt", $"{order.Preempt}");
        }
        IReadOnlyList<string> findings = [];
        double? maxError = null;
        string? readingBack = null;
        try
        {
            (maxError, findings) = Compare(kernelCase, host.Run(image, kernelCase));
        }
        catch (CudaCallException e)
        {
            findings = [e.Message];
            readingBack = e.ReadingBack;
        }
        if (libraries.StandIns is StandInControl standIns)
        {
            // A report says more than the status that it made a call return, and numbers mean nothing after one.
            if (standIns.Reports is { Count: > 0 } reports)
                (maxError, findings) = (null, [.. reports.Select(r => Clarify(r, kernelCase.Kernel, readingBack))]);
            standIns.Clear();
        }
        return new WorkerMessage("ran", MaxError: maxError, Texts: findings);
    }

    // A report begins with the name of the kernel, which stands beside it already; a copy does not know which argument it reads.
    private static string Clarify(string report, string kernel, string? readingBack)
    {
        string text = report.StartsWith($"{kernel}: ", StringComparison.Ordinal) ? report[(kernel.Length + 2)..] : report;
        return readingBack is null ? text : $"{text}, when '{readingBack}' is read back";
    }

    private static (double? MaxError, List<string> Findings) Compare(KernelCase kernelCase, byte[]?[] results)
    {
        double? maxError = null;
        List<string> findings = [];
        for (int i = 0; i < results.Length; i++)
        {
            CaseArgument argument = kernelCase.Arguments[i];
            if (results[i] is not byte[] actual)
                continue;
            string? finding = null;
            if (argument.Role == Role.Input)
                finding = Comparison.Unchanged(argument, actual);
            else if (argument.Expected is byte[] expected)
            {
                (double error, finding) = Comparison.Compare(argument, actual, expected);
                maxError = Math.Max(maxError ?? 0, error);
            }
            if (finding is not null)
                findings.Add(finding);
        }
        return (maxError, findings);
    }
}
