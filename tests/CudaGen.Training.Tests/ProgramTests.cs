using System.Text;
using System.Text.Json;
using CudaGen.Kernels;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training.Tests;

/// <summary>
/// Whole runs of every program but those of <see cref="CodeTrainingTests"/>, with the flags of tools/train/ and networks of a few
/// channels: once on its built-in images or points, otherwise on a few small images.
/// </summary>
public sealed class ProgramTests : IDisposable
{
    private static readonly TrainProgram[] Programs =
    [
        new("ae", "a test", DataKind.Grey, r => new Autoencoder(new(r.Image, r.Latent ?? 4, 6, 5), new(1e-3f)), []),
        new("gan", "a test", DataKind.Grey, r => Of(r, Gan.Tutorial, Gan.Canonical, new GanSizes(r.Image, r.Latent ?? 4, 0, 6, 5, 7, 6)), [])
        { Flags = ModelFlags.OfClassifiers },
        new("cgan", "a test", DataKind.Grey, r => Of(r, Gan.Tutorial, Gan.Canonical, new GanSizes(r.Image, r.Latent ?? 4, r.Classes, 6, 5, 7, 6)), [])
        { NeedsLabels = true, Flags = ModelFlags.OfClassifiers },
        new("dcgan", "a test", DataKind.Grey, r => Of(r, Dcgan.Tutorial, Dcgan.Canonical, Conv(r)), [])
        { Flags = [ModelFlags.Downsample, .. ModelFlags.OfClassifiers] },
        new("wgan", "a test", DataKind.Grey, r => Of(r, Wgan.Tutorial, Wgan.Canonical, Conv(r)), [])
        { Flags = [ModelFlags.Downsample, .. ModelFlags.OfCritics] },
        new("wgan-gp", "a test", DataKind.Faces,
            r => Of(r, WganGp.Tutorial, WganGp.Canonical, new WganGpSizes(r.Image, r.Channels, r.Latent ?? 4, [3, 4], [4, 3])), [])
        { Flags = [ModelFlags.Size, .. ModelFlags.OfCritics] },
        new("began", "a test", DataKind.Faces, r => Of(r, Began.Tutorial, Began.Canonical, BeganSizes.For(r.Image, r.Channels, r.Latent ?? 4, 2)), [])
        { Flags = [ModelFlags.Size, .. ModelFlags.OfCritics] },
        new("cifar", "a test", DataKind.Colour, r => Of(r, CifarGan.Tutorial, CifarGan.Canonical,
            new CifarSizes(r.Image, r.Channels, r.Latent ?? 4, [2, 3, 3, 4], [4, 3, 3, 2])), [])
        { Grid = (7, 5), Flags = ModelFlags.OfClassifiers },
        new("cs231n", "a test", DataKind.Grey, r => Digits(r, new(r.Image, r.Latent ?? 8, 2, 3, 5)), [])
        { Flags = ModelFlags.OfClassifiers },
        new("toy2d", "a test", DataKind.Points, r => Of(r, ToyGan.Tutorial, ToyGan.Canonical, new ToySizes(Latent: r.Latent ?? 2)), [])
        { BatchOfFlags = f => f.Ring ? 7 : null, Flags = [ModelFlags.Points, ModelFlags.Unroll, .. ModelFlags.OfCritics] },
    ];

    // What every run leaves, beside pictures.
    private static readonly string[] Kept =
        [".lock", "checkpoint.safetensors", "config.json", "generator.safetensors", "loss.svg", "metrics.jsonl"];

    private readonly TemporaryFolder _folder = new();

    public ProgramTests() => DigitFiles.Write(_folder["digits"], 16, 16);

    public static TheoryData<string> Names => [.. Programs.Select(p => p.Name)];

    public void Dispose() => _folder.Dispose();

    private static TModel Of<TModel, TSizes>(ModelRequest r, Func<TSizes, Tricks, TModel> tutorial, Func<TSizes, Tricks, TModel> canonical,
        TSizes sizes)
        => r.Recipe == Recipe.Seed ? tutorial(sizes, r.Tricks) : canonical(sizes, r.Tricks);

    // The game begins after three steps.
    private static Cs231nGan Digits(ModelRequest r, Cs231nSizes sizes)
    {
        bool seed = r.Recipe == Recipe.Seed;
        sizes = sizes with { Affine = !seed };
        AdamOptions adam = new(1e-3f);
        return new(sizes, new(sizes.Spec(), adam, adam) { RunningStatistics = !seed, Tricks = r.Tricks }, separate: seed) { PretrainingSteps = 3 };
    }

    private static DcganSizes Conv(ModelRequest r) => new(r.Image, r.Latent ?? 4, 2, 3, 6, 5, 4, 3, r.Flags.Downsampling);

    private static TrainProgram Program(string name) => Programs.Single(p => p.Name == name);

    private static (int Code, string[] Errors) Run(string name, params string[] more)
    {
        TextWriter console = Console.Error;
        using var errors = new StringWriter();
        Console.SetError(errors);
        try
        {
            int code = Trainer.Run(Program(name), ["--device", "cpu", "--plain", .. more]);
            return (code, errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        finally
        {
            Console.SetError(console);
        }
    }

    // What a program trains on where the built-in images are not the point: they take a second to draw.
    private string[] Small(string name) => Program(name).Data == DataKind.Points ? [] : ["--data", _folder["digits"]];

    private string Train(string name, string place, params string[] more)
    {
        (int code, string[] errors) = Run(name, ["--out", _folder[place], "--batch", "4", .. more]);
        Assert.Empty(errors);
        Assert.Equal(0, code);
        return Directory.GetDirectories(_folder[place]).Order(StringComparer.Ordinal).Last();
    }

    private void Refused(string name, string[] flags, params string[] mentions)
    {
        (int code, string[] errors) = Run(name, ["--out", _folder["refused"], .. flags]);
        Assert.Equal(Executable.Failed, code);
        string line = Assert.Single(errors);
        Assert.StartsWith("error: ", line, StringComparison.Ordinal);
        Assert.All(mentions, mention => Assert.Contains(mention, line, StringComparison.Ordinal));
        Assert.False(Directory.Exists(_folder["refused"]), $"{line}, but there is a folder");
    }

    private static string[] FilesOf(string run) => [.. Directory.GetFiles(run).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private static string[] PicturesOf(string name) => name switch
    {
        "ae" or "toy2d" => ["samples-0001.png"],
        // Every fifth epoch only.
        "cifar" => ["samples-final.png"],
        _ => ["samples-0001.png", "samples-final.png"],
    };

    [Theory, InlineData("wgan-gp"), InlineData("began"), InlineData("cifar")]
    public void A_batch_may_be_larger_than_a_set_of_few_images(string name)
    {
        foreach (int count in (int[])[1, 3])
        {
            byte[] pixels = new byte[count * 16 * 16 * 3];
            new Random(count).NextBytes(pixels);
            File.WriteAllBytes(_folder["few.bin"], [.. PackedImages.Header(count, 16, 16, 3), .. pixels]);
            string run = Train(name, $"few{count}", "--data", _folder["few.bin"], "--epochs", "2");
            Assert.True(File.Exists(Path.Combine(run, "samples-final.png")));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void A_run_leaves_what_it_promises(string name)
    {
        string[] builtIn = Program(name).Flags.Contains(ModelFlags.Size) ? [ModelFlags.Size, "16"] : [];
        foreach ((string recipe, string[] data) in new[] { ("canonical", builtIn), ("seed", Small(name)) })
        {
            string run = Train(name, recipe, ["--steps", "3", "--recipe", recipe, .. data]);
            Assert.EndsWith($"{name}-0001", run, StringComparison.Ordinal);
            Assert.Equal([.. Kept, .. PicturesOf(name)], FilesOf(run));
            Assert.All(FilesOf(run).Where(f => f != ".lock"), f => Assert.True(new FileInfo(Path.Combine(run, f)).Length > 0, f));

            JsonElement last = JsonDocument.Parse(Assert.Single(File.ReadAllLines(Path.Combine(run, "metrics.jsonl")))).RootElement;
            Assert.Equal(3, last.GetProperty("step").GetInt32());
            Assert.All(last.EnumerateObject(), p => Assert.True(double.IsFinite(p.Value.GetDouble()), p.Name));
            Assert.Equal(Measured(name), last.EnumerateObject().Select(p => p.Name).Skip(2));
            Assert.All(last.EnumerateObject().Where(p => p.Name.StartsWith("accuracy.", StringComparison.Ordinal)),
                p => Assert.InRange(p.Value.GetDouble(), 0, 1));
        }
    }

    private static string[] Measured(string name) => name switch
    {
        "ae" => ["loss", "test.mse"],
        "wgan" => ["d_loss", "wasserstein", "g_loss"],
        "wgan-gp" => ["d_loss", "wasserstein", "penalty", "g_loss"],
        "began" => ["d_loss", "l_real", "l_fake", "g_loss", "k", "m"],
        "cifar" => ["d_real", "d_fake", "g_loss", "accuracy.real", "accuracy.fake"],
        "toy2d" => ["d_loss", "d_real", "d_fake", "g_loss", "accuracy.real", "accuracy.fake", "mean.x", "mean.y", "cov.xx", "cov.xy", "cov.yy"],
        _ => ["d_loss", "d_real", "d_fake", "g_loss", "accuracy.real", "accuracy.fake"],
    };

    /// <summary>The file alone draws the pictures of the run.</summary>
    [Theory, MemberData(nameof(Names))]
    public void The_generator_of_a_run_draws_its_pictures(string name)
    {
        const int Side = 10;
        string run = Train(name, "a", ["--steps", "3", .. Small(name)]);
        using Device device = Device.Cpu(1);
        using Generator generator = Generator.Load(device, Path.Combine(run, "generator.safetensors"), batch: 7);
        // A row for each class, with the same codes in each.
        float[] codes = new float[(generator.Classes > 0 ? Side : Side * Side) * generator.Latent];
        generator.DrawCodes(1, 0, codes);
        byte[] labels = [];
        if (generator.Classes > 0)
        {
            codes = [.. Enumerable.Repeat(codes, Side).SelectMany(c => c)];
            labels = [.. Enumerable.Range(0, Side * Side).Select(i => (byte)(i / Side))];
        }
        float[] images = new float[Side * Side * generator.ImageLength];
        generator.Generate(codes, images, labels);
        Assert.All(images, v => Assert.True(float.IsFinite(v)));
        Assert.True(images.Max() > images.Min(), "all pixels are the same");
        // Points are drawn in a plot, and an autoencoder's pictures are of random numbers of their own.
        if (Program(name).Data == DataKind.Points || name == "ae")
            return;
        Picture found = PngReader.Read(File.ReadAllBytes(Path.Combine(run, "samples-final.png")));
        Shape s = generator.Spec.Output;
        Picture expected = ImageGrid.Compose(ImageGrid.ToBytes(images), s[0], s[1], s[2], Side, Side);
        Assert.Equal((expected.Width, expected.Height, expected.Channels), (found.Width, found.Height, found.Channels));
        Assert.True(expected.Pixels.AsSpan().SequenceEqual(found.Pixels), "the picture differs");
    }

    /// <summary>
    /// What a process leaves that was killed after two steps: its checkpoint knows of no line of the log, in which there are some all the
    /// same. All files of the resumed run are those of a run that was never interrupted.
    /// </summary>
    [Theory, MemberData(nameof(Names))]
    public void A_run_that_was_killed_ends_like_one_that_was_not(string name)
    {
        string[] flags = Small(name);
        if (Program(name).Flags.Count > 0)
            flags = [.. flags, "--ema", "0.5", "--instance-noise", "0.1", "--anneal", "3", "--generator-steps", "2"];
        string whole = Train(name, "whole", ["--steps", "4", .. flags]), killed = Train(name, "killed", ["--steps", "2", .. flags]);
        string checkpoint = Path.Combine(killed, "checkpoint.safetensors");
        byte[] bytes = File.ReadAllBytes(checkpoint);
        ReadOnlySpan<byte> key = "\"metrics_bytes\":\""u8;
        int at = bytes.AsSpan().IndexOf(key) + key.Length;
        int digits = bytes.AsSpan(at).IndexOf((byte)'"');
        Assert.Equal(new FileInfo(Path.Combine(killed, "metrics.jsonl")).Length.ToString(), Encoding.UTF8.GetString(bytes, at, digits));
        bytes.AsSpan(at, digits).Fill((byte)'0');
        File.WriteAllBytes(checkpoint, bytes);
        File.AppendAllText(Path.Combine(killed, "metrics.jsonl"), "{\"step\":3,\"ep");

        (int code, string[] errors) = Run(name, "--resume", killed, "--steps", "4");
        Assert.Empty(errors);
        Assert.Equal(0, code);
        Assert.Equal(FilesOf(whole), FilesOf(killed));
        foreach (string file in FilesOf(whole).Where(f => f != "config.json"))
            Assert.True(File.ReadAllBytes(Path.Combine(whole, file)).SequenceEqual(File.ReadAllBytes(Path.Combine(killed, file))), $"{file} differs");
    }

    /// <summary>With all that may go with it, a look ahead at the ring is resumed bit by bit; the modes are counted.</summary>
    [Fact]
    public void A_run_on_the_ring_says_what_it_covers_and_is_resumed()
    {
        string[] flags = ["--out", _folder["ring"], "--points", "ring", "--unroll", "3", "--ema", "0.5", "--instance-noise", "0.1", "--generator-steps", "2"];
        Assert.Equal(0, Run("toy2d", ["--steps", "5", .. flags]).Code);
        Assert.Equal(0, Run("toy2d", ["--steps", "2", .. flags]).Code);
        (string whole, string halves) = (Path.Combine(_folder["ring"], "toy2d-0001"), Path.Combine(_folder["ring"], "toy2d-0002"));
        Assert.Equal(0, Run("toy2d", "--resume", halves, "--steps", "5").Code);
        Assert.True(File.ReadAllBytes(Path.Combine(whole, "generator.safetensors")).SequenceEqual(File.ReadAllBytes(Path.Combine(halves, "generator.safetensors"))));
        JsonElement last = JsonDocument.Parse(File.ReadLines(Path.Combine(whole, "metrics.jsonl")).Last()).RootElement;
        Assert.InRange(last.GetProperty("modes").GetDouble(), 0, 8);
        Assert.InRange(last.GetProperty("near").GetDouble(), 0, 1);
        Assert.Equal(7, JsonDocument.Parse(File.ReadAllText(Path.Combine(whole, "config.json"))).RootElement.GetProperty("batch").GetInt32());
        Assert.Contains("--unroll: found '4', the run in", Assert.Single(Run("toy2d", "--resume", halves, "--unroll", "4").Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void Epochs_of_points_are_resumed_as_well()
    {
        string whole = Train("toy2d", "whole", "--epochs", "3"), halves = Train("toy2d", "halves", "--epochs", "1");
        (int code, string[] errors) = Run("toy2d", "--resume", halves, "--epochs", "3");
        Assert.Empty(errors);
        Assert.Equal(0, code);
        Assert.Equal(FilesOf(whole), FilesOf(halves));
        // 250 steps an epoch, and a line each fifty.
        Assert.Equal(15, File.ReadAllLines(Path.Combine(whole, "metrics.jsonl")).Length);
        foreach (string file in FilesOf(whole).Where(f => f != "config.json"))
            Assert.True(File.ReadAllBytes(Path.Combine(whole, file)).SequenceEqual(File.ReadAllBytes(Path.Combine(halves, file))), $"{file} differs");
    }

    [Theory, MemberData(nameof(Names))]
    public void A_dry_run_leaves_nothing(string name)
    {
        (int code, string[] errors) = Run(name, ["--out", _folder["dry"], "--dry-run", .. Small(name)]);
        Assert.Empty(errors);
        Assert.Equal(0, code);
        Assert.False(Directory.Exists(_folder["dry"]));
    }

    [Theory]
    [InlineData("wgan-gp", "--minibatch-discrimination", "'minibatch'", "no second derivative", "expected a critic")]
    [InlineData("began", "--minibatch-discrimination", "minibatch discrimination", "autoencoder", "expected")]
    [InlineData("dcgan", "--batch 1", "batch: found 1, expected at least 2", "'bn1'")]
    [InlineData("wgan", "--batch 1 --recipe seed", "batch: found 1, expected at least 2", "'bn1'")]
    [InlineData("gan", "--batch 0", "--batch: found '0', expected a whole number from 1 to 65536")]
    [InlineData("cifar", "--batch 5", "batch: found 5", "even number")]
    [InlineData("gan", "--anneal 5", "--anneal", "expected with --instance-noise or --label-flip")]
    [InlineData("wgan", "--anneal 5 --ema 0.9", "--anneal", "expected with --instance-noise")]
    [InlineData("cs231n", "--latent 3", "latent: found 3", "at least 4")]
    [InlineData("dcgan", "--downsample mean", "--downsample: found 'mean', expected max, average or strided")]
    [InlineData("wgan-gp", "--size 20", "--size: found '20', expected 16, 32, 64 or 128")]
    [InlineData("gan", "--ema 1", "--ema: found '1', expected a number from 0 to 0.999999")]
    [InlineData("gan", "--ema", "--ema: found no value, expected a number from 0 to 0.999999")]
    [InlineData("gan", "--label-flip 0.6", "--label-flip: found '0.6', expected a number from 0 to 0.5")]
    [InlineData("gan", "--real-target 0", "--real-target: found '0', expected a number from 0.5 to 1")]
    [InlineData("gan", "--instance-noise NaN", "--instance-noise: found 'NaN', expected a number from 0 to 10")]
    [InlineData("gan", "--generator-steps 0", "--generator-steps: found '0', expected a whole number from 1 to 16")]
    [InlineData("gan", "--generator-dropout 1", "--generator-dropout: found '1', expected a number from 0 to 0.9")]
    [InlineData("gan", "--instance-noise 1 --anneal 0", "--anneal: found '0', expected a whole number of at least 1")]
    [InlineData("gan", "--minibatch-discrimination yes", "'yes': expected a flag")]
    // What a program does not have, it does not know.
    [InlineData("ae", "--ema 0.9", "--ema: there is no such flag")]
    [InlineData("wgan", "--label-flip 0.1", "--label-flip: there is no such flag")]
    [InlineData("wgan-gp", "--real-target 0.9", "--real-target: there is no such flag")]
    [InlineData("gan", "--size 16", "--size: there is no such flag")]
    [InlineData("gan", "--downsample max", "--downsample: there is no such flag")]
    [InlineData("toy2d", "--data x", "--data: there is no such flag")]
    [InlineData("toy2d", "--points square", "--points: found 'square', expected gaussian or ring")]
    [InlineData("toy2d", "--unroll 11", "--unroll: found '11', expected a whole number from 0 to 10")]
    [InlineData("toy2d", "--unroll 5 --minibatch-discrimination", "--unroll: found with --minibatch-discrimination, expected without")]
    [InlineData("gan", "--unroll 5", "--unroll: there is no such flag")]
    public void What_cannot_be_is_refused_before_there_is_a_folder(string name, string flags, params string[] mentions)
        => Refused(name, [.. flags.Split(' '), .. flags.Contains("--size", StringComparison.Ordinal) ? [] : Small(name)], mentions);

    [Fact]
    public void A_resumed_run_keeps_its_flags()
    {
        string run = Train("dcgan", "a", ["--steps", "1", "--ema", "0.5", "--downsample", "average", .. Small("dcgan")]);
        byte[] before = File.ReadAllBytes(Path.Combine(run, "checkpoint.safetensors"));
        foreach ((string flags, string mention) in new[]
        {
            ("--ema 0.6", "--ema: found '0.6', the run in"), ("--downsample strided", "has 'average' and cannot change it"),
            ("--real-target 0.9", "has 'none' and cannot change it"), ("--minibatch-discrimination", "has 'none'"),
        })
        {
            (int code, string[] errors) = Run("dcgan", ["--resume", run, "--steps", "2", .. flags.Split(' ')]);
            Assert.Equal(Executable.Failed, code);
            Assert.Contains(mention, Assert.Single(errors), StringComparison.Ordinal);
        }
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(run, "checkpoint.safetensors")));
        Assert.Equal(0, Run("dcgan", "--resume", run, "--steps", "2", "--ema", "0.5", "--downsample", "average").Code);
        JsonElement config = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "config.json"))).RootElement;
        Assert.Equal(["--downsample", "--ema"], config.GetProperty("flags").EnumerateObject().Select(p => p.Name));
    }

    [Theory]
    [InlineData("{\"--ema\": \"2\"}", "--ema: found '2'")]
    [InlineData("{\"--slope\": \"2\"}", "--slope: there is no such flag")]
    [InlineData("{\"--ema\": 0.5}", "config.json", "expected program")]
    public void Flags_in_a_damaged_configuration_are_one_line(string flags, params string[] mentions)
    {
        string run = Train("gan", "a", ["--steps", "1", .. Small("gan")]);
        string path = Path.Combine(run, "config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"flags\": {}", $"\"flags\": {flags}", StringComparison.Ordinal));
        (int code, string[] errors) = Run("gan", "--resume", run, "--steps", "2");
        Assert.Equal(Executable.Failed, code);
        string line = Assert.Single(errors);
        Assert.All(mentions, mention => Assert.Contains(mention, line, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("\"batch\": 4", "\"batch\": 0", "batch: found 0, expected a whole number from 1 to 65536")]
    [InlineData("\"batch\": 4", "\"batch\": 70000", "batch: found 70000, expected")]
    [InlineData("\"latent\": null", "\"latent\": -3", "latent: found -3, expected a whole number from 1 to 4096")]
    [InlineData("\"steps\": 1", "\"steps\": -1", "steps: found -1, expected")]
    [InlineData("\"epochs\": 1000000", "\"epochs\": 0", "epochs: found 0, expected")]
    [InlineData("\"recipe\": \"canonical\"", "\"recipe\": \"best\"", "recipe: found 'best', expected canonical or seed")]
    [InlineData("\"precision\": \"fp32\"", "\"precision\": \"fp8\"", "precision: found 'fp8', expected fp32, tf32 or bf16")]
    [InlineData("\"seed\": 1", "\"seed\": -1", "expected program, recipe")]
    [InlineData("\"crc\": ", "\"crc\": -", "expected program, recipe")]
    public void Numbers_in_a_damaged_configuration_are_one_line(string good, string bad, string mention)
    {
        string run = Train("gan", "a", ["--steps", "1", .. Small("gan")]);
        string path = Path.Combine(run, "config.json"), text = File.ReadAllText(path);
        Assert.Contains(good, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(good, bad, StringComparison.Ordinal));
        byte[] before = File.ReadAllBytes(Path.Combine(run, "checkpoint.safetensors"));
        (int code, string[] errors) = Run("gan", "--resume", run);
        Assert.Equal(Executable.Failed, code);
        string line = Assert.Single(errors);
        Assert.Contains("config.json: ", line, StringComparison.Ordinal);
        Assert.Contains(mention, line, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(run, "checkpoint.safetensors")));
    }

    /// <summary>Digits of 12 pixels are too small for one program, no multiple of 8 for another, and just right for a third.</summary>
    [Fact]
    public void Data_of_the_wrong_size_is_refused()
    {
        DigitFiles.Write(_folder["data"], 12, 12);
        Refused("dcgan", ["--data", _folder["data"]], _folder["data"], "image size: found 12", "at least 16");
        Refused("cifar", ["--data", _folder["data"]], _folder["data"], "image size: found 12", "multiple of 8");
        Refused("began", ["--data", _folder["data"]], _folder["data"], "image size: found 12", "expected 16, 32");
        Refused("wgan-gp", ["--data", _folder["data"]], _folder["data"], "image size: found 12", "expected 16, 32");
        Refused("began", ["--data", _folder["data"], "--size", "16"], "--size: found with --data, expected without");
        Train("gan", "a", "--data", _folder["data"], "--steps", "1");

        DigitFiles.Write(_folder["wide"], 12, 16);
        Refused("gan", ["--data", _folder["wide"]], "wide: found images 12x16x1, expected square grey ones");
        Refused("cifar", ["--data", _folder["wide"]], "wide: found images 12x16x1, expected square ones");
        Refused("gan", ["--data", _folder["nothing"]], "nothing: there is no such folder");
    }

    /// <summary>Of another size, number or kind; in one line, before anything of the run is changed.</summary>
    [Fact]
    public void A_run_goes_on_with_the_images_that_it_began_with()
    {
        string run = Train("gan", "a", ["--steps", "1", .. Small("gan")]);
        DigitFiles.Write(_folder["small"], 12, 12);
        File.WriteAllBytes(_folder["few.bin"], [.. PackedImages.Header(3, 16, 16, 1), .. new byte[3 * 256]]);
        string[] before = [.. FilesOf(run).Select(f => Digest.Of(File.ReadAllBytes(Path.Combine(run, f))))];
        foreach ((string data, string found) in new[] { ("small", "images 12x12x1 of 10 classes"), ("few.bin", "images 16x16x1") })
        {
            (int code, string[] errors) = Run("gan", "--resume", run, "--steps", "2", "--data", _folder[data]);
            Assert.Equal(Executable.Failed, code);
            string line = Assert.Single(errors);
            Assert.StartsWith($"error: --data {_folder[data]}: found ", line, StringComparison.Ordinal);
            Assert.Contains(found, line, StringComparison.Ordinal);
            Assert.Contains("images 16x16x1 of 10 classes that the run began with", line, StringComparison.Ordinal);
        }
        // As many, as large, and others: one bit.
        string pixels = _folder["digits/train-images-idx3-ubyte"];
        byte[] digits = File.ReadAllBytes(pixels);
        digits[^1] ^= 1;
        File.WriteAllBytes(pixels, digits);
        Assert.Matches($"^error: --data {_folder["digits"]}: found other [0-9]+ images 16x16x1 of 10 classes \\(checksum [0-9]+\\), "
            + "expected those that the run began with \\([0-9]+\\)$", Assert.Single(Run("gan", "--resume", run, "--steps", "2").Errors));
        digits[^1] ^= 1;
        File.WriteAllBytes(pixels, digits);
        Assert.Equal(before, FilesOf(run).Select(f => Digest.Of(File.ReadAllBytes(Path.Combine(run, f)))));
        // They may have moved.
        Directory.Move(_folder["digits"], _folder["moved"]);
        Assert.Equal(0, Run("gan", "--resume", run, "--steps", "2", "--data", _folder["moved"]).Code);
        // A run from before this was kept.
        string config = Path.Combine(run, "config.json");
        File.WriteAllLines(config, File.ReadAllLines(config).Where(l => !l.Contains("\"images\"", StringComparison.Ordinal)
            && !l.Contains("\"crc\"", StringComparison.Ordinal)));
        Assert.Equal(0, Run("gan", "--resume", run, "--steps", "3", "--data", _folder["moved"]).Code);
    }

    /// <summary>A place whose path is so long that there may be all files of a run in it but the checkpoint, as on a disk that is full by then.</summary>
    [Fact]
    public void A_run_that_cannot_begin_leaves_no_folder()
    {
        const int LongestPath = 4095;
        int rest = $"/gan-0001/checkpoint.safetensors.tmp-{Environment.ProcessId}".Length - 1;
        string place = _folder["long"];
        Directory.CreateDirectory(place);
        for (int left; (left = LongestPath - rest - place.Length) > 0; Directory.CreateDirectory(place))
            place = Path.Combine(place, new string('p', left > 250 ? 200 : left - 1));
        (int code, string[] errors) = Run("gan", ["--out", place, "--steps", "1", .. Small("gan")]);
        Assert.Equal(Executable.Failed, code);
        Assert.Contains("checkpoint.safetensors: ", Assert.Single(errors), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(place));
    }

    [Fact]
    public void Images_that_a_program_cannot_take_are_refused()
    {
        ImageSet colour = new(new byte[2 * 8 * 8 * 3], new byte[2], 8, 8, 3, 10), unlabelled = new(new byte[2 * 8 * 8], new byte[2], 8, 8, 1, 1);
        Files.Complaint(() => TrainingData.Require(Program("gan"), colour, "set"), "set: found images 8x8x3, expected square grey ones");
        Files.Complaint(() => TrainingData.Require(Program("cgan"), unlabelled, "set"), "set: found images without labels, expected", "two classes");
        TrainingData.Require(Program("gan"), unlabelled, "set");
        TrainingData.Require(Program("cifar"), colour, "set");
        TrainingData.Require(Program("cifar"), unlabelled, "set");
    }
}
