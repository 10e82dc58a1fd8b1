using System.Globalization;
using CudaGen.Runtime;

namespace CudaGen.GpuCheck;

/// <summary>What a person asked for.</summary>
internal sealed record GpuCheckOptions
{
    internal const string Usage = """
        gpu-check: finds out whether everything here computes rightly on this machine's GPU

        usage: gpu-check [flags]

          --libraries      only say which of NVIDIA's libraries are found, and where
          --budget SECONDS stop in time: what does not fit is listed as skipped (default: no limit)
          --only NAMES     checks whose names begin with one of these, with commas between them, such as parity,train
          --golden DIR     golden files to compare besides those that come along
          --replays N      steps replayed from a graph and compared with steps launched one by one (default: 1000)
          --quick          few steps, small batches, some of the tests: for the stand-ins
          --jobs N         checks at once (default: one for four processors, at most 4)
          --json FILE      result (default: DATE-check-DEVICE.json here); written after each check
          --work DIR       keep the runs in a new folder there (default: delete them)
          --help           show this

        Exit status 0: nothing failed, 1: something did, 2: a flag is wrong or there is no CUDA device. docs/cuda.md says what is checked.
        """;

    internal bool Help { get; private init; }

    internal bool Libraries { get; private init; }

    internal bool Quick { get; private init; }

    internal TimeSpan Budget { get; private init; } = TimeSpan.FromDays(1);

    internal IReadOnlyList<string> Only { get; private init; } = [];

    internal string? Golden { get; private init; }

    /// <summary>Null: as many as go with <see cref="Quick"/>.</summary>
    internal int? Replays { get; private init; }

    internal int Jobs { get; private init; } = Math.Clamp(Environment.ProcessorCount / 4, 1, 4);

    internal string? Json { get; private init; }

    internal string? Work { get; private init; }

    /// <exception cref="InputException">A flag is unknown, or its value is not what it takes.</exception>
    internal static GpuCheckOptions Parse(string[] args)
    {
        GpuCheckOptions options = new();
        for (int i = 0; i < args.Length; i++)
        {
            string flag = args[i];
            string Value(string expected) => ++i < args.Length && args[i].Length > 0 && !args[i].StartsWith("--", StringComparison.Ordinal)
                ? args[i] : throw new InputException($"{flag}: found no value, expected {expected}");
            int Number()
            {
                const string Expected = "a whole number of at least 1";
                string text = Value(Expected);
                return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0 ? number
                    : throw new InputException($"{flag}: found '{text}', expected {Expected}");
            }
            options = flag switch
            {
                "--help" or "-h" => options with { Help = true },
                "--libraries" => options with { Libraries = true },
                "--quick" => options with { Quick = true },
                "--budget" => options with { Budget = TimeSpan.FromSeconds(Number()) },
                "--only" => options with { Only = Value("names of checks").Split(',', StringSplitOptions.RemoveEmptyEntries) },
                "--golden" => options with { Golden = Folder(flag, Value("a folder")) },
                "--replays" => options with { Replays = Number() },
                "--jobs" => options with { Jobs = Number() },
                "--json" => options with { Json = Value("a file") },
                "--work" => options with { Work = Value("a folder") },
                _ => throw new InputException($"found '{flag}', expected a flag; --help lists them"),
            };
        }
        return options;
    }

    private static string Folder(string flag, string path)
        => Directory.Exists(path) ? Path.GetFullPath(path) : throw new InputException($"{flag}: found '{path}', expected a folder");
}
