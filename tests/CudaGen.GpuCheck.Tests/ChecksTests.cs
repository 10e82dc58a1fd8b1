using CudaGen.Nets;

namespace CudaGen.GpuCheck.Tests;

/// <summary>The checks on programs that are shell scripts: what each calls passed, failed and skipped.</summary>
public sealed class ChecksTests : IDisposable
{
    private readonly TemporaryFolder _programs = new(), _work = new();

    public void Dispose()
    {
        _programs.Dispose();
        _work.Dispose();
    }

    private Task<Outcome> Run(string name, bool libraries = true, bool standIn = true, params string[] flags)
        => new Checks(_programs.Path, _work.Path, GpuCheckOptions.Parse(flags), standIn, libraries).All().Single(c => c.Name == name)
            .Run(TestContext.Current.CancellationToken);

    // A training program whose checkpoint is the file that its steps and flags name.
    private void WriteTrainer(string name, string choice)
    {
        foreach ((string file, float value) in new[] { ("same", 1f), ("other", 1.0000001f) })
        {
            SafeTensors tensors = new();
            tensors.Add("param.w", [2], [0.5f, value]);
            tensors.Write(_programs[file + ".safetensors"]);
        }
        _programs.Write(name, $"""
            all="$*"
            while [ "$1" != --out ] && [ "$1" != --resume ]; do shift; done
            [ "$1" = --out ] && run="$2/{name}-0001" && mkdir "$run" || run="$2"
            case "$all" in {choice}) file=other;; *) file=same;; esac
            cp "{_programs.Path}/$file.safetensors" "$run/checkpoint.safetensors"
            """);
    }

    [Theory]
    [InlineData("never", Result.Passed, "20 steps, the same again, stopped halfway and resumed: the same bits")]
    [InlineData("*/second*", Result.Failed, "the same again: param.w [2] of the checkpoint differs at byte 4")]
    [InlineData("*--resume*", Result.Failed, "stopped halfway and resumed: param.w [2] of the checkpoint differs at byte 4")]
    public async Task A_run_that_ends_in_other_bits_is_found(string choice, Result expected, string detail)
    {
        WriteTrainer("vae", choice);
        Outcome outcome = await Run("train vae");
        Assert.Equal((expected, detail), (outcome.Result, outcome.Detail));
    }

    [Theory]
    [InlineData("never", Result.Passed, "9 steps replayed and launched one by one: the same bits")]
    [InlineData("*--eager*", Result.Failed, "launched one by one: param.w [2] of the checkpoint differs at byte 4")]
    public async Task A_replay_that_ends_in_other_bits_is_found(string choice, Result expected, string detail)
    {
        WriteTrainer("dcgan", choice);
        Outcome outcome = await Run("replay dcgan, library", flags: ["--replays", "9"]);
        Assert.Equal((expected, detail), (outcome.Result, outcome.Detail));
    }

    [Fact]
    public async Task A_program_that_fails_shows_its_last_lines()
    {
        _programs.Write("CudaGen.Runtime.Tests", "echo '  total: 3'; echo '  failed: 1'; echo '  succeeded: 2'; echo '  skipped: 0'; exit 2");
        Outcome outcome = await Run("tests runtime");
        Assert.Equal((Result.Failed, "succeeded 2, failed 1, skipped 0", "  skipped: 0"), (outcome.Result, outcome.Detail, outcome.Output[^1]));
        _programs.Write("toy2d", "echo trouble >&2; exit 2");
        outcome = await Run("train toy2d");
        Assert.Equal((Result.Failed, "exit status 2", "trouble"), (outcome.Result, outcome.Detail, Assert.Single(outcome.Output)));
    }

    [Fact]
    public async Task What_cannot_be_tried_is_skipped_with_the_reason()
    {
        Assert.Equal(Outcome.Skipped("cuBLAS and cuDNN were not both found"), await Run("parity library", libraries: false), Same);
        Assert.Equal(Outcome.Skipped("the device is a stand-in, which checks by itself"), await Run("sanitizer memcheck"), Same);

        static bool Same(Outcome a, Outcome b) => (a.Result, a.Detail) == (b.Result, b.Detail);
    }

    // What NVIDIA's tool says after the program has run under it, and its exit status.
    [Theory]
    [InlineData("ERROR SUMMARY: 0 errors", 0, Result.Passed, "launched all 75 kernels: ERROR SUMMARY: 0 errors")]
    [InlineData("RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)", 0, Result.Passed,
        "launched all 75 kernels: RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)")]
    [InlineData("ERROR SUMMARY: 10 errors", 99, Result.Failed, "ERROR SUMMARY: 10 errors")]
    [InlineData("ERROR SUMMARY: 10 errors", 0, Result.Failed, "ERROR SUMMARY: 10 errors")]
    [InlineData("Error: Target application terminated before first instrumented API call", 0, Result.Failed, "")]
    [InlineData("Device not supported", 255, Result.Skipped, "compute-sanitizer does not support this device")]
    public async Task The_sanitizer_is_believed_when_it_saw_the_kernels(string says, int status, Result expected, string detail)
    {
        string? path = Environment.GetEnvironmentVariable("PATH");
        _programs.Write("CudaGen.Kernels.Tests", "echo launched all 75 kernels");
        _programs.Write("compute-sanitizer", $"""
            [ "$1 $2 $3 $4 $5 $6" = "--tool racecheck --report-api-errors no --error-exitcode 99" ] || exit 3
            shift 6
            "$@"
            echo '========= {says}'
            exit {status}
            """);
        Environment.SetEnvironmentVariable("PATH", $"{_programs.Path}:{path}");
        try
        {
            Outcome outcome = await Run("sanitizer racecheck", standIn: false);
            Assert.Equal((expected, detail), (outcome.Result, outcome.Detail));
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
        }
    }

    [Fact]
    public void Every_training_program_is_checked()
    {
        string? root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "CudaGen.slnx")))
            root = Path.GetDirectoryName(root);
        IEnumerable<string> programs = Directory.GetFiles(Path.Combine(root!, "tools", "train"), "*.cs").Select(f => Path.GetFileNameWithoutExtension(f)!);
        Assert.Equal(programs.Order(StringComparer.Ordinal), Checks.Models.Select(m => m.Name).Order(StringComparer.Ordinal));
    }
}
