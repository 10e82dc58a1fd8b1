using CudaGen.Runtime;

namespace CudaGen.GpuCheck.Tests;

public sealed class OptionsTests
{
    [Fact]
    public void Flags_are_read()
    {
        GpuCheckOptions options = GpuCheckOptions.Parse(["--quick", "--budget", "600", "--only", "parity,train vae", "--replays", "7", "--golden", "/tmp", "--jobs", "3"]);
        Assert.Equal((true, TimeSpan.FromMinutes(10), 7, "/tmp", 3), (options.Quick, options.Budget, options.Replays, options.Golden, options.Jobs));
        Assert.Equal(["parity", "train vae"], options.Only);
        Assert.False(GpuCheckOptions.Parse([]).Libraries);
    }

    [Theory]
    [InlineData("--budget", "--budget: found no value, expected a whole number of at least 1")]
    [InlineData("--json --quick", "--json: found no value, expected a file")]
    [InlineData("--work ", "--work: found no value, expected a folder")]
    [InlineData("--only ", "--only: found no value, expected names of checks")]
    [InlineData("--budget 0", "--budget: found '0', expected a whole number of at least 1")]
    [InlineData("--replays 1.5", "--replays: found '1.5', expected a whole number of at least 1")]
    [InlineData("--golden /nowhere", "--golden: found '/nowhere', expected a folder")]
    [InlineData("--fast", "found '--fast', expected a flag; --help lists them")]
    public void What_is_wrong_is_said_in_one_line(string line, string expected)
        => Assert.Equal(expected, Assert.Throws<InputException>(() => GpuCheckOptions.Parse(line.Split(' '))).Message);
}
