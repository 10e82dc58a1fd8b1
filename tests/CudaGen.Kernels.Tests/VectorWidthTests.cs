using System.Diagnostics;
using CudaGen.Kernels.Cpu;

namespace CudaGen.Kernels.Tests;

/// <summary>
/// The kernels are compiled for 512, 256 and 128 bits, and a processor takes the widest: the tables are run again in
/// a process that is denied the wider ones.
/// </summary>
public sealed class VectorWidthTests
{
    private const string Expected = "CUDAGEN_TEST_VECTOR_BITS";

    private static readonly Type[] Vectorised =
    [
        typeof(OpTests), typeof(GoldenTests), typeof(ConvolutionTests), typeof(HandWorkedTests), typeof(OptimiserTests), typeof(VectorMathTests),
        typeof(VectorWidthTests),
    ];

    private static bool IsChild => Environment.GetEnvironmentVariable(Expected) is not null;

    [Fact]
    public void This_process_has_the_vectors_that_its_parent_asked_for()
    {
        int bits = 32 * Dispatch.Width;
        TestContext.Current.TestOutputHelper?.WriteLine($"{bits}-bit vectors");
        Assert.Equal(Environment.GetEnvironmentVariable(Expected) ?? $"{bits}", $"{bits}");
    }

    [Theory]
    [InlineData(256, "DOTNET_EnableAVX512")]
    [InlineData(128, "DOTNET_EnableAVX2")]
    public async Task Everything_holds_with_narrower_vectors(int bits, string switchedOff)
    {
        if (IsChild)
            return;
        if (32 * Dispatch.Width <= bits)
            Assert.Skip($"this processor has {32 * Dispatch.Width}-bit vectors at most, so {bits} bits are what the other tests run with");
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardOutput = true };
        foreach (string argument in (string[])["--no-progress", "--filter-class", .. Vectorised.Select(t => t.FullName!)])
            start.ArgumentList.Add(argument);
        start.Environment[switchedOff] = "0";
        start.Environment[Expected] = $"{bits}";
        // Nor do the kernels for a GPU change with it.
        start.Environment["CUDAGEN_TEST_CUDA"] = "0";
        using Process process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, output);
        TestContext.Current.TestOutputHelper?.WriteLine(output);
    }
}
