using System.CommandLine;
using System.Text;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>The flags that every training program has.</summary>
public static class CommandLine
{
    private sealed record Flag(string Name, string Value, string Text, string Group);

    private const string Data = "data and place", Training = "training", Model = "model", Output = "output";

    private static readonly Flag[] Flags =
    [
        new("--data", "PATH", "MNIST or CIFAR-10 folder, or a file by tools/data.cs (default: built-in images)", Data),
        new("--device", "NAME", "auto, cpu, cuda or cuda:N (default: auto)", Data),
        new("--impl", "NAME", "auto, kernel, library, cpu or reference (default: auto)", Data),
        new("--precision", "NAME", "products on a GPU: fp32, tf32 or bf16 (default: fp32)", Data),
        new("--eager", "", "on a GPU: give launches one by one instead of a recorded graph", Data),
        new("--threads", "N", "threads of the CPU path (default: one for each processor)", Data),
        new("--recipe", "NAME", "canonical: as in the paper; seed: as in the tutorial (default: canonical)", Training),
        new("--epochs", "N", "passes over the training images (default: the recipe's)", Training),
        new("--steps", "N", "stop after N steps, even within an epoch", Training),
        new("--batch", "N", "images per step (default: the recipe's)", Training),
        new(LatentName, "N", "size of the latent vector (default: the recipe's)", Training),
        new("--seed", "N", "start of all random numbers; the same seed gives the same run (default: 1)", Training),
        new("--out", "DIR", "where the numbered folders of runs are made (default: runs)", Output),
        new("--resume", "RUN_FOLDER", "go on with an earlier run from its last checkpoint", Output),
        new("--dry-run", "", "print the layers, parameters and memory, and stop", Output),
        new("--plain", "", "plain lines instead of a live one", Output),
        new("--help", "", "show this", Output),
    ];

    private const string LatentName = "--latent";

    /// <summary>Reads the flags, or prints the help to standard output and returns null.</summary>
    /// <param name="program">Name of the program: the "vae" of tools/train/vae.cs.</param>
    /// <param name="summary">What it does, one sentence.</param>
    /// <param name="args">What the person typed.</param>
    /// <param name="latent">Whether the program has --latent.</param>
    /// <param name="data">Whether it has --data.</param>
    /// <param name="modelFlags">Which of the flags in <see cref="ModelFlags"/> it has.</param>
    /// <exception cref="InputException">A flag is unknown, has no value, or one that is out of range.</exception>
    public static TrainOptions? Parse(string program, string summary, string[] args, bool latent = true, bool data = true,
        IReadOnlyList<string>? modelFlags = null)
    {
        ArgumentNullException.ThrowIfNull(args);
        Flag[] ofModel = [.. ModelFlags.All.Where(f => modelFlags?.Contains(f.Name) == true).Select(f => new Flag(f.Name, f.Value, f.Text, Model))];
        Flag[] common = [.. Flags.Where(f => (latent || f.Name != LatentName) && (data || f.Name != "--data"))];
        int output = Array.FindIndex(common, f => f.Group == Output);
        Flag[] flags = [.. common[..output], .. ofModel, .. common[output..]];
        // Not a RootCommand: that one brings flags and directives of its own.
        var command = new Command(program);
        foreach (Flag flag in flags)
            command.Options.Add(flag.Value.Length > 0 ? FlagValues.Flag(flag.Name, flag.Text) : FlagValues.Switch(flag.Name, flag.Text, flag.Name == "--help" ? ["-h", "-?"] : []));
        if (FlagValues.Read(command, args) is not { } values)
        {
            Console.Out.Write(Help(program, summary, flags, Console.IsOutputRedirected ? int.MaxValue : ProgressDisplay.ConsoleWidth()));
            return null;
        }
        if (values.Has("--resume") && values.Has("--out"))
            throw new InputException("--out: found with --resume, expected without: a run goes on in its own folder");
        return new TrainOptions
        {
            Data = data ? values.Text("--data", "a folder or file") : null,
            Device = values.Device() ?? "auto",
            Implementation = values.Implementation() ?? Implementation.Auto,
            Precision = values.Precision(),
            Eager = values.Has("--eager"),
            Threads = values.Whole("--threads", 1, 1024),
            Recipe = values.Choice("--recipe", "canonical", "seed") switch
            {
                "canonical" => Recipe.Canonical,
                "seed" => Recipe.Seed,
                _ => null,
            },
            Epochs = values.Whole("--epochs", 1, 1_000_000),
            Steps = (long?)values.Whole("--steps", 1, 1_000_000_000_000),
            Batch = values.Whole("--batch", 1, 65536),
            Latent = latent ? values.Whole(LatentName, 1, 4096) : null,
            Flags = OfModel(values, ofModel.Select(f => f.Name)),
            Seed = values.Whole("--seed", 0, ulong.MaxValue),
            Out = values.Text("--out", "a folder") ?? "runs",
            Resume = values.Text("--resume", "the folder of a run"),
            DryRun = values.Has("--dry-run"),
            Plain = values.Has("--plain"),
        };
    }

    private static string Help(string program, string summary, Flag[] flags, int width)
    {
        const int Names = 27, Indent = 2 + Names;
        string run = $"dotnet run -c Release tools/train/{program}.cs --";
        var help = new StringBuilder($"{program}: {summary}\n\nusage: {run} [flags]\n");
        foreach (IGrouping<string, Flag> group in flags.GroupBy(f => f.Group))
        {
            help.Append($"\n{group.Key}\n");
            foreach (Flag flag in group)
            {
                string next = "\n" + new string(' ', Indent);
                help.Append($"  {$"{flag.Name} {flag.Value}".TrimEnd(),-Names}").AppendJoin(next, Wrap(flag.Text, width - Indent)).Append('\n');
            }
        }
        return help.Append($"""

            examples
              {run} --epochs 5                      # a first run on built-in images
              {run} --batch 256 --seed 7            # larger steps, other random numbers
              {run} --resume runs/{program}-0001 --epochs 20

            """).ToString();
    }

    /// <summary>Lines of fewer letters than <paramref name="width"/>, where no word is longer.</summary>
    internal static IEnumerable<string> Wrap(string text, int width)
    {
        string line = "";
        foreach (string word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length >= width)
            {
                yield return line;
                line = word;
            }
            else
                line = line.Length == 0 ? word : $"{line} {word}";
        }
        yield return line;
    }

    private static ModelFlags OfModel(FlagValues values, IEnumerable<string> names)
    {
        List<KeyValuePair<string, string>> given = [];
        foreach (string name in names.Where(values.Has))
        {
            ModelFlags.Flag flag = ModelFlags.All.Single(f => f.Name == name);
            string text = flag.Value.Length == 0 ? "on" : values.Text(name, flag.Expected)!;
            ModelFlags.Check(name, text);
            given.Add(new(name, text));
        }
        return new(given);
    }
}
