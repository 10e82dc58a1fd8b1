#:project ../src/CudaGen.Training/CudaGen.Training.csproj

// How fast a training step is, beside PyTorch on the same machine.
//
// The two sides take turns, block by block, because machines drift; what counts is the ratio within one run. PyTorch runs
// as a server in a process of its own (bench/torch_peer.py), or as any command that takes --models, --steps and --json
// and writes rows with ms_per_step and ms_min (--peer). The arithmetic ceiling is measured in the same run.

using CudaGen.Kernels;
using CudaGen.Nets;
using CudaGen.Runtime;
using CudaGen.Training;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Text.Json;
using System.Text.Json.Nodes;

return Executable.Run(() =>
{
    var models = new Option<string>("--models") { Description = $"models to time, with commas between them, or all: {string.Join(", ", BenchModel.All.Select(m => m.Name))}", DefaultValueFactory = _ => "cae,vae" };
    var threads = new Option<int>("--threads") { Description = "threads of both sides", DefaultValueFactory = _ => 2 };
    var blocks = new Option<int>("--blocks") { Description = "turns of each side", DefaultValueFactory = _ => 12 };
    var steps = new Option<int>("--steps") { Description = "steps of a turn", DefaultValueFactory = _ => 40 };
    var batch = new Option<int?>("--batch") { Description = "images of a step (default: the model's)" };
    var python = new Option<string>("--python") { Description = "Python that has torch; 'none' to time this side alone", DefaultValueFactory = _ => "python3" };
    var peerSteps = new Option<int>("--peer-steps") { Description = "steps of a turn of --peer", DefaultValueFactory = _ => 30 };
    var peer = new Option<string?>("--peer") { Description = "another command to compare with, such as 'tuned.sh python3 bench.py --device cpu --threads 2'" };
    var bandwidth = new Option<bool>("--bandwidth") { Description = "time memory-bound operations beside copies, too" };
    var json = new Option<string?>("--json") { Description = "file for the results" };
    var command = new RootCommand("Times training steps, matrix products and the arithmetic ceiling; compares with PyTorch.")
    {
        models, threads, blocks, steps, batch, python, peer, peerSteps, bandwidth, json,
    };
    command.SetAction(parsed =>
    {
        var bench = new Bench(parsed.GetValue(threads), parsed.GetValue(blocks), parsed.GetValue(steps), parsed.GetValue(batch));
        bench.Machine();
        bench.Products();
        if (parsed.GetValue(bandwidth))
            bench.Bandwidth();
        string names = parsed.GetValue(models)!;
        foreach (string model in names == "all" ? [.. BenchModel.All.Select(m => m.Name)] : names.Split(','))
            bench.Model(BenchModel.Find(model), parsed.GetValue(python)!, parsed.GetValue(peer), parsed.GetValue(peerSteps));
        if (parsed.GetValue(json) is { } path)
            bench.Save(path);
    });
    ParseResult parsed = command.Parse(args);
    if (parsed.Errors.Count > 0)
        throw new InputException(parsed.Errors[0].Message);
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
});

internal sealed class Bench(int threads, int blocks, int steps, int? askedBatch)
{
    private readonly JsonObject _results = new()
    {
        ["date"] = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        ["commit"] = Commit(),
        ["threads"] = threads,
    };

    private static string? Commit()
    {
        try
        {
            using Process git = Process.Start(new ProcessStartInfo("git", ["describe", "--always", "--dirty"]) { RedirectStandardOutput = true })!;
            return git.StandardOutput.ReadToEnd().Trim();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private double _peak;

    public void Machine()
    {
        using Device device = Device.Cpu(threads);
        double one = Peak(1);
        _peak = Peak(threads);
        string cpu = Processor();
        Console.WriteLine($"machine   {cpu}; {device.Description}");
        Console.WriteLine($"ceiling   {one:F0} GFLOP/s float32 fused multiply-add on one thread, {_peak:F0} on {threads}");
        _results["processor"] = cpu;
        _results["device"] = device.Description;
        _results["peak_gflops_1"] = Math.Round(one, 1);
        _results["peak_gflops"] = Math.Round(_peak, 1);
    }

    private static string Processor()
    {
        const string info = "/proc/cpuinfo";
        string? line = File.Exists(info) ? File.ReadLines(info).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line?.Split(':')[1].Trim() ?? System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString();
    }

    // Independent multiply-adds in registers, all threads at once; each thread counts its best millisecond.
    private static double Peak(int threads)
    {
        double[] rates = new double[threads];
        Thread[] workers = [.. Enumerable.Range(0, threads).Select(i => new Thread(() =>
        {
            for (int run = 0; run < 300; run++)
                rates[i] = Math.Max(rates[i], Multiply(300_000));
        }))];
        foreach (Thread worker in workers)
            worker.Start();
        foreach (Thread worker in workers)
            worker.Join();
        return rates.Sum();
    }

    // Twelve independent chains, apart from the clock: with a call in the method, the compiler would keep them in memory.
    private static double Multiply(int n)
    {
        long start = Stopwatch.GetTimestamp();
        s_kept += Vector512.IsHardwareAccelerated ? Chain512(n) : Chain256(n);
        return 12.0 * (Vector512.IsHardwareAccelerated ? 16 : 8) * 2 * n / Stopwatch.GetElapsedTime(start).TotalSeconds * 1e-9;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chain512(int n)
    {
        Vector512<float> a = Vector512.Create(1.0f), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        Vector512<float> x = Vector512.Create(0.9999f), y = Vector512.Create(0.0001f);
        for (int s = 0; s < n; s++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y);
            b = Vector512.FusedMultiplyAdd(b, x, y);
            c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y);
            f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y);
            h = Vector512.FusedMultiplyAdd(h, x, y);
            i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y);
            k = Vector512.FusedMultiplyAdd(k, x, y);
            l = Vector512.FusedMultiplyAdd(l, x, y);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chain256(int n)
    {
        Vector256<float> a = Vector256.Create(1.0f), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        Vector256<float> x = Vector256.Create(0.9999f), y = Vector256.Create(0.0001f);
        for (int s = 0; s < n; s++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y);
            b = Vector256.FusedMultiplyAdd(b, x, y);
            c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y);
            e = Vector256.FusedMultiplyAdd(e, x, y);
            f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y);
            h = Vector256.FusedMultiplyAdd(h, x, y);
            i = Vector256.FusedMultiplyAdd(i, x, y);
            j = Vector256.FusedMultiplyAdd(j, x, y);
            k = Vector256.FusedMultiplyAdd(k, x, y);
            l = Vector256.FusedMultiplyAdd(l, x, y);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    private static float s_kept;

    /// <summary>The three products of a dense layer, square and in the sizes of the networks.</summary>
    public void Products()
    {
        using Device device = Device.Cpu(threads);
        var rows = new JsonArray();
        Console.WriteLine();
        Console.WriteLine($"{"product",-26} {"A B^T",16} {"A B",16} {"A^T B",16}   GFLOP/s (share of the ceiling)");
        foreach ((int n, int o, int i) in new[] { (512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (128, 1568, 20), (128, 784, 1024) })
        {
            using var arena = new Arena(device, "products", ((long)n * i + (long)o * i + (long)n * o) * sizeof(float) + 4096);
            Tensor x = arena.Take(new Shape(n, i)), w = arena.Take(new Shape(o, i)), y = arena.Take(new Shape(n, o));
            double flops = 2.0 * n * o * i;
            double[] rates =
            [
                Rate(flops, () => Dense.Forward(device, y, x, w, null, Activation.Linear)),
                Rate(flops, () => Dense.BackwardData(device, x, y, w)),
                Rate(flops, () => Dense.BackwardWeights(device, w, y, x)),
            ];
            Console.WriteLine($"{$"{n} x {o} x {i}",-26} {string.Join(" ", rates.Select(r => $"{r,8:F0} ({r / _peak,4:P0})".PadLeft(16)))}");
            rows.Add(new JsonObject
            {
                ["n"] = n,
                ["o"] = o,
                ["i"] = i,
                ["gflops"] = new JsonArray([.. rates.Select(r => (JsonNode)Math.Round(r, 1))]),
                ["share"] = new JsonArray([.. rates.Select(r => (JsonNode)Math.Round(r / _peak, 3))]),
            });
        }
        _results["products"] = rows;
    }

    private static double Rate(double flops, Action action)
    {
        double best = double.MaxValue;
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < 12 || (i < 200 && Stopwatch.GetElapsedTime(begin).TotalSeconds < 0.6); i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return flops / best * 1e-9;
    }

    /// <summary>
    /// Operations that hardly compute, beside a copy of as many bytes on the same threads: what an operation reads and writes at least,
    /// each tensor once.
    /// </summary>
    public void Bandwidth()
    {
        using Device device = Device.Cpu(threads);
        var rows = new JsonArray();
        Console.WriteLine();
        Console.WriteLine($"{"memory-bound operation",-48} {"ms",8} {"GB/s",8} {"copy ms",8} {"GB/s",8}   times a copy");
        foreach ((string name, Shape x) in new[] { ("dcgan bn2", new Shape(128, 6272)), ("dcgan bn3", new(128, 14, 14, 64)), ("wgan-gp bn4", new(64, 32, 32, 64)), ("cs231n bn3", new(50, 28, 28, 25)) })
        {
            Row(name + " batch norm, leaky ReLU", x, x, (y, x, g) => BatchNorm.ForwardTraining(device, y, g[0], g[1], g[2], g[3], x, g[4], g[5], 1e-3f, 0.01f, Activation.LeakyRelu(0.2f)));
            Row(name + " batch norm backward", x, x, (y, x, g) => BatchNorm.Backward(device, y, g[2], g[3], y, x, x, g[0], g[1], g[4], Activation.LeakyRelu(0.2f)), passes: 2);
        }
        foreach ((string name, Shape x) in new[] { ("dcgan pool1", new Shape(256, 24, 24, 32)), ("cs231n pool2", new(100, 14, 14, 64)) })
        {
            PoolingShape pool = new(x, 2, 2);
            Row(name + " max pool", x, pool.Y, (y, x, _) => MaxPool.Forward(device, pool, y, x));
            Row(name + " max pool backward", x, pool.Y, (y, x, g) => MaxPool.Backward(device, pool, g[^1].Reshape(x.Shape), y, x), more: x.Length);
            Row(name + " average pool", x, pool.Y, (y, x, _) => AveragePool.Forward(device, pool, y, x));
            Row(name + " average pool backward", x, pool.Y, (y, x, _) => AveragePool.Backward(device, pool, x, y));
        }
        foreach ((string name, Shape x) in new[] { ("began up3", new Shape(64, 16, 16, 32)), ("began up3, n 128", new(16, 32, 32, 128)) })
        {
            Shape twice = new(x[0], 2 * x[1], 2 * x[2], x[3]);
            Row(name + " nearest", x, twice, (y, x, _) => NearestUpsample.Forward(device, y, x, 2));
            Row(name + " nearest backward", x, twice, (y, x, _) => NearestUpsample.Backward(device, x, y, 2));
        }
        foreach ((string name, Shape x) in new[] { ("cs231n resize2", new Shape(50, 28, 28, 50)), ("cs231n resize3", new(50, 28, 28, 25)) })
        {
            Shape twice = new(x[0], 2 * x[1], 2 * x[2], x[3]);
            Row(name + " bilinear", x, twice, (y, x, _) => BilinearResize.Forward(device, y, x));
            Row(name + " bilinear backward", x, twice, (y, x, _) => BilinearResize.Backward(device, x, y));
        }
        _results["bandwidth"] = rows;

        void Row(string name, Shape xs, Shape ys, Action<Tensor, Tensor, Tensor[]> run, int passes = 1, int more = 0)
        {
            // In place, a tensor is read and written.
            long bytes = sizeof(float) * ((long)xs.Length + (long)ys.Length * passes + more);
            int half = (int)(bytes / 2 / sizeof(float));
            using var arena = new Arena(device, "bandwidth", sizeof(float) * (2L * half + xs.Length + ys.Length + more + 6L * xs.Channels) + 65536);
            Tensor x = arena.Take(xs), y = arena.Take(ys), from = arena.Take(new Shape(half)), to = arena.Take(new Shape(half));
            Tensor[] others = [.. Enumerable.Range(0, 6).Select(_ => arena.Take(new Shape(xs.Channels))), arena.Take(new Shape(more))];
            device.ReserveScratch(BatchNorm.ScratchFloats(xs));
            for (int i = 0; i < x.Length; i++)
                x.Span[i] = i * 2654435761 % 1000;
            double copy = double.MaxValue, best = double.MaxValue;
            long begin = Stopwatch.GetTimestamp();
            for (int i = 0; i < 40 || (i < 400 && Stopwatch.GetElapsedTime(begin).TotalSeconds < 0.5); i++)
            {
                copy = Math.Min(copy, Seconds(() => Arithmetic.Scale(device, to, from, 1)));
                best = Math.Min(best, Seconds(() => run(y, x, others)));
            }
            Console.WriteLine($"{name,-48} {best * 1000,8:F3} {bytes / best * 1e-9,8:F1} {copy * 1000,8:F3} {bytes / copy * 1e-9,8:F1}   {best / copy,12:F2}");
            rows.Add(new JsonObject { ["operation"] = name, ["ms"] = Math.Round(best * 1000, 4), ["copy_ms"] = Math.Round(copy * 1000, 4), ["bytes"] = bytes });
        }

        static double Seconds(Action action)
        {
            // The second call finds what the first left in the caches, on either side.
            action();
            long start = Stopwatch.GetTimestamp();
            action();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    public void Model(BenchModel which, string python, string? peerCommand, int peerSteps)
    {
        string name = which.Name;
        int batch = askedBatch ?? which.Batch;
        using Device device = Device.Cpu(threads);
        using Model model = which.Create();
        model.Plan(device, batch, 1);
        using DataSet data = BenchModel.Data(device, model);
        var ours = new Times("CudaGen");
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < 50 && (i < 3 || Stopwatch.GetElapsedTime(begin).TotalSeconds < 5); i++)
            model.Step(data);

        List<Peer> peers = [];
        try
        {
            if (python != "none" && which.HasTorchPeer)
            {
                peers.Add(new ServerPeer("torch stock, nchw", python, name, "stock", "nchw", threads, batch));
                peers.Add(new ServerPeer("torch stock, nhwc", python, name, "stock", "nhwc", threads, batch));
                peers.Add(new ServerPeer("torch expert, nchw", python, name, "expert", "nchw", threads, batch));
                peers.Add(new ServerPeer("torch expert, nhwc", python, name, "expert", "nhwc", threads, batch));
            }
            if (peerCommand is not null)
                peers.Add(new CommandPeer(peerCommand, name, peerSteps));
            for (int block = 0; block < blocks; block++)
            {
                Turn(model, data, ours);
                foreach (Peer peer in peers)
                    peer.Turn(steps, block, blocks);
            }
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 10; i++)
                model.Step(data);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            // Of a model whose turns take long, eight more would take too long.
            double slowdown = ours.Median * (steps + 3) < 3000 ? Busy(model, data) : double.NaN;
            Report(name, batch, ours, peers, allocated, slowdown);
        }
        finally
        {
            foreach (Peer peer in peers)
                peer.Dispose();
        }
    }

    private void Turn(Model model, DataSet data, Times times)
    {
        // The first steps of a turn find cold caches and sleeping threads, on either side.
        for (int i = 0; i < 3; i++)
            model.Step(data);
        for (int i = 0; i < steps; i++)
        {
            long start = Stopwatch.GetTimestamp();
            model.Step(data);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
    }

    // How much longer a step takes while another process computes all the time.
    private double Busy(Model model, DataSet data)
    {
        double ratio = double.NaN;
        var ratios = new List<double>();
        for (int i = 0; i < 4; i++)
        {
            var idle = new Times("idle");
            Turn(model, data, idle);
            using Process? burner = Burner();
            if (burner is null)
                return ratio;
            Thread.Sleep(100);
            var busy = new Times("busy");
            Turn(model, data, busy);
            burner.Kill();
            burner.WaitForExit();
            ratios.Add(busy.Mean / idle.Mean);
        }
        ratios.Sort();
        return ratios[ratios.Count / 2];
    }

    private static Process? Burner()
    {
        try
        {
            return Process.Start(new ProcessStartInfo("sh", ["-c", "while :; do :; done"]));
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private void Report(string name, int batch, Times ours, List<Peer> peers, long allocated, double slowdown)
    {
        Console.WriteLine();
        Console.WriteLine($"{name}, batch {batch}, {threads} threads: ms a training step, {blocks} turns of {steps}");
        Console.WriteLine($"{"",-28} {"median",8} {"best",8}   {"ratio of medians",16} {"best against best",18}");
        Console.WriteLine($"{ours.Name,-28} {ours.Median,8:F2} {ours.Best,8:F2}   {batch / ours.Median * 1000,10:F0} images/s");
        var rows = new JsonArray { ours.ToJson(null) };
        foreach (Peer peer in peers)
        {
            Times t = peer.Times;
            Console.WriteLine($"{t.Name,-28} {t.Median,8:F2} {t.Best,8:F2}   {t.Median / ours.Median,16:F2} {t.Best / ours.Best,18:F2}");
            rows.Add(t.ToJson(ours));
        }
        Console.WriteLine($"allocated in 10 steps: {allocated} bytes; beside one busy process a step takes {slowdown:F2} times as long".Replace("NaN", "(not measured)", StringComparison.Ordinal));
        _results[name] = new JsonObject { ["steps"] = rows, ["batch"] = batch, ["allocated_10_steps"] = allocated, ["beside_busy_process"] = double.IsNaN(slowdown) ? null : Math.Round(slowdown, 2) };
    }

    public void Save(string path) => AtomicFile.Write(path, stream =>
    {
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true }))
            _results.WriteTo(json);
        stream.WriteByte((byte)'\n');
    });
}

/// <summary>A model with the numbers that both sides take.</summary>
internal sealed record BenchModel(string Name, int Batch, Func<Model> Create, bool HasTorchPeer = false)
{
    public static readonly BenchModel[] All =
    [
        new("cae", 128, () => new ConvAutoencoder(ConvAutoencoderOptions.Canonical(new ConvSizes())), true),
        new("vae", 128, () => new ConvVae(ConvVaeOptions.Canonical(new ConvSizes())), true),
        new("toy2d", 4, () => ToyGan.Canonical(new(), new())),
        new("gan", 128, () => Gan.Canonical(new(), new())),
        new("cgan", 128, () => Gan.Canonical(new(Classes: 10), new())),
        new("dcgan", 128, () => Dcgan.Canonical(new(), new())),
        new("wgan", 64, () => Wgan.Canonical(new(), new())),
        new("wgan_gp", 64, () => WganGp.Canonical(WganGpSizes.For(64, 3), new())),
        new("began", 64, () => Began.Canonical(BeganSizes.For(32, 3), new())),
        new("cs231n", 50, () => Cs231nGan.Canonical(new(), new())),
        new("cifar", 128, () => CifarGan.Canonical(CifarSizes.For(), new())),
    ];

    public static BenchModel Find(string name) => Array.Find(All, m => m.Name == name)
        ?? throw new InputException($"--models: found '{name}', expected some of {string.Join(", ", All.Select(m => m.Name))}");

    /// <summary>Built-in data of the model's size.</summary>
    public static DataSet Data(Device device, Model model)
    {
        if (model.Spec.Range == OutputRange.Points)
            return new PointData(device, ToyPoints.Create(1), 2);
        Shape image = model.Spec.Output;
        ImageSet images = image[2] == 1 ? Glyphs.Create(1).Train : DrawnFaces.Create(1, image[0], 1000, 1).Train;
        return new ImageData(device, images.Parts, images.Height, images.Width, images.Channels, model.Spec.Classes > 0 ? images.Labels : []);
    }
}

internal sealed class Times(string name)
{
    private readonly List<double> _milliseconds = [];

    public string Name => name;

    public double Best => _milliseconds.Min();

    public double Mean => _milliseconds.Average();

    public double Median
    {
        get
        {
            double[] sorted = [.. _milliseconds.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }

    public void Add(double milliseconds) => _milliseconds.Add(milliseconds);

    public JsonObject ToJson(Times? ours)
    {
        var json = new JsonObject { ["side"] = name, ["ms_median"] = Math.Round(Median, 3), ["ms_best"] = Math.Round(Best, 3), ["timed"] = _milliseconds.Count };
        if (ours is not null)
        {
            json["ratio_of_medians"] = Math.Round(Median / ours.Median, 3);
            json["ratio_of_bests"] = Math.Round(Best / ours.Best, 3);
        }
        return json;
    }
}

/// <summary>The other side.</summary>
internal abstract class Peer(string name) : IDisposable
{
    public Times Times { get; } = new(name);

    public abstract void Turn(int steps, int block, int blocks);

    public virtual void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>bench/torch_peer.py --serve, which computes only when it is told to.</summary>
internal sealed class ServerPeer : Peer
{
    private readonly Process _process;

    public ServerPeer(string title, string python, string model, string variant, string layout, int threads, int batch) : base(title)
    {
        var start = new ProcessStartInfo(python)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        string script = Path.Combine(Path.GetDirectoryName(ThisFile())!, "torch_peer.py");
        foreach (string argument in (string[])[script, "--serve", "--models", model, "--variant", variant, "--layout", layout, "--threads", $"{threads}", "--batch", $"{batch}"])
            start.ArgumentList.Add(argument);
        Tune(start);
        try
        {
            _process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InputException($"--python: '{python}' cannot be started: {e.Message}", e);
        }
        string? answer = _process.StandardOutput.ReadLine();
        if (answer is null || !answer.StartsWith("ready", StringComparison.Ordinal))
            throw new InputException($"--python: '{python}' did not get ready, found '{answer}'; it needs torch and numpy, or take --python none");
    }

    // The best settings found for torch on a CPU: an OpenBLAS on torch's own OpenMP threads, the widest kernels, and no
    // memory handed back to the system between steps.
    private static void Tune(ProcessStartInfo start)
    {
        const string openmp = "/usr/lib/x86_64-linux-gnu/openblas-openmp";
        if (Directory.Exists(openmp))
            start.Environment["LD_LIBRARY_PATH"] = openmp;
        if (Vector512.IsHardwareAccelerated)
        {
            start.Environment["OPENBLAS_CORETYPE"] = "SkylakeX";
            start.Environment["ATEN_CPU_CAPABILITY"] = "avx512";
        }
        start.Environment["MALLOC_TOP_PAD_"] = "268435456";
        start.Environment["MALLOC_MMAP_THRESHOLD_"] = "4294967296";
        start.Environment["MALLOC_TRIM_THRESHOLD_"] = "8589934592";
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    public override void Turn(int steps, int block, int blocks)
    {
        _process.StandardInput.WriteLine($"run {steps + 3}");
        _process.StandardInput.Flush();
        string answer = _process.StandardOutput.ReadLine() ?? throw new CudaGenException($"{Times.Name} ended early");
        foreach (string time in answer.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(4))
            Times.Add(double.Parse(time, CultureInfo.InvariantCulture));
    }

    public override void Dispose()
    {
        try
        {
            _process.StandardInput.WriteLine("quit");
            if (!_process.WaitForExit(2000))
                _process.Kill();
        }
        catch (IOException)
        {
            // It has ended already.
        }
        _process.Dispose();
        base.Dispose();
    }
}

/// <summary>A command that times itself and writes JSON; three times in a run, as each start takes seconds.</summary>
internal sealed class CommandPeer(string command, string model, int peerSteps) : Peer($"{Path.GetFileName(command.Split(' ').LastOrDefault(w => w.EndsWith(".py", StringComparison.Ordinal)) ?? command)}")
{
    public override void Turn(int steps, int block, int blocks)
    {
        if (block % Math.Max(1, blocks / 3) != 0)
            return;
        string file = Path.GetTempFileName();
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var start = new ProcessStartInfo(words[0]) { RedirectStandardOutput = true };
        foreach (string word in (string[])[.. words[1..], "--models", model, "--steps", $"{peerSteps}", "--json", file])
            start.ArgumentList.Add(word);
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        try
        {
            using Process process = Process.Start(start)!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            JsonNode row = JsonNode.Parse(File.ReadAllBytes(file))?["rows"]?[0] ?? throw new InputException($"--peer: '{command}' wrote no rows");
            if (row["ms_per_step"] is null)
                throw new InputException($"--peer: '{command}' failed: {row["error"]}");
            Times.Add((double)row["ms_per_step"]!);
            Times.Add((double)row["ms_min"]!);
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or JsonException)
        {
            throw new InputException($"--peer: '{command}' did not run: {e.Message}", e);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
