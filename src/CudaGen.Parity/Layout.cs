using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>
/// Where the elements of a PyTorch tensor lie in ours. Theirs are channels first (NCHW, OIHW, IOHW, features flattened
/// as C, H, W), ours channels last; this is the only place where one becomes the other.
/// </summary>
public sealed class Layout
{
    private static readonly int[] ChannelsLast = [0, 2, 3, 1];

    private readonly int[] _seen, _axes;

    /// <summary>The tensor has <paramref name="extents"/>, is seen with those of <paramref name="seen"/>, and ours takes its axes in this order.</summary>
    private Layout(int[] extents, int[] seen, int[] axes) => (Extents, _seen, _axes) = (extents, seen, axes);

    /// <summary>The extents in PyTorch's layout.</summary>
    public IReadOnlyList<int> Extents { get; }

    /// <summary>The same order on both sides.</summary>
    public static Layout Plain(params int[] extents)
    {
        ArgumentNullException.ThrowIfNull(extents);
        return new(extents, extents, [.. Enumerable.Range(0, extents.Length)]);
    }

    /// <summary>Images (N, C, H, W), or weights of a convolution (out, in, H, W) or of a transposed one (in, out, H, W).</summary>
    public static Layout Images(int n, int c, int h, int w) => new([n, c, h, w], [n, c, h, w], ChannelsLast);

    /// <summary>Whatever has four extents is <see cref="Images"/>, everything else is plain.</summary>
    public static Layout OfRank(params int[] extents)
    {
        ArgumentNullException.ThrowIfNull(extents);
        return extents.Length == 4 ? new(extents, extents, ChannelsLast) : Plain(extents);
    }

    /// <summary>Weights (out, C*H*W) of a dense layer that reads flattened images.</summary>
    public static Layout DenseFromImages(int outputs, int c, int h, int w)
        => new([outputs, new Shape(c, h, w).Length], [outputs, c, h, w], ChannelsLast);

    /// <summary>Weights (C*H*W, in) of a dense layer whose output becomes images.</summary>
    public static Layout DenseToImages(int c, int h, int w, int inputs)
        => new([new Shape(c, h, w).Length, inputs], [c, h, w, inputs], [1, 2, 0, 3]);

    /// <summary>Bias (C*H*W) of a dense layer whose output becomes images.</summary>
    public static Layout BiasToImages(int c, int h, int w) => new([new Shape(c, h, w).Length], [c, h, w], [1, 2, 0]);

    /// <summary>Elements in PyTorch's order to elements in ours.</summary>
    public void ToOurs(ReadOnlySpan<float> theirs, Span<float> ours)
    {
        int[] map = Map(ours.Length);
        for (int i = 0; i < map.Length; i++)
            ours[i] = theirs[map[i]];
    }

    /// <summary>Elements in our order to elements in PyTorch's.</summary>
    public float[] ToTheirs(ReadOnlySpan<float> ours)
    {
        int[] map = Map(ours.Length);
        float[] theirs = new float[map.Length];
        for (int i = 0; i < map.Length; i++)
            theirs[map[i]] = ours[i];
        return theirs;
    }

    /// <summary>For each of our elements the place of theirs.</summary>
    private int[] Map(int length)
    {
        if (Extents.Aggregate(1L, (a, b) => a * b) != length)
            throw new ArgumentException($"a layout of [{string.Join(", ", Extents)}] for {length} elements", nameof(length));
        int[] strides = new int[_seen.Length];
        for (int axis = _seen.Length - 1, stride = 1; axis >= 0; stride *= _seen[axis--])
            strides[axis] = stride;
        int[] map = new int[length];
        for (int i = 0; i < length; i++)
        {
            for (int axis = _axes.Length - 1, rest = i; axis >= 0; axis--)
            {
                (rest, int at) = Math.DivRem(rest, _seen[_axes[axis]]);
                map[i] += at * strides[_axes[axis]];
            }
        }
        return map;
    }
}
