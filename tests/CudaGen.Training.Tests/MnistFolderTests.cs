using System.Buffers.Binary;
using System.IO.Compression;

namespace CudaGen.Training.Tests;

public sealed class MnistFolderTests : IDisposable
{
    private readonly TemporaryFolder _dir = new();

    public void Dispose() => _dir.Dispose();

    private static byte[] IdxBytes(uint magic, uint[] extents, ReadOnlySpan<byte> data)
    {
        var bytes = new byte[4 + 4 * extents.Length + data.Length];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, magic);
        for (int i = 0; i < extents.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4 + 4 * i), extents[i]);
        data.CopyTo(bytes.AsSpan(4 + 4 * extents.Length));
        return bytes;
    }

    private static byte[] Images(uint n, uint h = 3, uint w = 2) =>
        IdxBytes(0x803, [n, h, w], [.. Enumerable.Range(0, (int)(n * h * w)).Select(i => (byte)(i * 7))]);

    private static byte[] Labels(params byte[] labels) => IdxBytes(0x801, [(uint)labels.Length], labels);

    private static byte[] Gzip(byte[] bytes)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
            gzip.Write(bytes);
        return packed.ToArray();
    }

    private void Put(string name, byte[] bytes) => File.WriteAllBytes(_dir[name], bytes);

    // Four good files: three training images, two test images.
    private void PutAll()
    {
        Put("train-images-idx3-ubyte", Images(3));
        Put("train-labels-idx1-ubyte.gz", Gzip(Labels(0, 9, 4)));
        Put("t10k-images.idx3-ubyte.gz", Gzip(Images(2)));
        Put("t10k-labels.idx1-ubyte", Labels(1, 2));
    }

    private string Complaint(params string[] mentions) => Files.Complaint(() => MnistFolder.Load(_dir.Path), mentions);

    [Fact]
    public void Files_load_plain_or_compressed_in_both_spellings()
    {
        PutAll();
        DataSource data = MnistFolder.Load(_dir.Path);
        Assert.Equal((3, 3, 2, 1, 10), (data.Train.Count, data.Train.Height, data.Train.Width, data.Train.Channels, data.Train.Classes));
        Assert.Equal(Images(3)[16..], data.Train.Pixels);
        Assert.Equal([0, 9, 4], data.Train.Labels);
        Assert.Equal(Images(2)[16..], data.Test.Pixels);
        Assert.Equal([1, 2], data.Test.Labels);
        Assert.False(data.BuiltIn);
        Assert.Equal($"MNIST-format images from {_dir.Path}, 3 training and 2 test images 3x2x1", data.Name);
    }

    [Fact]
    public void Files_load_when_their_names_lie_about_compression()
    {
        PutAll();
        Put("train-images-idx3-ubyte", Gzip(Images(3)));
        Put("train-labels-idx1-ubyte.gz", Labels(0, 9, 4));
        Assert.Equal(Images(3)[16..], MnistFolder.Load(_dir.Path).Train.Pixels);
    }

    [Fact]
    public void A_missing_folder_is_named()
    {
        string missing = _dir["nowhere"];
        Files.Complaint(() => MnistFolder.Load(missing), missing, "no such folder");
        Put("file", [1]);
        Files.Complaint(() => MnistFolder.Load(_dir["file"]), _dir["file"], "this is a file");
    }

    [Fact]
    public void A_folder_without_the_files_says_what_was_looked_for() =>
        Complaint(_dir.Path, "train-images-idx3-ubyte", "train-images.idx3-ubyte", ".gz");

    [Fact]
    public void One_missing_file_is_named()
    {
        PutAll();
        File.Delete(_dir["t10k-labels.idx1-ubyte"]);
        Complaint(_dir.Path, "no t10k-labels file");
    }

    public static TheoryData<string, byte[], string[]> BadImages => new()
    {
        { "an empty file", [], ["the file is empty"] },
        { "three bytes", [0, 0, 8], ["3 bytes", "expected an IDX file"] },
        { "a cut header", Images(3)[..10], ["10 bytes", "16"] },
        { "a PNG", [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10], ["0x89504E47", "0x00000803"] },
        { "labels for images", Labels(1, 2, 3), ["0x00000801", "3 dimensions (0x00000803)"] },
        { "floats", IdxBytes(0xD03, [1, 1, 1], [0, 0, 0, 0]), ["0x00000D03"] },
        { "a short file", Images(3)[..^1], ["3x3x2 = 18 bytes", "holds 17"] },
        { "a long file", [.. Images(3), 0], ["3x3x2 = 18 bytes", "holds 19"] },
        { "a short file, compressed", Gzip(Images(3)[..^1]), ["18 bytes", "holds 17"] },
        { "a long file, compressed", Gzip([.. Images(3), 0]), ["18 bytes", "holds more"] },
        { "2 GB from nothing", IdxBytes(0x803, [60000, 200, 178], []), ["2136000000 bytes", "holds 0"] },
        { "2 GB from nothing, compressed", Gzip(IdxBytes(0x803, [60000, 200, 178], [])), ["2136000000 bytes", "compressed bytes can hold"] },
        { "counts beyond memory", IdxBytes(0x803, [uint.MaxValue, uint.MaxValue, uint.MaxValue], []), ["4294967295x4294967295x4294967295"] },
        { "a cut gzip header", Gzip(Images(3))[..5], ["bytes"] },
        { "a cut gzip", Gzip(Images(3))[..^12], [] },
        { "no images", Images(0), ["0x3x2", "at least one"] },
        { "images without width", Images(3, 3, 0), ["3x3x0", "at least one"] },
        { "another count than labels", Images(4), ["3 labels", "expected 4"] },
        { "another size than the test set", Images(3, 5, 5), ["t10k-images", "3x2", "5x5"] },
    };

    [Theory, MemberData(nameof(BadImages))]
    public void A_bad_image_file_is_refused_in_one_line(string what, byte[] bytes, string[] mentions)
    {
        PutAll();
        Put("train-images-idx3-ubyte", bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        string message = Complaint(mentions);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 100 << 20, $"{what}: took the header's word and allocated");
        Assert.Contains("images", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_damaged_or_cut_gzip_file_is_refused()
    {
        PutAll();
        byte[] good = Gzip(Images(3));
        for (int length = 1; length < good.Length; length++)
        {
            Put("train-images-idx3-ubyte", good[..length]);
            Complaint("train-images-idx3-ubyte");
        }
        // From byte 10 on there is data and then its checksum and length; before, flags that need not matter.
        for (int at = 10; at < good.Length; at++)
        {
            byte[] bad = [.. good];
            bad[at] ^= 0x55;
            Put("train-images-idx3-ubyte", bad);
            Complaint("train-images-idx3-ubyte");
        }
    }

    [Fact]
    public void A_label_above_nine_is_refused()
    {
        PutAll();
        Put("t10k-labels.idx1-ubyte", Labels(1, 10));
        Complaint("t10k-labels", "label 1 is 10", "0 to 9");
    }

    [Theory, InlineData("mnist", 0.1307), InlineData("fashion-mnist", 0.2860)]
    public void The_real_files_load(string name, double mean)
    {
        DataSource data = DataSource.Open(Files.RequireData(name), 0);
        Assert.Equal((60000, 10000, 28, 28), (data.Train.Count, data.Test.Count, data.Train.Height, data.Train.Width));
        Assert.Equal(mean, data.Train.Pixels.Average(p => (double)p) / 255, 4);
        Assert.All(Enumerable.Range(0, 10), c => Assert.InRange(data.Train.Labels.Count(l => l == c), 5000, 7000));
    }
}
