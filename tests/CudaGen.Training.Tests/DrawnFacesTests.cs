namespace CudaGen.Training.Tests;

public class DrawnFacesTests
{
    private static readonly DataSource Data = DrawnFaces.Create(seed: 7, size: 32, train: 1000, test: 50);

    [Fact]
    public void The_bytes_are_the_same_on_every_system()
    {
        Assert.Equal("FCF62452164786EF", Digest.Of(Data.Train.Pixels));
        Assert.Equal("856B68BA61DB0334", Digest.Of(Data.Test.Pixels));
        Assert.Equal("7FAD9F09BE4733B7", Digest.Of(DrawnFaces.Create(7, 64, 200, 1).Train.Pixels));
    }

    [Fact]
    public void The_seed_and_the_number_of_an_image_decide()
    {
        DataSource fewer = DrawnFaces.Create(7, 32, 100, 1), other = DrawnFaces.Create(8, 32, 100, 1);
        Assert.Equal(Data.Train.Pixels[..fewer.Train.Pixels.Length], fewer.Train.Pixels);
        Assert.NotEqual(fewer.Train.Pixels, other.Train.Pixels);
        Assert.NotEqual(Data.Test.Image(0).ToArray(), Data.Train.Image(0).ToArray());
    }

    [Fact]
    public void Faces_are_colour_images_of_one_class()
    {
        Assert.True(Data.BuiltIn);
        Assert.Equal("drawn faces, 1000 training and 50 test images 32x32x3", Data.Name);
        Assert.Equal(1, Data.Train.Classes);
        Assert.Equal(1000, Data.Train.Count);
    }

    [Fact]
    public void Sizes_and_counts_out_of_range_are_refused()
    {
        Assert.Equal(16, DrawnFaces.Create(1, 16, 1, 1).Train.Height);
        Assert.Equal(256, DrawnFaces.Create(1, 256, 1, 1).Train.Width);
        Assert.Throws<ArgumentOutOfRangeException>(() => DrawnFaces.Create(1, 15, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => DrawnFaces.Create(1, 257, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => DrawnFaces.Create(1, 32, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => DrawnFaces.Create(1, 32, 1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => DrawnFaces.Create(1, 256, 20_000, 1));
    }

    [Fact]
    public void A_seed_shows_the_same_faces_at_every_size()
    {
        ImageSet large = DrawnFaces.Create(7, 64, 1000, 1).Train;
        for (int i = 0; i < large.Count; i++)
        {
            double difference = 0;
            for (int y = 0; y < 32; y++)
            {
                for (int x = 0; x < 32; x++)
                {
                    for (int c = 0; c < 3; c++)
                    {
                        int sum = Value(large, i, 2 * x, 2 * y, c) + Value(large, i, 2 * x + 1, 2 * y, c)
                            + Value(large, i, 2 * x, 2 * y + 1, c) + Value(large, i, 2 * x + 1, 2 * y + 1, c);
                        difference += Math.Abs(sum / 4.0 - Value(Data.Train, i, x, y, c));
                    }
                }
            }
            Assert.InRange(difference / 3072, 0, 3);
        }
    }

    [Fact]
    public void The_mean_face_has_skin_eyes_and_a_mouth()
    {
        // What all faces have in common shows in their average.
        double[,,] mean = Mean();
        double Light(int x, int y) => mean[x, y, 0] + mean[x, y, 1] + mean[x, y, 2];
        double Warm(int x, int y) => mean[x, y, 0] - mean[x, y, 2];
        Assert.InRange(Warm(1, 1), -25, 25);
        foreach (int cheek in new[] { 10, 21 })
            Assert.True(Warm(cheek, 21) > 60, $"no skin: {Warm(cheek, 21)}");
        foreach (int eye in new[] { 11, 20 })
        {
            Assert.True(Warm(eye, 17) < Warm(15, 17) - 30, $"no grey eye: {Warm(eye, 17)}, on the nose {Warm(15, 17)}");
            Assert.True(Light(eye, 17) < Light(eye < 16 ? 10 : 21, 17) - 60, $"no pupil: {Light(eye, 17)}");
            Assert.True(Light(eye, 13) < Light(15, 13) - 60, $"no brow: {Light(eye, 13)}, beside it {Light(15, 13)}");
        }
        Assert.True(Light(15, 24) < Math.Min(Light(15, 20), Light(15, 27)) - 40, $"no mouth: {Light(15, 24)}");
        for (int y = 0; y < 32; y++)
        {
            for (int x = 0; x < 16; x++)
                Assert.InRange(Light(x, y) - Light(31 - x, y), -75, 75);
        }
    }

    [Fact]
    public void Faces_differ_from_their_ground_and_from_one_another()
    {
        int[] distances = [.. Enumerable.Range(0, 1000).Select(i => Math.Min(FromGround(i, 0), FromGround(i, 31))).Order()];
        Assert.InRange(distances[50], 100, 255);
        double[,,] mean = Mean();
        double squares = 0;
        for (int i = 0; i < 1000; i++)
        {
            for (int p = 0; p < 3072; p++)
                squares += Math.Pow(Data.Train.Image(i)[p] - mean[p / 3 % 32, p / 96, p % 3], 2);
        }
        Assert.InRange(Math.Sqrt(squares / 3072 / 1000), 45, 75);
        Assert.Equal(1000, Enumerable.Range(0, 1000).Select(i => Digest.Of(Data.Train.Image(i))).Distinct().Count());

        // The sum over the channels between a cheek and an upper corner; a few cheeks are under hair or beard.
        int FromGround(int i, int x) => Enumerable.Range(0, 3).Sum(c => Math.Abs(Value(Data.Train, i, 10, 21, c) - Value(Data.Train, i, x, 0, c)));
    }

    private static int Value(ImageSet set, int i, int x, int y, int c) => set.Image(i)[(y * set.Width + x) * 3 + c];

    private static double[,,] Mean()
    {
        var mean = new double[32, 32, 3];
        for (int i = 0; i < Data.Train.Count; i++)
        {
            ReadOnlySpan<byte> image = Data.Train.Image(i);
            for (int p = 0; p < image.Length; p++)
                mean[p / 3 % 32, p / 96, p % 3] += image[p] / (double)Data.Train.Count;
        }
        return mean;
    }
}
