namespace CudaGen.Kernels.Tests;

/// <summary>
/// Where the CUDA path is tested: on a GPU when the driver has one, otherwise on the CPU stand-ins, which are built when
/// the machine has a C++ compiler.
/// </summary>
internal static class TestCuda
{
    /// <summary>What it is, for messages; or why there is nothing.</summary>
    public static string Where { get; } = Find();

    public static bool IsHere { get; private set; }

    private static string Find()
    {
        // The search for stand-ins joins here.
        IsHere = Environment.GetEnvironmentVariable("CUDAGEN_LIB_DIR") is { Length: > 0 };
        return IsHere ? "the stand-in" : "nothing";
    }
}
