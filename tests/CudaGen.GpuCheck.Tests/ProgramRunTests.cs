using System.Diagnostics;
using CudaGen.Runtime;

namespace CudaGen.GpuCheck.Tests;

public sealed class ProgramRunTests
{
    private static readonly Dictionary<string, string> Nothing = [];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Both_outputs_and_the_exit_code_are_kept()
    {
        ProgramRun run = await ProgramRun.Run("/bin/sh", ["-c", "echo one; echo $WORD >&2; cat; exit 3"], new Dictionary<string, string> { ["WORD"] = "two" }, Cancelled);
        Assert.Equal(3, run.ExitCode);
        Assert.Equal(["one", "two"], run.Lines.Order(StringComparer.Ordinal));
        Assert.Equal(("two", ""), (run.LineWith("tw"), run.LineWith("three")));
        run = await ProgramRun.Run("/bin/sh", ["-c", "seq 5000"], Nothing, Cancelled);
        Assert.Equal(("5000", 40), (run.Tail[^1], run.Tail.Count));
    }

    [Fact]
    public async Task A_program_that_is_given_up_is_killed_with_its_children()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource soon = new(TimeSpan.FromSeconds(1));
        string script = $"sleep 1000 & echo $! > '{folder["pid"]}'; wait";
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ProgramRun.Run("/bin/sh", ["-c", script], Nothing, soon.Token));
        int child = int.Parse(await File.ReadAllTextAsync(folder["pid"], Cancelled), System.Globalization.CultureInfo.InvariantCulture);
        for (int i = 0; IsAlive(child); i++)
        {
            Assert.True(i < 500, $"process {child} lives on");
            await Task.Delay(20, Cancelled);
        }
    }

    private static bool IsAlive(int id)
    {
        try
        {
            using Process process = Process.GetProcessById(id);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    [Fact]
    public async Task What_is_no_program_is_named()
    {
        InputException e = await Assert.ThrowsAsync<InputException>(() => ProgramRun.Run("/nowhere/parity", [], Nothing, Cancelled));
        Assert.StartsWith("/nowhere/parity: ", e.Message, StringComparison.Ordinal);
    }
}
