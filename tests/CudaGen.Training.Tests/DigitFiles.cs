using System.Buffers.Binary;

namespace CudaGen.Training.Tests;

/// <summary>A data set in the format of MNIST, of a few images of any size.</summary>
internal static class DigitFiles
{
    /// <summary>Writes 100 training and 12 test images into a folder, which is made.</summary>
    public static void Write(string folder, int height, int width)
    {
        Directory.CreateDirectory(folder);
        foreach ((string name, int count) in new[] { ("train", 100), ("t10k", 12) })
        {
            int image = height * width;
            byte[] pixels = [.. Enumerable.Range(0, count * image).Select(i => (byte)(i % (5 + i / image) * 40))];
            File.WriteAllBytes(Path.Combine(folder, $"{name}-images-idx3-ubyte"), [.. Header(0x803, count, height, width), .. pixels]);
            File.WriteAllBytes(Path.Combine(folder, $"{name}-labels-idx1-ubyte"),
                [.. Header(0x801, count), .. Enumerable.Range(0, count).Select(i => (byte)(i % 10))]);
        }
    }

    private static byte[] Header(params int[] words)
    {
        byte[] bytes = new byte[4 * words.Length];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 * i), words[i]);
        return bytes;
    }
}
