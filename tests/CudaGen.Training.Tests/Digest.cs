using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace CudaGen.Training.Tests;

/// <summary>The beginning of the SHA-256 of what a seed draws, for bytes that must be the same on every system.</summary>
internal static class Digest
{
    public static string Of(ReadOnlySpan<byte> bytes) => Convert.ToHexString(SHA256.HashData(bytes)[..8]);

    public static string Of(float[] values) => Of(MemoryMarshal.AsBytes<float>(values));
}
