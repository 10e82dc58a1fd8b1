using System.CommandLine;
using System.CommandLine.Parsing;
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
        // Not a RootCommand: that one brings flags and directives of its own. A flag without its value is let through
        // here, so that the complaint can say what was expected.
        var command = new Command(program);
        foreach (Flag flag in flags)
            command.Options.Add(flag.Value.Length == 0
                ? new Option<bool>(flag.Name, flag.Name == "--help" ? ["-h", "-?"] : []) { Arity = ArgumentArity.Zero }
                : new Option<string?>(flag.Name) { Arity = ArgumentArity.ZeroOrOne });
        ParseResult parsed = command.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });

        if (parsed.GetResult("--help") is OptionResult { Implicit: false })
        {
            Console.Out.Write(Help(program, summary, flags));
            return null;
        }
        if (parsed.UnmatchedTokens is [string unknown, ..])
            throw new InputException(Unknown(unknown, flags));
        IEnumerable<OptionResult> given = parsed.CommandResult.Children.OfType<OptionResult>();
        if (given.FirstOrDefault(o => o.IdentifierTokenCount > 1) is OptionResult twice)
            throw new InputException($"{twice.Option.Name}: given {twice.IdentifierTokenCount} times, expected once");
        if (parsed.Errors is [ParseError error, ..])
            throw new InputException(error.Message.ReplaceLineEndings(" "));

        var values = new Values(parsed);
        return new TrainOptions
        {
            Data = data ? values.Text("--data", "a folder or file") : null,
            Device = values.Device("--device") ?? "auto",
            Implementation = values.Choice("--impl", "auto", "kernel", "library", "cpu", "reference") is { } implementation
                ? Enum.Parse<Implementation>(implementation, ignoreCase: true) : Implementation.Auto,
            Precision = values.Choice("--precision", "fp32", "tf32", "bf16") is { } precision ? Enum.Parse<Precision>(precision, ignoreCase: true) : null,
            Eager = parsed.GetResult("--eager") is OptionResult { Implicit: false },
            Threads = (int?)values.Whole("--threads", 1, 1024),
            Recipe = values.Choice("--recipe", "canonical", "seed") switch
            {
                "canonical" => Recipe.Canonical,
                "seed" => Recipe.Seed,
                _ => null,
            },
            Epochs = (int?)values.Whole("--epochs", 1, 1_000_000),
            Steps = (long?)values.Whole("--steps", 1, 1_000_000_000_000),
            Batch = (int?)values.Whole("--batch", 1, 65536),
            Latent = latent ? (int?)values.Whole(LatentName, 1, 4096) : null,
            Flags = values.OfModel(ofModel.Select(f => f.Name)),
            Seed = values.Whole("--seed", 0, ulong.MaxValue),
            Out = values.Text("--out", "a folder") ?? "runs",
            Resume = values.Text("--resume", "the folder of a run"),
            DryRun = parsed.GetResult("--dry-run") is OptionResult { Implicit: false },
            Plain = parsed.GetResult("--plain") is OptionResult { Implicit: false },
        };
    }

    private static string Unknown(string token, Flag[] flags)
    {
        if (!token.StartsWith('-'))
            return $"'{token}': expected a flag; --help lists them";
        string name = token.Split('=', ':')[0];
        Flag nearest = flags.MinBy(f => Distance(f.Name, name))!;
        string guess = Distance(nearest.Name, name) <= 2 ? $"did you mean {nearest.Name}?" : "--help lists the flags";
        return $"{name}: there is no such flag; {guess}";
    }

    // Levenshtein's: letters to insert, delete or change.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(change, 1 + Math.Min(row[j], row[j - 1]));
            }
        }
        return row[^1];
    }

    private static string Help(string program, string summary, Flag[] flags)
    {
        string run = $"dotnet run -c Release tools/train/{program}.cs --";
        var help = new StringBuilder($"{program}: {summary}\n\nusage: {run} [flags]\n");
        foreach (IGrouping<string, Flag> group in flags.GroupBy(f => f.Group))
        {
            help.Append($"\n{group.Key}\n");
            foreach (Flag flag in group)
                help.Append($"  {$"{flag.Name} {flag.Value}",-26} {flag.Text}\n");
        }
        return help.Append($"""

            examples
              {run} --epochs 5                      # a first run on built-in images
              {run} --batch 256 --seed 7            # larger steps, other random numbers
              {run} --resume runs/{program}-0001 --epochs 20

            """).ToString();
    }

    private readonly struct Values(ParseResult parsed)
    {
        /// <summary>The value of a flag, null if the flag was not given.</summary>
        public string? Text(string flag, string expected)
        {
            if (parsed.GetResult(flag) is not OptionResult { Implicit: false } result)
                return null;
            string? text = result.Tokens.Count == 0 ? null : result.Tokens[0].Value;
            if (string.IsNullOrEmpty(text))
                throw new InputException($"{flag}: found no value, expected {expected}");
            // A flag whose value was forgotten takes the next one for it.
            if (text.StartsWith("--", StringComparison.Ordinal))
                throw Wrong(flag, text, expected);
            return text;
        }

        /// <summary>What was given of the flags of a model.</summary>
        public ModelFlags OfModel(IEnumerable<string> names)
        {
            List<KeyValuePair<string, string>> given = [];
            foreach (string name in names)
            {
                if (parsed.GetResult(name) is not OptionResult { Implicit: false })
                    continue;
                ModelFlags.Flag flag = ModelFlags.All.Single(f => f.Name == name);
                string text = flag.Value.Length == 0 ? "on" : Text(name, flag.Expected)!;
                ModelFlags.Check(name, text);
                given.Add(new(name, text));
            }
            return new(given);
        }

        public string? Choice(string flag, params string[] choices)
        {
            string expected = $"{string.Join(", ", choices[..^1])} or {choices[^1]}";
            string? text = Text(flag, expected);
            return text is null || choices.Contains(text) ? text : throw Wrong(flag, text, expected);
        }

        /// <summary>The name of a device; whether it is here shows when it is opened.</summary>
        public string? Device(string flag)
        {
            const string Expected = "auto, cpu, cuda or cuda:N";
            string? text = Text(flag, Expected);
            bool known = text is null or "auto" or "cpu" or "cuda"
                || (text.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(text.AsSpan(5), System.Globalization.NumberStyles.None, null, out _));
            return known ? text : throw Wrong(flag, text!, Expected);
        }

        public ulong? Whole(string flag, ulong low, ulong high)
        {
            string expected = $"a whole number from {low} to {high}";
            if (Text(flag, expected) is not string text)
                return null;
            bool good = ulong.TryParse(text, System.Globalization.NumberStyles.None, null, out ulong value);
            return good && value >= low && value <= high ? value : throw Wrong(flag, text, expected);
        }

        private static InputException Wrong(string flag, string found, string expected) =>
            new($"{flag}: found '{found}', expected {expected}");
    }
}
