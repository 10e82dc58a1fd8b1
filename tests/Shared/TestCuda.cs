using CudaGen.KernelCheck;
using CudaGen.Runtime;

namespace CudaGen.Tests;

/// <summary>
/// Where the CUDA path is tested: the libraries of CUDAGEN_LIB_DIR when that is set, a GPU when the machine has one,
/// otherwise the CPU stand-ins in their checked mode, which are built when there is a C++ compiler.
/// CUDAGEN_TEST_CUDA=1 turns tests without any of them from skipped to failed, CUDAGEN_TEST_CUDA=0 skips them anyhow.
/// </summary>
internal static class TestCuda
{
    private const string Switch = "CUDAGEN_TEST_CUDA";

    /// <summary>What it is: "the GPU", "the stand-in"; or why there is nothing.</summary>
    public static string Where { get; private set; } = "";

    // After what it sets: static fields start in the order of the text.
    private static readonly string? Missing = Prepare();

    /// <summary>Whether there is one.</summary>
    public static bool IsHere => Missing is null;

    /// <summary>Drives the stand-ins; null on a GPU.</summary>
    public static StandInControl? StandIn { get; private set; }

    /// <summary>A CUDA device; skips the test where there is none.</summary>
    public static Device Open(Implementation implementation = Implementation.Auto, Precision precision = Precision.Fp32)
    {
        Require();
        return Device.Open("cuda", 0, implementation, precision);
    }

    /// <summary>Skips the test where there is no CUDA device.</summary>
    public static void Require()
    {
        if (Missing is null)
            return;
        if (Environment.GetEnvironmentVariable(Switch) == "1")
            Assert.Fail($"no CUDA device and no stand-ins: {Missing}");
        Assert.Skip($"no CUDA device and no stand-ins: {Missing}");
    }

    /// <summary>The stand-ins; skips the test on a GPU and where there is nothing.</summary>
    public static StandInControl RequireStandIn()
    {
        Require();
        if (StandIn is null)
            Assert.Skip("needs the stand-ins; this is a GPU");
        return StandIn;
    }

    /// <summary>
    /// Until it is disposed of, kernels that are compiled on the stand-ins run without checks and five to ten times as fast. For large
    /// models, whose kernels others check in small.
    /// </summary>
    public static IDisposable Unchecked()
    {
        StandIn?.Checked = false;
        return new CheckedAgain();
    }

    private sealed class CheckedAgain : IDisposable
    {
        public void Dispose() => StandIn?.Checked = true;
    }

    private static string? Prepare()
    {
        const string Folders = "CUDAGEN_LIB_DIR";
        if (Environment.GetEnvironmentVariable(Switch) == "0")
            return Where = $"nothing: {Switch} is 0";
        string? folder = Environment.GetEnvironmentVariable(Folders);
        if (string.IsNullOrEmpty(folder) && !HasGpu())
        {
            try
            {
                folder = StandIns.Build(check: true);
            }
            catch (CudaGenException e)
            {
                return Where = $"nothing: {e.Message}";
            }
            // Seen by the search for libraries, which has not begun.
            Environment.SetEnvironmentVariable(Folders, folder);
        }
        if (!string.IsNullOrEmpty(folder) && File.Exists(Path.Combine(folder, StandIns.Emulator)))
            (StandIn, Where) = (new StandInControl(folder), "the stand-in");
        else
        {
            Where = "the GPU";
            KeepContext();
        }
        return null;
    }

    // To make a context takes longer than most tests do. A device that stays keeps it for all the others; it is no leak.
    private static void KeepContext()
    {
        try
        {
            _ = Device.Open("cuda", 0, Implementation.Kernel);
            LiveObjects.Remove(LiveObject.Device);
        }
        catch (CudaGenException)
        {
            // Each test says so itself.
        }
    }

    private static bool HasGpu() => File.Exists("/dev/nvidiactl") || File.Exists("/dev/dxg");
}
