namespace CudaGen.KernelCheck.Tests.Libraries;

/// <summary>Numbers of bfloat16, the upper half of a float32, for the stand-ins of cuBLAS and cuDNN.</summary>
internal static class Bfloat16
{
    /// <summary>To the nearest bfloat16.</summary>
    public static float Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
    }

    /// <summary>Two numbers of bfloat16 in the place of one float32; an even number of them.</summary>
    public static float[] Pack(float[] values) =>
        [.. values.Chunk(2).Select(pair => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(pair[0]) >> 16
            | BitConverter.SingleToUInt32Bits(pair[1])))];
}
