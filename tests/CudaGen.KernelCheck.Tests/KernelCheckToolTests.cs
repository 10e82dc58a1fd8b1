using System.Text.Json;
using System.Xml.Linq;
using CudaGen.KernelCheck.Tests.Driver;
using static System.StringComparison;

namespace CudaGen.KernelCheck.Tests;

/// <summary>tools/kernelcheck.cs as a person starts it.</summary>
[Collection(OneProcess.Name)]
public sealed class KernelCheckToolTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);
    private static readonly Lazy<string> Tool = new(Build);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Subprocess Run(params string[] arguments)
    {
        Subprocess run = Subprocess.Run("dotnet", ["exec", Tool.Value, .. arguments], Folders.Root, Limit);
        Assert.False(run.TimedOut);
        return run;
    }

    // Once: `dotnet run` looks at all sources again each time.
    private static string Build()
    {
        string[] arguments = ["build", "-c", "Release", "tools/kernelcheck.cs", "-getTargetResult:Build", "-getProperty:TargetPath"];
        Subprocess build = Subprocess.Run("dotnet", arguments, Folders.Root, Limit);
        Assert.True(build.ExitCode == 0, build.Output + build.Errors);
        using JsonDocument result = JsonDocument.Parse(build.Output);
        return result.RootElement.GetProperty("Properties").GetProperty("TargetPath").GetString()!;
    }

    private Subprocess Check(string kernels, string cases, params string[] arguments)
    {
        File.WriteAllText(_folder["k.cu"], kernels);
        Directory.CreateDirectory(_folder["cases"]);
        File.WriteAllText(_folder["cases/k.json"], cases);
        return Run(["--kernels", _folder.Path, .. arguments]);
    }

    private static void Complains(Subprocess run, string complaint)
    {
        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        string line = Assert.Single(run.Errors.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("kernelcheck: ", line, Ordinal);
        Assert.Contains(complaint, line, Ordinal);
    }

    [Fact]
    public void The_documented_example_passes_every_layer_of_this_machine()
    {
        Subprocess run = Run("--kernels", "docs/examples/saxpy", "--junit", _folder["k.xml"], "--markdown", _folder["k.md"]);
        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.Contains("more threads than elements  <<<4, 256>>>", run.Output, Ordinal);
        Assert.DoesNotContain("finding", run.Output, Ordinal);
        XElement suite = XDocument.Load(_folder["k.xml"]).Root!.Elements("testsuite").Single(s => (string)s.Attribute("name")! == "saxpy.cu");
        string[] ran = [.. suite.Elements("testcase").Select(t => (string)t.Attribute("name")!)];
        foreach (string layer in new[] { "checked", "fast", "contraction" })
            Assert.Contains($"block_sums [1 to 10] {layer}", ran);
        Assert.StartsWith("# Kernel check\n", File.ReadAllText(_folder["k.md"]), Ordinal);
    }

    private const string Bad = """
        extern "C" __global__ void wild(float* y, long long far) { y[far] = 1; }
        extern "C" __global__ void endless(volatile int* y) { while (y[0] == 0) { } }
        extern "C" __global__ void fine(float* y) { y[0] = 1; }
        """;

    private const string Wild = """
        {"kernel": "wild", "grid": 1, "block": 1, "arguments": [
          {"type": "float*", "values": [0]}, {"type": "long long", "value": 17592186044416}]}
        """;

    private const string Endless = """{"kernel": "endless", "grid": 1, "block": 1, "arguments": [{"type": "int*", "values": [0]}]}""";
    private const string Fine = """{"kernel": "fine", "grid": 1, "block": 1, "arguments": [{"type": "float*", "expected": [1]}]}""";

    private static string ByReference(string reference) => $$"""
        {"kernel": "fine", "grid": 1, "block": 1, "reference": "{{reference}}", "arguments": [{"type": "float*", "name": "y", "length": 1}]}
        """;

    [Fact]
    public void A_crash_and_a_hang_are_findings_and_the_rest_is_checked()
    {
        Subprocess run = Check(Bad, $"[{Wild}, {Endless}, {Fine}]", "--layers", "fast", "--timeout", "10");
        Assert.Equal((1, ""), (run.ExitCode, run.Errors));
        Assert.Contains("k.cu, wild, fast: brought the process down (segmentation fault", run.Output, Ordinal);
        Assert.Contains("k.cu, endless, fast: still running after 10 s", run.Output, Ordinal);
        Assert.Contains("3 kernels in 1 file, 3 cases: 2 checks passed, 2 failed, 0 not run", run.Output, Ordinal);
    }

    [Theory, InlineData("checked"), InlineData("fast")]
    public void A_brace_that_is_not_closed_is_reported_in_the_file_alone(string layer)
    {
        Subprocess run = Check("""
            extern "C" __global__ void endless(float* y)
            {
                if (y[0] > 0) {
                    y[0] = 1;
            }
            """, "[]", "--layers", layer);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains($"\n  k.cu, {layer}: k.cu:5:2: error: expected", run.Output, Ordinal);
        Assert.DoesNotContain("module table", run.Output, Ordinal);
    }

    [Fact]
    public void A_wild_pointer_is_found_with_its_line()
    {
        Subprocess run = Check(Bad, $"[{Wild}]", "--layers", "checked,fast");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("\n  k.cu, wild, checked: k.cu:1: wild address", run.Output, Ordinal);
        Assert.Contains("\n  fast, k.cu wild: checked found something\n", run.Output, Ordinal);
    }

    [Fact]
    public void A_worker_ends_with_the_program_that_started_it()
    {
        File.WriteAllText(_folder["k.cu"], Bad);
        File.WriteAllText(_folder["k.json"], Endless);
        var job = new LaunchJob(LaunchMode.Fast, Session.Folder, _folder["k.cu"], CaseFile.Read(_folder["k.json"]), 1);
        Subprocess worker = Run([.. WorkerCommand.Arguments(job)]); // with an empty standard input
        Assert.Equal(128 + 9, worker.ExitCode);
    }

    [Fact]
    public void The_documentation_shows_the_example_as_it_is()
    {
        string page = File.ReadAllText(Path.Combine(Folders.Root, "docs", "kernels.md"));
        string reference = File.ReadAllText(Path.Combine(Folders.Root, "docs", "examples", "saxpy", "cases", "saxpy_reference.cs"));
        Assert.Contains($"```csharp\n{reference}```\n", page, Ordinal);
    }

    [Fact]
    public void Wrong_input_ends_with_one_line_and_status_2()
    {
        Complains(Run(), "found neither --kernels nor --case");
        Complains(Run("--kernels", _folder["nothing"]), "found nothing there");
        Complains(Run("--case", _folder["nothing.json"]), "nothing.json: there is no such file");
        Complains(Run("--case", _folder.Path), ": this is a folder, expected a file");
        Complains(Check(Bad, "[{]"), "k.json: line 1, found no valid JSON");
        Complains(Check(Bad, """{"kernel": "missing", "grid": 1, "block": 1, "arguments": []}"""), "case missing: found no kernel 'missing' in k.cu");
        File.WriteAllText(_folder["r.cs"], "return 3;");
        Complains(Check(Bad, ByReference("../r.cs")), "r.cs: ended with status 3");
        File.WriteAllText(_folder["r.cs"], "return 0;");
        Complains(Check(Bad, ByReference("../r.cs")), "r.cs: found no y.bin afterwards");
    }

    [Fact]
    public void A_layer_that_was_named_must_run()
    {
        Assert.SkipWhen(CudaLibraries.OpenReal(out _) is not null, "a GPU is here");
        Subprocess run = Check(Bad, "[]", "--layers", "gpu");
        Assert.Equal(2, run.ExitCode);
        Assert.StartsWith("kernelcheck: not enough can run here: gpu: ", run.Errors, Ordinal);
    }

    [Fact]
    public void Cases_that_nothing_can_launch_are_no_success()
    {
        Assert.SkipWhen(CudaLibraries.OpenReal(out _) is not null, "a GPU is here");
        Environment.SetEnvironmentVariable("CUDAGEN_CXX", "no-such-compiler");
        try
        {
            Subprocess run = Check(Bad, Fine);
            Assert.Equal(2, run.ExitCode);
            Assert.StartsWith("kernelcheck: not enough can run here: ", run.Errors, Ordinal);
            Assert.Contains("checked: CUDAGEN_CXX names 'no-such-compiler', which cannot be run", run.Errors, Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable("CUDAGEN_CXX", null);
        }
    }

    [Fact]
    public void Help_shows_every_flag_of_the_usage()
    {
        Subprocess run = Run("--help");
        Assert.Equal((0, CheckOptions.Usage + "\n"), (run.ExitCode, run.Output));
    }

    [Fact]
    public void Stand_ins_prints_their_folder_and_nothing_else()
    {
        Subprocess run = Run("stand-ins", "--checked");
        Assert.Equal((0, Session.Folder + "\n"), (run.ExitCode, run.Output));
        Complains(Run("stand-ins", "--check"), "stand-ins: found '--check', expected --checked or nothing");
    }
}
