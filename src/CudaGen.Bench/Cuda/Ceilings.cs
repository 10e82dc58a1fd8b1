using System.Diagnostics;
using System.Text.Json.Nodes;
using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>What the GPU can do at most, measured in the same run as what is compared with it.</summary>
internal sealed class Ceilings(CudaSettings settings)
{
    private readonly Dictionary<Precision, double> _flops = [];

    /// <summary>Bytes read and written in a second by the faster of two copies.</summary>
    public double CopyBytes { get; private set; }

    /// <summary>Microseconds that an event before and one after nothing are apart, on a GPU that has work to do.</summary>
    public double EventPair { get; private set; }

    /// <summary>
    /// Operations a second: of multiply-adds in registers, or of cuBLAS's largest product where that is in another precision than float32.
    /// </summary>
    public double Flops(Precision precision) => _flops.GetValueOrDefault(precision, double.NaN);

    public JsonObject Measure(Device device)
    {
        Console.WriteLine();
        _flops[Precision.Fp32] = MultiplyAdd(device);
        (double driver, double kernel) = Copies(device);
        CopyBytes = Math.Max(driver, kernel);
        (double eager, double graph) = Launches(device);
        (EventPair, double emptyKernel) = Events(device);
        Console.WriteLine($"fused multiply-add  {_flops[Precision.Fp32] * 1e-12,8:F2} TFLOP/s float32 in registers");
        Console.WriteLine($"copy                {driver * 1e-9,8:F1} GB/s read and written by the driver, {kernel * 1e-9:F1} by a kernel of float4, {settings.Large} floats");
        Console.WriteLine($"launch              {eager,8:F2} us launch by launch, {graph:F2} in a graph of 100");
        Console.WriteLine($"events              {EventPair,8:F2} us between two around nothing, which kernel times are reduced by; {emptyKernel:F2} around an empty kernel");
        var products = new JsonObject();
        foreach (Precision precision in settings.Precisions)
        {
            if (Product(precision) is not { } rate)
                continue;
            if (precision != Precision.Fp32)
                _flops[precision] = rate;
            products[Json.Name(precision)] = Json.Number(rate * 1e-12);
            Console.WriteLine($"cuBLAS, {Json.Name(precision),-4}        {rate * 1e-12,8:F2} TFLOP/s, {settings.Product} x {settings.Product} x {settings.Product}");
        }
        return new JsonObject
        {
            ["fma_tflops"] = Json.Number(_flops[Precision.Fp32] * 1e-12),
            ["cublas_tflops"] = products,
            ["copy_driver_gb_s"] = Json.Number(driver * 1e-9),
            ["copy_kernel_gb_s"] = Json.Number(kernel * 1e-9),
            ["launch_eager_us"] = Json.Number(eager),
            ["launch_graph_us"] = Json.Number(graph),
            ["event_pair_us"] = Json.Number(EventPair),
            ["empty_kernel_us"] = Json.Number(emptyKernel),
        };
    }

    private double MultiplyAdd(Device device)
    {
        int rounds = settings.Quick ? 2 : 2000, blocks = device.BlockLimit;
        using var arena = new Arena(device, "multiply-add", blocks * 256L * sizeof(float));
        Tensor y = arena.Take(new Shape(blocks * 256));
        double best = Best(device, () => device.Launch(CudaKernels.MultiplyAdd, blocks, 256, 0, y, 0.999f, 0.001f, rounds));
        return 2.0 * 256 * rounds * 256 * blocks / best;
    }

    private (double Driver, double Kernel) Copies(Device device)
    {
        int n = settings.Large;
        using var arena = new Arena(device, "copy", 2L * n * sizeof(float));
        Tensor x = arena.Take(new Shape(n)), y = arena.Take(new Shape(n));
        device.Clear(x);
        double bytes = 2.0 * n * sizeof(float);
        return (bytes / Best(device, () => device.Copy(y, x)),
            bytes / Best(device, () => device.Launch(CudaKernels.Copy, (n / 4 + 255) / 256, 256, 0, y, x, n / 4)));
    }

    private (double Eager, double Graph) Launches(Device device)
    {
        int launches = settings.Quick ? 10 : 1000;
        void Launch() => device.Launch(CudaKernels.Empty, 1, 32, 0);
        Launch();
        using CudaGraph graph = device.Capture(() =>
        {
            for (int i = 0; i < 100; i++)
                Launch();
        });
        graph.Launch();
        Times eager = new("eager"), replayed = new("graph");
        CudaClock.Blocks(device, Launch, launches, settings.Seconds / 5, eager);
        CudaClock.Blocks(device, graph.Launch, launches / 10, settings.Seconds / 5, replayed);
        return (eager.Best * 1000, replayed.Best * 10);
    }

    private (double Pair, double Kernel) Events(Device device)
    {
        const int Pairs = 50;
        using var profile = new DeviceProfile(device);
        using var arena = new Arena(device, "delay", Arena.Alignment);
        Tensor kept = arena.Take(Shape.Scalar);
        CudaEvent[] events = [.. Enumerable.Range(0, 2 * Pairs).Select(_ => new CudaEvent(device))];
        for (int run = 0; run < 2; run++)
        {
            profile.Clear();
            Delay(device, kept, settings);
            foreach (CudaEvent e in events)
                e.Record();
            device.Profile = profile;
            for (int i = 0; i < Pairs; i++)
                device.Launch(CudaKernels.Empty, 1, 32, 0);
            device.Profile = null;
            device.Synchronize();
        }
        Times pairs = new("pairs"), kernels = new("kernels");
        for (int i = 0; i < Pairs; i++)
            pairs.Add(1000 * events[2 * i + 1].MillisecondsSince(events[2 * i]));
        foreach (double time in profile.Microseconds())
            kernels.Add(time);
        foreach (CudaEvent e in events)
            e.Dispose();
        return (pairs.Median, kernels.Median);
    }

    /// <summary>Keeps the GPU busy for some milliseconds, so that what is given next runs without gaps.</summary>
    public static void Delay(Device device, Tensor kept, CudaSettings settings)
        => device.Launch(CudaKernels.Delay, 1, 1, 0, kept, 0.5f, settings.Quick ? 1 : 8_000_000);

    // Null where this build or machine has no such products.
    private double? Product(Precision precision)
    {
        int n = settings.Product;
        try
        {
            using Device device = settings.Open(Implementation.Library, precision);
            using var arena = new Arena(device, "product", 3L * n * n * sizeof(float) + 1024);
            Tensor x = arena.Take(new Shape(n, n)), w = arena.Take(new Shape(n, n)), y = arena.Take(new Shape(n, n));
            foreach (Tensor operand in (Tensor[])[x, w])
                RandomFill.Constant(device, operand, 0.5f);
            // Of the call alone: operands of another type are made before it.
            using var profile = new DeviceProfile(device);
            Times times = new("product");
            for (int i = 0; i < (settings.Quick ? 2 : 10); i++)
            {
                profile.Clear();
                device.Profile = profile;
                Dense.Forward(device, y, x, w, null, Activation.Linear);
                device.Profile = null;
                double[] each = profile.Microseconds();
                times.Add(each.Where((_, j) => profile.Work[j].Flops > 0).Sum());
            }
            return 2.0 * n * n * n / times.Best * 1e6;
        }
        catch (CudaGenException e)
        {
            Console.WriteLine($"cuBLAS, {Json.Name(precision),-4}        not measured: {e.Message}");
            return null;
        }
    }

    // Seconds of the fastest of several, after one that loads the kernel and wakes the clocks.
    private double Best(Device device, Action work)
    {
        Times times = new("ceiling");
        long begin = Stopwatch.GetTimestamp();
        do
        {
            work();
            device.Synchronize();
        }
        while (!settings.Quick && Stopwatch.GetElapsedTime(begin).TotalSeconds < 0.3);
        CudaClock.Events(device, work, settings.Quick ? 2 : 20, times);
        return times.Best / 1000;
    }
}
