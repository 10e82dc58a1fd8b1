using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// Digits drawn in code, for training without any file: 28x28 grey, white on black and about as bright, large and
/// centred as MNIST's, ten classes in turn. Each image depends on the seed and its own number alone.
/// </summary>
public static class Glyphs
{
    internal const int Size = 28;

    // Streams of Philox, apart from those that networks use.
    private const uint TrainStream = 0x676C7900, TestStream = 0x676C7901;

    /// <summary>Draws both sets.</summary>
    /// <param name="seed">The same seed gives the same bytes.</param>
    /// <param name="train">Training images, at least 1.</param>
    /// <param name="test">Test images, at least 1.</param>
    public static DataSource Create(ulong seed, int train = 20000, int test = 2000)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(train, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(test, 1);
        return DataSource.Describe(
            "built-in digits", Draw(seed, TrainStream, train), Draw(seed, TestStream, test), builtIn: true);
    }

    private static ImageSet Draw(ulong seed, uint stream, int count)
    {
        var pixels = new byte[count * Size * Size];
        var labels = new byte[count];
        var pen = new GlyphPen(Size);
        for (int i = 0; i < count; i++)
        {
            labels[i] = (byte)(i % GlyphShapes.Digits.Length);
            var draws = new Draws(seed, stream, (ulong)i);
            pen.Draw(GlyphShapes.Digits[labels[i]], ref draws, pixels.AsSpan(i * Size * Size, Size * Size));
        }
        return new ImageSet(pixels, labels, Size, Size, 1, GlyphShapes.Digits.Length);
    }
}

/// <summary>The random numbers of one image, one after the other.</summary>
internal struct Draws(ulong seed, uint stream, ulong step)
{
    private (uint X, uint Y, uint Z, uint W) _words;
    private uint _taken;

    public uint Word()
    {
        uint lane = _taken++ % 4;
        if (lane == 0)
            _words = Philox.Words(seed, stream, step, _taken / 4);
        return lane switch { 0 => _words.X, 1 => _words.Y, 2 => _words.Z, _ => _words.W };
    }

    /// <summary>Uniform in [0, 1).</summary>
    public float Unit() => Philox.Unit(Word());

    /// <summary>Uniform in [low, high).</summary>
    public float Between(float low, float high) => low + (high - low) * Unit();

    /// <summary>True with the given probability.</summary>
    public bool Chance(float probability) => Unit() < probability;

    /// <summary>0 to <paramref name="count"/> - 1, all equally likely.</summary>
    public int Below(int count) => (int)(Unit() * count);

    /// <summary>
    /// Bell-shaped with mean 0, deviation 1 and never beyond 3. A sum of three uniform numbers needs no logarithm,
    /// whose last bit differs between systems.
    /// </summary>
    public float Bell() => 2 * (Unit() + Unit() + Unit()) - 3;
}
