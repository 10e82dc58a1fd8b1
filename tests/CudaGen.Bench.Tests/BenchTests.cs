using System.Text.Json.Nodes;
using CudaGen.Bench.Cuda;
using CudaGen.Nets;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Bench.Tests;

public sealed class BenchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cudagen-bench").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string File(string name, params string[] lines)
    {
        string path = Path.Combine(_folder, name);
        System.IO.File.WriteAllLines(path, lines);
        return path;
    }

    private JsonObject Quick(params string[] more)
    {
        TestCuda.Require();
        string path = Path.Combine(_folder, "results.json");
        TextWriter console = Console.Out;
        using var shown = new StringWriter();
        Console.SetOut(shown);
        try
        {
            Assert.Equal(0, BenchCommand.Run(["--device", "cuda", "--quick", "--models", "toy2d", "--turns", "1", "--json", path, .. more]));
        }
        finally
        {
            Console.SetOut(console);
        }
        Assert.Equal(TestCuda.StandIn is not null, shown.ToString().StartsWith("CPU stand-ins: the times mean nothing\n", StringComparison.Ordinal));
        return JsonNode.Parse(System.IO.File.ReadAllText(path))!.AsObject();
    }

    public static TheoryData<string> Models => [.. BenchModel.All.Select(m => m.Name)];

    /// <summary>A step that trains only a part of the model would be compared with a whole one.</summary>
    [Theory, MemberData(nameof(Models))]
    public void The_first_step_trains_every_network(string name)
    {
        using Device device = Device.Cpu(2);
        using Model model = BenchModel.Find(name).Create();
        model.Plan(device, 2, 1);
        using DataSet data = BenchModel.Data(device, model);
        float[][] before = [.. model.Groups.Select(g => device.ToArray(g.Value))];
        model.Step(data);
        Assert.All(model.Groups.Zip(before), g => Assert.NotEqual(g.Second, device.ToArray(g.First.Value)));
    }

    [Fact]
    public void A_run_leaves_everything_in_its_file()
    {
        JsonObject found = Quick("--kernels", "--bandwidth");
        Assert.Equal(TestCuda.StandIn is not null, (bool)found["stand_ins"]!);
        Assert.Equal(TestCuda.StandIn is null ? null : "CPU stand-ins: the times mean nothing", (string?)found["warning"]);
        Assert.StartsWith("cuda (", (string)found["device"]!, StringComparison.Ordinal);
        Assert.All((string[])["date", "commit"], key => Assert.NotEqual("", (string)found[key]!));
        Assert.All((string[])["fma_tflops", "copy_driver_gb_s", "copy_kernel_gb_s", "launch_eager_us", "launch_graph_us", "event_pair_us"],
            key => Assert.True((double)found["ceilings"]![key]! >= 0));
        Assert.False(found.ContainsKey("failed"));
        Assert.False(found.ContainsKey("not_measured"));

        JsonNode[] steps = [.. found["steps"]!.AsArray().OfType<JsonNode>()];
        Assert.Equal(
            ["library graph", "library eager", "kernel graph", "kernel eager"], steps.Select(s => $"{s["implementation"]} {s["mode"]}"));
        Assert.All(steps, s => Assert.True((double)s["ms_best"]! > 0 && (double)s["ms_median"]! >= (double)s["ms_best"]!));
        Assert.All(steps, s => Assert.True((double)s["flop_share"]! > 0 && (double)s["copy_share"]! > 0));
        Assert.Equal(4, found["generation"]!.AsArray().Count);

        JsonNode[] kernels = [.. found["kernels"]!.AsArray().OfType<JsonNode>()];
        Assert.Equal(2, kernels.Length);
        foreach (JsonNode table in kernels)
        {
            JsonNode step = steps.First(s => (string)s["implementation"]! == (string)table["implementation"]!);
            JsonNode[] rows = [.. table["rows"]!.AsArray().OfType<JsonNode>()];
            Assert.Equal((int)step["launches"]!, rows.Sum(r => (int)r["launches"]!));
            Assert.Equal((long)step["flops"]!, rows.Sum(r => (long)r["flops"]!));
            Assert.Equal((long)step["bytes_at_least"]!, rows.Sum(r => (long)r["bytes_at_least"]!));
        }
        Assert.True(found["bandwidth"]!.AsArray().Count > 40);
    }

    [Fact]
    public void Both_sides_are_compared_and_what_the_other_lacks_is_left_out()
    {
        string peer = File("peer.sh",
            "while [ $# -gt 1 ]; do [ \"$1\" = --json ] && file=$2; [ \"$1\" = --mode ] && mode=$2; shift; done",
            "[ $mode = eager,graph ] || { echo '{\"rows\": [{\"model\": \"toy2d\", \"mode\": \"compile\", \"error\": \"n/a\"}]}' > $file; exit; }",
            "echo '{\"rows\": [{\"model\": \"toy2d\", \"mode\": \"eager\", \"ms_per_step\": 2000, \"ms_min\": 1, \"gen_us\": {\"1\": 3, \"64\": null}}]}' > $file");
        JsonObject found = Quick("--peer", "sh " + peer, "--impl", "kernel");
        Assert.Equal(["eager", "compile"], found["peer"]!.AsArray().Select(r => (string)r!["mode"]!));
        Assert.Equal(["ms a training step", "us to generate 1"], found["comparison"]!.AsArray().Select(r => (string)r!["what"]!));
        JsonNode step = found["comparison"]![0]!;
        Assert.Equal(2000, (double)step["eager"]!);
        Assert.Equal((double)found["steps"]![0]!["ms_median"]!, (double)step["ours"]!);
        Assert.Equal(["what", "model", "precision", "ours", "implementation", "eager"], step.AsObject().Select(p => p.Key));
    }

    [Fact]
    public void A_peer_has_names_of_Python_for_the_models()
    {
        string peer = File("peer.sh",
            "while [ $# -gt 1 ]; do [ \"$1\" = --json ] && file=$2; [ \"$1\" = --models ] && models=$2; shift; done",
            "[ $models = wgan_gp ] || exit 1",
            "echo '{\"rows\": [{\"model\": \"wgan_gp\", \"mode\": \"eager\", \"ms_per_step\": 3, \"ms_min\": 2}]}' > $file");
        using (CommandPeer command = new("sh " + peer, "wgan-gp", 1))
        {
            command.Turn(1, 0, 1);
            Assert.Equal(2, command.Times.Best);
        }
        string json = File("results.json");
        var results = new Results(json);
        CudaSettings settings = new()
        {
            DeviceName = "cuda",
            Models = BenchModel.Named("wgan-gp"),
            Implementations = [Implementation.Kernel],
            Precisions = [Precision.Fp32],
            PeerModes = ["eager"],
            PeerSteps = 1,
            Turns = 1,
        };
        using Budget budget = new(null);
        CudaPeer cuda = new(settings, "sh " + peer, results, budget);
        cuda.Turn(["eager"]);
        cuda.Compare([new Measured(Measured.Step, "wgan-gp", Precision.Fp32, Implementation.Kernel, 1.5)]);
        results.Save();
        JsonNode found = JsonNode.Parse(System.IO.File.ReadAllText(json))!;
        Assert.Equal("wgan-gp", (string)found["peer"]![0]!["model"]!);
        Assert.Equal(3, (double)found["comparison"]![0]!["eager"]!);
    }

    [Theory]
    [InlineData("ended with exit code 3 and wrote no results", "exit 3")]
    [InlineData("did not run", "echo nonsense > $2")]
    public void A_peer_that_fails_is_reported(string message, string line)
    {
        string peer = File("peer.sh", line);
        Assert.Contains(message, Assert.Throws<InputException>(() => PeerCommand.Run("sh " + peer, [], TimeSpan.FromMinutes(5))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_peer_that_does_not_end_is_ended()
    {
        string peer = File("peer.sh", "sleep 600");
        long begin = Environment.TickCount64;
        Assert.Empty(PeerCommand.Run("sh " + peer, [], TimeSpan.FromSeconds(1)));
        Assert.InRange(Environment.TickCount64 - begin, 900, 300_000);
    }

    [Theory]
    [InlineData("--precision: found 'fp8', expected some of fp32, tf32, bf16", "--precision", "fp32,fp8")]
    [InlineData("--impl: found 'cpu', expected some of library, kernel", "--impl", "cpu")]
    [InlineData("--models: found 'vea', expected some of cae, vae", "--models", "vea")]
    [InlineData("--turns: found '0', expected a whole number from 1 to 1000000", "--turns", "0")]
    [InlineData("--batch: found '1', expected a whole number from 2 to 65536", "--batch", "1")]
    [InlineData("--threads: not with --device cuda", "--threads", "2")]
    [InlineData("--peer-modes: found 'fast', expected some of eager", "--peer-modes", "fast")]
    public void A_wrong_flag_is_refused(string message, params string[] flags)
    {
        InputException refused = Assert.Throws<InputException>(() => BenchCommand.Run(["--device", "cuda", .. flags]));
        Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Before anything is measured, which takes minutes.</summary>
    [Theory]
    [InlineData("--threads: found '0', expected a whole number from 1 to 1024", "--threads", "0")]
    [InlineData("--blocks: found 'x', expected a whole number from 1 to 1000000", "--blocks", "x")]
    [InlineData("--steps: found '0', expected", "--steps", "0")]
    [InlineData("--batch: found '0', expected", "--batch", "0")]
    [InlineData("--peer-steps: found '-1', expected", "--peer-steps", "-1")]
    [InlineData("--json: found no value, expected a file to write", "--json", "")]
    [InlineData("--models: found 'vea', expected some of cae, vae", "--models", "vea")]
    [InlineData("--device: found 'auto', expected cpu, cuda or cuda:N", "--device", "auto")]
    [InlineData("--block: there is no such flag; did you mean --blocks?", "--block", "3")]
    public void A_wrong_flag_is_refused_on_a_CPU(string message, params string[] flags)
    {
        InputException refused = Assert.Throws<InputException>(() => BenchCommand.Run(flags));
        Assert.StartsWith(message, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_flag_of_a_GPU_is_refused_on_a_CPU()
        => Assert.Equal("--kernels: not with --device cpu", Assert.Throws<InputException>(() => BenchCommand.Run(["--kernels"])).Message);

    [Theory, InlineData(12345.678, 12346), InlineData(1.2345678, 1.2346), InlineData(0.00012345678, 0.00012346), InlineData(0, 0)]
    public void Numbers_are_written_with_five_digits(double value, double expected) => Assert.Equal(expected, (double)Json.Number(value)!, 1e-12);

    [Fact]
    public void What_was_not_measured_is_null() => Assert.Null(Json.Number(double.NaN));
}
