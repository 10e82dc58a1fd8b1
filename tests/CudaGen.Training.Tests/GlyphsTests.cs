namespace CudaGen.Training.Tests;

public class GlyphsTests
{
    private static readonly DataSource Data = Glyphs.Create(seed: 7, train: 2000, test: 1000);

    [Fact]
    public void The_seed_alone_decides()
    {
        DataSource again = Glyphs.Create(7, 2000, 1000), fewer = Glyphs.Create(7, 500, 10), other = Glyphs.Create(8, 500, 10);
        Assert.Equal(Data.Train.Pixels, again.Train.Pixels);
        Assert.Equal(Data.Test.Pixels, again.Test.Pixels);
        Assert.Equal(Data.Train.Pixels[..fewer.Train.Pixels.Length], fewer.Train.Pixels);
        Assert.NotEqual(fewer.Train.Pixels, other.Train.Pixels);
        Assert.NotEqual(Data.Test.Image(0).ToArray(), Data.Train.Image(0).ToArray());
    }

    [Fact]
    public void The_bytes_are_the_same_on_every_system()
    {
        Assert.Equal("4DCBED5742AB1B34", Digest.Of(Data.Train.Pixels));
        Assert.Equal("62F354B53A6025CC", Digest.Of(Data.Test.Pixels));
    }

    [Fact]
    public void Without_a_folder_the_built_in_digits_are_opened()
    {
        DataSource data = DataSource.Open(null, 1);
        Assert.True(data.BuiltIn);
        Assert.Equal("built-in digits, 20000 training and 2000 test images 28x28x1", data.Name);
    }

    [Fact]
    public void Images_are_as_bright_and_as_centred_as_MNIST()
    {
        Assert.InRange(Data.Train.Pixels.Average(p => (double)p) / 255, 0.11, 0.15);
        for (int i = 0; i < Data.Train.Count; i++)
        {
            ReadOnlySpan<byte> image = Data.Train.Image(i);
            double mass = 0, x = 0, y = 0;
            for (int p = 0; p < image.Length; p++)
            {
                (mass, x, y) = (mass + image[p], x + image[p] * (p % 28), y + image[p] * (p / 28));
                if (p % 28 is 0 or 27 || p / 28 is 0 or 27)
                    Assert.Equal(0, image[p]);
            }
            Assert.InRange(mass / 255 / 784, 0.02, 0.35);
            Assert.InRange(x / mass, 10, 17);
            Assert.InRange(y / mass, 10, 17);
        }
    }

    [Fact]
    public void Classes_are_balanced_and_can_be_told_apart()
    {
        Assert.All(Enumerable.Range(0, 10), c => Assert.Equal(200, Data.Train.Labels.Count(l => l == c)));
        var means = new double[10, 784];
        for (int i = 0; i < Data.Train.Count; i++)
        {
            for (int p = 0; p < 784; p++)
                means[Data.Train.Labels[i], p] += Data.Train.Image(i)[p] / 200.0;
        }
        var right = new int[10];
        for (int i = 0; i < Data.Test.Count; i++)
        {
            int nearest = Enumerable.Range(0, 10).MinBy(c => Enumerable.Range(0, 784).Sum(p => Math.Pow(Data.Test.Image(i)[p] - means[c, p], 2)));
            if (nearest == Data.Test.Labels[i])
                right[nearest]++;
        }
        Assert.InRange(right.Sum(), 850, 1000);
        Assert.All(right, r => Assert.InRange(r, 70, 100));
    }
}
