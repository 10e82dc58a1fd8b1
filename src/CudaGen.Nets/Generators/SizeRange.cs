using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>The range of the sizes of networks, of models and of files alike.</summary>
internal static class SizeRange
{
    /// <summary>Beyond this no extent makes sense, and a small multiple of it is far from overflowing.</summary>
    public const int Most = 65536;

    /// <summary>Refuses sizes outside 1 to 65536.</summary>
    /// <param name="of">Whose sizes.</param>
    /// <param name="sizes">By name.</param>
    /// <exception cref="InputException">There is one; the message names it.</exception>
    public static void Require(string of, params ReadOnlySpan<(string Name, int Size)> sizes)
    {
        foreach ((string name, int size) in sizes)
            Require(of, name, size, 1, Most);
    }

    /// <summary>Refuses a size outside <paramref name="low"/> to <paramref name="high"/>.</summary>
    /// <exception cref="InputException">It is.</exception>
    public static void Require(string of, string name, int size, int low, int high)
    {
        if (size < low || size > high)
            throw new InputException($"{of}: size '{name}': found {size}, expected {(low == high ? $"{low}" : $"{low} to {high}")}");
    }

    /// <summary>Refuses a list of widths of another length, or one with a width outside 1 to 65536.</summary>
    /// <exception cref="InputException">It is such a list.</exception>
    public static void RequireWidths(string of, string name, IReadOnlyList<int> widths, int count)
    {
        if (widths.Count != count)
            throw new InputException($"{of}: {name}: found {widths.Count} widths, expected {count}");
        for (int i = 0; i < count; i++)
            Require(of, $"{name}[{i}]", widths[i], 1, Most);
    }
}
