using System.Globalization;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training.Tests;

/// <summary>tools/generate.cs as a person calls it: its pictures, and what it says when it makes none.</summary>
public sealed class GenerateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static Model Create(string name) => name switch
    {
        "gan" => Gan.Canonical(new(8, 3, 0, 6, 5, 7, 6), new()),
        "cgan" => Gan.Canonical(new(8, 3, 10, 6, 5, 7, 6), new()),
        "wgan-gp" => WganGp.Canonical(new(16, 3, 4, [4, 5], [5, 4]), new()),
        "vae" => new ConvVae(ConvVaeOptions.Canonical(new(8, 3, 4, 5))),
        "cifar of 2" => CifarGan.Canonical(new(8, 2, 4, [3, 4, 4, 5], [5, 4, 4, 3]), new()),
        "toy2d" => ToyGan.Canonical(new(), new()),
        "toy of 3" => ToyGan.Canonical(new(Dimensions: 3), new()),
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };

    /// <summary>A generator that has not been trained; the name of its file says what it is.</summary>
    private string Save(string name)
    {
        string path = _folder[$"{name}.safetensors"];
        using Device device = Device.Cpu(1);
        using Model model = Create(name);
        model.Plan(device, 2, 1);
        using Generator generator = Generator.Of(model, 1);
        generator.Update(model);
        generator.Save(path);
        return path;
    }

    private static (int Code, string Output, string[] Errors) Run(params string[] args)
    {
        (TextWriter console, TextWriter complaints) = (Console.Out, Console.Error);
        using StringWriter output = new(), errors = new();
        Console.SetOut(output);
        Console.SetError(errors);
        try
        {
            int code = GenerateCommand.Run([.. args, "--device", "cpu"]);
            return (code, output.ToString(), errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }
        finally
        {
            Console.SetOut(console);
            Console.SetError(complaints);
        }
    }

    private static void Works(params string[] args)
    {
        (int code, _, string[] errors) = Run(args);
        Assert.Empty(errors);
        Assert.Equal(0, code);
    }

    private Picture Draw(string path, string flags = "")
    {
        Works([path, .. flags.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--out", _folder["picture.png"]]);
        return PngReader.Read(File.ReadAllBytes(_folder["picture.png"]));
    }

    /// <summary>One line, the code for a mistake, and no file that was not there before.</summary>
    private void Refused(string[] args, params string[] mentions)
    {
        string[] before = Directory.GetFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories);
        (int code, _, string[] errors) = Run(args);
        Assert.Equal(Executable.Failed, code);
        string line = Assert.Single(errors);
        Assert.StartsWith("error: ", line, StringComparison.Ordinal);
        Assert.All(mentions, mention => Assert.Contains(mention, line, StringComparison.Ordinal));
        Assert.Equal(before, Directory.GetFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories));
    }

    // Images first .. first + count of seed 1, as bytes.
    private static byte[] Expected(string path, int count, ulong first = 0, Func<int, byte>? label = null, Action<float[], int>? change = null)
    {
        using Device device = Device.Cpu(1);
        using Generator generator = Generator.Load(device, path, 7);
        float[] codes = new float[count * generator.Latent], images = new float[count * generator.ImageLength];
        generator.DrawCodes(1, first, codes);
        change?.Invoke(codes, generator.Latent);
        generator.Generate(codes, images, label is null ? [] : [.. Enumerable.Range(0, count).Select(label)]);
        return ImageGrid.ToBytes(images);
    }

    private static void Same(Picture expected, Picture found)
    {
        Assert.Equal((expected.Width, expected.Height, expected.Channels), (found.Width, found.Height, found.Channels));
        Assert.True(expected.Pixels.AsSpan().SequenceEqual(found.Pixels), "the picture differs");
    }

    [Theory]
    [InlineData("gan", 8, 1)]
    [InlineData("wgan-gp", 16, 3)]
    [InlineData("vae", 8, 1)]
    public void A_grid_has_the_images_of_its_seed(string name, int size, int channels)
    {
        string path = Save(name);
        Same(ImageGrid.Compose(Expected(path, 100), size, size, channels, 10, 10), Draw(path));
        Same(ImageGrid.Compose(Expected(path, 6, first: 5), size, size, channels, 2, 3), Draw(path, "--rows 2 --columns 3 --first 5 --batch 4"));
        Assert.NotEqual(Draw(path).Pixels, Draw(path, "--seed 2").Pixels);
    }

    [Fact]
    public void A_grid_of_classes_has_a_row_for_each()
    {
        string path = Save("cgan");
        byte[] rows = Expected(path, 30, label: i => (byte)(i / 3), change: (codes, latent) =>
        {
            for (int i = 3 * latent; i < codes.Length; i++)
                codes[i] = codes[i % (3 * latent)];
        });
        Same(ImageGrid.Compose(rows, 8, 8, 1, 10, 3), Draw(path, "--columns 3"));
        Same(ImageGrid.Compose(Expected(path, 6, label: _ => 7), 8, 8, 1, 2, 3), Draw(path, "--class 7 --rows 2 --columns 3"));
    }

    [Fact]
    public void Single_images_are_numbered_by_their_samples()
    {
        string path = Save("gan"), folder = _folder["singles"];
        Works(path, "--singles", "5", "--first", "3", "--batch", "2", "--out", folder);
        Assert.Equal(["000003.png", "000004.png", "000005.png", "000006.png", "000007.png"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        byte[] images = Expected(path, 5, first: 3);
        for (int i = 0; i < 5; i++)
            Same(new(8, 8, 1, images[(64 * i)..(64 * (i + 1))]), PngReader.Read(File.ReadAllBytes(Path.Combine(folder, $"{i + 3:D6}.png"))));
    }

    /// <summary>A straight line for uniform codes, the great circle for normal ones; between equal codes there is nothing to see, and no NaN.</summary>
    [Fact]
    public void An_interpolation_ends_at_its_samples()
    {
        foreach (string name in new[] { "gan", "vae" })
        {
            string path = Save(name);
            byte[] images = Expected(path, 3);
            Picture row = Draw(path, "--interpolate 0 2 --steps 5");
            Picture ends = ImageGrid.Compose([.. images[..64], .. new byte[3 * 64], .. images[128..]], 8, 8, 1, 1, 5);
            foreach (int column in new[] { 0, 4 })
                Assert.Equal(Column(ends, column), Column(row, column));
            Assert.NotEqual(Column(row, 0), Column(row, 2));
            Same(ImageGrid.Compose([.. Enumerable.Repeat(images[..64], 4).SelectMany(i => i)], 8, 8, 1, 1, 4), Draw(path, "--interpolate 0 0 --steps 4"));
            Picture straight = Draw(path, "--interpolate 0 2 --steps 5 --linear");
            Assert.Equal(name == "gan", straight.Pixels.AsSpan().SequenceEqual(row.Pixels));
        }

        static byte[] Column(Picture row, int number)
            => [.. Enumerable.Range(0, row.Height).SelectMany(y => row.Pixels.Skip(y * row.Width + 2 + 18 * number).Take(16))];
    }

    /// <summary>Codes that are all the same, and all zero, because the decoder was trained on no others.</summary>
    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public void An_interpolation_between_codes_without_an_angle_is_no_error(float mean)
    {
        string path = Save("vae");
        using (Device device = Device.Cpu(1))
        {
            using Generator generator = Generator.Load(device, path, 1);
            generator.SetCodes([mean, mean, mean], [0, 0, 0]);
            generator.Save(path);
        }
        Same(ImageGrid.Compose(Expected(path, 4), 8, 8, 1, 1, 4), Draw(path, "--interpolate 0 1 --steps 4"));
    }

    [Fact]
    public void A_sweep_changes_one_number_of_the_code()
    {
        string path = Save("gan");
        byte[] images = Expected(path, 5, change: (codes, latent) =>
        {
            for (int i = 0; i < 5; i++)
            {
                codes.AsSpan(0, latent).CopyTo(codes.AsSpan(i * latent));
                codes[i * latent + 1] = -2 + i;
            }
        });
        Same(ImageGrid.Compose(images, 8, 8, 1, 1, 5), Draw(path, "--sweep 1 --from -2 --to 2 --steps 5"));
        string withClasses = Save("cgan");
        Assert.Equal(10 * 18 + 2, Draw(withClasses, "--sweep 0 --steps 2").Height);
        Assert.Equal(18 + 2, Draw(withClasses, "--sweep 0 --steps 2 --class 3").Height);
    }

    [Fact]
    public void Points_are_a_plot()
    {
        Picture plot = Draw(Save("toy2d"), "--rows 3 --columns 4");
        Assert.Equal((800, 800, 3), (plot.Width, plot.Height, plot.Channels));
    }

    [Theory]
    [InlineData("gan", "--class 3", "--class: found 3", "'gan', which knows no classes")]
    [InlineData("cgan", "--class 10", "--class: found 10, expected 0 to 9")]
    [InlineData("cgan", "--class -1", "--class: found '-1', expected a whole number from 0 to 255")]
    [InlineData("cgan", "--class seven", "--class: found 'seven', expected a whole number from 0 to 255")]
    [InlineData("cgan", "--rows 3", "--rows: found with", "one row for each of its 10 classes", "expected --class")]
    [InlineData("gan", "--sweep 3", "--sweep: found 3, expected 0 to 2", "3 numbers")]
    [InlineData("gan", "--sweep -1", "--sweep: found '-1', expected a whole number from 0")]
    [InlineData("gan", "--sweep 0 --steps 1", "--steps: found '1', expected a whole number from 2 to 10000")]
    [InlineData("gan", "--sweep 0 --from NaN", "--from: found 'NaN', expected a number from -1000 to 1000")]
    [InlineData("gan", "--sweep 0 --to 1e30", "--to: found '1e30', expected a number from -1000 to 1000")]
    [InlineData("gan", "--sweep 0 --to 0,5", "--to: found '0,5', expected")]
    [InlineData("gan", "--interpolate -1 2", "--interpolate: found '-1', expected 2 whole numbers from 0 to 1000000000000")]
    [InlineData("gan", "--interpolate 1", "--interpolate: found '1', expected 2 whole numbers from 0 to 1000000000000")]
    [InlineData("gan", "--interpolate 1 2 3", "'3': expected a flag; --help lists them")]
    [InlineData("gan", "--interpolate 1 2 --sweep 0", "--sweep: found with --interpolate, expected one of --singles, --interpolate and --sweep")]
    [InlineData("gan", "--singles 3 --sweep 0", "--sweep: found with --singles")]
    [InlineData("gan", "--singles 3 --rows 2", "--rows: found with --singles, which has no use for it; expected a grid")]
    [InlineData("gan", "--linear", "--linear: found with a grid, which has no use for it; expected --interpolate")]
    [InlineData("gan", "--steps 3", "--steps: found with a grid, which has no use for it; expected --interpolate or --sweep")]
    [InlineData("gan", "--interpolate 0 1 --first 3", "--first: found with --interpolate")]
    [InlineData("gan", "--singles 0", "--singles: found '0', expected a whole number from 1 to 10000")]
    [InlineData("gan", "--singles 10001", "--singles: found '10001', expected")]
    [InlineData("gan", "--rows 0", "--rows: found '0', expected a whole number from 1 to 100")]
    [InlineData("gan", "--columns 2000000000", "--columns: found '2000000000', expected a whole number from 1 to 100")]
    [InlineData("gan", "--batch 0", "--batch: found '0', expected")]
    [InlineData("gan", "--first 18446744073709551615", "--first: found '18446744073709551615', expected a whole number from 0 to 1000000000000")]
    [InlineData("gan", "--seed -1", "--seed: found '-1', expected a whole number from 0 to 18446744073709551615")]
    [InlineData("gan", "--rows", "--rows: found no value, expected a whole number from 1 to 100")]
    [InlineData("gan", "--rows 2 --rows 3", "--rows: given 2 times, expected once")]
    [InlineData("gan", "--interpolate 0 1 --interpolate 2 3", "--interpolate: given 2 times, expected once")]
    [InlineData("gan", "--sweep 0 --from", "--from: found no value, expected a number from -1000 to 1000")]
    [InlineData("gan", "--interpolate 0 1 --linear=yes", "'yes': expected a flag; --help lists them")]
    [InlineData("gan", "other.safetensors", "'other.safetensors': expected a flag; --help lists them")]
    [InlineData("gan", "--row 3", "--row: there is no such flag; did you mean --rows?")]
    [InlineData("gan", "--impl 3", "--impl: found '3', expected auto, kernel, library, cpu or reference")]
    [InlineData("gan", "--precision half", "--precision: found 'half', expected fp32, tf32 or bf16")]
    [InlineData("gan", "--precision tf32", "the CPU has no precision 'tf32'; it computes in fp32")]
    [InlineData("gan", "--threads 2000", "--threads: found '2000', expected a whole number from 0 to 1024")]
    [InlineData("gan", "--counts 3", "--counts: there is no such flag; --help lists the flags")]
    [InlineData("toy2d", "--sweep 0", "--sweep:", "makes points, expected a generator of images")]
    [InlineData("toy2d", "--interpolate 0 1", "--interpolate:", "makes points")]
    [InlineData("toy2d", "--singles 4", "--singles:", "makes points")]
    [InlineData("toy2d", "--class 0", "--class: found 0", "knows no classes")]
    [InlineData("toy of 3", "", "makes points of 3 coordinates, expected 2")]
    [InlineData("cifar of 2", "", "makes images of 2 channels, expected 1 or 3")]
    [InlineData("wgan-gp", "--rows 100 --columns 100 --sweep 0", "--rows: found with --sweep")]
    public void A_wrong_flag_is_one_line(string name, string flags, params string[] mentions)
        => Refused([Save(name), .. flags.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--out", _folder["picture.png"]], mentions);

    [Fact]
    public void A_picture_that_nobody_could_look_at_takes_no_memory()
    {
        string path = _folder["large.safetensors"];
        using (Device device = Device.Cpu(1))
        {
            using Model model = Gan.Canonical(new(200, 3, 10, 6, 5, 7, 6), new());
            model.Plan(device, 2, 1);
            using Generator generator = Generator.Of(model, 1);
            generator.Update(model);
            generator.Save(path);
        }
        long before = GC.GetTotalAllocatedBytes();
        Refused([path, "--sweep", "0", "--steps", "10000", "--out", _folder["picture.png"]], "10 x 10000 images of 200x200x1", "expected at most 536870912");
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 100_000_000);
    }

    [Fact]
    public void A_place_that_cannot_be_written_is_one_line()
    {
        string path = Save("gan");
        Directory.CreateDirectory(_folder["there"]);
        File.WriteAllText(_folder["file"], "");
        Refused([path, "--out", _folder["none/picture.png"]], "picture.png: the folder", "does not exist");
        Refused([path, "--out", _folder["there"]], "there: this is a folder, expected a file");
        Refused([path, "--singles", "2", "--out", _folder["file"]], "file", "expected a folder");
        Refused([path, "--out", ""], "--out: found no value, expected a file, or a folder with --singles");
    }

    /// <summary>Nothing, another file, half of one, a checkpoint, numbers that are none.</summary>
    [Fact]
    public void A_file_that_is_no_generator_is_one_line()
    {
        string path = Save("gan"), bad = _folder["bad.safetensors"];
        byte[] good = File.ReadAllBytes(path);
        Refused([], "generator: found nothing, expected a generator.safetensors that a training program wrote");
        Refused([""], "generator: found nothing");
        Refused([_folder["none.safetensors"]], "none.safetensors", "no such file");
        Refused([_folder.Path], _folder.Path, "this is a folder, expected a file");
        foreach ((byte[] bytes, string mention) in new (byte[], string)[]
        {
            ([], "found 0 bytes, expected a safetensors file"), ([.. "P5 not a generator"u8], "expected a safetensors file"),
            (good[..4], "found 4 bytes"), (good[..100], "found a header of"), (good[..^1], "cut short"), ([.. good, 0], "bad.safetensors"),
            ([.. good[..8], .. new byte[good.Length - 8]], "damaged safetensors header"),
        })
        {
            File.WriteAllBytes(bad, bytes);
            Refused([bad], "bad.safetensors", mention);
        }
        using (Device device = Device.Cpu(1))
        {
            using Model model = Create("gan");
            model.Plan(device, 2, 1);
            Checkpoint.Save(model, bad);
        }
        Refused([bad], "found 'cudagen-checkpoint-2', expected 'cudagen-generator-2'");
        SafeTensors file = SafeTensors.Read(path);
        foreach ((string size, string value, string mention) in new[]
        {
            ("image", "65536", "elements"), ("latent", "4294967296", "'size.latent': found '4294967296'"), ("hidden1", "0", "'hidden1': found 0"), ("image", "9", "tensor 'img.weight'"),
        })
        {
            string before = file.Metadata[$"size.{size}"];
            file.Metadata[$"size.{size}"] = value;
            file.Write(bad);
            file.Metadata[$"size.{size}"] = before;
            Refused([bad], "bad.safetensors", mention);
        }
        // Finite weights whose products are not.
        SafeTensors large = new();
        foreach ((string key, string text) in file.Metadata)
            large.Metadata[key] = text;
        foreach ((string key, StoredTensor tensor) in file.Tensors)
            large.Add(key, tensor.Extents, [.. tensor.Floats.ToArray().Select(v => key.EndsWith(".weight", StringComparison.Ordinal) ? v * 1e38f : v)]);
        large.Write(bad);
        Refused([bad, "--out", _folder["picture.png"]], "bad.safetensors", "not finite");
        Refused([bad, "--singles", "2", "--out", _folder["singles"]], "bad.safetensors", "not finite");
    }

    [Fact]
    public void Numbers_are_read_the_same_everywhere()
    {
        string path = Save("gan");
        Picture expected = Draw(path, "--sweep 0 --from -0.5 --to 0.5 --steps 3");
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            (comma.NumberFormat.NumberDecimalSeparator, comma.NumberFormat.NumberGroupSeparator) = (",", ".");
            CultureInfo.CurrentCulture = comma;
            Same(expected, Draw(path, "--sweep 0 --from -0.5 --to 0.5 --steps 3"));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
