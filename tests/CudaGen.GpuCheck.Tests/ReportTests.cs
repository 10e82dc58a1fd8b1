using System.Text.Json;
using CudaGen.Runtime;

namespace CudaGen.GpuCheck.Tests;

public sealed class ReportTests
{
    private static readonly Check Any = new("parity kernel", 1, false, _ => Task.FromResult(Outcome.Passed("")));

    [Fact]
    public void The_file_is_whole_after_each_check()
    {
        using TemporaryFolder folder = new();
        CheckReport report = new(folder["result.json"], "abc", "cuda (NVIDIA H200, sm_90, driver 13.0)", false, [new("cuda", "/lib/libcuda.so.580", "13.0", "")]);
        Assert.Equal(0, Root().GetProperty("checks").GetArrayLength());
        report.Add(Any, Outcome.Passed("12 files agree"), TimeSpan.FromSeconds(1.25));
        report.Add(Any, Outcome.Failed("1 does not", ["line 1", "line 2"]), TimeSpan.FromSeconds(2));
        report.Add(Any, Outcome.Skipped("no time"), TimeSpan.Zero);
        JsonElement root = Root();
        Assert.Equal(("abc", "cuda (NVIDIA H200, sm_90, driver 13.0)", false, "13.0"), (root.GetProperty("commit").GetString(),
            root.GetProperty("device").GetString(), root.GetProperty("stand_in").GetBoolean(), root.GetProperty("libraries")[0].GetProperty("version").GetString()));
        Assert.Equal([1, 1, 1], ((string[])["passed", "failed", "skipped"]).Select(c => root.GetProperty(c).GetInt32()));
        Assert.Equal(["passed", "failed", "skipped"], root.GetProperty("checks").EnumerateArray().Select(c => c.GetProperty("result").GetString()));
        Assert.Equal("line 2", root.GetProperty("checks")[1].GetProperty("output")[1].GetString());
        Assert.Equal((1, $"1 passed, 1 failed, 1 skipped; {folder["result.json"]}"), (report.Failed, report.Summary));

        JsonElement Root() => JsonDocument.Parse(File.ReadAllText(folder["result.json"])).RootElement;
    }

    [Theory]
    [InlineData("cuda (NVIDIA H100 80GB HBM3, sm_90, driver 13.0)", false, "check-nvidia-h100-80gb-hbm3.json")]
    [InlineData("cuda (CPU stand-in, fast, no GPU, sm_90)", true, "check-stand-in.json")]
    public void The_name_of_the_file_has_the_device(string device, bool standIn, string expected)
    {
        using TemporaryFolder folder = new();
        string here = Directory.GetCurrentDirectory();
        Directory.SetCurrentDirectory(folder.Path);
        try
        {
            _ = new CheckReport(null, "abc", device, standIn, []);
            Assert.EndsWith(expected, Assert.Single(Directory.GetFiles(folder.Path)), StringComparison.Ordinal);
        }
        finally
        {
            Directory.SetCurrentDirectory(here);
        }
    }

    [Fact]
    public void A_file_that_cannot_be_written_is_an_error_before_the_first_check()
        => Assert.Contains("/nowhere/result.json", Assert.Throws<InputException>(() => new CheckReport("/nowhere/result.json", "", "", true, [])).Message,
            StringComparison.Ordinal);
}
