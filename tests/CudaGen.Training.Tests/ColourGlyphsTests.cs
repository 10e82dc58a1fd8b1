namespace CudaGen.Training.Tests;

public class ColourGlyphsTests
{
    private static readonly DataSource Data = ColourGlyphs.Create(seed: 7, train: 2000, test: 500);

    [Fact]
    public void The_bytes_are_the_same_on_every_system()
    {
        Assert.Equal("AB28007DA6B43BF1", Digest.Of(Data.Train.Pixels));
        Assert.Equal("64A50D78EF32DBF9", Digest.Of(Data.Test.Pixels));
    }

    [Fact]
    public void The_seed_and_the_number_of_an_image_decide()
    {
        DataSource fewer = ColourGlyphs.Create(7, 100, 1), other = ColourGlyphs.Create(8, 100, 1);
        Assert.Equal(Data.Train.Pixels[..fewer.Train.Pixels.Length], fewer.Train.Pixels);
        Assert.NotEqual(fewer.Train.Pixels, other.Train.Pixels);
        Assert.NotEqual(Data.Test.Image(0).ToArray(), Data.Train.Image(0).ToArray());
    }

    [Fact]
    public void The_name_says_what_it_is()
    {
        Assert.True(Data.BuiltIn);
        Assert.Equal("built-in colour digits, 2000 training and 500 test images 32x32x3", Data.Name);
    }

    [Fact]
    public void Bad_counts_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ColourGlyphs.Create(1, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ColourGlyphs.Create(1, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ColourGlyphs.Create(1, 1_000_000, 1));
    }

    [Fact]
    public void Every_digit_stands_out_from_its_ground()
    {
        int darkOnLight = 0;
        for (int i = 0; i < Data.Train.Count; i++)
        {
            float[] luma = Luma(Data.Train.Image(i)), frame = Frame(luma);
            int darker = luma.Count(l => l < frame.Min() - 0.22f), lighter = luma.Count(l => l > frame.Max() + 0.22f);
            Assert.True(darker > 20 != lighter > 20, $"image {i}: {darker} darker and {lighter} lighter pixels than its frame");
            darkOnLight += darker > lighter ? 1 : 0;
        }
        Assert.InRange(darkOnLight, 900, 1100);
    }

    [Fact]
    public void Hue_brightness_and_gradient_vary()
    {
        double mean = Data.Train.Pixels.Average(p => (double)p) / 255;
        Assert.InRange(mean, 0.46, 0.54);
        Assert.InRange(Math.Sqrt(Data.Train.Pixels.Average(p => Math.Pow(p / 255.0 - mean, 2))), 0.22, 0.33);
        var strongest = new int[3];
        int even = 0;
        for (int i = 0; i < Data.Train.Count; i++)
        {
            ReadOnlySpan<byte> corner = Data.Train.Image(i)[..3];
            byte most = Math.Max(corner[0], Math.Max(corner[1], corner[2]));
            if (most - Math.Min(corner[0], Math.Min(corner[1], corner[2])) >= 16)
                strongest[corner.IndexOf(most)]++;
            float[] frame = Frame(Luma(Data.Train.Image(i)));
            even += frame.Max() - frame.Min() < 0.02f ? 1 : 0;
        }
        Assert.All(strongest, s => Assert.InRange(s, 300, 900));
        Assert.InRange(even, 0, 400);
    }

    [Fact]
    public void Classes_are_balanced_and_can_be_told_apart()
    {
        Assert.All(Enumerable.Range(0, 10), c => Assert.Equal(200, Data.Train.Labels.Count(l => l == c)));
        var means = new double[10, 1024];
        for (int i = 0; i < Data.Train.Count; i++)
        {
            float[] ink = Ink(Data.Train.Image(i));
            for (int p = 0; p < ink.Length; p++)
                means[Data.Train.Labels[i], p] += ink[p] / 200;
        }
        int right = 0;
        for (int i = 0; i < Data.Test.Count; i++)
        {
            float[] ink = Ink(Data.Test.Image(i));
            int nearest = Enumerable.Range(0, 10).MinBy(c => Enumerable.Range(0, 1024).Sum(p => Math.Pow(ink[p] - means[c, p], 2)));
            right += nearest == Data.Test.Labels[i] ? 1 : 0;
        }
        Assert.InRange(right, 375, 500);
    }

    private static float[] Luma(ReadOnlySpan<byte> image)
    {
        var luma = new float[image.Length / 3];
        for (int p = 0; p < luma.Length; p++)
            luma[p] = (0.299f * image[3 * p] + 0.587f * image[3 * p + 1] + 0.114f * image[3 * p + 2]) / 255;
        return luma;
    }

    // The outermost pixels, where no ink is.
    private static float[] Frame(float[] luma) => [.. luma.Where((_, p) => p % 32 is 0 or 31 || p / 32 is 0 or 31)];

    // How far each pixel is from the ground, 0 to 1.
    private static float[] Ink(ReadOnlySpan<byte> image)
    {
        float[] luma = Luma(image);
        float ground = Frame(luma).Average(), most = luma.Max(l => Math.Abs(l - ground));
        return [.. luma.Select(l => Math.Abs(l - ground) / most)];
    }
}
