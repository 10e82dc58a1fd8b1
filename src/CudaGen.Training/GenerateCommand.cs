using System.CommandLine;
using System.CommandLine.Parsing;
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
    public static int Run(string[] args) => Executable.Run(() =>
    {
        var file = new Argument<string?>("generator") { Description = "a generator.safetensors that a training program wrote", Arity = ArgumentArity.ZeroOrOne };
        var singles = new Option<int?>(SinglesFlag) { Description = "N single images instead of a grid" };
        var label = new Option<int?>("--class") { Description = "ask for this class only; without it, one row of each class" };
        var interpolate = new Option<int[]>(InterpolateFlag) { Description = "I J: a row from sample I to sample J", Arity = new(2, 2), AllowMultipleArgumentsPerToken = true };
        var linear = new Option<bool>("--linear") { Description = "on a straight line; without it, on the sphere where codes are normal" };
        var sweep = new Option<int?>(SweepFlag) { Description = "a row in which number D of the code changes, from 0 on" };
        var from = new Option<float>("--from") { Description = "where the sweep begins", DefaultValueFactory = _ => -3, CustomParser = Number };
        var to = new Option<float>("--to") { Description = "where it ends", DefaultValueFactory = _ => 3, CustomParser = Number };
        var steps = new Option<int>("--steps") { Description = "images of an interpolation or sweep", DefaultValueFactory = _ => 10 };
        var rows = new Option<int>("--rows") { Description = "rows of the grid", DefaultValueFactory = _ => 10 };
        var columns = new Option<int>("--columns") { Description = "columns of the grid", DefaultValueFactory = _ => 10 };
        var seed = new Option<ulong>("--seed") { Description = "start of the random numbers; image i is a function of the seed and i", DefaultValueFactory = _ => 1 };
        var first = new Option<ulong>("--first") { Description = "number of the first image" };
        var batch = new Option<int>("--batch") { Description = "images that are made at once; the images do not depend on it", DefaultValueFactory = _ => 16 };
        var device = new Option<string>("--device") { Description = "auto, cpu, cuda or cuda:N", DefaultValueFactory = _ => "auto" };
        var implementation = new Option<string>("--impl") { Description = "auto, kernel, library, cpu or reference", DefaultValueFactory = _ => "auto" };
        var precision = new Option<string>("--precision") { Description = "products on a GPU: fp32, tf32 or bf16", DefaultValueFactory = _ => "fp32" };
        var threads = new Option<int>("--threads") { Description = "threads of the CPU path; 0 for one for each processor" };
        var output = new Option<string?>("--out") { Description = "the picture (default: generated.png), or the folder of single images (default: generated)" };
        var command = new RootCommand("Makes pictures with a trained generator.")
        {
            file, singles, label, interpolate, linear, sweep, from, to, steps, rows, columns, seed, first, batch, device, implementation, precision, threads, output,
        };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(file) is not { Length: > 0 } path)
                throw new InputException("generator: found no path, expected that of a generator.safetensors");
            if (parsed.GetValue(output)?.Length == 0)
                throw new InputException("--out: found no path, expected a file, or a folder with --singles");
            string kind = KindOf(parsed);
            Within("--batch", parsed.GetValue(batch), 1, MostImages);
            Within("--threads", parsed.GetValue(threads), 0, 1024);
            if (parsed.GetValue(first) > MostFirst)
                throw new InputException($"--first: found {parsed.GetValue(first)}, expected a whole number from 0 to {MostFirst}");
            Implementation chosen = Choose<Implementation>("--impl", parsed.GetValue(implementation)!, "auto", "kernel", "library", "cpu", "reference");
            Precision products = Choose<Precision>("--precision", parsed.GetValue(precision)!, "fp32", "tf32", "bf16");
            using Device on = Device.Open(parsed.GetValue(device)!, parsed.GetValue(threads), chosen, products);
            using Generator generator = Generator.Load(on, path, parsed.GetValue(batch));
            Job job = new(path, generator, parsed.GetValue(seed), parsed.GetValue(first), Label(path, generator, parsed.GetValue(label)));
            Console.WriteLine($"generator {path}: {generator.Spec.Architecture} of '{generator.Model}', codes of {generator.Latent}, on {on.Description}");
            switch (kind)
            {
                case InterpolateFlag:
                    int[] ends = parsed.GetValue(interpolate)!;
                    job.Interpolate(ends[0], ends[1], Within("--steps", parsed.GetValue(steps), 2, MostImages), parsed.GetValue(linear), parsed.GetValue(output));
                    break;
                case SweepFlag:
                    job.Sweep(parsed.GetValue(sweep)!.Value, parsed.GetValue(from), parsed.GetValue(to), Within("--steps", parsed.GetValue(steps), 2, MostImages),
                        parsed.GetValue(output));
                    break;
                case SinglesFlag:
                    job.Singles(Within(SinglesFlag, parsed.GetValue(singles)!.Value, 1, MostImages), parsed.GetValue(output));
                    break;
                default:
                    if (generator.Classes > 0 && job.HasNoClass && IsGiven(parsed, "--rows"))
                        throw new InputException($"--rows: found with {path}, which gets one row for each of its {generator.Classes} classes; expected --class with it");
                    job.Grid(Within("--rows", parsed.GetValue(rows), 1, 100), Within("--columns", parsed.GetValue(columns), 1, 100), parsed.GetValue(output));
                    break;
            }
        });
        ParseResult parsed = command.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
            throw new InputException($"{parsed.Errors[0].Message.ReplaceLineEndings(" ")} See --help.");
        return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    });

    /// <summary>Which picture the flags ask for.</summary>
    /// <exception cref="InputException">They ask for two, or one of them would do nothing.</exception>
    private static string KindOf(ParseResult parsed)
    {
        string[] asked = [.. new[] { SinglesFlag, InterpolateFlag, SweepFlag }.Where(f => IsGiven(parsed, f))];
        if (asked.Length > 1)
            throw new InputException($"{asked[1]}: found with {asked[0]}, expected one of {SinglesFlag}, {InterpolateFlag} and {SweepFlag}");
        string kind = asked.Length == 0 ? GridKind : asked[0];
        foreach (string flag in FlagsOf.Values.SelectMany(f => f).Distinct().Where(f => IsGiven(parsed, f) && !FlagsOf[kind].Contains(f)))
        {
            throw new InputException($"{flag}: found with {kind}, which has no use for it; expected "
                + $"{string.Join(" or ", FlagsOf.Where(f => f.Value.Contains(flag)).Select(f => f.Key))}");
        }
        return kind;
    }

    private static bool IsGiven(ParseResult parsed, string flag) => parsed.GetResult(flag) is OptionResult { Implicit: false };

    // With a point whatever the language of the system.
    private static float Number(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (!float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float value) || !(Math.Abs(value) <= 1000))
            result.AddError($"{(result.Parent as OptionResult)?.Option.Name}: found '{text}', expected a number from -1000 to 1000.");
        return value;
    }

    // Not by Enum.TryParse alone, to which any number is a value.
    private static T Choose<T>(string flag, string name, params string[] choices) where T : struct, Enum => choices.Contains(name)
        ? Enum.Parse<T>(name, ignoreCase: true)
        : throw new InputException($"{flag}: found '{name}', expected {string.Join(", ", choices[..^1])} or {choices[^1]}");

    private static int Within(string flag, int value, int low, int high)
        => value >= low && value <= high ? value : throw new InputException($"{flag}: found {value}, expected a whole number from {low} to {high}");

    private static byte? Label(string path, Generator generator, int? asked)
    {
        if (asked is not { } label)
            return null;
        if (generator.Classes == 0)
            throw new InputException($"--class: found {label}, but {path} is a '{generator.Model}', which knows no classes");
        return label >= 0 && label < generator.Classes
            ? (byte)label
            : throw new InputException($"--class: found {label}, expected 0 to {generator.Classes - 1}");
    }

    /// <summary>One call of the program.</summary>
    private sealed class Job(string path, Generator generator, ulong seed, ulong first, byte? label)
    {
        private const string Picture = "generated.png";

        public bool HasNoClass => label is null;

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
                ScatterPlot.Draw(images, new byte[rows * columns], classes: 1).SavePng(target);
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

        public void Interpolate(int start, int end, int steps, bool linear, string? output)
        {
            RequireImages(InterpolateFlag);
            if (start < 0 || end < 0)
                throw new InputException($"{InterpolateFlag}: found {Math.Min(start, end)}, expected numbers of samples from 0 on");
            RequireRoom(RowsOfClasses, steps);
            float[] a = Codes((ulong)start, 1), b = Codes((ulong)end, 1), codes = new float[steps * a.Length];
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
            if (dimension < 0 || dimension >= generator.Latent)
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
