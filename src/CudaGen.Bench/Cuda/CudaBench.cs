using System.Text.Json.Nodes;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>
/// Everything on a GPU, the most valuable first: ceilings, training steps and generation of every model, PyTorch's, where a step goes, the
/// bandwidth of single operations, further turns of both sides, the way to the first step, PyTorch's compiled modes.
/// </summary>
internal sealed class CudaBench(CudaSettings settings, Results results) : IDisposable
{
    /// <summary>Said with every number of the stand-ins.</summary>
    public const string StandInWarning = "CPU stand-ins: the times mean nothing";

    private readonly Budget _budget = new(settings.Budget);
    private readonly Ceilings _ceilings = new(settings);
    private readonly Dictionary<(Implementation, Precision), Device?> _devices = [];
    private readonly List<Subject> _subjects = [];
    private readonly List<Measured> _generation = [];
    private bool _standIns, _failed;

    /// <summary>Measures; false where something failed.</summary>
    public bool Run()
    {
        using (Device device = settings.Open(Implementation.Auto, Precision.Fp32))
        {
            _standIns = device.IsStandIn;
            Warn();
            Console.WriteLine($"device    {device.Description}");
            results.Root["device"] = device.Description;
            results.Root["stand_ins"] = _standIns;
            if (_standIns)
                results.Root["warning"] = StandInWarning;
            results.Root["quick"] = settings.Quick;
            results.Root["ceilings"] = _ceilings.Measure(device);
            results.Save();
        }
        var peer = settings.Peer is { } command ? new CudaPeer(settings, command, results, _budget) : null;
        string[] modes = [.. settings.PeerModes.Where(m => !m.Contains("compile", StringComparison.Ordinal))];
        for (int turn = 0; turn < settings.Turns; turn++)
        {
            Ours(turn);
            Theirs(peer, modes);
            if (turn == 0)
                Details();
        }
        SaveSteps();
        if (settings.Startup && Goes("startup"))
        {
            Try("startup", () =>
            {
                foreach (JsonObject row in new Startup(settings).Measure())
                    results.Add("startup", row);
            });
        }
        // Minutes for each, so once and last.
        Theirs(peer, [.. settings.PeerModes.Except(modes)]);
        peer?.Compare([.. _subjects.Where(s => s.Graph.Blocks.Count > 0)
            .Select(s => new Measured(Measured.Step, s.Which.Name, s.Precision, s.Implementation, s.Graph.Blocks.Median)), .. _generation]);
        Warn();
        return !_failed;
    }

    private void Theirs(CudaPeer? peer, string[] modes)
    {
        if (peer is not null && modes.Length > 0 && Goes($"{string.Join(", ", modes)} of --peer"))
            Try("--peer", () => peer.Turn(modes));
    }

    // What fails is one row: on a machine that is lent for minutes the others are worth having.
    private void Try(string what, Action work)
    {
        try
        {
            work();
        }
        catch (CudaGenException e)
        {
            _failed = true;
            Console.WriteLine($"failed: {what}: {e.Message}");
            results.Add("failed", new JsonObject { ["what"] = what, ["why"] = e.Message });
        }
    }

    private void Warn()
    {
        if (_standIns)
            Console.WriteLine(StandInWarning);
    }

    private bool Goes(string what)
    {
        if (!_budget.IsOver)
            return true;
        Console.WriteLine($"not measured: {what}; the budget of {settings.Budget} s is used up");
        results.Add("not_measured", new JsonObject { ["what"] = what, ["why"] = "budget" });
        return false;
    }

    // Null where the device does not have it.
    private Device? DeviceOf(Implementation implementation, Precision precision)
    {
        if (_devices.TryGetValue((implementation, precision), out Device? device))
            return device;
        try
        {
            device = settings.Open(implementation, precision);
        }
        catch (DeviceException e)
        {
            string what = $"{Json.Name(implementation)}, {Json.Name(precision)}";
            Console.WriteLine($"not measured: {what}: {e.Message}");
            results.Add("not_measured", new JsonObject { ["what"] = what, ["why"] = e.Message });
        }
        return _devices[(implementation, precision)] = device;
    }

    private void Ours(int turn)
    {
        foreach (Precision precision in settings.Precisions)
        {
            foreach (Implementation implementation in settings.Implementations)
            {
                if (DeviceOf(implementation, precision) is not { } device)
                    continue;
                string side = $"{Json.Name(implementation)}, {Json.Name(precision)}, turn {turn + 1} of {settings.Turns}";
                Console.WriteLine();
                Console.WriteLine($"{side}: ms a training step");
                Console.WriteLine($"{"",16}{"recorded",-36}{"launch by launch",-20}at least, of the recorded step");
                Console.WriteLine($"{"model",-9}{"batch",6} {"median",8} {"best",8} {"events",8} {"single",8} {"median",8} {"best",8} {"launches",8} "
                    + $"{"images/s",10} {"TFLOP/s",8} {"peak",5} {"GB/s",7} {"copy",5}");
                List<Subject> timed = [];
                foreach (BenchModel which in settings.Models)
                {
                    string what = $"{which.Name}, {side}";
                    if (!Goes(what))
                        break;
                    Try(what, () =>
                    {
                        Subject subject = SubjectOf(which, device);
                        subject.Time();
                        Print(subject);
                        SaveSteps();
                        timed.Add(subject);
                    });
                }
                if (turn == 0)
                    Generation(timed);
            }
        }
    }

    private Subject SubjectOf(BenchModel which, Device device)
    {
        if (_subjects.Find(s => s.Which == which && s.Device == device) is { } known)
            return known;
        Subject subject = new(settings, which, device);
        _subjects.Add(subject);
        return subject;
    }

    private void Print(Subject s)
    {
        (StepTimes graph, StepTimes eager) = (s.Graph, s.Eager);
        Console.WriteLine($"{s.Which.Name,-9}{s.Batch,6} {graph.Blocks.Median,8:F3} {graph.Blocks.Best,8:F3} {graph.Events.Median,8:F3} {graph.Single.Median,8:F3} "
            + $"{eager.Blocks.Median,8:F3} {eager.Blocks.Best,8:F3} {s.Work.Count,8} {s.Batch / graph.Blocks.Median * 1000,10:F0} "
            + $"{s.FlopRate * 1e-12,8:F2} {Share(s.FlopRate / _ceilings.Flops(s.Precision)),5} {s.ByteRate * 1e-9,7:F0} {Share(s.ByteRate / _ceilings.CopyBytes),5}");
    }

    /// <summary>Per cent of a ceiling.</summary>
    public static string Share(double share) => double.IsNaN(share) ? "-" : $"{100 * share:F0}%";

    // All of them again each time, as a further turn adds to their times.
    private void SaveSteps()
    {
        JsonArray rows = [];
        foreach (Subject subject in _subjects.Where(s => s.Eager.Events.Count > 0))
        {
            foreach (StepTimes times in (StepTimes[])[subject.Graph, subject.Eager])
                rows.Add((JsonNode)subject.ToJson(times, _ceilings.Flops(subject.Precision), _ceilings.CopyBytes));
        }
        results.Root["steps"] = rows;
        results.Save();
    }

    // bench.py times from a code to an image that both lie in the GPU's memory; "host" is what an application sees, with both copies.
    private void Generation(List<Subject> subjects)
    {
        int[] batches = settings.Quick ? [1, 2] : [1, 64];
        Console.WriteLine();
        Console.WriteLine("generation: us from codes to images, recorded and launch by launch on the device, and from host to host");
        Console.WriteLine($"{"",-9}" + string.Concat(batches.Select(b => $" {$"batch {b}",-32}   ")));
        Console.WriteLine($"{"model",-9}" + string.Concat(batches.Select(_ => $" {"recorded",10} {"launches",10} {"host",10}   ")));
        foreach (Subject subject in subjects)
        {
            if (!Goes($"generation, {subject.Which.Name}"))
                break;
            Console.Write($"{subject.Which.Name,-9}");
            Try($"generation, {subject.Which.Name}", () =>
            {
                foreach (int batch in batches)
                {
                    JsonObject row = Generate(subject, batch);
                    Console.Write($" {row["graph_us"],10} {row["eager_us"],10} {row["host_us"],10}   ");
                    results.Add("generation", row);
                }
            });
            Console.WriteLine();
        }
    }

    private JsonObject Generate(Subject subject, int batch)
    {
        Device device = subject.Device;
        using Generator generator = subject.LoadGenerator(batch);
        float[] codes = new float[batch * generator.Latent], images = new float[batch * generator.ImageLength];
        byte[] labels = generator.Classes > 0 ? new byte[batch] : [];
        generator.DrawCodes(1, 0, codes);
        void Host() => generator.Generate(codes, images, labels);
        Host();
        using CudaGraph graph = device.Capture(generator.Infer);
        Times recorded = new("graph"), eager = new("eager"), host = new("host");
        foreach ((Action call, Times times) in new[] { (graph.Launch, recorded), (generator.Infer, eager), ((Action)Host, host) })
        {
            call();
            CudaClock.Blocks(device, call, 1, settings.Seconds / 5, times);
        }
        _generation.Add(new(Measured.Generation(batch), subject.Which.Name, subject.Precision, subject.Implementation, recorded.Median * 1000));
        return new JsonObject
        {
            ["model"] = subject.Which.Name,
            ["implementation"] = Json.Name(subject.Implementation),
            ["precision"] = Json.Name(subject.Precision),
            ["batch"] = batch,
            ["graph_us"] = Json.Number(recorded.Median * 1000),
            ["eager_us"] = Json.Number(eager.Median * 1000),
            ["host_us"] = Json.Number(host.Median * 1000),
        };
    }

    private void Details()
    {
        if (settings.Kernels)
        {
            foreach (Subject subject in _subjects)
            {
                string what = $"kernels of {subject.Which.Name}, {Json.Name(subject.Implementation)}, {Json.Name(subject.Precision)}";
                if (!Goes(what))
                    break;
                Try(what, () => results.Add("kernels", new KernelTable(settings, _ceilings, subject).Measure()));
            }
        }
        if (settings.Bandwidth && Goes("bandwidth") && DeviceOf(Implementation.Kernel, Precision.Fp32) is { } device)
        {
            Try("bandwidth", () => new CudaBandwidth(settings, _ceilings, device).Measure(row => results.Add("bandwidth", row), () => Goes("rest of the bandwidth")));
        }
    }

    public void Dispose()
    {
        foreach (Subject subject in _subjects)
            subject.Dispose();
        foreach (Device? device in _devices.Values)
            device?.Dispose();
        _budget.Dispose();
    }
}
