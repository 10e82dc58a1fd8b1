namespace CudaGen.Training.Tests;

public class CommandLineTests
{
    private static TrainOptions Parse(params string[] args) => CommandLine.Parse("vae", "trains", args)!;

    [Fact]
    public void Without_flags_the_recipe_decides() => Assert.Equal(new TrainOptions { Device = "auto", Out = "runs" }, Parse());

    [Fact]
    public void All_flags_are_read()
    {
        string[] args =
        [
            "--data", "d", "--device=cpu", "--threads", "2", "--recipe", "seed", "--epochs", "3", "--steps", "10000000000",
            "--batch", "65536", "--seed", "18446744073709551615", "--out", "o", "--dry-run", "--plain",
            "--latent", "2",
        ];
        var expected = new TrainOptions
        {
            Data = "d",
            Device = "cpu",
            Threads = 2,
            Recipe = Recipe.Seed,
            Epochs = 3,
            Steps = 10_000_000_000,
            Batch = 65536,
            Seed = ulong.MaxValue,
            Out = "o",
            DryRun = true,
            Plain = true,
            Latent = 2,
        };
        Assert.Equal(expected, Parse(args));
        Assert.Equal(new TrainOptions { Resume = "r" }, Parse("--resume", "r"));
    }

    [Theory]
    [InlineData("--batch: found '0', expected a whole number from 1 to 65536", "--batch", "0")]
    [InlineData("--batch: found '65537', expected a whole number from 1 to 65536", "--batch=65537")]
    [InlineData("--batch: found 'many', expected a whole number from 1 to 65536", "--batch", "many")]
    [InlineData("--batch: found '1.5', expected a whole number from 1 to 65536", "--batch", "1.5")]
    [InlineData("--batch: found no value, expected a whole number from 1 to 65536", "--batch")]
    [InlineData("--batch: found no value, expected a whole number from 1 to 65536", "--batch", "--plain")]
    [InlineData("--batch: found no value, expected a whole number from 1 to 65536", "--batch", "")]
    [InlineData("--batch: given 2 times, expected once", "--batch", "1", "--batch", "2")]
    [InlineData("--plain: given 2 times, expected once", "--plain", "--plain")]
    [InlineData("--epochs: found '-1', expected a whole number from 1 to 1000000", "--epochs", "-1")]
    [InlineData("--epochs: found '99999999999999999999', expected a whole number from 1 to 1000000", "--epochs", "99999999999999999999")]
    [InlineData("--steps: found '0', expected a whole number from 1 to 1000000000000", "--steps", "0")]
    [InlineData("--threads: found '0', expected a whole number from 1 to 1024", "--threads", "0")]
    [InlineData("--latent: found '0', expected a whole number from 1 to 4096", "--latent", "0")]
    [InlineData("--seed: found '-1', expected a whole number from 0 to 18446744073709551615", "--seed", "-1")]
    [InlineData("--device: found 'gpu', expected auto, cpu, cuda or cuda:N", "--device", "gpu")]
    [InlineData("--recipe: found 'paper', expected canonical or seed", "--recipe", "paper")]
    [InlineData("--data: found no value, expected a folder or file", "--data")]
    [InlineData("--out: found '--nope', expected a folder", "--out", "--nope")]
    [InlineData("--resume: found no value, expected the folder of a run", "--resume", "--plain")]
    [InlineData("--out: found with --resume, expected without: a run goes on in its own folder", "--resume", "r", "--out", "runs")]
    [InlineData("--epoch: there is no such flag; did you mean --epochs?", "--epoch", "3")]
    [InlineData("--learning-rate: there is no such flag; --help lists the flags", "--learning-rate=3")]
    [InlineData("-x: there is no such flag; --help lists the flags", "-x")]
    [InlineData("'mnist': expected a flag; --help lists them", "mnist")]
    [InlineData("'true': expected a flag; --help lists them", "--plain", "true")]
    [InlineData("'@file': expected a flag; --help lists them", "@file")]
    [InlineData("'[suggest]': expected a flag; --help lists them", "[suggest]", "--plain")]
    public void A_wrong_flag_gets_one_line(string expected, params string[] args) =>
        Assert.Equal(expected, Files.Complaint(() => Parse(args)));

    [Fact]
    public void A_program_without_a_latent_vector_has_no_flag_for_it() =>
        Files.Complaint(() => CommandLine.Parse("dcgan", "trains", ["--latent", "3"], latent: false), "--latent: there is no such flag");

    [Fact]
    public void Help_is_wrapped_between_words()
    {
        Assert.Equal(["keep a moving average", "of the generator"], CommandLine.Wrap("keep a moving average of the generator", 22));
        Assert.Equal(["keep a moving", "average of the", "generator"], CommandLine.Wrap("keep a moving average of the generator", 21));
        Assert.Equal(["keep", "a", "moving"], CommandLine.Wrap("keep a moving", -5));
        Assert.Equal(["keep a moving average"], CommandLine.Wrap("keep a moving average", int.MaxValue));
    }

    [Fact]
    public void Help_goes_to_standard_output_and_wins_over_errors()
    {
        TextWriter console = Console.Out;
        var output = new StringWriter();
        Console.SetOut(output);
        try
        {
            Assert.Null(CommandLine.Parse("vae", "Trains a thing.", ["--batch", "0", "--help"]));
            Assert.Null(CommandLine.Parse("vae", "Trains a thing.", ["-h"]));
        }
        finally
        {
            Console.SetOut(console);
        }
        string help = output.ToString();
        Assert.StartsWith("vae: Trains a thing.\n\nusage: dotnet run -c Release tools/train/vae.cs -- [flags]\n", help, StringComparison.Ordinal);
        foreach (string flag in "data device precision threads recipe epochs steps batch latent seed out resume dry-run plain help".Split(' '))
            Assert.Contains($"\n  --{flag} ", help, StringComparison.Ordinal);
        Assert.All(help.Split('\n'), line => Assert.InRange(line.Length, 0, 115));
    }
}
