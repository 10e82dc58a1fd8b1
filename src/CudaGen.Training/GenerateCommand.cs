using System.CommandLine;
using System.Globalization;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>Makes pictures with a trained generator: the whole of tools/generate.cs.</summary>
public static class GenerateCommand
{
    private const int MostImages = 10_000;

    // Numbers of the codes of a picture, and its bytes: beyond half a gigabyte nobody looks at it.
    private const long MostNumbers = 1 << 28, MostBytes = 1 << 29;

    private const ulong MostFirst = 1_000_000_000_000;

    private const string SinglesFlag = "--singles", InterpolateFlag = "--interpolate", SweepFlag = "--sweep", GridKind = "a grid";

    // What each kind of picture looks at, beside what all do. A flag that would do nothing is refused.
    private static readonly Dictionary<string, string[]> FlagsOf = new()
    {
        [SinglesFlag] = [SinglesFlag, "--first"],
        [InterpolateFlag] = [InterpolateFlag, "--linear", "--steps"],
        [SweepFlag] = [SweepFlag, "--from", "--to", "--steps", "--first"],
        [GridKind] = ["--rows", "--columns", "--first"],
    };

    /// <summary>Reads the flags, generates and writes. Returns the exit code.</summary>
    public static int Run(string[] args) => Executable.Run(() => FlagValues.Run(FlagValues.WithAction(new Command("generate", "Makes pictures with a trained generator.")
    {
        FlagValues.Place("generator", "a generator.safetensors that a training program wrote"),
        FlagValues.Flag(SinglesFlag, "N single images instead of a grid"),
        FlagValues.Flag("--class", "ask for this class only; without it, one row of each class"),
        new Option<string[]>(InterpolateFlag)
        {
            Description = "I J: a row from sample I to sample J",
            Arity = new(0, 2),
            AllowMultipleArgumentsPerToken = true,
        },
        FlagValues.Switch("--linear", "on a straight line; without it, on the sphere where codes are normal"),
        FlagValues.Flag(SweepFlag, "a row in which number D of the code changes, from 0 on"),
        FlagValues.Flag("--from", "where the sweep begins (default: -3)"),
        FlagValues.Flag("--to", "where it ends (default: 3)"),
        FlagValues.Flag("--steps", "images of an interpolation or sweep (default: 10)"),
        FlagValues.Flag("--rows", "rows of the grid (default: 10)"),
        FlagValues.Flag("--columns", "columns of the grid (default: 10)"),
        FlagValues.Flag("--seed", "start of the random numbers; image i is a function of the seed and i (default: 1)"),
        FlagValues.Flag("--first", "number of the first image (default: 0)"),
        FlagValues.Flag("--batch", "images that are made at once; the images do not depend on it (default: 16)"),
        FlagValues.Flag("--device", "auto, cpu, cuda or cuda:N (default: auto)"),
        FlagValues.Flag("--impl", "auto, kernel, library, cpu or reference (default: auto)"),
        FlagValues.Flag("--precision", "products on a GPU: fp32, tf32 or bf16 (default: fp32)"),
        FlagValues.Flag("--threads", "threads of the CPU path; 0 for one for each processor (default: 0)"),
        FlagValues.Flag("--out", "the picture (default: generated.png), or the folder of single images (default: generated)"),
    }, Generate), args));

    // All flags are read before anything is opened.
    private static int Generate(FlagValues flags)
    {
        string path = flags.Place("generator"), kind = KindOf(flags);
        string? output = flags.Text("--out", "a file, or a folder with --singles");
        int? label = flags.Whole("--class", 0, byte.MaxValue), askedRows = flags.Whole("--rows", 1, 100);
        int columns = flags.Whole("--columns", 1, 100) ?? 10, steps = flags.Whole("--steps", 2, MostImages) ?? 10, singles = flags.Whole(SinglesFlag, 1, MostImages) ?? 0;
        ulong[] ends = flags.Whole(InterpolateFlag, 2, 0, MostFirst) ?? [];
        int dimension = flags.Whole(SweepFlag, 0, int.MaxValue) ?? 0;
        float from = flags.Number("--from", -1000, 1000) ?? -3, to = flags.Number("--to", -1000, 1000) ?? 3;
        ulong seed = flags.Whole("--seed", 0, ulong.MaxValue) ?? 1, first = flags.Whole("--first", 0, MostFirst) ?? 0;
        int batch = flags.Whole("--batch", 1, MostImages) ?? 16;
        using Device device = Device.Open(flags.Device() ?? "auto", flags.Whole("--threads", 0, 1024) ?? 0, flags.Implementation() ?? Implementation.Auto,
            flags.Precision() ?? Precision.Fp32);
        using Generator generator = Generator.Load(device, path, batch);
        Job job = new(path, generator, seed, first, Label(path, generator, label));
        Console.WriteLine($"generator {path}: {generator.Spec.Architecture} of '{generator.Model}', codes of {generator.Latent}, on {device.Description}");
        switch (kind)
        {
            case InterpolateFlag:
                job.Interpolate(ends[0], ends[1], steps, flags.Has("--linear"), output);
                break;
            case SweepFlag:
                job.Sweep(dimension, from, to, steps, output);
                break;
            case SinglesFlag:
                job.Singles(singles, output);
                break;
            default:
                if (generator.Classes > 0 && label is null && askedRows is not null)
                    throw new InputException($"--rows: found with {path}, which gets one row for each of its {generator.Classes} classes; expected --class with it");
                job.Grid(askedRows ?? 10, columns, output);
                break;
        }
        return 0;
    }

    /// <summary>Which picture the flags ask for.</summary>
    /// <exception cref="InputException">They ask for two, or one of them would do nothing.</exception>
    private static string KindOf(FlagValues given)
    {
        string[] asked = [.. new[] { SinglesFlag, InterpolateFlag, SweepFlag }.Where(given.Has)];
        if (asked.Length > 1)
            throw new InputException($"{asked[1]}: found with {asked[0]}, expected one of {SinglesFlag}, {InterpolateFlag} and {SweepFlag}");
        string kind = asked.Length == 0 ? GridKind : asked[0];
        foreach (string flag in FlagsOf.Values.SelectMany(f => f).Distinct().Where(f => given.Has(f) && !FlagsOf[kind].Contains(f)))
        {
            throw new InputException($"{flag}: found with {kind}, which has no use for it; expected "
                + $"{string.Join(" or ", FlagsOf.Where(f => f.Value.Contains(flag)).Select(f => f.Key))}");
        }
        return kind;
    }

    private static byte? Label(string path, Generator generator, int? asked)
    {
        if (asked is not { } label)
            return null;
        if (generator.Classes == 0)
            throw new InputException($"--class: found {label}, but {path} is a '{generator.Model}', which knows no classes");
        return label < generator.Classes
            ? (byte)label
            : throw new InputException($"--class: found {label}, expected 0 to {generator.Classes - 1}");
    }

    /// <summary>One call of the program.</summary>
    private sealed class Job(string path, Generator generator, ulong seed, ulong first, byte? label)
    {
        private const string Picture = "generated.png";

        public void Grid(int rows, int columns, string? output)
        {
            bool perClass = generator.Classes > 0 && label is null;
            if (perClass)
                rows = generator.Classes;
            RequireRoom(rows, columns);
            // Where each row is a class, all rows have the codes of the first.
            float[] drawn = Codes(first, perClass ? columns : rows * columns);
            float[] codes = perClass ? [.. Enumerable.Repeat(drawn, rows).SelectMany(c => c)] : drawn;
            byte[] labels = [.. Enumerable.Range(0, rows * columns).Select(i => label ?? (byte)(i / columns))];
            float[] images = Images(codes, labels);
            string target = output ?? Picture;
            if (generator.Spec.Range == OutputRange.Points)
                ScatterPlot.Draw(images, new byte[rows * columns], ["generated"]).SavePng(target);
            else
                Compose(images, rows, columns).SavePng(target);
            Console.WriteLine($"wrote     {target}: {rows} x {columns} images");
        }

        public void Singles(int count, string? output)
        {
            RequireImages(SinglesFlag);
            RequireRoom(1, 1);
            string folder = output ?? "generated";
            int lot = Math.Max(generator.Batch, 1);
            for (int done = 0; done < count; done += lot)
            {
                int now = Math.Min(lot, count - done);
                float[] images = Images(Codes(first + (ulong)done, now), [.. Enumerable.Range(done, now).Select(i => label ?? (byte)(i % Math.Max(generator.Classes, 1)))]);
                // Not before there are images to put into it.
                if (done == 0)
                    Make(folder);
                for (int i = 0; i < now; i++)
                {
                    string name = string.Create(CultureInfo.InvariantCulture, $"{first + (ulong)(done + i):D6}.png");
                    Compose(images.AsSpan(i * generator.ImageLength, generator.ImageLength), 1, 1, single: true).SavePng(Path.Combine(folder, name));
                }
            }
            Console.WriteLine($"wrote     {folder}: {count} images");
        }

        private static void Make(string folder)
        {
            if (File.Exists(folder))
                throw new InputException($"--out: found {folder}, which is a file, expected a folder for {SinglesFlag}");
            try
            {
                Directory.CreateDirectory(folder);
            }
            catch (Exception e) when (FileErrors.IsFileError(e))
            {
                throw FileErrors.At(folder, e);
            }
        }

        public void Interpolate(ulong start, ulong end, int steps, bool linear, string? output)
        {
            RequireImages(InterpolateFlag);
            RequireRoom(RowsOfClasses, steps);
            float[] a = Codes(start, 1), b = Codes(end, 1), codes = new float[steps * a.Length];
            bool onSphere = !linear && generator.Spec.Codes == CodeDistribution.Normal;
            for (int i = 0; i < steps; i++)
                Mix(a, b, (float)i / (steps - 1), onSphere, codes.AsSpan(i * a.Length, a.Length));
            Row(codes, steps, output, onSphere ? "on the sphere" : "on a straight line");
        }

        /// <summary>
        /// Between two codes. Most normal codes lie near a sphere, which a straight line leaves; the other way goes along the great
        /// circle (Shoemake 1985), and uniform codes fill a cube, in which straight lines stay.
        /// </summary>
        private static void Mix(ReadOnlySpan<float> a, ReadOnlySpan<float> b, float t, bool onSphere, Span<float> code)
        {
            (double dot, double aa, double bb) = (0, 0, 0);
            for (int i = 0; i < a.Length; i++)
                (dot, aa, bb) = (dot + (double)a[i] * b[i], aa + (double)a[i] * a[i], bb + (double)b[i] * b[i]);
            double angle = Math.Acos(Math.Clamp(dot / Math.Max(Math.Sqrt(aa * bb), 1e-30), -1, 1)), sine = Math.Sin(angle);
            bool straight = !onSphere || sine < 1e-6;
            double first = straight ? 1 - t : Math.Sin((1 - t) * angle) / sine, second = straight ? t : Math.Sin(t * angle) / sine;
            for (int i = 0; i < code.Length; i++)
                code[i] = (float)(first * a[i] + second * b[i]);
        }

        public void Sweep(int dimension, float from, float to, int steps, string? output)
        {
            RequireImages(SweepFlag);
            if (dimension >= generator.Latent)
                throw new InputException($"{SweepFlag}: found {dimension}, expected 0 to {generator.Latent - 1}, as codes have {generator.Latent} numbers");
            RequireRoom(RowsOfClasses, steps);
            float[] code = Codes(first, 1), codes = [.. Enumerable.Repeat(code, steps).SelectMany(c => c)];
            for (int i = 0; i < steps; i++)
                codes[i * code.Length + dimension] = from + (to - from) * i / (steps - 1);
            Row(codes, steps, output, string.Create(CultureInfo.InvariantCulture, $"number {dimension} of sample {first} from {from} to {to}"));
        }

        private int RowsOfClasses => generator.Classes > 0 && label is null ? generator.Classes : 1;

        // A row, or one for each class.
        private void Row(float[] codes, int steps, string? output, string what)
        {
            int rows = RowsOfClasses;
            byte[] labels = [.. Enumerable.Range(0, rows * steps).Select(i => label ?? (byte)(i / steps))];
            string target = output ?? Picture;
            Compose(Images([.. Enumerable.Repeat(codes, rows).SelectMany(c => c)], labels), rows, steps).SavePng(target);
            Console.WriteLine($"wrote     {target}: {steps} images, {what}");
        }

        private void RequireImages(string flag)
        {
            if (generator.Spec.Range == OutputRange.Points)
                throw new InputException($"{flag}: {path} makes points, expected a generator of images");
        }

        /// <summary>Refuses a picture that would take more memory than anyone has use for.</summary>
        private void RequireRoom(int rows, int columns)
        {
            if (generator.Spec.Range == OutputRange.Points)
            {
                if (generator.ImageLength != 2)
                    throw new InputException($"{path}: makes points of {generator.ImageLength} coordinates, expected 2");
                return;
            }
            Shape s = generator.Spec.Output;
            if (s[2] is not (1 or 3))
                throw new InputException($"{path}: makes images of {s[2]} channels, expected 1 or 3");
            long bytes = (2L * s[0] + 2) * rows * (2L * s[1] + 2) * columns * s[2], numbers = (long)rows * columns * generator.Latent;
            if (bytes > MostBytes || numbers > MostNumbers)
            {
                throw new InputException($"{rows} x {columns} images of {s[0]}x{s[1]}x{s[2]} from codes of {generator.Latent}: "
                    + $"found {bytes} bytes of pixels and {numbers} numbers of codes, expected at most {MostBytes} and {MostNumbers}; ask for fewer");
            }
        }

        private float[] Codes(ulong from, int count)
        {
            float[] codes = new float[count * generator.Latent];
            generator.DrawCodes(seed, from, codes);
            return codes;
        }

        private float[] Images(float[] codes, byte[] labels)
        {
            float[] images = new float[codes.Length / generator.Latent * generator.ImageLength];
            generator.Generate(codes, images, generator.Classes > 0 ? labels : []);
            // Weights may be finite and yet too large; a black picture would not tell.
            return Array.TrueForAll(images, float.IsFinite) ? images : throw new InputException($"{path}: makes numbers that are not finite, expected images");
        }

        private Picture Compose(ReadOnlySpan<float> images, int rows, int columns, bool single = false)
        {
            Shape s = generator.Spec.Output;
            return ImageGrid.Compose(ImageGrid.ToBytes(images), s[0], s[1], s[2], rows, columns, single ? 1 : 2, single ? 0 : 2);
        }
    }
}
