using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using CudaGen.Nets;
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
        // More than there is memory, in a file that takes no disk.
        const int Megabyte = 1 << 20;
        int count = (int)(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / Megabyte) + 1;
        using (FileStream file = File.Create(path))
        {
            file.Write(PackedImages.Header(count, 1024, 1024, 1));
            file.SetLength(PackedImages.HeaderLength + (long)count * Megabyte);
        }
        Complains(() => DataSource.Open(path, 1), "faces.bin", $"{count} images of 1024x1024x1", "of memory");
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

    private static void Stop(string source, string target, int lots = 1)
    {
        using CancellationTokenSource stop = new();
        int done = 0;
        Assert.Throws<OperationCanceledException>(() => new ImagePreparation(source, target, 8, true).Run((_, _, _) =>
        {
            if (++done == lots)
                stop.Cancel();
        }, stop.Token));
        Assert.True(File.Exists(target + ".journal"));
    }

    [Fact]
    public void A_preparation_begins_anew_when_the_pictures_are_others()
    {
        string source = Pictures("pictures", 70), target = _folder["resumed.bin"], zip = _folder["pictures.zip"];
        // The same names and lengths.
        Stop(source, target);
        string picture = Path.Combine(source, "0001.png");
        Picture other = new(10, 13, 3, [.. Pattern(10, 13, 1).Pixels.Reverse()]);
        other.SavePng(picture);
        File.SetLastWriteTimeUtc(picture, new DateTime(2001, 1, 1));
        byte[] fresh = File.ReadAllBytes(Prepared(source, "fresh.bin"));
        Assert.Equal(fresh, File.ReadAllBytes(Prepared(source, "resumed.bin")));

        ZipFile.CreateFromDirectory(source, zip);
        Stop(zip, target);
        File.Delete(zip);
        Pattern(10, 13, 1).SavePng(picture);
        ZipFile.CreateFromDirectory(source, zip);
        byte[] freshZip = File.ReadAllBytes(Prepared(zip, "fresh.bin"));
        Assert.NotEqual(fresh, freshZip);
        Assert.Equal(freshZip, File.ReadAllBytes(Prepared(zip, "resumed.bin")));

        // A journal that makes no sense.
        Stop(zip, target);
        File.AppendAllText(target + ".journal", "done many\n");
        Assert.Equal(freshZip, File.ReadAllBytes(Prepared(zip, "resumed.bin")));
    }

    [Fact]
    public void A_second_preparation_with_the_same_target_harms_nothing_of_the_first()
    {
        string source = Pictures("pictures", 70), target = _folder["x.bin"];
        Stop(source, target);
        string journal = File.ReadAllText(target + ".journal");
        using (new FileStream(target + ".partial", FileMode.Open, FileAccess.Write, FileShare.None))
            Complains(() => new ImagePreparation(source, target, 5, true).Run((_, _, _) => { }, CancellationToken.None), "x.bin");
        Assert.Equal(journal, File.ReadAllText(target + ".journal"));
        Assert.Equal(File.ReadAllBytes(Prepared(source, "y.bin")), File.ReadAllBytes(Prepared(source, "x.bin")));
    }

    [Fact]
    public void Links_to_folders_are_not_followed_and_links_to_pictures_are()
    {
        string source = Pictures("pictures", 5);
        byte[] plain = File.ReadAllBytes(Prepared(source, "plain.bin"));
        Directory.CreateSymbolicLink(Path.Combine(source, "more", "up"), "..");
        Directory.CreateSymbolicLink(Path.Combine(source, "more.png"), "more");
        Assert.Equal(plain, File.ReadAllBytes(Prepared(source, "linked.bin")));
        File.CreateSymbolicLink(Path.Combine(source, "z.png"), "0001.png");
        Directory.CreateSymbolicLink(_folder["to-the-source"], "pictures");
        Assert.Equal(6, DataSource.Open(Prepared(_folder["to-the-source"], "linked.bin"), 1).Train.Count);
    }

    /// <summary>A pipe has no end before someone has written to it, and a device may have none at all.</summary>
    [Fact]
    public async Task Pipes_and_devices_are_left_out_unopened()
    {
        string source = Pictures("pictures", 5), pipe = Path.Combine(source, "pipe.jpg");
        if (OperatingSystem.IsWindows())
            Assert.Skip("needs a system with pipes among its files");
        using (Process make = Process.Start("mkfifo", pipe))
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        File.CreateSymbolicLink(Path.Combine(source, "device.png"), "/dev/zero");
        File.CreateSymbolicLink(Path.Combine(source, "nowhere.png"), "nothing");
        File.CreateSymbolicLink(Path.Combine(source, "self.png"), "self.png");
        File.WriteAllBytes(Path.Combine(source, "empty.jpg"), []);
        Task work = Task.Run(() =>
        {
            (int written, IReadOnlyList<string> skipped) = new ImagePreparation(source, _folder["x.bin"], 8, true).Run((_, _, _) => { }, CancellationToken.None);
            Assert.Equal((5, 5), (written, skipped.Count));
            Assert.All(skipped, line => Assert.Contains("nothing to read", line, StringComparison.Ordinal));
            Complains(() => Prepared(pipe, "y.bin"), "pipe.jpg", "expected a folder or a zip file");
            Complains(() => Prepared(source, "pictures/pipe.jpg"), "pipe.jpg", "not overwritten");
            Complains(() => DataSource.Open(pipe, 1), "pipe.jpg", "another kind of file");
        }, TestContext.Current.CancellationToken);
        // Longer than that, something waits for the pipe.
        await work.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Only_prepared_files_are_replaced_and_a_bad_target_is_refused_before_the_work()
    {
        string source = Pictures("pictures", 5), text = _folder["text.bin"];
        File.WriteAllText(text, "mine");
        Directory.CreateDirectory(_folder["folder"]);
        foreach ((string target, string mention) in new[] { (text, "not overwritten"), (_folder["folder"], "names a folder"),
            (_folder["new"] + "/", "names a folder"), ("", "names a folder"), (_folder["no/where.bin"], "does not exist") })
        {
            // Were the source looked at first, it would be the complaint.
            Complains(() => new ImagePreparation(_folder["missing"], target, 8, true).Run((_, _, _) => { }, CancellationToken.None), target, mention);
        }
        Assert.Equal("mine", File.ReadAllText(text));
        byte[] eight = File.ReadAllBytes(Prepared(source, "x.bin"));
        Assert.NotEqual(eight, File.ReadAllBytes(Prepared(source, "x.bin", 5)));
        Assert.Equal(eight, File.ReadAllBytes(Prepared(source, "x.bin")));

        // A target among the pictures that looks like one of them, twice.
        for (int i = 0; i < 2; i++)
        {
            (int written, IReadOnlyList<string> skipped) = new ImagePreparation(source, Path.Combine(source, "0.png"), 8, true).Run((_, _, _) => { }, CancellationToken.None);
            Assert.Equal((5, 0), (written, skipped.Count));
        }
        Assert.Equal(eight, File.ReadAllBytes(Path.Combine(source, "0.png")));
    }

    [Fact]
    public void What_is_broken_is_named_on_a_line_and_left_out()
    {
        string source = Pictures("pictures", 3), zip = _folder["pictures.zip"];
        File.WriteAllText(Path.Combine(source, "a\nb\e[31m.png"), "text");
        using (FileStream large = File.Create(Path.Combine(source, "large.png")))
            large.SetLength(PictureSource.MaxFileLength + 1L);
        (int written, IReadOnlyList<string> skipped) = new ImagePreparation(source, _folder["x.bin"], 8, true).Run((_, _, _) => { }, CancellationToken.None);
        Assert.Equal(3, written);
        Assert.Equal(2, skipped.Count);
        Assert.Contains("a?b?[31m.png: starts with 0x74657874", skipped[0], StringComparison.Ordinal);
        Assert.Contains("large.png: found a file of 268435457 bytes, expected at most 268435456", skipped[1], StringComparison.Ordinal);

        byte[] good = File.ReadAllBytes(Path.Combine(source, "0001.png"));
        string[] names = ["bomb.png", "checksum.png", "good.png", "locked.png", "short.png"];
        using (ZipArchive archive = ZipFile.Open(zip, ZipArchiveMode.Create))
        {
            foreach (string name in names)
            {
                using Stream entry = archive.CreateEntry(name).Open();
                entry.Write(good);
            }
        }
        byte[] bytes = File.ReadAllBytes(zip);
        foreach (string name in names)
        {
            // A record of the central directory: flags at 8, CRC-32 at 16, unpacked length at 24, name at 46.
            Span<byte> record = bytes.AsSpan(bytes.AsSpan().LastIndexOf(Encoding.ASCII.GetBytes(name)) - 46);
            if (name == "bomb.png")
                BinaryPrimitives.WriteUInt32LittleEndian(record[24..], int.MaxValue);
            else if (name == "checksum.png")
                record[16] ^= 1;
            else if (name == "locked.png")
                record[8] |= 1;
            else if (name == "short.png")
                BinaryPrimitives.WriteInt32LittleEndian(record[24..], good.Length - 1);
        }
        File.WriteAllBytes(zip, bytes);
        (written, skipped) = new ImagePreparation(zip, _folder["x.bin"], 8, true).Run((_, _, _) => { }, CancellationToken.None);
        Assert.Equal(1, written);
        Assert.Equal(["bomb", "checksum", "locked", "short"], skipped.Select(line => line.Split('.')[0]));
        Assert.Contains("expected at most", skipped[0], StringComparison.Ordinal);
        Assert.Contains("checksum is wrong", skipped[1], StringComparison.Ordinal);
        Assert.Contains("encrypted", skipped[2], StringComparison.Ordinal);
    }

    [Fact]
    public void A_few_images_are_trained_on_and_tested_with()
    {
        foreach (int count in (int[])[1, 9])
        {
            DataSource data = DataSource.Open(Prepared(Pictures($"{count}", count), $"{count}.bin"), 1);
            Assert.Equal((count, count), (data.Train.Count, data.Test.Count));
        }
        DataSource ten = DataSource.Open(Prepared(Pictures("10", 10), "10.bin"), 1);
        Assert.Equal((9, 1), (ten.Train.Count, ten.Test.Count));
    }

    [Fact]
    public void Sets_larger_than_an_array_are_held_in_parts()
    {
        const int Image = 8 * 8 * 3;
        string path = Prepared(Pictures("pictures", 30), "x.bin");
        DataSource whole = PackedImages.Load(path), cut = PackedImages.Load(path, 4 * Image + 1);
        Assert.Equal([4, 4, 4, 4, 4, 4, 3], cut.Train.Parts.Select(part => part.Length / Image));
        Assert.Equal(whole.Train.Pixels, cut.Train.Pixels);
        for (int i = 0; i < whole.Train.Count; i++)
            Assert.Equal(whole.Train.Image(i), cut.Train.Image(i));
        using Device device = Device.Cpu(1);
        using ImageData data = new(device, cut.Train.Parts, 8, 8, 3);
        Assert.Equal(27, data.Count);
        Assert.Equal(whole.Train.Pixels, device.ToArray(data.Pixels));
        // An image larger than a part is one.
        Assert.Equal(27, PackedImages.Load(path, 1).Train.Parts.Count);

        byte[] labels = new byte[5];
        Assert.Equal(5, new ImageSet([new byte[6], new byte[4]], labels, 1, 2, 1, 1).Count);
        Assert.Throws<ArgumentException>(() => new ImageSet([new byte[4], new byte[6]], labels, 1, 2, 1, 1));
        Assert.Throws<ArgumentException>(() => new ImageSet([new byte[5], new byte[5]], labels, 1, 2, 1, 1));
        Assert.Throws<ArgumentException>(() => new ImageSet([new byte[6], new byte[6]], labels, 1, 2, 1, 1));
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
    public void A_folder_of_pictures_is_told_from_an_empty_one()
    {
        string pictures = Pictures("pictures", 2);
        Complains(() => DataSource.Open(pictures, 1), $"{pictures}: found a folder of pictures, expected a file that 'tools/data.cs prepare' makes of them");
        Directory.CreateDirectory(_folder["empty"]);
        Complains(() => DataSource.Open(_folder["empty"], 1), "holds no train-images file");
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

    /// <summary>8x8 pixels each: grey 77, and the inks 0, 128, 204, 51 of 255, which leave (204, 102, 41) of white.</summary>
    [Theory]
    [InlineData("/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/wAALCAAIAAgBA"
        + "REA/8QAFAABAAAAAAAAAAAAAAAAAAAABf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AFf/Z", 77, 77, 77)]
    [InlineData("/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAQCwwODAoQDg0OEhEQExgoGhgWFhgxIyUdKDozPTw5Mzg3QEhcTkBEV0U3OFBtUVdfYmdoZz5NcXlwZHhcZWdj/8AAFAgACAAIBEMRA"
        + "E0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAYBB//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAOBEMATQBZAEsAAD8A0BBgmf/Z", 204, 102, 41)]
    public void Grey_and_printers_jpeg_images_have_the_right_colours(string file, byte red, byte green, byte blue)
    {
        try
        {
            byte[] pixels = ImageFile.Decode("a", Convert.FromBase64String(file)).Pixels;
            Assert.Equal(8 * 8 * 3, pixels.Length);
            for (int i = 0; i < pixels.Length; i++)
                Assert.InRange(pixels[i] - (i % 3 == 0 ? red : i % 3 == 1 ? green : blue), -2, 2);
        }
        catch (DeviceException e)
        {
            Assert.Skip(e.Message);
        }
    }

    /// <summary>
    /// 32x16 pixels in four fields, which the file stores as red, green, blue and white in reading order. The eight orientations are
    /// those of Exif 2.3: 6, for one, has the first row at the right and the first column on top.
    /// </summary>
    [Theory]
    [InlineData(0, "rgbw")]
    [InlineData(1, "rgbw")]
    [InlineData(2, "grwb")]
    [InlineData(3, "wbgr")]
    [InlineData(4, "bwrg")]
    [InlineData(5, "rbgw")]
    [InlineData(6, "brwg")]
    [InlineData(7, "wgbr")]
    [InlineData(8, "gwrb")]
    [InlineData(9, "rgbw")]
    public void Jpeg_images_stand_as_the_camera_was_held(ushort orientation, string fields)
    {
        byte[] stored = Convert.FromBase64String(
            "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQ"
            + "wLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAARCAAQACADAREAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAA"
            + "AAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRk"
            + "dISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3"
            + "+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNO"
            + "El8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU"
            + "1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDi6+ZP3EKAPSq+aP4vCgDwav68P0wKAPuKvw49MKAP/9k=");
        foreach (bool little in new[] { true, false })
        {
            byte[] tiff = [.. little ? "II"u8 : "MM"u8, .. Word(42, little), .. new byte[4], .. Word(1, little),
                .. Word(0x0112, little), .. Word(3, little), .. new byte[4], .. Word(orientation, little), .. new byte[6]];
            // The offset of the directory, 8, and the count of values, 1, have four bytes.
            (little ? [8, 0, 0, 0] : (byte[])[0, 0, 0, 8]).CopyTo(tiff, 4);
            (little ? [1, 0, 0, 0] : (byte[])[0, 0, 0, 1]).CopyTo(tiff, 14);
            byte[] exif = [.. "Exif\0\0"u8, .. tiff], file = [.. stored[..2], 0xFF, 0xE1, .. Word((ushort)(exif.Length + 2), false), .. exif, .. stored[2..]];
            try
            {
                Picture picture = ImageFile.Decode("a.jpg", file);
                Assert.Equal(orientation is >= 5 and <= 8 ? (16, 32) : (32, 16), (picture.Width, picture.Height));
                int w = picture.Width, h = picture.Height;
                Assert.Equal(fields, string.Concat(new[] { (w / 4, h / 4), (3 * w / 4, h / 4), (w / 4, 3 * h / 4), (3 * w / 4, 3 * h / 4) }.Select(Colour)));

                char Colour((int X, int Y) at)
                {
                    ReadOnlySpan<byte> pixel = picture.Pixels.AsSpan((at.Y * w + at.X) * 3, 3);
                    return (pixel[0] > 128, pixel[1] > 128, pixel[2] > 128) switch { (true, true, true) => 'w', (true, _, _) => 'r', (_, true, _) => 'g', _ => 'b' };
                }
            }
            catch (DeviceException e)
            {
                Assert.Skip(e.Message);
            }
            // Damaged anywhere, it is still an answer.
            for (int cut = 0; cut < 60; cut++)
                Assert.InRange(Exif.Orientation(file.AsSpan(0, cut)), 1, 8);
            for (int at = 2; at < 60; at++)
            {
                byte[] damaged = [.. file];
                damaged[at] ^= 0xFF;
                Assert.InRange(Exif.Orientation(damaged), 1, 8);
            }
        }

        static byte[] Word(ushort value, bool little) => little ? [(byte)value, (byte)(value >> 8)] : [(byte)(value >> 8), (byte)value];
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
        Complains(() => ImageFile.Decode("head.jpg", bytes.AsSpan(0, 20)), "head.jpg", "damaged", "cut off after 20 bytes");
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
                    if (context.Request.Url.AbsolutePath.EndsWith("silent", StringComparison.Ordinal))
                    {
                        context.Response.ContentLength64 = content.Length;
                        context.Response.OutputStream.Write(content, 0, 100);
                        context.Response.OutputStream.Flush();
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

    [Fact]
    public void A_download_that_got_nothing_leaves_nothing()
    {
        RemoteFile nowhere = new("x.bin", Md5([1]), "http://localhost:1/x.bin");
        Complains(() => Downloads.Fetch([nowhere], _folder["d"], _ => { }, CancellationToken.None), "x.bin", "localhost");
        Assert.False(Directory.Exists(_folder["d"]));
        // A folder that was there stays.
        Directory.CreateDirectory(_folder["d"]);
        Complains(() => Downloads.Fetch([nowhere], _folder["d"], _ => { }, CancellationToken.None), "x.bin", "localhost");
        Assert.True(Directory.Exists(_folder["d"]));
    }

    [Fact]
    public void A_download_does_not_wait_for_ever_and_says_what_it_replaces()
    {
        byte[] content = [.. Enumerable.Range(0, 3000).Select(i => (byte)(i * 31 >> 3))];
        using Server server = new(content, cutFirstAt: 0);
        RemoteFile silent = new("x.bin", Md5(content), server.Url + "silent");
        TimeSpan patience = TimeSpan.FromSeconds(1);
        Complains(() => Downloads.Fetch([silent], _folder["d"], _ => { }, patience, CancellationToken.None), "x.bin", "nothing came for 1 seconds");
        // What had come is kept, and the next address goes on from there.
        Downloads.Fetch([silent with { Urls = [server.Url + "x.bin"] }], _folder["d"], _ => { }, CancellationToken.None);
        Assert.Equal(content, File.ReadAllBytes(_folder["d/x.bin"]));
        Assert.Equal("bytes=100-", server.Ranges[^1]);

        File.WriteAllText(_folder["d/x.bin"], "mine");
        List<string> said = [];
        Downloads.Fetch([silent with { Urls = [server.Url + "x.bin"] }], _folder["d"], said.Add, CancellationToken.None);
        Assert.Contains("will be replaced", said[0], StringComparison.Ordinal);
        Assert.Equal(content, File.ReadAllBytes(_folder["d/x.bin"]));
        Complains(() => Downloads.Fetch([silent], _folder["d/x.bin"], _ => { }, CancellationToken.None), "x.bin", "expected a folder");
    }

    private static (int Code, string Errors) Command(params string[] args)
    {
        (TextWriter output, TextWriter error) = (Console.Out, Console.Error);
        using StringWriter errors = new();
        Console.SetOut(TextWriter.Null);
        Console.SetError(errors);
        try
        {
            return (DataCommand.Run(args), errors.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }
    }

    [Theory]
    [InlineData("", "found no command, expected prepare, info or download; --help tells more")]
    [InlineData("prepared a b", "'prepared': expected prepare, info or download")]
    [InlineData("prepare", "source: found nothing, expected a folder or zip of JPEG and PNG pictures; links to folders are not followed")]
    [InlineData("prepare a", "target: found nothing, expected the file to write; one that 'prepare' made is replaced, any other is left alone")]
    [InlineData("prepare a b c", "'c': expected a flag; --help lists them")]
    [InlineData("prepare @a b --sizes 3", "--sizes: there is no such flag; did you mean --size?")]
    [InlineData("prepare a b --size x", "--size: found 'x', expected a whole number from 1 to 1024")]
    [InlineData("prepare a b --size 0", "--size: found '0', expected a whole number from 1 to 1024")]
    [InlineData("prepare a b --size", "--size: found no value, expected a whole number from 1 to 1024")]
    [InlineData("prepare a b --size 3 --size 4", "--size: given 2 times, expected once")]
    [InlineData("prepare a b --crop left", "--crop: found 'left', expected centre, center or none")]
    [InlineData("info", "path: found nothing, expected a folder with MNIST or CIFAR-10 files, or a file that 'prepare' made")]
    [InlineData("info a --png", "--png: found no value, expected a file to write")]
    [InlineData("download", "name: found nothing, expected mnist, fashion-mnist, cifar-10")]
    [InlineData("download faces", "name: found 'faces', expected mnist, fashion-mnist, cifar-10")]
    [InlineData("download mnist --out=", "--out: found no value, expected a folder")]
    [InlineData("[suggest]", "'[suggest]': expected prepare, info or download")]
    public void A_wrong_command_line_is_one_line(string line, string expected)
        => Assert.Equal((Executable.Failed, $"error: {expected}{Environment.NewLine}"), Command(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)));

    [Fact]
    public void The_command_draws_what_it_tells_of_but_never_over_it()
    {
        string path = Prepared(Pictures("pictures", 5), "x.bin", size: 200);
        byte[] bytes = File.ReadAllBytes(path);
        Assert.Equal((0, ""), Command("info", path, "--png", _folder["x.png"]));
        Picture drawn = ImageFile.Read(_folder["x.png"]);
        Assert.Equal((10 * 202 + 2, 202 + 2), (drawn.Width, drawn.Height));
        (int code, string errors) = Command("info", path, "--png", path);
        Assert.Equal(Executable.Failed, code);
        Assert.StartsWith("error: --png: ", errors, StringComparison.Ordinal);
        Assert.Equal(bytes, File.ReadAllBytes(path));
        // 1x30000 pixels: none fits.
        File.WriteAllBytes(path, [.. PackedImages.Header(1, 1, 30000, 1), .. new byte[30000]]);
        (code, errors) = Command("info", path, "--png", _folder["y.png"]);
        Assert.Equal(Executable.Failed, code);
        Assert.Contains("1x30000", errors, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["y.png"]));
    }
}
