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
    public static int Run(string[] args) => Executable.Run(interrupt => FlagValues.Run(new Command("data", "Prepares, shows and fetches data sets.")
    {
        FlagValues.WithAction(new Command("prepare", "Makes one file of small images from many pictures; goes on where an earlier run was stopped, if the pictures are still the same.")
        {
            FlagValues.Place("source", "a folder or zip of JPEG and PNG pictures; links to folders are not followed"),
            FlagValues.Place("target", "the file to write; one that 'prepare' made is replaced, any other is left alone"),
            FlagValues.Flag("--size", "height and width of the images, 1 to 1024 (default: 64)"),
            FlagValues.Flag("--crop", "centre: the square in the middle; none: squeeze the whole picture (default: centre)"),
        }, flags => Prepare(flags, interrupt)),
        FlagValues.WithAction(new Command("info", "Tells what a data set holds.")
        {
            FlagValues.Place("path", "a folder with MNIST or CIFAR-10 files, or a file that 'prepare' made"),
            FlagValues.Flag("--png", "file for a picture of the first hundred images"),
        }, Info),
        FlagValues.WithAction(new Command("download", "Fetches a data set and checks it.")
        {
            FlagValues.Place("name", string.Join(", ", Downloads.Known.Keys)),
            FlagValues.Flag("--out", "where to (default: a folder of that name)"),
        }, flags => Download(flags, interrupt)),
    }, args));

    private static int Prepare(FlagValues flags, CancellationToken interrupt)
    {
        string source = flags.Place("source"), target = flags.Place("target");
        int size = flags.Whole("--size", 1, 1024) ?? 64;
        string crop = flags.Choice("--crop", "centre", "center", "none") ?? "centre";
        var display = ProgressDisplay.ForConsole(plain: false, "images", title: "pictures");
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
        return 0;
    }

    private static int Info(FlagValues flags)
    {
        string path = flags.Place("path");
        string? png = flags.Text("--png", "a file to write");
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
            return 0;
        ImageSet shown = data.Train;
        int side = Math.Min(10, LargestPicture / Math.Max(shown.Height, shown.Width)), count = Math.Min(side * side, shown.Count);
        if (side == 0)
            throw new InputException($"--png: found images of {shown.Height}x{shown.Width}, expected at most {LargestPicture} pixels a side");
        byte[] images = new byte[count * shown.ImageLength];
        for (int i = 0; i < count; i++)
            shown.Image(i).CopyTo(images.AsSpan(i * shown.ImageLength));
        ImageGrid.Compose(images, shown.Height, shown.Width, shown.Channels, (count + side - 1) / side, side, scale: shown.Height > 128 ? 1 : 2).SavePng(png);
        Console.WriteLine($"wrote      {png}");
        return 0;
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

    private static int Download(FlagValues flags, CancellationToken interrupt)
    {
        string name = flags.Place("name");
        if (!Downloads.Known.TryGetValue(name, out IReadOnlyList<RemoteFile>? files))
            throw new InputException($"name: found '{name}', expected {string.Join(", ", Downloads.Known.Keys)}");
        Downloads.Fetch(files, flags.Text("--out", "a folder") ?? name, Console.WriteLine, interrupt);
        return 0;
    }
}
