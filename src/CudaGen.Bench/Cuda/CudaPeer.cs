using System.Globalization;
using System.Text.Json.Nodes;
using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>
/// The other side on the same GPU: one start for each turn and precision, with all models and modes, as a start takes long and the times of a
/// GPU hardly vary.
/// </summary>
internal sealed class CudaPeer(CudaSettings settings, string command, Results results, Budget budget)
{
    // How bench.py is told the precision.
    private static readonly Dictionary<Precision, string[]> PrecisionFlags = new()
    {
        [Precision.Fp32] = ["--tf32", "off", "--amp", "none"],
        [Precision.Tf32] = ["--tf32", "on", "--amp", "none"],
        [Precision.Bf16] = ["--tf32", "on", "--amp", "bf16"],
    };

    private readonly Dictionary<(string Model, Precision Precision, string Mode, string What), Times> _times = [];

    public void Turn(string[] modes)
    {
        foreach (Precision precision in settings.Precisions)
        {
            string[] batch = settings.Batch is { } b ? ["--batch", $"{b}"] : [];
            string[] flags = ["--models", string.Join(',', settings.Models.Select(m => PeerCommand.Theirs(m.Name))), "--mode", string.Join(',', modes), "--steps", $"{settings.PeerSteps}",
                .. PrecisionFlags[precision], .. batch];
            Console.WriteLine();
            if (budget.IsOver)
            {
                Console.WriteLine($"not measured: {string.Join(", ", modes)} of {PeerCommand.Name(command)}, {Json.Name(precision)}; the budget is used up");
                return;
            }
            Console.WriteLine($"{PeerCommand.Name(command)}, {Json.Name(precision)}: ms a training step, us a generation");
            // As TimeSpan.MaxValue is more than a process can be waited for.
            TimeSpan limit = budget.Left < TimeSpan.FromDays(1) ? budget.Left : TimeSpan.FromDays(1);
            JsonNode[] rows = PeerCommand.Run(command, flags, limit);
            foreach (JsonNode row in rows)
                Take(row, precision);
            if (rows.Length < settings.Models.Length * modes.Length)
                Console.WriteLine($"{rows.Length} of {settings.Models.Length * modes.Length} rows; it was ended by the budget or by itself");
        }
    }

    private void Take(JsonNode row, Precision precision)
    {
        JsonObject kept = row.DeepClone().AsObject();
        (string model, string mode) = (PeerCommand.Ours((string)row["model"]!), (string)row["mode"]!);
        kept["model"] = model;
        kept["precision"] = Json.Name(precision);
        results.Add("peer", kept);
        if (row["ms_per_step"] is not { } median)
        {
            Console.WriteLine($"{model,-9} {mode,-14} {row["error"]}");
            return;
        }
        string generation = string.Join(' ', row["gen_us"]?.AsObject().Select(g => $"{g.Key}: {g.Value}") ?? []);
        Console.WriteLine($"{model,-9} {mode,-14} {(double)median,9:F3} best {(double)row["ms_min"]!,9:F3}   {generation}");
        Add(Measured.Step, (double)median);
        foreach ((string batch, JsonNode? microseconds) in row["gen_us"]?.AsObject() ?? [])
        {
            if (microseconds is not null)
                Add(Measured.Generation(int.Parse(batch, CultureInfo.InvariantCulture)), (double)microseconds);
        }

        void Add(string what, double value)
        {
            if (!_times.TryGetValue((model, precision, mode, what), out Times? times))
                _times[(model, precision, mode, what)] = times = new(mode);
            times.Add(value);
        }
    }

    /// <summary>Ours, the faster implementation, against each mode of theirs: medians, and how many times as long theirs take.</summary>
    public void Compare(IEnumerable<Measured> ours)
    {
        string[] modes = [.. settings.PeerModes.Where(m => _times.Keys.Any(k => k.Mode == m))];
        foreach (IGrouping<string, Measured> what in ours.Where(o => _times.Keys.Any(k => k.What == o.What)).GroupBy(o => o.What))
        {
            Console.WriteLine();
            Console.WriteLine($"{what.Key,-28} {"CudaGen",10} {"",-8}" + string.Concat(modes.Select(m => $"{m,14} {"",7}")));
            foreach (Measured best in what.GroupBy(o => (o.Precision, o.Model)).Select(g => g.MinBy(o => o.Median)!))
            {
                Console.Write($"{best.Model,-9} {Json.Name(best.Precision),-18} {best.Median,10:F3} {Json.Name(best.Implementation),-8}");
                var row = new JsonObject
                {
                    ["what"] = what.Key,
                    ["model"] = best.Model,
                    ["precision"] = Json.Name(best.Precision),
                    ["ours"] = Json.Number(best.Median),
                    ["implementation"] = Json.Name(best.Implementation),
                };
                foreach (string mode in modes)
                {
                    double theirs = _times.TryGetValue((best.Model, best.Precision, mode, what.Key), out Times? times) ? times.Median : double.NaN;
                    Console.Write(double.IsNaN(theirs) ? $"{"-",14} {"",7}" : $"{theirs,14:F3} {$"{theirs / best.Median:F2}x",7}");
                    row[mode] = Json.Number(theirs);
                }
                Console.WriteLine();
                results.Add("comparison", row);
            }
        }
    }
}

/// <summary>A time of ours that the other side has, too.</summary>
internal sealed record Measured(string What, string Model, Precision Precision, Implementation Implementation, double Median)
{
    public const string Step = "ms a training step";

    public static string Generation(int batch) => $"us to generate {batch}";
}
