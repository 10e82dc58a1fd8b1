using System.Text.Json.Nodes;
using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>Where a training step goes: the time of each kernel and library call, and what it moves and computes.</summary>
internal sealed class KernelTable(CudaSettings settings, Ceilings ceilings, Subject subject)
{
    private const int Shown = 24;

    private sealed record Row(string Name, string Shape, int Launches, double Microseconds, long Bytes, long Flops)
    {
        public double ByteRate => Bytes / Microseconds * 1e6;

        public double FlopRate => Flops / Microseconds * 1e6;
    }

    public JsonObject Measure()
    {
        (double[] times, bool ahead) = Times();
        Row[] rows = [.. subject.Work.Select((work, i) => (work, time: times[i]))
            .GroupBy(w => (w.work.Name, w.work.Shape))
            .Select(g => new Row(g.Key.Name, g.Key.Shape, g.Count(), g.Sum(w => w.time), g.Sum(w => w.work.Bytes), g.Sum(w => w.work.Flops)))
            .OrderByDescending(r => r.Microseconds)];
        Print(rows, ahead);
        return new JsonObject
        {
            ["model"] = subject.Which.Name,
            ["implementation"] = Json.Name(subject.Implementation),
            ["precision"] = Json.Name(subject.Precision),
            ["batch"] = subject.Batch,
            ["launches"] = subject.Work.Count,
            ["kernels_us"] = Json.Number(times.Sum()),
            ["step_us"] = Json.Number(subject.Graph.Blocks.Median * 1000),
            ["host_was_ahead"] = ahead,
            ["rows"] = new JsonArray([.. rows.Select(ToJson)]),
        };
    }

    // Microseconds of each launch: the median of several steps, less what two events around nothing are apart.
    private (double[] Times, bool Ahead) Times()
    {
        int steps = settings.Quick ? 1 : 20;
        Times[] each = [.. subject.Work.Select(w => new Times(w.Name))];
        using var arena = new Arena(subject.Device, "delay", Arena.Alignment);
        using var profile = new DeviceProfile(subject.Device);
        Tensor kept = arena.Take(Shape.Scalar);
        bool ahead = true;
        // The first one makes the events.
        for (int step = 0; step <= steps; step++)
        {
            Ceilings.Delay(subject.Device, kept, settings);
            subject.Profile(profile);
            if (step == 0)
                continue;
            ahead &= !profile.HasBegun;
            double[] times = profile.Microseconds();
            for (int i = 0; i < each.Length; i++)
                each[i].Add(times[i]);
        }
        return ([.. each.Select(t => Math.Max(t.Median - ceilings.EventPair, 0))], ahead);
    }

    private void Print(Row[] rows, bool ahead)
    {
        double sum = rows.Sum(r => r.Microseconds), step = subject.Graph.Blocks.Median * 1000;
        Console.WriteLine();
        Console.WriteLine($"{subject.Which.Name}, {Json.Name(subject.Implementation)}, {Json.Name(subject.Precision)}, batch {subject.Batch}: {subject.Work.Count} launches, "
            + $"{sum:F1} us in them, {step:F1} us a recorded step; at least {subject.Bytes * 1e-6:F2} MB moved, {subject.Flops * 1e-9:F3} GFLOP");
        if (!ahead)
            Console.WriteLine("the GPU caught up with the host: some times have the wait for a launch in them");
        Console.WriteLine($"{"kernel",-30} {"shape",-28} {"launches",8} {"us",9} {"of step",7} {"MB",9} {"GB/s",7} {"copy",5} {"TFLOP/s",8} {"peak",5}");
        foreach (Row r in rows.Take(Shown))
        {
            string arithmetic = r.Flops == 0 ? "" : $" {r.FlopRate * 1e-12,8:F2} {CudaBench.Share(r.FlopRate / ceilings.Flops(subject.Precision)),5}";
            Console.WriteLine($"{r.Name,-30} {r.Shape,-28} {r.Launches,8} {r.Microseconds,9:F1} {CudaBench.Share(r.Microseconds / sum),7} {r.Bytes * 1e-6,9:F3} {r.ByteRate * 1e-9,7:F0} "
                + $"{CudaBench.Share(r.ByteRate / ceilings.CopyBytes),5}{arithmetic}");
        }
        if (rows.Length > Shown)
            Console.WriteLine($"{$"and {rows.Length - Shown} more",-59} {rows.Skip(Shown).Sum(r => r.Launches),8} {rows.Skip(Shown).Sum(r => r.Microseconds),9:F1}");
    }

    private JsonNode ToJson(Row r) => new JsonObject
    {
        ["name"] = r.Name,
        ["shape"] = r.Shape,
        ["launches"] = r.Launches,
        ["us"] = Json.Number(r.Microseconds),
        ["bytes_at_least"] = r.Bytes,
        ["copy_share"] = Json.Number(r.ByteRate / ceilings.CopyBytes),
        ["flops"] = r.Flops,
        ["flop_share"] = r.Flops == 0 ? null : Json.Number(r.FlopRate / ceilings.Flops(subject.Precision)),
    };
}
