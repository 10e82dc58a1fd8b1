using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using CudaGen.Runtime;

namespace CudaGen.Training.Tests;

/// <summary>Readers of data sets, preparation of pictures, downloads.</summary>
public sealed class DataTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static void Complains(Action action, params string[] mentions) => Files.Complaint(action, mentions);

    private static Picture Pattern(int width, int height, int salt)
        => new(width, height, 3, [.. Enumerable.Range(0, width * height * 3).Select(i => (byte)(i * 7 + salt * 31 + i / 50))]);

    private string Pictures(string name, int count)
    {
        string folder = _folder[name];
        Directory.CreateDirectory(Path.Combine(folder, "more"));
        for (int i = 0; i < count; i++)
            Pattern(9 + i % 5, 12 + i % 7, i).SavePng(Path.Combine(folder, i % 3 == 0 ? "more" : "", $"{i:D4}.png"));
        return folder;
    }

    private string Prepared(string source, string name, int size = 8, bool crop = true)
    {
        new ImagePreparation(source, _folder[name], size, crop).Run((_, _, _) => { }, CancellationToken.None);
        return _folder[name];
    }

    [Fact]
    public void Packed_images_are_read_as_they_were_written()
    {
        string path = Prepared(Pictures("pictures", 30), "faces.bin");
        DataSource data = DataSource.Open(path, 1);
        Assert.Equal((27, 3, 8, 8, 3, 1), (data.Train.Count, data.Test.Count, data.Train.Height, data.Train.Width, data.Train.Channels, data.Train.Classes));
        byte[] bytes = File.ReadAllBytes(path);
        byte[] both = [.. data.Train.Pixels, .. data.Test.Pixels];
        Assert.Equal(bytes[PackedImages.HeaderLength..], both);
        Assert.Equal(["faces.bin"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));

        File.WriteAllBytes(path, bytes[..^1]);
        Complains(() => DataSource.Open(path, 1), "faces.bin", "header says 30 images of 8x8x3", "holds 5759");
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), uint.MaxValue);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), uint.MaxValue);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(20), uint.MaxValue);
        File.WriteAllBytes(path, bytes);
        Complains(() => DataSource.Open(path, 1), "faces.bin", "4294967295");
        File.WriteAllText(path, "text");
        Complains(() => DataSource.Open(path, 1), "faces.bin", "packed images");
    }

    /// <summary>Stopped behind any lot, also with half a lot and half a line behind it, the file ends with the same bytes.</summary>
    [Fact]
    public void A_preparation_that_was_stopped_goes_on_to_the_same_bytes()
    {
        string source = Pictures("pictures", 150);
        File.WriteAllText(Path.Combine(source, "0005.jpg"), "text");
        byte[] whole = File.ReadAllBytes(Prepared(source, "whole.bin"));
        string target = _folder["stopped.bin"];
        for (int lots = 1; lots <= 2; lots++)
        {
            using CancellationTokenSource stop = new();
            Assert.Throws<OperationCanceledException>(() => new ImagePreparation(source, target, 8, true).Run((_, _, _) => stop.Cancel(), stop.Token));
            Assert.False(File.Exists(target));
            File.AppendAllText(target + ".partial", "half a lot");
            File.AppendAllText(target + ".journal", "done 999 9");
        }
        (int written, IReadOnlyList<string> skipped) = new ImagePreparation(source, target, 8, true).Run((_, _, _) => { }, CancellationToken.None);
        Assert.Equal((150, 1), (written, skipped.Count));
        Assert.Contains("0005.jpg", skipped[0], StringComparison.Ordinal);
        Assert.Equal(whole, File.ReadAllBytes(target));
        Assert.False(File.Exists(target + ".partial") || File.Exists(target + ".journal"));

        // Another size begins anew.
        using CancellationTokenSource again = new();
        Assert.Throws<OperationCanceledException>(() => new ImagePreparation(source, target, 8, true).Run((_, _, _) => again.Cancel(), again.Token));
        Assert.Equal(File.ReadAllBytes(Prepared(source, "five.bin", 5)), File.ReadAllBytes(Prepared(source, "stopped.bin", 5)));
    }

    [Fact]
    public void A_zip_gives_the_bytes_of_its_folder()
    {
        string source = Pictures("pictures", 20), zip = _folder["pictures.zip"];
        ZipFile.CreateFromDirectory(source, zip);
        using (ZipArchive archive = ZipFile.Open(zip, ZipArchiveMode.Update))
            archive.CreateEntry("../../escape.txt");
        Assert.Equal(File.ReadAllBytes(Prepared(source, "a.bin")), File.ReadAllBytes(Prepared(zip, "b.bin")));
        File.WriteAllText(zip, "no zip");
        Complains(() => Prepared(zip, "c.bin"), "pictures.zip");
    }

    [Fact]
    public void Nothing_to_prepare_is_one_line_and_leaves_nothing()
    {
        Directory.CreateDirectory(_folder["empty"]);
        Complains(() => Prepared(_folder["empty"], "x.bin"), "empty", ".png");
        Complains(() => Prepared(_folder["missing"], "x.bin"), "missing");
        Directory.CreateDirectory(_folder["broken"]);
        File.WriteAllText(Path.Combine(_folder["broken"], "a.jpg"), "text");
        Complains(() => Prepared(_folder["broken"], "x.bin"), "none of 1", "a.jpg");
        Complains(() => Prepared(Pictures("p", 2), "no/where.bin"), "where.bin");
        Assert.DoesNotContain(Directory.GetFiles(_folder.Path, "*", SearchOption.AllDirectories), f => f.Contains("x.bin", StringComparison.Ordinal));
    }

    [Fact]
    public void Cifar_batches_are_read_with_their_planes_and_labels()
    {
        const int Record = 3073;
        byte[] bytes = new byte[20 * Record];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)(i % Record == 0 ? i / Record % 10 : (i % Record - 1) / 1024 * 100 + i % 50);
        string inner = _folder["cifar/cifar-10-batches-bin"];
        Directory.CreateDirectory(inner);
        File.WriteAllBytes(Path.Combine(inner, "data_batch_1.bin"), bytes);
        File.WriteAllBytes(Path.Combine(inner, "data_batch_2.bin"), bytes[..(5 * Record)]);
        File.WriteAllBytes(Path.Combine(inner, "test_batch.bin"), bytes[..(3 * Record)]);
        DataSource data = DataSource.Open(_folder["cifar"], 1);
        Assert.Equal((25, 3, 10), (data.Train.Count, data.Test.Count, data.Train.Classes));
        Assert.Equal(bytes[2 * Record], data.Train.Labels[2]);
        for (int p = 0; p < 1024; p += 37)
        {
            for (int c = 0; c < 3; c++)
                Assert.Equal(bytes[2 * Record + 1 + c * 1024 + p], data.Train.Image(2)[3 * p + c]);
        }
        File.WriteAllBytes(Path.Combine(inner, "data_batch_2.bin"), bytes[..(Record + 1)]);
        Complains(() => DataSource.Open(_folder["cifar"], 1), "data_batch_2.bin", "3074", "3073");
        bytes[0] = 10;
        File.WriteAllBytes(Path.Combine(inner, "data_batch_2.bin"), bytes[..Record]);
        Complains(() => DataSource.Open(_folder["cifar"], 1), "data_batch_2.bin", "label 10");
        File.Delete(Path.Combine(inner, "data_batch_2.bin"));
        File.Delete(Path.Combine(inner, "test_batch.bin"));
        Complains(() => DataSource.Open(_folder["cifar"], 1), "test_batch.bin");
    }

    [Fact]
    public void Scaling_keeps_what_is_even_and_averages_what_is_fine()
    {
        Picture even = new(13, 7, 3, [.. Enumerable.Repeat((byte)200, 13 * 7 * 3)]);
        Assert.All(ImageScaling.Scale(even, 4, 5).Pixels, p => Assert.Equal(200, p));
        Assert.All(ImageScaling.Scale(even, 30, 31).Pixels, p => Assert.Equal(200, p));
        Picture board = new(64, 64, 1, [.. Enumerable.Range(0, 64 * 64).Select(i => (byte)((i + i / 64) % 2 * 255))]);
        byte[] grey = ImageScaling.Scale(board, 16, 16).Pixels;
        // Not at the edges, beyond which the outermost pixels go on.
        Assert.All(Enumerable.Range(0, 256).Where(i => i % 16 is > 0 and < 15 && i / 16 is > 0 and < 15), i => Assert.InRange(grey[i], 127, 129));
        Picture same = Pattern(9, 9, 3);
        Assert.Equal(same.Pixels, ImageScaling.Scale(same, 9, 9).Pixels);
        Assert.Equal((9, 9), (ImageScaling.CropSquare(Pattern(14, 9, 1)).Width, ImageScaling.CropSquare(Pattern(14, 9, 1)).Height));
        Assert.Equal(Pattern(14, 9, 1).Pixels[(2 * 3)..(11 * 3)], ImageScaling.CropSquare(Pattern(14, 9, 1)).Pixels[..(9 * 3)]);
    }

    private static byte[] Png(int width, int height, byte depth, byte kind, byte[] rows, byte[]? palette = null, byte interlace = 0)
    {
        List<byte> file = [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = (depth, kind, interlace);
        Chunk("IHDR", header);
        if (palette is not null)
            Chunk("PLTE", palette);
        using MemoryStream packed = new();
        using (ZLibStream zlib = new(packed, CompressionLevel.Fastest, leaveOpen: true))
            zlib.Write(rows);
        Chunk("IDAT", packed.ToArray());
        Chunk("IEND", []);
        return [.. file];

        void Chunk(string name, byte[] data)
        {
            byte[] body = [.. Encoding.ASCII.GetBytes(name), .. data], number = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
            file.AddRange(number);
            file.AddRange(body);
            BinaryPrimitives.WriteUInt32BigEndian(number, Crc(body));
            file.AddRange(number);
        }
    }

    private static uint Crc(byte[] bytes)
    {
        uint crc = 0xFFFFFFFF;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int i = 0; i < 8; i++)
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
        }
        return ~crc;
    }

    [Fact]
    public void Png_images_of_all_kinds_are_read()
    {
        // One pixel of grey; two grey pixels of one bit; grey with half transparency on white; a palette; 16 bits; every filter.
        Assert.Equal([77, 77, 77], ImageFile.Decode("a", Png(1, 1, 8, 0, [0, 77])).Pixels);
        Assert.Equal([255, 255, 255, 0, 0, 0], ImageFile.Decode("a", Png(2, 1, 1, 0, [0, 0b1000_0000])).Pixels);
        Assert.Equal([127, 127, 127], ImageFile.Decode("a", Png(1, 1, 8, 4, [0, 0, 128])).Pixels);
        Assert.Equal([4, 5, 6, 1, 2, 3], ImageFile.Decode("a", Png(2, 1, 4, 3, [0, 0x10], [1, 2, 3, 4, 5, 6])).Pixels);
        Assert.Equal([1, 3, 5], ImageFile.Decode("a", Png(1, 1, 16, 2, [0, 1, 2, 3, 4, 5, 6])).Pixels);
        byte[] filtered = [0, 10, 20, 1, 10, 20, 2, 1, 1, 3, 5, 5, 4, 1, 2];
        byte[] expected = [10, 20, 10, 30, 11, 31, 10, 25, 11, 27];
        Assert.Equal(expected.SelectMany(v => new[] { v, v, v }), ImageFile.Decode("a", Png(2, 5, 8, 0, filtered)).Pixels);
        // Interlaced, 2x2: the first pass has the corner, the sixth its neighbour, the seventh the row below.
        Assert.Equal([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4], ImageFile.Decode("a", Png(2, 2, 8, 0, [0, 1, 0, 2, 0, 3, 4], interlace: 1)).Pixels);
        Picture picture = Pattern(17, 5, 2);
        picture.SavePng(_folder["a.png"]);
        Assert.Equal(picture.Pixels, ImageFile.Read(_folder["a.png"]).Pixels);
    }

    [Fact]
    public void Damaged_png_images_are_one_line()
    {
        byte[] good = Png(3, 3, 8, 0, [0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9]);
        for (int cut = 0; cut < good.Length; cut++)
            Complains(() => ImageFile.Decode("cut.png", good.AsSpan(0, cut)), "cut.png");
        for (int at = 8; at < good.Length; at++)
        {
            byte[] wrong = [.. good];
            wrong[at] ^= 0x11;
            Complains(() => ImageFile.Decode("wrong.png", wrong), "wrong.png");
        }
        Complains(() => ImageFile.Decode("huge.png", Png(65535, 65535, 16, 6, [0])), "65535");
        Complains(() => ImageFile.Decode("none.png", Png(0, 1, 8, 0, [0])), "0x1");
    }

    [Fact]
    public void Jpeg_images_are_read_or_named()
    {
        string faces = Path.Combine(Files.RequireData("faces"), "00001.jpg");
        byte[] bytes = File.ReadAllBytes(faces);
        try
        {
            Picture picture = ImageFile.Decode("face", bytes);
            Assert.Equal((150, 150, 3), (picture.Width, picture.Height, picture.Channels));
            Assert.InRange(picture.Pixels.Average(p => (double)p), 40, 220);
        }
        catch (DeviceException e)
        {
            Assert.Skip(e.Message);
        }
        Complains(() => ImageFile.Decode("half.jpg", bytes.AsSpan(0, bytes.Length / 2)), "half.jpg", "damaged");
    }

    /// <summary>A server that knows ranges, and that cuts the first answer short.</summary>
    private sealed class Server : IDisposable
    {
        private readonly HttpListener _listener = new();

        public Server(byte[] content, int cutFirstAt)
        {
            Random random = new();
            while (true)
            {
                Url = $"http://localhost:{random.Next(20000, 60000)}/";
                _listener.Prefixes.Clear();
                _listener.Prefixes.Add(Url);
                try
                {
                    _listener.Start();
                    break;
                }
                catch (HttpListenerException)
                {
                    // Taken: another one.
                }
            }
            _ = Task.Run(() => Serve(content, cutFirstAt));
        }

        public string Url { get; }

        public List<string> Ranges { get; } = [];

        private void Serve(byte[] content, int cut)
        {
            try
            {
                while (true)
                {
                    HttpListenerContext context = _listener.GetContext();
                    string range = context.Request.Headers["Range"] ?? "";
                    lock (Ranges)
                        Ranges.Add(range);
                    int from = range.StartsWith("bytes=", StringComparison.Ordinal) ? int.Parse(range[6..^1]) : 0;
                    if (context.Request.Url!.AbsolutePath.EndsWith("missing", StringComparison.Ordinal))
                    {
                        context.Response.StatusCode = 404;
                        context.Response.Close();
                        continue;
                    }
                    context.Response.StatusCode = from > 0 ? 206 : 200;
                    if (from > 0)
                        context.Response.Headers["Content-Range"] = $"bytes {from}-{content.Length - 1}/{content.Length}";
                    int end = Ranges.Count == 1 && cut > 0 ? cut : content.Length;
                    context.Response.ContentLength64 = content.Length - from;
                    context.Response.OutputStream.Write(content, from, end - from);
                    if (end < content.Length)
                        context.Response.Abort();
                    else
                        context.Response.Close();
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        public void Dispose() => _listener.Close();
    }

    private static string Md5(byte[] bytes)
    {
#pragma warning disable CA5351
        return Convert.ToHexStringLower(MD5.HashData(bytes));
#pragma warning restore CA5351
    }

    [Fact]
    public void A_download_goes_on_where_it_was_cut_and_believes_its_digest()
    {
        byte[] content = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 31 >> 3))];
        using Server server = new(content, cutFirstAt: 100_000);
        RemoteFile file = new("x.bin", Md5(content), server.Url + "missing", server.Url + "x.bin", server.Url + "x.bin");
        // The first address has no such file, the second breaks off, the third goes on.
        Downloads.Fetch([file], _folder["d"], _ => { }, CancellationToken.None);
        Assert.Equal(content, File.ReadAllBytes(_folder["d/x.bin"]));
        Assert.Equal(["x.bin"], Directory.GetFiles(_folder["d"]).Select(Path.GetFileName));
        int asked = server.Ranges.Count;
        Downloads.Fetch([file], _folder["d"], _ => { }, CancellationToken.None);
        Assert.Equal(asked, server.Ranges.Count);

        RemoteFile forged = new("y.bin", Md5([1]), server.Url + "y.bin");
        Complains(() => Downloads.Fetch([forged], _folder["d"], _ => { }, CancellationToken.None), "y.bin", "expected " + Md5([1]));
        Assert.False(File.Exists(_folder["d/y.bin"]) || File.Exists(_folder["d/y.bin.partial"]));
        Complains(() => Downloads.Fetch([new("z.bin", Md5([1]), "http://localhost:1/z.bin")], _folder["d"], _ => { }, CancellationToken.None), "z.bin", "localhost");
    }
}
