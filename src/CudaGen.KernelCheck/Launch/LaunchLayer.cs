using System.Diagnostics;
using System.Text.RegularExpressions;

namespace CudaGen.KernelCheck;

/// <summary>Starts a process in which <see cref="WorkerCommand"/> does a job.</summary>
/// <param name="Program">This program.</param>
/// <param name="Arguments">What comes before the worker's own arguments.</param>
public sealed record WorkerProgram(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>The program that is running: itself, or its assembly run by dotnet.</summary>
    public static WorkerProgram Self { get; } = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
        ? new WorkerProgram(Environment.ProcessPath!, [Environment.GetCommandLineArgs()[0]])
        : new WorkerProgram(Environment.ProcessPath!, []);
}

/// <summary>
/// Launches cases on the emulator or on a GPU, each file in a process of its own: a wild pointer may end that process and
/// an endless loop may never end it, and both are findings.
/// </summary>
public sealed partial class LaunchLayer(LaunchMode mode, string? libraries, int orders, TimeSpan limit, WorkerProgram worker) : Layer
{
    public override string Name => mode switch
    {
        LaunchMode.Checked => "checked",
        LaunchMode.Fast => "fast",
        LaunchMode.Contraction => "contraction",
        _ => "gpu",
    };

    public override bool Launches => true;

    public override bool NeedsCleanCases => mode != LaunchMode.Checked;

    // What the fast layer compiles, this one does too.
    public override bool CompilesAlone => mode != LaunchMode.Contraction;

    public override LayerResult Check(KernelFile file, IReadOnlyList<KernelCase> cases)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(cases);
        var progress = new Progress(cases);
        // A process that ended early did some of the cases, or brought one down; another does those that are left.
        do
        {
            progress.StartProcess();
            RunProcess(new LaunchJob(mode, libraries, file.Path, progress.Left, orders), progress);
        }
        while (progress is { Done: false, CameFurther: true, Left.Count: > 0 });
        return progress.Result;
    }

    private void RunProcess(LaunchJob job, Progress progress)
    {
        string[] arguments = [.. worker.Arguments, .. WorkerCommand.Arguments(job)];
        using Process process = Subprocess.Start(worker.Program, arguments, Environment.CurrentDirectory);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        bool hangs = false;
        while (true)
        {
            Task<string?> line = process.StandardOutput.ReadLineAsync();
            hangs = !line.Wait(limit);
            if (hangs || line.Result is not string text)
                break;
            if (WorkerMessage.FromJson(text) is WorkerMessage message)
                progress.Take(message);
        }
        if (hangs)
            process.Kill(entireProcessTree: true);
        process.WaitForExit();
        if (hangs)
            progress.Fail($"still running after {limit.TotalSeconds:0} s");
        else if (process.ExitCode != 0)
            progress.Fail(HowItEnded(process.ExitCode, errors.Result));
    }

    private static string HowItEnded(int exitCode, string errors)
    {
        string how = exitCode switch
        {
            128 + 11 => "segmentation fault: it read or wrote where no memory is",
            128 + 6 => "abort",
            128 + 4 or 128 + 5 => "trap",
            128 + 7 => "bus error",
            128 + 8 => "arithmetic exception: an integer division by zero",
            _ => $"status {exitCode}",
        };
        string? first = errors.Split('\n').FirstOrDefault(l => l.Length > 0);
        return $"brought the process down ({(first is null || exitCode > 128 ? how : $"{how}: {first}")})";
    }

    // What is known of the cases so far. Positions in messages are those of the process's job.
    private sealed class Progress(IReadOnlyList<KernelCase> cases)
    {
        private readonly List<string>[] _findings = [.. cases.Select(_ => new List<string>())];
        private readonly HashSet<string>[] _seen = [.. cases.Select(_ => new HashSet<string>())];
        private readonly double?[] _maxErrors = new double?[cases.Count];
        private readonly List<string> _fileFindings = [];
        private string? _notRun;
        private int _next, _first;       // cases before _next need no more runs; the job starts with _first
        private int _running = -1;
        private string _order = "";

        public bool Done { get; private set; }

        /// <summary>Whether the last process launched anything.</summary>
        public bool CameFurther => _next > _first;

        public IReadOnlyList<KernelCase> Left => [.. cases.Skip(_next)];

        public LayerResult Result =>
            new(_fileFindings, [], [], [.. cases.Select((c, i) => new CaseResult(c, _findings[i], _maxErrors[i]))]) { NotRun = _notRun };

        public void StartProcess() => (_first, _running) = (_next, -1);

        public void Take(WorkerMessage message)
        {
            int at = _first + message.Case;
            switch (message.Kind)
            {
                case "compiled":
                    _fileFindings.AddRange(message.Texts!);
                    break;
                case "running":
                    (_running, _order, _next) = (at, message.Order, at + 1);
                    break;
                case "ran":
                    _running = -1;
                    foreach (string text in message.Texts!)
                        Add(at, text, message.Order);
                    if (message.MaxError is double error)
                        _maxErrors[at] = Math.Max(_maxErrors[at] ?? 0, error);
                    break;
                case "unavailable":
                    _notRun = message.Texts![0];
                    break;
                case "done":
                    Done = true;
                    break;
            }
        }

        // The process did not get to its end.
        public void Fail(string how)
        {
            if (_running >= 0)
                Add(_running, how, _order);
            else
                _fileFindings.Add($"compiling or starting it {how}");
        }

        // The same place found in another order, by another thread, is no news.
        private void Add(int at, string text, string order)
        {
            if (_seen[at].Add(NumberThatVaries().Replace(text, "#")))
                _findings[at].Add(order.Length == 0 ? text : $"{text} (order of threads: {order})");
        }
    }

    // All numbers and addresses but those of lines and in names.
    [GeneratedRegex("""(?<![\w:.])(?:0x[0-9a-f]+|-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)""")]
    private static partial Regex NumberThatVaries();
}
