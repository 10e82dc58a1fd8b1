using System.Globalization;
using CudaGen.Nets;

namespace CudaGen.GpuCheck;

/// <summary>The checks, the most valuable first. Each starts programs that lie beside this one.</summary>
/// <param name="programs">Their folder.</param>
/// <param name="work">Where runs are made.</param>
/// <param name="options">What a person asked for.</param>
/// <param name="standIn">Whether the device is a stand-in.</param>
/// <param name="libraries">Whether cuBLAS and cuDNN are there.</param>
internal sealed class Checks(string programs, string work, GpuCheckOptions options, bool standIn, bool libraries)
{
    // The programs of tools/train, and what makes them small enough for stand-ins; null where nothing does.
    internal static readonly (string Name, string? Quick)[] Models =
    [
        ("toy2d", ""), ("vae", "--batch 4"), ("gan", "--batch 4"), ("dcgan", "--batch 2"), ("wgan-gp", "--batch 2 --size 16"),
        ("cgan", "--batch 4"), ("ae", "--batch 4"), ("cae", "--batch 4"), ("wgan", "--batch 2"), ("began", "--batch 2 --size 16"),
        ("cifar", "--batch 2"), ("cs231n", null),
    ];

    private static readonly string[] Implementations = ["kernel", "library"];
    private static readonly string[] Replayed = ["toy2d", "vae", "dcgan"];
    private static readonly string[] QuickGolden = ["gan-7", "toy2d-7", "vae-7"];

    internal IEnumerable<Check> All()
    {
        // Compiles every kernel, too, so that those that follow find the code.
        yield return Tests("kernels", "CudaGen.Kernels.Tests", 60, "--filter-class *KernelCoverageTests", "launched all");
        foreach (string implementation in Implementations)
            yield return With(implementation, new($"parity {implementation}", 30, false, cancelled => Parity(implementation, cancelled)));
        yield return Tests("tests operations", "CudaGen.Kernels.Tests", 120, options.Quick ? "--filter-class *ProductGridTests" : "");
        yield return new("sanitizer memcheck", 40, false, cancelled => Sanitize("memcheck", cancelled));
        yield return new("sanitizer racecheck", 40, false, cancelled => Sanitize("racecheck", cancelled));
        foreach ((string name, string? quick) in Models)
            yield return new($"train {name}", 25, false, cancelled => Train(name, quick, cancelled));
        // These watch the free memory of the GPU.
        yield return Tests("tests networks", "CudaGen.Nets.Tests", 120, options.Quick ? "--filter-method *A_graph_survives*" : "", alone: true);
        yield return Tests("tests runtime", "CudaGen.Runtime.Tests", 30, "", alone: true);
        foreach (string name in Replayed)
        {
            foreach (string implementation in Implementations)
                yield return With(implementation, new($"replay {name}, {implementation}", 20, false, cancelled => Replay(name, implementation, cancelled)));
        }
        yield return new("sanitizer initcheck", 40, false, cancelled => Sanitize("initcheck", cancelled));
        yield return new("sanitizer synccheck", 40, false, cancelled => Sanitize("synccheck", cancelled));
    }

    private Check With(string implementation, Check check) => implementation == "kernel" || libraries ? check
        : check with { Run = _ => Task.FromResult(Outcome.Skipped("cuBLAS and cuDNN were not both found")) };

    private Task<ProgramRun> Run(string program, IEnumerable<string> arguments, CancellationToken cancelled)
    {
        // A machine without a device fails the tests instead of skipping them.
        Dictionary<string, string> environment = new() { ["CUDAGEN_TEST_CUDA"] = "1" };
        if (options.Golden is { } golden)
            environment["CUDAGEN_GOLDEN"] = golden;
        return ProgramRun.Run(Path.Combine(programs, program), arguments, environment, cancelled);
    }

    private static string[] Words(string? text) => (text ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private string[] TestArguments(string filter) => ["--no-progress", "--results-directory", work, .. Words(filter)];

    private Check Tests(string name, string program, int seconds, string filter, string detail = "", bool alone = false) => new(name, seconds, alone,
        async cancelled =>
        {
            ProgramRun run = await Run(program, TestArguments(filter), cancelled).ConfigureAwait(false);
            string counts = string.Join(", ", ((string[])["succeeded", "failed", "skipped"]).Select(c => run.LineWith($"  {c}: ").Replace(": ", " ", StringComparison.Ordinal)));
            if (run.ExitCode != 0)
                return Outcome.Failed(counts, run.Tail);
            return Outcome.Passed(detail.Length > 0 ? run.LineWith(detail) : counts);
        });

    private async Task<Outcome> Parity(string implementation, CancellationToken cancelled)
    {
        string own = Path.Combine(programs, "golden");
        IEnumerable<string> files = options.Quick ? QuickGolden.Select(n => Path.Combine(own, n + ".safetensors"))
            : Directory.GetFiles(own, "*.safetensors");
        if (options.Golden is { } golden)
            files = files.Concat(Directory.GetFiles(golden, "*.safetensors"));
        ProgramRun run = await Run("parity", ["--device", "cuda", "--impl", implementation, .. files.Order(StringComparer.Ordinal)], cancelled)
            .ConfigureAwait(false);
        return run.ExitCode == 0 ? Outcome.Passed(run.LineWith(" files: ")) : Outcome.Failed(run.LineWith(" files: "), run.Tail);
    }

    /// <summary>Every kernel under one tool of NVIDIA's compute-sanitizer.</summary>
    private async Task<Outcome> Sanitize(string tool, CancellationToken cancelled)
    {
        if (standIn)
            return Outcome.Skipped("the device is a stand-in, which checks by itself");
        if (FindSanitizer() is not { } sanitizer)
            return Outcome.Skipped("compute-sanitizer is neither on the PATH nor in CUDA_HOME/bin or /usr/local/cuda/bin");
        // The number of a kernel's parameters is where the driver refuses to tell of another one: an error of the API, and no error.
        string[] arguments = ["--tool", tool, "--report-api-errors", "no", "--error-exitcode", "99"];
        ProgramRun run = await Run(sanitizer, [.. arguments, Path.Combine(programs, "CudaGen.Kernels.Tests"), .. TestArguments("--filter-class *KernelCoverageTests")],
            cancelled).ConfigureAwait(false);
        string summary = run.LineWith(" SUMMARY: ").TrimStart('=', ' ');
        if (run.LineWith("Device not supported").Length > 0)
            return Outcome.Skipped("compute-sanitizer does not support this device");
        bool clean = summary.Contains(" 0 errors", StringComparison.Ordinal) || summary.Contains("(0 errors", StringComparison.Ordinal);
        return run.ExitCode == 0 && clean ? Outcome.Passed($"{run.LineWith("launched all")}: {summary}") : Outcome.Failed(summary, run.Tail);
    }

    private static string? FindSanitizer()
    {
        IEnumerable<string> folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries),
            Path.Combine(Environment.GetEnvironmentVariable("CUDA_HOME") ?? "/usr/local/cuda", "bin"), "/usr/local/cuda/bin"];
        return folders.Select(f => Path.Combine(f, "compute-sanitizer")).FirstOrDefault(File.Exists);
    }

    /// <summary>Two runs with one seed, and one that is stopped halfway and resumed: the same bits.</summary>
    private async Task<Outcome> Train(string name, string? quick, CancellationToken cancelled)
    {
        if (options.Quick && quick is null)
            return Outcome.Skipped("its evaluation takes too long on stand-ins for --quick");
        // On stand-ins one step is enough for most: what differs between two runs differs between those of the others, too.
        bool once = options.Quick && !Replayed.Contains(name);
        int steps = once ? 1 : options.Quick ? 4 : 20;
        string[] small = options.Quick ? Words(quick) : [];
        TrainingRun Started(string place) => new(this, name, Path.Combine(work, $"train-{name}", place));
        TrainingRun first = Started("first"), second = Started("second"), resumed = Started("resumed");
        if (await first.Run(steps, small, cancelled).ConfigureAwait(false) is { } failure)
            return failure;
        if (once)
            return Outcome.Passed("1 step");
        failure = await second.Run(steps, small, cancelled).ConfigureAwait(false)
            ?? await resumed.Run(steps / 2, small, cancelled).ConfigureAwait(false)
            ?? await resumed.Resume(steps, cancelled).ConfigureAwait(false)
            ?? first.Difference(second, "the same again") ?? first.Difference(resumed, "stopped halfway and resumed");
        return failure ?? Outcome.Passed($"{steps} steps, the same again, stopped halfway and resumed: the same bits");
    }

    private async Task<Outcome> Replay(string name, string implementation, CancellationToken cancelled)
    {
        if (options.Quick && implementation == "kernel" && name != Replayed[0])
            return Outcome.Skipped("convolutions by emulated kernels take too long for --quick");
        int steps = options.Replays ?? (options.Quick ? 6 : 1000);
        string[] flags = ["--impl", implementation, .. options.Quick ? Words(Models.Single(m => m.Name == name).Quick) : []];
        string folder = Path.Combine(work, $"replay-{name}-{implementation}");
        TrainingRun graph = new(this, name, Path.Combine(folder, "graph")), eager = new(this, name, Path.Combine(folder, "eager"));
        return await graph.Run(steps, flags, cancelled).ConfigureAwait(false)
            ?? await eager.Run(steps, [.. flags, "--eager"], cancelled).ConfigureAwait(false)
            ?? graph.Difference(eager, "launched one by one")
            ?? Outcome.Passed($"{steps} steps replayed and launched one by one: the same bits");
    }

    /// <summary>A run of a training program in a place of its own.</summary>
    private sealed class TrainingRun(Checks checks, string name, string place)
    {
        internal string Folder => Path.Combine(place, $"{name}-0001");

        /// <returns>What went wrong, or null.</returns>
        internal Task<Outcome?> Run(int steps, IEnumerable<string> flags, CancellationToken cancelled)
        {
            Directory.CreateDirectory(place);
            return Train(steps, ["--out", place, .. flags], cancelled);
        }

        /// <returns>What went wrong, or null.</returns>
        internal Task<Outcome?> Resume(int steps, CancellationToken cancelled) => Train(steps, ["--resume", Folder], cancelled);

        private async Task<Outcome?> Train(int steps, IEnumerable<string> flags, CancellationToken cancelled)
        {
            ProgramRun run = await checks.Run(name, ["--device", "cuda", "--steps", steps.ToString(CultureInfo.InvariantCulture), "--plain", .. flags],
                cancelled).ConfigureAwait(false);
            return run.ExitCode == 0 ? null : Outcome.Failed($"exit status {run.ExitCode}", run.Tail);
        }

        /// <returns>The first tensor of the checkpoint that differs, or null.</returns>
        internal Outcome? Difference(TrainingRun other, string what)
        {
            SafeTensors ours = Checkpoint, theirs = other.Checkpoint;
            if (!ours.Tensors.Keys.SequenceEqual(theirs.Tensors.Keys))
                return Outcome.Failed($"{what}: the checkpoint holds other tensors");
            foreach ((string tensor, StoredTensor values) in ours.Tensors)
            {
                int same = values.Bytes.Span.CommonPrefixLength(theirs.Tensors[tensor].Bytes.Span);
                if (same < values.Bytes.Length)
                    return Outcome.Failed($"{what}: {tensor} {values.ShapeText} of the checkpoint differs at byte {same}");
            }
            return null;
        }

        private SafeTensors Checkpoint => SafeTensors.Read(Path.Combine(Folder, "checkpoint.safetensors"));
    }
}
