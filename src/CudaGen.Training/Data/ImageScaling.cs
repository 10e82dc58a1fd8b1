namespace CudaGen.Training;

/// <summary>Cropping and scaling of pictures.</summary>
public static class ImageScaling
{
    /// <summary>The largest square in the middle; of an odd remainder the smaller half is cut off at the left or top.</summary>
    public static Picture CropSquare(Picture picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        int side = Math.Min(picture.Width, picture.Height), left = (picture.Width - side) / 2, top = (picture.Height - side) / 2;
        if (picture.Width == picture.Height)
            return picture;
        byte[] pixels = new byte[side * side * picture.Channels];
        int length = side * picture.Channels;
        for (int y = 0; y < side; y++)
            picture.Pixels.AsSpan(((top + y) * picture.Width + left) * picture.Channels, length).CopyTo(pixels.AsSpan(y * length));
        return new(side, side, picture.Channels, pixels);
    }

    /// <summary>
    /// Scales to <paramref name="width"/> x <paramref name="height"/> by linear interpolation, whose triangle is as much wider as the picture
    /// becomes smaller, so that every pixel counts and nothing aliases. Beyond the edges the outermost pixels go on.
    /// </summary>
    /// <param name="picture">Any size and number of channels.</param>
    /// <param name="width">Pixels across, at least 1.</param>
    /// <param name="height">Pixels down, at least 1.</param>
    public static Picture Scale(Picture picture, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(picture);
        Filter across = new(picture.Width, width), down = new(picture.Height, height);
        int channels = picture.Channels, length = width * channels;
        float[] row = new float[length], sums = new float[height * length];
        for (int y = 0, first = 0; y < picture.Height; y++)
        {
            ScaleRow(picture.Pixels.AsSpan(y * picture.Width * channels), row, across, channels);
            while (down.First[first] + down.Taps <= y)
                first++;
            for (int to = first; to < height && down.First[to] <= y; to++)
            {
                float weight = down.Weights[to * down.Taps + y - down.First[to]];
                Span<float> target = sums.AsSpan(to * length, length);
                for (int i = 0; i < target.Length; i++)
                    target[i] += weight * row[i];
            }
        }
        return new(width, height, channels, Array.ConvertAll(sums, sum => (byte)(sum + 0.5f)));
    }

    private static void ScaleRow(ReadOnlySpan<byte> source, Span<float> target, Filter filter, int channels)
    {
        for (int i = 0; i < target.Length; i++)
        {
            int x = i / channels, at = filter.First[x] * channels + i % channels;
            ReadOnlySpan<float> weights = filter.Weights.AsSpan(x * filter.Taps, filter.Taps);
            float sum = 0;
            for (int k = 0; k < weights.Length; k++, at += channels)
                sum += weights[k] * source[at];
            target[i] = sum;
        }
    }

    /// <summary>Which pixels of a line make a pixel of the scaled line, and with which weights; they add up to 1.</summary>
    private sealed class Filter
    {
        public Filter(int from, int to)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(to, 1);
            double scale = (double)from / to, radius = Math.Max(1, scale);
            Taps = Math.Min(from, 2 * (int)Math.Ceiling(radius));
            First = new int[to];
            Weights = new float[to * Taps];
            double[] weights = new double[Taps];
            for (int i = 0; i < to; i++)
            {
                // The centre of pixel i of the scaled line, where pixel j of the line lies at j.
                double centre = (i + 0.5) * scale - 0.5;
                int low = (int)Math.Floor(centre - radius) + 1, high = (int)Math.Ceiling(centre + radius) - 1;
                First[i] = Math.Clamp(low, 0, from - Taps);
                Array.Clear(weights);
                for (int j = low; j <= high; j++)
                    weights[Math.Clamp(j, 0, from - 1) - First[i]] += 1 - Math.Abs(j - centre) / radius;
                double sum = weights.Sum();
                for (int k = 0; k < Taps; k++)
                    Weights[i * Taps + k] = (float)(weights[k] / sum);
            }
        }

        public int Taps { get; }

        public int[] First { get; }

        public float[] Weights { get; }
    }
}
