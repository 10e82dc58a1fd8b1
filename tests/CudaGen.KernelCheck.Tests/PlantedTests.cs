using CudaGen.KernelCheck.Tests.Driver;
using static System.StringComparison;

namespace CudaGen.KernelCheck.Tests;

/// <summary>The checked emulator finds what was planted for it, at its line, and nothing in the controls.</summary>
[Collection(OneProcess.Name)]
public sealed class PlantedTests
{
    private static readonly string Folder = Path.Combine(Folders.Root, "src", "CudaGen.KernelCheck", "planted");
    private static readonly IReadOnlyList<KernelCase> Cases = CaseFile.Read(Path.Combine(Folder, "planted.json"));

    public static TheoryData<string> Bugs => [.. Cases.Where(c => c.Expect is not null).Select(c => c.Kernel)];

    public static TheoryData<string> Controls => [.. Cases.Where(c => c.Expect is null).Select(c => c.Kernel)];

    public static TheoryData<string> All => [.. Cases.Select(c => c.Kernel)];

    private static List<string> Findings(LaunchMode mode, string kernel)
    {
        KernelCase kernelCase = Cases.Single(c => c.Kernel == kernel);
        List<WorkerMessage> messages = InProcess.Run(new LaunchJob(mode, Session.Folder, kernelCase.SourceFile!, [kernelCase], Orders: 4));
        Assert.Equal("done", messages[^1].Kind);
        WorkerMessage[] runs = [.. messages.Where(m => m.Kind == "ran")];
        Assert.Equal(["", "descending", "random 1", "random 2"], runs.Select(r => r.Order));
        return [.. runs.SelectMany(r => r.Texts!)];
    }

    [Theory, MemberData(nameof(Bugs))]
    public void A_planted_bug_is_found(string kernel) =>
        Assert.Contains(Findings(LaunchMode.Checked, kernel), f => f.Contains(Cases.Single(c => c.Kernel == kernel).Expect!, Ordinal));

    [Theory, MemberData(nameof(Controls))]
    public void A_control_stays_silent(string kernel)
    {
        Assert.Empty(Findings(LaunchMode.Checked, kernel));
        Assert.Empty(Findings(LaunchMode.Fast, kernel));
    }

    [Fact]
    public void Every_file_has_its_case() => Assert.Equal(
        Directory.GetFiles(Folder, "*.cu").Order(StringComparer.Ordinal),
        Cases.Select(c => c.SourceFile).Distinct().Order(StringComparer.Ordinal));

    // Bugs are legal programs: a compiler that refused one would not leave it to the emulator.
    [Theory, MemberData(nameof(All))]
    public void Clang_compiles_it(string kernel)
    {
        using ClangCompiler? clang = ClangCompiler.Find(out string reason);
        Assert.SkipWhen(clang is null, reason);
        Assert.Empty(clang!.Compile(Cases.Single(c => c.Kernel == kernel).SourceFile!, 80).Errors);
    }
}

/// <summary>Launches in the process of the tests, whose stand-ins are then as other tests expect them.</summary>
internal static class InProcess
{
    public static List<WorkerMessage> Run(LaunchJob job)
    {
        List<WorkerMessage> messages = [];
        LaunchWorker.Run(job, messages.Add);
        Session.Control.Configure("preempt", "0");
        Session.Control.Configure("contract", "0");
        return messages;
    }
}
