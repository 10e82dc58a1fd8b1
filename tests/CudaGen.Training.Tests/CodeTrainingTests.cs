using System.Buffers.Binary;
using System.Text.Json;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training.Tests;

/// <summary>Whole runs of the training programs, on a data set of a few small images.</summary>
public sealed class CodeTrainingTests : IDisposable
{
    private const int TrainImages = 40, TestImages = 12, Side = 8;

    private static readonly TrainProgram Vae = new("vae", "a test", DataKind.Grey, r =>
        new ConvVae(r.Recipe == Recipe.Seed ? ConvVaeOptions.Seed(Small(r)) : ConvVaeOptions.Canonical(Small(r))), []);

    private static readonly TrainProgram Cae = new("cae", "a test", DataKind.Grey, r => new ConvAutoencoder(ConvAutoencoderOptions.Canonical(Small(r))), []);

    private readonly TemporaryFolder _folder = new();

    public CodeTrainingTests() => WriteData(_folder["data"], Side);

    public void Dispose() => _folder.Dispose();

    private static ConvSizes Small(ModelRequest r) => new(r.Image, r.Latent ?? 20, 3, 4);

    private static void WriteData(string folder, int side)
    {
        Directory.CreateDirectory(folder);
        foreach ((string name, int count) in new[] { ("train", TrainImages), ("t10k", TestImages) })
        {
            byte[] pixels = [.. Enumerable.Range(0, count * side * side).Select(i => (byte)(i % (5 + i / (side * side)) * 40))];
            File.WriteAllBytes(Path.Combine(folder, $"{name}-images-idx3-ubyte"), [.. Header(0x803, count, side, side), .. pixels]);
            File.WriteAllBytes(Path.Combine(folder, $"{name}-labels-idx1-ubyte"),
                [.. Header(0x801, count), .. Enumerable.Range(0, count).Select(i => (byte)(i % 10))]);
        }
    }

    private static byte[] Header(params int[] words)
    {
        byte[] bytes = new byte[4 * words.Length];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 * i), words[i]);
        return bytes;
    }

    private int Run(TrainProgram program, string place, params string[] more)
        => Trainer.Run(program, ["--data", _folder["data"], "--out", _folder[place], "--batch", "16", "--device", "cpu", "--plain", .. more]);

    private string PathOf(string place, string file) => Path.Combine(_folder[place], file);

    private void RequireSameBytes(string placeA, string placeB, params string[] files)
    {
        foreach (string file in files)
            Assert.True(File.ReadAllBytes(PathOf(placeA, file)).SequenceEqual(File.ReadAllBytes(PathOf(placeB, file))), $"{file} differs");
    }

    private static readonly string[] Kept = ["metrics.jsonl", "checkpoint.safetensors", "generator.safetensors", "samples-0003.png"];

    [Fact]
    public void A_run_leaves_what_it_promises()
    {
        Assert.Equal(0, Run(Vae, "a", "--epochs", "3", "--latent", "2"));
        foreach (string file in (string[])[.. Kept, "config.json", "loss.svg", "latent-0003.png"])
            Assert.True(new FileInfo(PathOf("a/vae-0001", file)).Length > 0, file);
        string[] lines = File.ReadAllLines(PathOf("a/vae-0001", "metrics.jsonl"));
        // Three epochs of three steps each, and no other line as there are fewer than fifty steps.
        Assert.Equal(3, lines.Length);
        JsonElement last = JsonDocument.Parse(lines[^1]).RootElement;
        Assert.Equal(["step", "epoch", "loss", "rec", "kl", "test.mse", "test.kl"], last.EnumerateObject().Select(p => p.Name));
        Assert.Equal((9, 3), (last.GetProperty("step").GetInt32(), last.GetProperty("epoch").GetInt32()));
        Assert.InRange(last.GetProperty("test.mse").GetDouble(), 1e-4, 0.5);
        Assert.Equal(last.GetProperty("loss").GetDouble(), last.GetProperty("rec").GetDouble() + last.GetProperty("kl").GetDouble(), 1e-4);
    }

    [Fact]
    public void The_error_on_the_test_set_is_that_of_its_reconstructions()
    {
        Assert.Equal(0, Run(Cae, "a", "--epochs", "1"));
        double reported = JsonDocument.Parse(File.ReadAllLines(PathOf("a/cae-0001", "metrics.jsonl"))[^1]).RootElement.GetProperty("test.mse").GetDouble();

        using Device device = Device.Cpu(1);
        using var model = (ConvAutoencoder)Cae.Create(new(Recipe.Canonical, Side, 1, 10, null, new([])));
        model.Plan(device, TestImages, 1);
        // The checkpoint was written with another batch; all of the state that depends on none is in it.
        Checkpoint.Load(model, PathOf("a/cae-0001", "checkpoint.safetensors"));
        byte[] pixels = File.ReadAllBytes(PathOf("data", "t10k-images-idx3-ubyte"))[16..];
        for (int i = 0; i < pixels.Length; i++)
            model.Images.Span[i] = pixels[i] / 255f;
        model.Forward();
        Assert.Equal(model.Losses[0], reported, 1e-6);
    }

    [Fact]
    public void Runs_with_the_same_seed_are_the_same_bits_on_any_number_of_threads()
    {
        Assert.Equal(0, Run(Vae, "a", "--epochs", "3", "--threads", "1"));
        Assert.Equal(0, Run(Vae, "a", "--epochs", "3", "--threads", "3"));
        Assert.Equal(0, Run(Vae, "a", "--epochs", "3", "--seed", "2"));
        RequireSameBytes("a/vae-0001", "a/vae-0002", Kept);
        Assert.NotEqual(File.ReadAllText(PathOf("a/vae-0001", "metrics.jsonl")), File.ReadAllText(PathOf("a/vae-0003", "metrics.jsonl")));
    }

    [Fact]
    public void A_run_that_is_resumed_ends_like_one_that_was_not_interrupted()
    {
        Assert.Equal(0, Run(Vae, "a", "--epochs", "3"));
        Assert.Equal(0, Run(Vae, "b", "--epochs", "1"));
        // A process that was killed may have written more lines after its last checkpoint, and half a line.
        File.AppendAllText(PathOf("b/vae-0001", "metrics.jsonl"), "{\"step\":4,\"epoch\":2,\"loss\":1}\n{\"step\":5,\"ep");
        Assert.Equal(0, Trainer.Run(Vae, ["--resume", PathOf("b", "vae-0001"), "--epochs", "3", "--device", "cpu", "--plain"]));
        RequireSameBytes("a/vae-0001", "b/vae-0001", Kept);
    }

    [Theory]
    [InlineData("--batch", "8")]
    [InlineData("--latent", "3")]
    [InlineData("--seed", "9")]
    [InlineData("--recipe", "seed")]
    public void A_resumed_run_cannot_become_another(string flag, string value)
    {
        Assert.Equal(0, Run(Vae, "a", "--epochs", "1"));
        byte[] before = File.ReadAllBytes(PathOf("a/vae-0001", "metrics.jsonl"));
        Assert.Equal(Executable.Failed, Trainer.Run(Vae, ["--resume", PathOf("a", "vae-0001"), "--epochs", "3", "--device", "cpu", flag, value]));
        Assert.Equal(before, File.ReadAllBytes(PathOf("a/vae-0001", "metrics.jsonl")));
    }

    [Fact]
    public void A_run_of_another_program_is_not_resumed()
    {
        Assert.Equal(0, Run(Vae, "a", "--epochs", "1"));
        Assert.Equal(Executable.Failed, Trainer.Run(Cae, ["--resume", PathOf("a", "vae-0001"), "--epochs", "3", "--device", "cpu"]));
    }

    [Fact]
    public void A_dry_run_leaves_nothing()
    {
        Assert.Equal(0, Run(Vae, "a", "--dry-run"));
        Assert.False(Directory.Exists(PathOf("a", "")));
    }

    [Fact]
    public void Images_that_do_not_halve_twice_are_refused()
    {
        WriteData(PathOf("odd", ""), 10);
        Assert.Equal(Executable.Failed, Trainer.Run(Vae, ["--data", PathOf("odd", ""), "--out", PathOf("a", "")]));
        Assert.False(Directory.Exists(PathOf("a", "")));
    }

    [Fact]
    public void The_seed_recipe_trains()
        => Assert.Equal(0, Run(Vae, "a", "--recipe", "seed", "--steps", "4"));

    [Fact]
    public void A_generator_draws_what_the_model_decodes()
    {
        Assert.Equal(0, Run(Vae, "a", "--epochs", "1"));
        using Device device = Device.Cpu(1);
        using var model = (ConvVae)Vae.Create(new(Recipe.Canonical, Side, 1, 10, null, new([])));
        model.Plan(device, 5, 1);
        Checkpoint.Load(model, PathOf("a/vae-0001", "checkpoint.safetensors"));
        for (int i = 0; i < model.Code.Length; i++)
            model.Code.Span[i] = MathF.Sin(i);
        model.Decode();

        using Generator generator = Generator.Load(device, PathOf("a/vae-0001", "generator.safetensors"), batch: 2);
        float[] images = new float[5 * generator.ImageLength];
        generator.Generate(model.Code.Span, images);
        Assert.Equal(model.Reconstructions.Span.ToArray(), images);
        Assert.All(generator.CodeDeviation.ToArray(), d => Assert.Equal(1, d));
    }
}
