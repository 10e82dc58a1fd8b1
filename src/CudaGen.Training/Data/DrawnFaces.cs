namespace CudaGen.Training;

/// <summary>
/// Cartoon faces drawn in code, for training generators without any file: square colour images of one class that vary
/// in skin, shape, hair, eyes, mouth, beard, glasses, hat, clothes and ground. Each image depends on the seed and its own
/// number alone, on any number of threads, and a seed shows the same faces at every size.
/// </summary>
public static class DrawnFaces
{
    // Streams of Philox, apart from those that networks and other data sets use.
    private const uint TrainStream = 0x66616300, TestStream = 0x66616301;

    /// <summary>Draws both sets.</summary>
    /// <param name="seed">The same seed gives the same bytes.</param>
    /// <param name="size">Height and width, 16 to 256.</param>
    /// <param name="train">Training images, at least 1 and at most what an array of bytes can hold.</param>
    /// <param name="test">Test images, with the same bounds.</param>
    public static DataSource Create(ulong seed, int size, int train = 4000, int test = 400)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 16);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, 256);
        ArgumentOutOfRangeException.ThrowIfLessThan(train, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(train, Array.MaxLength / (size * size * 3));
        ArgumentOutOfRangeException.ThrowIfLessThan(test, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(test, Array.MaxLength / (size * size * 3));
        return DataSource.Describe(
            "drawn faces", Draw(seed, TrainStream, size, train), Draw(seed, TestStream, size, test), builtIn: true);
    }

    private static ImageSet Draw(ulong seed, uint stream, int size, int count)
    {
        int length = size * size * 3;
        var pixels = new byte[count * length];
        Parallel.For(0, count, () => new ShapeCanvas(size), (i, _, canvas) =>
        {
            new FaceArtist(canvas, new Draws(seed, stream, (ulong)i)).Draw();
            canvas.Store(pixels.AsSpan(i * length, length));
            return canvas;
        }, _ => { });
        return new ImageSet(pixels, new byte[count], size, size, 3, 1);
    }
}
