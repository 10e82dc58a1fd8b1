namespace CudaGen.Training.Tests;

public class PictureTests
{
    [Theory]
    [InlineData(1, 1, 1), InlineData(7, 3, 1), InlineData(5, 11, 3), InlineData(640, 301, 3)]
    public void A_written_PNG_reads_back(int width, int height, int channels)
    {
        var pixels = new byte[width * height * channels];
        new Random(1).NextBytes(pixels);
        var stream = new MemoryStream();
        Png.Write(stream, width, height, channels, pixels);
        Picture back = PngReader.Read(stream.ToArray());
        Assert.Equal((width, height, channels), (back.Width, back.Height, back.Channels));
        Assert.Equal(pixels, back.Pixels);
    }

    [Fact]
    public void The_checksum_is_the_usual_CRC32() =>
        Assert.Equal(0xCBF43926, ~Png.Crc(uint.MaxValue, "123456789"u8));

    [Fact]
    public void A_PNG_of_the_wrong_size_is_refused()
    {
        Assert.Throws<ArgumentException>(() => Png.Write(Stream.Null, 2, 2, 1, new byte[5]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Png.Write(Stream.Null, 2, 2, 2, new byte[8]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Png.Write(Stream.Null, 0, 2, 1, []));
    }

    [Fact]
    public void A_picture_is_saved()
    {
        using var dir = new TemporaryFolder();
        new Picture(2, 1, 1, [10, 20]).SavePng(dir["a.png"]);
        Assert.Equal([10, 20], PngReader.Read(File.ReadAllBytes(dir["a.png"])).Pixels);
        Files.Complaint(() => new Picture(2, 1, 1, [10, 20]).SavePng(dir["no/a.png"]), dir["no/a.png"], "does not exist");
    }

    [Fact]
    public void A_grid_puts_images_in_rows()
    {
        // Three grey images of 1x2 in two rows and two columns, doubled, one pixel apart.
        Picture grid = ImageGrid.Compose([1, 2, 3, 4, 5, 6], height: 1, width: 2, channels: 1, rows: 2, columns: 2, scale: 2, gap: 1, background: 9);
        Assert.Equal((11, 7, 1), (grid.Width, grid.Height, grid.Channels));
        Assert.Equal(
            [
                9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
                9, 1, 1, 2, 2, 9, 3, 3, 4, 4, 9,
                9, 1, 1, 2, 2, 9, 3, 3, 4, 4, 9,
                9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
                9, 5, 5, 6, 6, 9, 9, 9, 9, 9, 9,
                9, 5, 5, 6, 6, 9, 9, 9, 9, 9, 9,
                9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
            ],
            grid.Pixels);
    }

    [Fact]
    public void A_grid_keeps_colours_together()
    {
        Picture grid = ImageGrid.Compose([1, 2, 3, 4, 5, 6], 1, 1, 3, rows: 1, columns: 2, scale: 1, gap: 0);
        Assert.Equal([1, 2, 3, 4, 5, 6], grid.Pixels);
        Assert.Throws<ArgumentException>(() => ImageGrid.Compose([1, 2, 3, 4], 1, 1, 3, 1, 2));
    }

    [Fact]
    public void Floats_become_bytes_clamped_and_rounded() =>
        Assert.Equal([0, 0, 128, 255, 255, 0, 255, 1],
            ImageGrid.ToBytes([-1, 0, 0.5f, 1, 7, float.NaN, float.PositiveInfinity, 1.4f / 255]));
}
