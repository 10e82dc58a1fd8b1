using System.Runtime.CompilerServices;

namespace CudaGen.Runtime;

/// <summary>
/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a function from a 128-bit
/// counter and a 64-bit key to 128 random bits. There is no state to save or to share: the number for (seed, stream,
/// step, element) is always the same, on any thread and any device.
/// </summary>
public static class Philox
{
    private const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57;
    private const uint W0 = 0x9E3779B9, W1 = 0xBB67AE85;

    /// <summary>Ten rounds over the counter (c0, c1, c2, c3) with the key (k0, k1), in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Block(ref uint c0, ref uint c1, ref uint c2, ref uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)M0 * c0, p1 = (ulong)M1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += W0;
            k1 += W1;
        }
    }

    /// <summary>
    /// The four words for elements 4*block .. 4*block+3 of a random tensor: counter (block, stream, step low, step
    /// high), key (seed low, seed high).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (uint X, uint Y, uint Z, uint W) Words(ulong seed, uint stream, ulong step, uint block)
    {
        uint c0 = block, c1 = stream, c2 = (uint)step, c3 = (uint)(step >> 32);
        Block(ref c0, ref c1, ref c2, ref c3, (uint)seed, (uint)(seed >> 32));
        return (c0, c1, c2, c3);
    }

    /// <summary>Maps a word to [0, 1): its upper 24 bits times 2^-24, exact in float32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Unit(uint word) => (word >> 8) * (1.0f / 16777216);

    /// <summary>Two numbers from N(0, 1): r cos, r sin with r = sqrt(-2 ln u), u in (0, 1] (Box and Muller 1958).</summary>
    public static (float, float) NormalPair(uint first, uint second)
    {
        float r = MathF.Sqrt(-2 * MathF.Log(1 - Unit(first)));
        (float sin, float cos) = float.SinCosPi(2 * Unit(second));
        return (r * cos, r * sin);
    }
}
