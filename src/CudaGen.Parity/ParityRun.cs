using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>Computes everything that a golden file expects, and compares it.</summary>
public static class ParityRun
{
    private static readonly string[] Architectures =
        ["cae", "vae", "vae_logvar", .. AdversarialRun.Architectures, GoldenFile.Operations];

    /// <summary>Runs a file of any supported model.</summary>
    /// <exception cref="InputException">The model is not supported, or the file contradicts itself.</exception>
    public static ParityReport Run(Device device, GoldenFile golden)
    {
        ArgumentNullException.ThrowIfNull(golden);
        return golden.Architecture switch
        {
            "cae" or "vae" or "vae_logvar" => new CodeModelRun(device, golden).Report(),
            GoldenFile.Operations => OpsRun.Run(device, golden),
            _ when Supports(golden) => new AdversarialRun(device, golden).Report(),
            _ => throw golden.Wrong($"architecture '{golden.Architecture}' is not supported, expected one of {string.Join(", ", Architectures)}"),
        };
    }

    /// <summary>Whether <see cref="Run"/> knows the model.</summary>
    public static bool Supports(GoldenFile golden)
    {
        ArgumentNullException.ThrowIfNull(golden);
        return Architectures.Contains(golden.Architecture);
    }
}
