using System.Globalization;
using System.Text.Json.Nodes;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.GpuCheck;

/// <summary>The results, on the terminal and as a JSON file that is whole after each check.</summary>
internal sealed class CheckReport
{
    private readonly string _path;
    private readonly JsonObject _root;
    private readonly JsonArray _checks = [];
    private readonly int[] _counts = new int[3];

    /// <param name="path">The file; null for one here whose name has date and device.</param>
    /// <param name="commit">What the programs were built from.</param>
    /// <param name="device">The description of the device.</param>
    /// <param name="standIn">Whether it is none, but runs on the CPU.</param>
    /// <param name="libraries">What was found.</param>
    /// <exception cref="InputException">The file cannot be written.</exception>
    internal CheckReport(string? path, string commit, string device, bool standIn, IReadOnlyList<LibraryReport> libraries)
    {
        string date = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        _path = path ?? $"{date}-check-{Slug(device, standIn)}.json";
        _root = new()
        {
            ["date"] = date,
            ["commit"] = commit,
            ["device"] = device,
            ["stand_in"] = standIn,
            ["libraries"] = new JsonArray([.. libraries.Select(l => new JsonObject { ["name"] = l.Name, ["version"] = l.Version, ["path"] = l.Path })]),
            ["passed"] = 0,
            ["failed"] = 0,
            ["skipped"] = 0,
            ["checks"] = _checks,
        };
        Save();
    }

    internal int Failed => _counts[(int)Result.Failed];

    internal string Summary => $"{_counts[0]} passed, {_counts[1]} failed, {_counts[2]} skipped; {_path}";

    internal void Add(Check check, Outcome outcome, TimeSpan time)
    {
        Console.WriteLine($"{Name(outcome.Result),-8} {check.Name,-24} {time.TotalSeconds,6:F1} s  {outcome.Detail}");
        foreach (string line in outcome.Output)
            Console.WriteLine($"         | {line}");
        JsonObject row = new()
        {
            ["name"] = check.Name,
            ["result"] = Name(outcome.Result),
            ["seconds"] = Math.Round(time.TotalSeconds, 1),
            ["detail"] = outcome.Detail,
        };
        if (outcome.Output.Count > 0)
            row["output"] = new JsonArray([.. outcome.Output.Select(l => JsonValue.Create(l))]);
        _checks.Add((JsonNode)row);
        _counts[(int)outcome.Result]++;
        foreach (Result result in Enum.GetValues<Result>())
            _root[Name(result)] = _counts[(int)result];
        Save();
    }

    private static string Name(Result result) => result.ToString().ToLowerInvariant();

    private void Save() => AtomicFile.WriteJson(_path, _root);

    // "cuda (NVIDIA A100, sm_80, ...)" becomes "nvidia-a100".
    private static string Slug(string device, bool standIn)
    {
        if (standIn)
            return "stand-in";
        string name = device[(device.IndexOf('(', StringComparison.Ordinal) + 1)..].Split(',')[0];
        return string.Join('-', name.ToLowerInvariant().Split((char[])[' ', '/', '(', ')'], StringSplitOptions.RemoveEmptyEntries));
    }
}
