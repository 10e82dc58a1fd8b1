using System.CommandLine;
using System.Globalization;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>Prepares, shows and fetches data sets: the whole of tools/data.cs.</summary>
public static class DataCommand
{
    // Pixels a side of the picture that 'info' draws, but for what lies between the images.
    private const int LargestPicture = 10240;

    /// <summary>Reads the flags and does the work. Returns the exit code.</summary>
    public static int Run(string[] args) => Executable.Run(interrupt =>
    {
        ParseResult parsed = Root(interrupt).Parse(args);
        if (parsed.Errors.Count > 0)
            throw new InputException($"{parsed.Errors[0].Message.ReplaceLineEndings(" ")} See --help.");
        return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    });

    private static RootCommand Root(CancellationToken interrupt)
    {
        var source = new Argument<string>("source") { Description = "folder or zip of JPEG and PNG pictures; links to folders are not followed" };
        var target = new Argument<string>("target") { Description = "the file to write; one that 'prepare' made is replaced, any other is left alone" };
        var size = new Option<int>("--size") { Description = "height and width of the images, 1 to 1024", DefaultValueFactory = _ => 64 };
        var crop = new Option<string>("--crop") { Description = "centre: the square in the middle; none: squeeze the whole picture", DefaultValueFactory = _ => "centre" };
        var prepare = new Command("prepare", "Makes one file of small images from many pictures; goes on where an earlier run was stopped, if the pictures are still the same.") { source, target, size, crop };
        prepare.SetAction(p => Prepare(p.GetValue(source)!, p.GetValue(target)!, p.GetValue(size), p.GetValue(crop)!, interrupt));

        var path = new Argument<string>("path") { Description = "folder with MNIST or CIFAR-10 files, or a file that 'prepare' made" };
        var png = new Option<string?>("--png") { Description = "file for a picture of the first hundred images" };
        var info = new Command("info", "Tells what a data set holds.") { path, png };
        info.SetAction(p => Info(p.GetValue(path)!, p.GetValue(png)));

        var name = new Argument<string>("name") { Description = string.Join(", ", Downloads.Known.Keys) };
        var folder = new Option<string?>("--out") { Description = "where to (default: a folder of that name)" };
        var download = new Command("download", "Fetches a data set and checks it.") { name, folder };
        download.SetAction(p => Download(p.GetValue(name)!, p.GetValue(folder), interrupt));
        return new RootCommand("Prepares, shows and fetches data sets.") { prepare, info, download };
    }

    private static void Prepare(string source, string target, int size, string crop, CancellationToken interrupt)
    {
        if (size is < 1 or > 1024)
            throw new InputException($"--size: found {size}, expected a whole number from 1 to 1024");
        if (crop is not ("centre" or "center" or "none"))
            throw new InputException($"--crop: found '{crop}', expected centre or none");
        var display = ProgressDisplay.ForConsole(plain: false, "pictures");
        (int Done, int Of) reached = default;
        using (display)
        {
            try
            {
                (int written, IReadOnlyList<string> skipped) = new ImagePreparation(source, target, size, crop != "none").Run((done, total, left) =>
                {
                    if (reached.Done == 0)
                        display.Begin(total, total, 1, done);
                    reached = (done, total);
                    if (left > 0)
                        display.Update(done, new Metric("skipped", left));
                    else
                        display.Update(done);
                }, interrupt);
                foreach (string line in skipped)
                    display.WriteLine($"skipped   {line}");
                display.WriteLine($"wrote     {target}: {written} images {size}x{size}x3, {skipped.Count} skipped");
            }
            catch (OperationCanceledException) when (reached.Done > 0)
            {
                display.WriteLine($"stopped after {reached.Done} of {reached.Of} pictures; the same command goes on from there");
                throw;
            }
        }
    }

    private static void Info(string path, string? png)
    {
        if (png is not null && Path.GetFullPath(png) == Path.GetFullPath(path))
            throw new InputException($"--png: found '{png}', which is the data set; expected another file");
        DataSource data = DataSource.Open(path, 1);
        Console.WriteLine(data.Name);
        foreach ((string name, ImageSet set) in new[] { ("training", data.Train), ("test", data.Test) })
        {
            Console.WriteLine($"{name,-10} {set.Count} images {set.Height}x{set.Width}x{set.Channels}");
            if (set.Classes > 1)
                Console.WriteLine($"{"",-10} of each class: {string.Join(", ", Enumerable.Range(0, set.Classes).Select(c => $"{c}: {set.Labels.Count(l => l == c)}"))}");
            for (int c = 0; c < set.Channels; c++)
            {
                (double mean, double deviation) = Statistics(set, c);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"",-10} channel {c}: mean {mean:F4}, deviation {deviation:F4}, of 1"));
            }
        }
        if (png is null)
            return;
        ImageSet shown = data.Train;
        int side = Math.Min(10, LargestPicture / Math.Max(shown.Height, shown.Width)), count = Math.Min(side * side, shown.Count);
        if (side == 0)
            throw new InputException($"--png: found images of {shown.Height}x{shown.Width}, expected at most {LargestPicture} pixels a side");
        byte[] images = new byte[count * shown.ImageLength];
        for (int i = 0; i < count; i++)
            shown.Image(i).CopyTo(images.AsSpan(i * shown.ImageLength));
        ImageGrid.Compose(images, shown.Height, shown.Width, shown.Channels, side, side, scale: shown.Height > 128 ? 1 : 2).SavePng(png);
        Console.WriteLine($"wrote      {png}");
    }

    private static (double Mean, double Deviation) Statistics(ImageSet set, int channel)
    {
        long sum = 0, squares = 0, count = (long)set.Count * set.Height * set.Width;
        for (int i = 0; i < set.Count; i++)
        {
            ReadOnlySpan<byte> image = set.Image(i);
            for (int p = channel; p < image.Length; p += set.Channels)
            {
                sum += image[p];
                squares += image[p] * image[p];
            }
        }
        double mean = (double)sum / count;
        return (mean / 255, Math.Sqrt(Math.Max(0, (double)squares / count - mean * mean)) / 255);
    }

    private static void Download(string name, string? folder, CancellationToken interrupt)
    {
        if (!Downloads.Known.TryGetValue(name, out IReadOnlyList<RemoteFile>? files))
            throw new InputException($"download: found '{name}', expected {string.Join(", ", Downloads.Known.Keys)}");
        Downloads.Fetch(files, folder ?? name, Console.WriteLine, interrupt);
    }
}
