using System.Numerics;

namespace CudaGen.Training;

/// <summary>
/// The digits of <see cref="Glyphs"/> in colour on coloured, softly shaded grounds: 32x32x3, ten classes in turn. They
/// stand in for CIFAR-10 where it is not at hand and vary as it does, in hue, brightness and gradient, dark on light as
/// often as light on dark. Each image depends on the seed and its own number alone, on any number of threads.
/// </summary>
public static class ColourGlyphs
{
    private const int Size = 32;
    private const int Length = Size * Size * 3;
    private const int Cells = 4; // of the grid whose corners make the ground uneven

    private const float Contrast = 0.3f; // the least distance in luma between full ink and any place of its ground

    // Streams of Philox, apart from those that networks and other data sets use.
    private const uint TrainStream = 0x676C7902, TestStream = 0x676C7903;

    /// <summary>Draws both sets.</summary>
    /// <param name="seed">The same seed gives the same bytes.</param>
    /// <param name="train">Training images, at least 1 and at most what an array of bytes can hold.</param>
    /// <param name="test">Test images, with the same bounds.</param>
    public static DataSource Create(ulong seed, int train = 20000, int test = 2000)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(train, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(train, Array.MaxLength / Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(test, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(test, Array.MaxLength / Length);
        return DataSource.Describe(
            "built-in colour digits", Draw(seed, TrainStream, train), Draw(seed, TestStream, test), builtIn: true);
    }

    private static ImageSet Draw(ulong seed, uint stream, int count)
    {
        int classes = GlyphShapes.Digits.Length;
        var pixels = new byte[count * Length];
        var labels = new byte[count];
        Parallel.For(0, count, () => new Brush(), (i, _, brush) =>
        {
            labels[i] = (byte)(i % classes);
            brush.Draw(labels[i], new Draws(seed, stream, (ulong)i), pixels.AsSpan(i * Length, Length));
            return brush;
        }, _ => { });
        return new ImageSet(pixels, labels, Size, Size, 3, classes);
    }

    private sealed class Brush
    {
        private readonly GlyphPen _pen = new(Size);
        private readonly byte[] _ink = new byte[Size * Size];
        private readonly float[] _corners = new float[(Cells + 1) * (Cells + 1)];

        public void Draw(int digit, Draws draws, Span<byte> image)
        {
            Array.Clear(_ink);
            _pen.Draw(GlyphShapes.Digits[digit], ref draws, _ink);

            // All lumas of one side lie below a threshold and all of the other above it, so mixing two of a side is safe.
            float threshold = draws.Between(0.3f, 0.7f);
            (float, float) ground = (Math.Max(0.05f, threshold - 0.5f), threshold - Contrast / 2);
            (float, float) ink = (threshold + Contrast / 2, Math.Min(0.95f, threshold + 0.5f));
            if (draws.Chance(0.5f))
                (ground, ink) = (ink, ground);
            (Vector3 groundA, Vector3 groundB) = Pair(ground, ref draws);
            (Vector3 inkA, Vector3 inkB) = Pair(ink, ref draws);

            float slopeX = draws.Between(-1, 1), slopeY = draws.Between(-1, 1), unevenness = draws.Between(0, 1);
            foreach (ref float corner in _corners.AsSpan())
                corner = 0.5f + unevenness * draws.Between(-0.5f, 0.5f);
            for (int y = 0; y < Size; y++)
            {
                for (int x = 0; x < Size; x++)
                {
                    float u = (x + 0.5f) / Size, v = (y + 0.5f) / Size;
                    float t = Uneven(u, v) + slopeX * (u - 0.5f) + slopeY * (v - 0.5f);
                    Vector3 below = Colour.Mix(groundA, groundB, Math.Clamp(t, 0, 1)), above = Colour.Mix(inkA, inkB, v);
                    int at = y * Size + x;
                    Colour.Store(Colour.Mix(below, above, _ink[at] / 255f), image.Slice(3 * at, 3));
                }
            }
        }

        // Two colours within a range of luma, mostly of related hues.
        private static (Vector3 A, Vector3 B) Pair((float Low, float High) luma, ref Draws draws)
        {
            float hue = draws.Unit(), other = hue + (draws.Chance(0.7f) ? 0.06f * draws.Bell() : draws.Unit());
            return (Colour.Of(hue, draws.Unit(), draws.Between(luma.Low, luma.High)),
                Colour.Of(other, draws.Unit(), draws.Between(luma.Low, luma.High)));
        }

        // Between the corners, with zero slope at them so that no edges show.
        private float Uneven(float u, float v)
        {
            int i = (int)(u * Cells), j = (int)(v * Cells);
            float s = u * Cells - i, t = v * Cells - j;
            (s, t) = (s * s * (3 - 2 * s), t * t * (3 - 2 * t));
            int at = j * (Cells + 1) + i, below = at + Cells + 1;
            float upper = _corners[at] + s * (_corners[at + 1] - _corners[at]);
            float lower = _corners[below] + s * (_corners[below + 1] - _corners[below]);
            return upper + t * (lower - upper);
        }
    }
}
