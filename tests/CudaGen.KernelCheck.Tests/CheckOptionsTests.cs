using CudaGen.Runtime;
using static System.StringComparison;

namespace CudaGen.KernelCheck.Tests;

public sealed class CheckOptionsTests
{
    [Fact]
    public void Flags_are_read()
    {
        CheckOptions options = CheckOptions.Parse(["--kernels", "k", "--case", "a.json", "--case", "b.json",
            "--layers", "fast,clang", "--orders", "6", "--timeout", "5", "--strict", "--junit", "j.xml", "--markdown", "m.md"]);
        Assert.Equal(("k", 6, 5.0, true), (options.Kernels, options.Orders, options.Limit.TotalSeconds, options.Strict));
        Assert.Equal(("j.xml", "m.md"), (options.JUnit, options.Markdown));
        Assert.Equal(["a.json", "b.json"], options.Cases);
        Assert.Equal(["fast", "clang"], options.Layers);
    }

    [Theory]
    [InlineData("found neither --kernels nor --case")]
    [InlineData("found 'k', expected a flag", "k")]
    [InlineData("found '--kernel', expected a flag", "--kernel", "k")]
    [InlineData("--kernels: found no value", "--kernels")]
    [InlineData("--kernels: found no value", "--kernels", "--strict")]
    [InlineData("--kernels: found no value", "--kernels", "")]
    [InlineData("--layers: found 'cuda', expected some of clang, checked, fast, contraction, gpu", "--kernels", "k", "--layers", "clang,cuda")]
    [InlineData("--orders: found '0', expected a whole number from 1 to 1000", "--kernels", "k", "--orders", "0")]
    public void Wrong_flags_are_told_in_one_line(string complaint, params string[] arguments) =>
        Assert.StartsWith(complaint, Assert.Throws<InputException>(() => CheckOptions.Parse(arguments)).Message, Ordinal);
}
