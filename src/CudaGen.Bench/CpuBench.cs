using System.Diagnostics;
using System.Text.Json.Nodes;
using CudaGen.Kernels;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Bench;

/// <summary>The CPU path beside PyTorch on the same machine, block by block in turns.</summary>
internal sealed class CpuBench(Results results, int threads, int blocks, int steps, int? askedBatch)
{
    private readonly JsonObject _results = results.Root;
    private double _peak;

    public void Machine()
    {
        using Device device = Device.Cpu(threads);
        double one = CpuPeak.Gflops(1);
        _peak = CpuPeak.Gflops(threads);
        string cpu = Processor();
        Console.WriteLine($"machine   {cpu}; {device.Description}");
        Console.WriteLine($"ceiling   {one:F0} GFLOP/s float32 fused multiply-add on one thread, {_peak:F0} on {threads}");
        _results["threads"] = threads;
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
            PrintRates($"{n} x {o} x {i}", rates);
            rows.Add((JsonNode)new JsonObject
            {
                ["n"] = n,
                ["o"] = o,
                ["i"] = i,
                ["gflops"] = Rounded(rates, 1),
                ["share"] = Rounded(rates.Select(r => r / _peak), 3),
            });
        }
        _results["products"] = rows;
    }

    /// <summary>
    /// The passes of convolutions with SAME padding. Operations are counted as a direct pass does them, on the padding too, so what takes
    /// fewer exceeds the ceiling.
    /// </summary>
    public void Convolutions()
    {
        using Device device = Device.Cpu(threads);
        var rows = new JsonArray();
        Console.WriteLine();
        Console.WriteLine($"{"convolution",-26} {"forward",16} {"backward data",16} {"backward filter",16}   GFLOP/s (share of the ceiling)");
        foreach ((int size, int c, int k, int kernel, int stride) in new[]
        {
            (32, 16, 16, 3, 1), (32, 32, 32, 3, 1), (16, 32, 64, 3, 1), (16, 64, 64, 3, 1), (8, 96, 96, 3, 1), (5, 96, 96, 3, 1), (32, 32, 32, 3, 2),
            (28, 32, 64, 4, 2), (32, 64, 128, 4, 2), (16, 128, 256, 4, 2), (8, 256, 512, 4, 2),
        })
        {
            var shape = ConvolutionShape.Same(new(128, size, size, c), new(k, kernel, kernel, c), stride);
            using var plan = new ConvolutionPlan(device, shape);
            using var arena = new Arena(device, "convolutions", ((long)shape.X.Length + shape.W.Length + shape.Y.Length + k) * sizeof(float) + 4096);
            Tensor x = arena.Take(shape.X), w = arena.Take(shape.W), y = arena.Take(shape.Y), bias = arena.Take(new Shape(k));
            double[] rates =
            [
                Rate(shape.Flops, () => Convolution.Forward(device, plan, y, x, w, bias, Activation.Relu)),
                Rate(shape.Flops, () => Convolution.BackwardData(device, plan, x, y, w)),
                Rate(shape.Flops, () => Convolution.BackwardFilter(device, plan, w, y, x)),
            ];
            PrintRates($"{shape}", rates);
            rows.Add((JsonNode)new JsonObject { ["convolution"] = $"{shape}", ["gflops"] = Rounded(rates, 1) });
        }
        _results["convolutions"] = rows;
    }

    private void PrintRates(string name, double[] rates)
        => Console.WriteLine($"{name,-26} {string.Join(" ", rates.Select(r => $"{r,8:F0} ({r / _peak,4:P0})".PadLeft(16)))}");

    private static JsonArray Rounded(IEnumerable<double> values, int digits) => new([.. values.Select(v => (JsonNode)Math.Round(v, digits))]);

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
            rows.Add((JsonNode)new JsonObject { ["operation"] = name, ["ms"] = Math.Round(best * 1000, 4), ["copy_ms"] = Math.Round(copy * 1000, 4), ["bytes"] = bytes });
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
        JsonArray rows = [ours.ToJson(null)];
        foreach (Peer peer in peers)
        {
            Times t = peer.Times;
            Console.WriteLine($"{t.Name,-28} {t.Median,8:F2} {t.Best,8:F2}   {t.Median / ours.Median,16:F2} {t.Best / ours.Best,18:F2}");
            rows.Add((JsonNode)t.ToJson(ours));
        }
        Console.WriteLine($"allocated in 10 steps: {allocated} bytes; beside one busy process a step takes {slowdown:F2} times as long".Replace("NaN", "(not measured)", StringComparison.Ordinal));
        _results[name] = new JsonObject { ["steps"] = rows, ["batch"] = batch, ["allocated_10_steps"] = allocated, ["beside_busy_process"] = double.IsNaN(slowdown) ? null : Math.Round(slowdown, 2) };
    }
}
