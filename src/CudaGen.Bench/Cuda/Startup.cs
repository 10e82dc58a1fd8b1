using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>
/// From the start of a process to the end of its first training step, where that goes: this program again, with the compiled kernels of
/// earlier runs on the disk. The images are made up, not drawn or read.
/// </summary>
internal sealed class Startup(CudaSettings settings)
{
    /// <summary>What the other process is started with: <c>--first-step MODEL,IMPLEMENTATION,TIMESTAMP</c>.</summary>
    public const string Flag = "--first-step";

    private static readonly string[] Phases = ["runtime", "driver", "plan", "data", "step"];

    public IEnumerable<JsonObject> Measure()
    {
        int runs = settings.Quick ? 1 : 5;
        Console.WriteLine();
        Console.WriteLine($"{"ms to the end of the first step",-32} {"median",8} {"best",8}  of it: " + string.Concat(Phases.Select(p => $"{p,9}")) + "  kernels loaded");
        foreach (BenchModel which in settings.Models.Take(2))
        {
            foreach (Implementation implementation in settings.Implementations)
            {
                string name = Json.Name(implementation);
                // The first one fills the caches of the disk.
                JsonNode[] starts = [.. Enumerable.Range(0, runs + 1).Select(_ => Start(which, name)).Skip(1)];
                Times total = new("total");
                Times[] phases = [.. Phases.Select(p => new Times(p))];
                foreach (JsonNode start in starts)
                {
                    for (int i = 0; i < Phases.Length; i++)
                        phases[i].Add((double)start[Phases[i]]!);
                    total.Add(Phases.Sum(p => (double)start[p]!));
                }
                Console.WriteLine($"{which.Name + ", " + name,-32} {total.Median,8:F0} {total.Best,8:F0}         " + string.Concat(phases.Select(p => $"{p.Median,9:F0}"))
                    + $"  {starts[^1]["cached"]} found, {starts[^1]["compiled"]} compiled");
                var row = new JsonObject { ["model"] = which.Name, ["implementation"] = name, ["ms_median"] = Json.Number(total.Median), ["ms_best"] = Json.Number(total.Best) };
                foreach (Times phase in phases)
                    row[phase.Name] = Json.Number(phase.Median);
                yield return row;
            }
        }
    }

    private JsonNode Start(BenchModel which, string implementation)
    {
        string program = Environment.ProcessPath ?? throw new CudaGenException("the path of this program is not known");
        // Where the program is no file of its own, dotnet runs it.
        string[] self = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [Environment.GetCommandLineArgs()[0]] : [];
        string[] quick = settings.Quick ? ["--quick"] : [];
        string what = string.Create(CultureInfo.InvariantCulture, $"{which.Name},{implementation},{Stopwatch.GetTimestamp()}");
        var start = new ProcessStartInfo(program, [.. self, "--device", settings.DeviceName, .. quick, Flag, what]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        try
        {
            return JsonNode.Parse(output)!;
        }
        catch (JsonException e)
        {
            throw new CudaGenException($"a first step in a process of its own failed with exit code {process.ExitCode}", e);
        }
    }

    /// <summary>The other process: prints milliseconds of each phase. The timestamp counts from the start of the machine, for all processes.</summary>
    public static void Run(CudaSettings settings, string what)
    {
        string[] parts = what.Split(',');
        long last = long.Parse(parts[2], CultureInfo.InvariantCulture);
        var found = new JsonObject();
        void Mark(string phase)
        {
            long now = Stopwatch.GetTimestamp();
            found[phase] = Stopwatch.GetElapsedTime(last, now).TotalMilliseconds;
            last = now;
        }
        BenchModel which = BenchModel.Find(parts[0]);
        Mark(Phases[0]);
        using Device device = settings.Open(Enum.Parse<Implementation>(parts[1], ignoreCase: true), Precision.Fp32);
        Mark(Phases[1]);
        using Model model = which.Create();
        model.Plan(device, settings.BatchOf(which), 1);
        device.Synchronize();
        Mark(Phases[2]);
        using DataSet data = Data(device, model);
        Mark(Phases[3]);
        model.Step(data);
        device.Synchronize();
        Mark(Phases[4]);
        (found["compiled"], found["cached"]) = (device.Compilation.Compiled, device.Compilation.Cached);
        Console.WriteLine(found.ToJsonString());
    }

    private static DataSet Data(Device device, Model model)
    {
        const int Count = 1000;
        Shape image = model.Spec.Output;
        if (model.Spec.Range == OutputRange.Points)
            return new PointData(device, [.. Enumerable.Range(0, Count * image.Length).Select(i => (float)i / Count)], image.Length);
        byte[] pixels = new byte[Count * image.Length];
        new Random(1).NextBytes(pixels);
        return new ImageData(device, pixels, image[0], image[1], image[2], model.Spec.Classes > 0 ? new byte[Count] : []);
    }
}
