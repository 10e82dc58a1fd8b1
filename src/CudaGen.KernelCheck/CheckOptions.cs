using System.Globalization;
using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>What a person asked tools/kernelcheck.cs to check, and how.</summary>
public sealed record CheckOptions
{
    public const string Usage = """
        kernelcheck: checks CUDA kernels without a GPU

        usage: dotnet run -c Release tools/kernelcheck.cs -- [--kernels DIR] [--case FILE.json]... [flags]
               dotnet run -c Release tools/kernelcheck.cs -- stand-ins [--checked]

          --kernels DIR     folder with .cu files, or one such file (default: the folders of the cases)
          --case FILE.json  launches and what they give (default: DIR/cases/*.json); may be repeated
          --layers LIST     some of clang,checked,fast,contraction,gpu (default: all that this machine has)
          --orders N        orders of threads in which each case runs: ascending, descending, random ones (default: 4)
          --timeout N       seconds that a launch may take (default: 60)
          --strict          a warning of the compiler is a finding
          --junit FILE      write the results for a build server
          --markdown FILE   write the results as a page
          --help            show this

        stand-ins builds the libraries that replace NVIDIA's on a machine without a GPU and prints their folder, for
        CUDAGEN_LIB_DIR. With --checked they watch every access of a kernel.

        Exit status 0: all is well, 1: something was found, 2: a file or flag is wrong. docs/kernels.md describes cases.
        """;

    public static IReadOnlyList<string> LayerNames { get; } = ["clang", "checked", "fast", "contraction", "gpu"];

    public string? Kernels { get; private set; }

    public IReadOnlyList<string> Cases { get; private set; } = [];

    public IReadOnlyList<string> Layers { get; private set; } = LayerNames;

    /// <summary>Whether the layers were named, so that one that cannot run is an error.</summary>
    public bool LayersGiven { get; private set; }

    public int Orders { get; private set; } = 4;

    public TimeSpan Limit { get; private set; } = TimeSpan.FromSeconds(60);

    public bool Strict { get; private set; }

    public string? JUnit { get; private set; }

    public string? Markdown { get; private set; }

    /// <exception cref="InputException">A flag is unknown, or its value is no good.</exception>
    public static CheckOptions Parse(IReadOnlyList<string> arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        var options = new CheckOptions();
        for (int i = 0; i < arguments.Count; i++)
        {
            string flag = arguments[i];
            string Value(string expected) => ++i < arguments.Count && arguments[i].Length > 0 && !arguments[i].StartsWith("--", StringComparison.Ordinal)
                ? arguments[i] : throw new InputException($"{flag}: found no value, expected {expected}");
            switch (flag)
            {
                case "--kernels":
                    options.Kernels = Value("a folder or a .cu file");
                    break;
                case "--case":
                    options.Cases = [.. options.Cases, Value("a JSON file")];
                    break;
                case "--layers":
                    options.Layers = ParseLayers(Value(string.Join(", ", LayerNames)));
                    options.LayersGiven = true;
                    break;
                case "--orders":
                    options.Orders = Whole(flag, Value("a number"), 1, 1000);
                    break;
                case "--timeout":
                    options.Limit = TimeSpan.FromSeconds(Whole(flag, Value("seconds"), 1, 86400));
                    break;
                case "--strict":
                    options.Strict = true;
                    break;
                case "--junit":
                    options.JUnit = Value("a file to write");
                    break;
                case "--markdown":
                    options.Markdown = Value("a file to write");
                    break;
                default:
                    throw new InputException($"found '{flag}', expected a flag; --help lists them");
            }
        }
        return options.Kernels is null && options.Cases.Count == 0
            ? throw new InputException("found neither --kernels nor --case, expected one of them; --help shows how") : options;
    }

    private static string[] ParseLayers(string list)
    {
        string[] names = list.Split(',', StringSplitOptions.TrimEntries);
        foreach (string name in names)
            if (!LayerNames.Contains(name))
                throw new InputException($"--layers: found '{name}', expected some of {string.Join(", ", LayerNames)}");
        return names;
    }

    private static int Whole(string flag, string text, int low, int high) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= low && value <= high
            ? value : throw new InputException($"{flag}: found '{text}', expected a whole number from {low} to {high}");
}
