using System.Globalization;
using CudaGen.Nets;

namespace CudaGen.Training.Tests;

public class ModelFlagsTests
{
    private static readonly string[] All = [ModelFlags.Size, ModelFlags.Downsample, ModelFlags.Points, ModelFlags.Unroll, .. ModelFlags.OfClassifiers];

    private static ModelFlags Parse(params string[] args) => CommandLine.Parse("gan", "trains", args, modelFlags: All)!.Flags;

    [Fact]
    public void Without_flags_there_are_no_tricks()
    {
        ModelFlags none = Parse();
        Assert.Equal(new Tricks(), none.Tricks);
        Assert.Empty(none.Given);
        Assert.Equal(64, none.FaceSize);
        Assert.Equal(Downsampling.MaxPool, none.Downsampling);
    }

    [Fact]
    public void All_flags_are_read()
    {
        ModelFlags flags = Parse("--ema", "0.999", "--generator-steps", "3", "--instance-noise=0.25", "--label-flip", "0.05", "--real-target", "0.9",
            "--anneal", "10000000000", "--generator-dropout", "0.5", "--minibatch-discrimination", "--size", "128", "--downsample", "strided");
        Assert.Equal(new Tricks
        {
            Average = 0.999f,
            GeneratorSteps = 3,
            InstanceNoise = 0.25f,
            LabelFlip = 0.05f,
            RealTarget = 0.9f,
            AnnealSteps = 10_000_000_000,
            GeneratorDropout = 0.5f,
            MinibatchDiscrimination = true,
        }, flags.Tricks);
        Assert.Equal(128, flags.FaceSize);
        Assert.Equal(Downsampling.Strided, flags.Downsampling);
        Assert.Equal(Downsampling.AveragePool, Parse("--downsample", "average").Downsampling);
    }

    /// <summary>Every flag changes one trick, and no other.</summary>
    [Theory]
    [InlineData(nameof(Tricks.Average), "--ema", "0.5")]
    [InlineData(nameof(Tricks.GeneratorSteps), "--generator-steps", "2")]
    [InlineData(nameof(Tricks.InstanceNoise), "--instance-noise", "0.5")]
    [InlineData(nameof(Tricks.LabelFlip), "--label-flip", "0.5")]
    [InlineData(nameof(Tricks.RealTarget), "--real-target", "0.5")]
    [InlineData(nameof(Tricks.AnnealSteps), "--anneal", "5")]
    [InlineData(nameof(Tricks.GeneratorDropout), "--generator-dropout", "0.5")]
    [InlineData(nameof(Tricks.MinibatchDiscrimination), "--minibatch-discrimination")]
    [InlineData(nameof(Tricks.Unroll), "--unroll", "5")]
    public void A_flag_changes_one_trick(string trick, params string[] args)
    {
        Tricks none = new(), found = Parse(args).Tricks;
        Assert.Equal([trick], typeof(Tricks).GetProperties().Where(p => !Equals(p.GetValue(none), p.GetValue(found))).Select(p => p.Name));
    }

    [Fact]
    public void Numbers_are_read_the_same_everywhere()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            (comma.NumberFormat.NumberDecimalSeparator, comma.NumberFormat.NumberGroupSeparator) = (",", ".");
            CultureInfo.CurrentCulture = comma;
            Assert.Equal(0.25f, Parse("--ema", "0.25").Tricks.Average);
            Assert.Equal("--ema: found '0,25', expected a number from 0 to 0.999999", Files.Complaint(() => Parse("--ema", "0,25")));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Flags_are_equal_when_the_same_was_given()
    {
        ModelFlags a = Parse("--ema", "0.5", "--minibatch-discrimination"), b = Parse("--minibatch-discrimination", "--ema", "0.5");
        Assert.Equal(a, b);
        Assert.Equal(a.GetHashCode(), b.GetHashCode());
        Assert.Equal("--ema 0.5 --minibatch-discrimination", b.ToString());
        Assert.NotEqual(a, Parse("--ema", "0.5"));
        Assert.NotEqual(a, Parse("--ema", "0.50", "--minibatch-discrimination"));
        Assert.False(a.Equals(null));
    }

    [Fact]
    public void Help_shows_the_flags_of_the_program_alone()
    {
        TextWriter console = Console.Out;
        var output = new StringWriter();
        Console.SetOut(output);
        try
        {
            Assert.Null(CommandLine.Parse("wgan", "trains", ["--help"], modelFlags: [ModelFlags.Downsample, .. ModelFlags.OfCritics]));
        }
        finally
        {
            Console.SetOut(console);
        }
        string help = output.ToString();
        foreach (string flag in "downsample ema generator-steps instance-noise anneal generator-dropout minibatch-discrimination".Split(' '))
            Assert.Contains($"\n  --{flag} ", help, StringComparison.Ordinal);
        foreach (string flag in "size label-flip real-target".Split(' '))
            Assert.DoesNotContain($"--{flag}", help, StringComparison.Ordinal);
        Assert.All(help.Split('\n'), line => Assert.InRange(line.Length, 0, 115));
    }
}
