using System.Buffers.Binary;
using System.Text.Json;
using CudaGen.KernelCheck;
using CudaGen.Nets;
using CudaGen.Tests;

namespace CudaGen.Training.Tests;

/// <summary>Whole runs of a training program on a CUDA device.</summary>
public sealed class CudaTrainingTests : IDisposable
{
    private const int Images = 20, Side = 8;

    private static readonly TrainProgram Vae = new("vae", "a test", DataKind.Grey, r => new ConvVae(ConvVaeOptions.Canonical(new(r.Image, r.Latent ?? 20, 3, 4))), []);

    private readonly TemporaryFolder _folder = new();

    public CudaTrainingTests()
    {
        Directory.CreateDirectory(_folder["data"]);
        foreach (string name in new[] { "train", "t10k" })
        {
            byte[] pixels = [.. Enumerable.Range(0, Images * Side * Side).Select(i => (byte)(i % (5 + i / (Side * Side)) * 40))];
            File.WriteAllBytes(Path.Combine(_folder["data"], $"{name}-images-idx3-ubyte"), [.. Header(0x803, Images, Side, Side), .. pixels]);
            File.WriteAllBytes(Path.Combine(_folder["data"], $"{name}-labels-idx1-ubyte"), [.. Header(0x801, Images), .. new byte[Images]]);
        }
    }

    public void Dispose() => _folder.Dispose();

    private static byte[] Header(params int[] words)
    {
        byte[] bytes = new byte[4 * words.Length];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 * i), words[i]);
        return bytes;
    }

    private int Run(string place, params string[] more)
        => Trainer.Run(Vae, ["--data", _folder["data"], "--out", _folder[place], "--batch", "5", "--latent", "3", "--plain", .. more]);

    private string[] Metrics(string place) => File.ReadAllLines(Path.Combine(_folder[place], "vae-0001", "metrics.jsonl"));

    [Fact]
    public void A_run_measures_what_the_CPU_measures_and_resumes_bit_by_bit()
    {
        TestCuda.Require();
        Assert.Equal(0, Run("cpu", "--epochs", "2", "--device", "cpu"));
        Assert.Equal(0, Run("cuda", "--epochs", "2", "--device", "cuda"));
        Assert.Equal(0, Run("eager", "--epochs", "2", "--device", "cuda", "--eager"));
        foreach ((string expected, string found) in Metrics("cpu").Zip(Metrics("cuda"), (a, b) => (a, b)))
        {
            foreach (JsonProperty value in JsonDocument.Parse(expected).RootElement.EnumerateObject())
            {
                double a = value.Value.GetDouble(), b = JsonDocument.Parse(found).RootElement.GetProperty(value.Name).GetDouble();
                Assert.True(Math.Abs(a - b) <= 1e-4 * Math.Abs(a), $"{value.Name}: {b}, on the CPU {a}");
            }
        }
        Assert.Equal(2, Metrics("cuda").Length);
        Assert.Equal(Metrics("cuda"), Metrics("eager"));

        Assert.Equal(0, Run("halves", "--epochs", "1", "--device", "cuda"));
        Assert.Equal(0, Trainer.Run(Vae, ["--resume", Path.Combine(_folder["halves"], "vae-0001"), "--epochs", "2", "--device", "cuda", "--plain"]));
        foreach (string file in new[] { "metrics.jsonl", "checkpoint.safetensors", "generator.safetensors", "samples-0002.png" })
            Assert.Equal(File.ReadAllBytes(Path.Combine(_folder["cuda"], "vae-0001", file)), File.ReadAllBytes(Path.Combine(_folder["halves"], "vae-0001", file)));
    }

    [Fact]
    public void A_run_says_that_stand_ins_are_slow()
    {
        TestCuda.Require();
        TextWriter console = Console.Out;
        using var shown = new StringWriter();
        Console.SetOut(shown);
        try
        {
            Assert.Equal(0, Run("slow", "--steps", "1", "--device", "cuda"));
            Assert.Equal(TestCuda.StandIn is not null, shown.ToString().Contains("\nnote      a stand-in runs one GPU thread after another", StringComparison.Ordinal));
            shown.GetStringBuilder().Clear();
            Assert.Equal(0, Run("slow", "--steps", "1", "--device", "cpu"));
            Assert.DoesNotContain("stand-in", shown.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            Console.SetOut(console);
        }
    }

    /// <summary>The run remembers its precision, goes on in it, and in no other.</summary>
    [Fact]
    public void A_run_keeps_its_precision()
    {
        TestCuda.Require();
        Assert.Equal(0, Run("whole", "--epochs", "2", "--device", "cuda", "--precision", "bf16"));
        Assert.Equal(0, Run("float32", "--epochs", "2", "--device", "cuda"));
        Assert.NotEqual(Metrics("float32"), Metrics("whole"));
        Assert.Equal(0, Run("halves", "--epochs", "1", "--device", "cuda", "--precision", "bf16"));
        string halves = Path.Combine(_folder["halves"], "vae-0001");
        Assert.Equal("bf16", JsonDocument.Parse(File.ReadAllText(Path.Combine(halves, "config.json"))).RootElement.GetProperty("precision").GetString());
        Assert.Equal($"error: --precision: found 'tf32', the run in {halves} has 'bf16' and cannot change it", Refused("--device", "cuda", "--precision", "tf32"));
        Assert.Equal("error: the CPU has no precision 'bf16'; it computes in fp32", Refused("--device", "cpu"));
        Assert.Equal(0, Trainer.Run(Vae, ["--resume", halves, "--epochs", "2", "--plain"]));
        foreach (string file in new[] { "metrics.jsonl", "checkpoint.safetensors", "generator.safetensors", "samples-0002.png" })
            Assert.Equal(File.ReadAllBytes(Path.Combine(_folder["whole"], "vae-0001", file)), File.ReadAllBytes(Path.Combine(halves, file)));

        string Refused(params string[] flags)
        {
            TextWriter console = Console.Error;
            using var errors = new StringWriter();
            try
            {
                Console.SetError(errors);
                Assert.Equal(Executable.Failed, Trainer.Run(Vae, ["--resume", halves, "--epochs", "2", "--plain", .. flags]));
            }
            finally
            {
                Console.SetError(console);
            }
            return Assert.Single(errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
    }

    /// <summary>As if it were written before there was a choice.</summary>
    [Fact]
    public void A_run_without_a_precision_is_one_in_float32()
    {
        Assert.Equal(0, Run("old", "--epochs", "1", "--device", "cpu"));
        string run = Path.Combine(_folder["old"], "vae-0001"), config = Path.Combine(run, "config.json");
        File.WriteAllLines(config, File.ReadAllLines(config).Where(line => !line.Contains("precision", StringComparison.Ordinal)));
        Assert.Equal(0, Trainer.Run(Vae, ["--resume", run, "--epochs", "2", "--device", "cpu", "--precision", "fp32", "--plain"]));
    }

    [Theory]
    [InlineData("cuMemAlloc_v2", 4)]
    [InlineData("cuLaunchKernel", 60)]
    [InlineData("cuGraphLaunch", 2)]
    [InlineData("cuMemcpyDtoHAsync_v2", 8)]
    public void A_failing_GPU_ends_a_run_with_one_line_and_whole_files(string call, int nth)
    {
        StandInControl control = TestCuda.RequireStandIn();
        TextWriter console = Console.Error;
        using var errors = new StringWriter();
        try
        {
            Console.SetError(errors);
            control.Fail(call, nth, 700);
            Assert.Equal(Executable.Failed, Run("broken", "--epochs", "2", "--device", "cuda"));
        }
        finally
        {
            Console.SetError(console);
            control.FailNothing();
            control.Clear();
        }
        string line = Assert.Single(errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("error: ", line, StringComparison.Ordinal);
        Assert.Contains(call, line, StringComparison.Ordinal);
        string[] files = Directory.Exists(_folder["broken"]) ? Directory.GetFiles(_folder["broken"], "*", SearchOption.AllDirectories) : [];
        Assert.DoesNotContain(files, f => f.Contains(".tmp", StringComparison.Ordinal));
        foreach (string file in files.Where(f => f.EndsWith(".safetensors", StringComparison.Ordinal)))
            SafeTensors.Read(file);
    }

    [Theory]
    [InlineData("--impl", "reference")]
    [InlineData("--impl", "cpu")]
    [InlineData("--impl", "kernel", "--precision", "tf32")]
    [InlineData("--precision", "fp16")]
    public void A_GPU_refuses_what_it_has_not(params string[] flags)
    {
        TestCuda.Require();
        Assert.Equal(Executable.Failed, Run("refused", ["--steps", "1", "--device", "cuda", .. flags]));
        Assert.False(Directory.Exists(_folder["refused"]));
    }
}
