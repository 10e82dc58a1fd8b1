using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Nets.Tests;

/// <summary>The training steps on a CUDA device: a GPU, or the stand-ins that check it.</summary>
public sealed class CudaModelTests : IDisposable
{
    private const int Batch = 5;
    private const ulong Seed = 11;
    private static readonly ConvSizes Small = new(8, 3, 4, 5);

    private static readonly Dictionary<string, Func<CodeModel>> Models = new()
    {
        ["cae"] = () => new ConvAutoencoder(ConvAutoencoderOptions.Canonical(Small)),
        ["vae"] = () => new ConvVae(ConvVaeOptions.Canonical(Small)),
        ["vae, seed"] = () => new ConvVae(ConvVaeOptions.Seed(Small)),
    };

    private readonly int _alive = LiveObjects.Total;

    public static TheoryData<string, Implementation> Rows
    {
        get
        {
            TheoryData<string, Implementation> rows = [];
            foreach (string name in Models.Keys)
            {
                rows.Add(name, Implementation.Kernel);
                rows.Add(name, Implementation.Library);
            }
            return rows;
        }
    }

    public void Dispose() => Assert.Equal(_alive, LiveObjects.Total);

    private static ImageData Images(Device device)
    {
        const int Count = 17;
        int length = Small.Image * Small.Image;
        byte[] pixels = new byte[Count * length];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)((i % length * (i / length + 3) * 37 + i / length * 11) % 256);
        return new ImageData(device, pixels, Small.Image, Small.Image, 1);
    }

    private static CodeModel Planned(string name, Device device, bool eager = false)
    {
        CodeModel model = Models[name]();
        model.Plan(device, Batch, Seed);
        model.Eager = eager;
        return model;
    }

    private static uint[] Bits(Model model) => [.. model.State().Where(t => !t.IsCounter)
        .SelectMany(t => model.Device.ToArray(t.Tensor)).Select(BitConverter.SingleToUInt32Bits), (uint)model.Steps];

    private static uint[] Train(string name, Implementation implementation, int steps, bool eager)
    {
        using Device device = TestCuda.Open(implementation);
        using ImageData data = Images(device);
        using CodeModel model = Planned(name, device, eager);
        for (int i = 0; i < steps; i++)
            model.Step(data);
        return Bits(model);
    }

    /// <summary>
    /// The same seed gives the same noise, minibatches and start, so both paths compute the same numbers but for the order
    /// of their sums. A step apart, losses differ by roundings; Adam turns the sign of a gradient near zero into a whole
    /// step, so the parameters are compared as a whole.
    /// </summary>
    [Theory]
    [MemberData(nameof(Rows))]
    public void Training_follows_the_CPU_path_step_by_step(string name, Implementation implementation)
    {
        const int Steps = 8;
        using Device cuda = TestCuda.Open(implementation), cpu = Device.Cpu(1);
        using ImageData cudaData = Images(cuda), cpuData = Images(cpu);
        using CodeModel onCuda = Planned(name, cuda), onCpu = Planned(name, cpu);
        float[][] start = Values(onCpu);
        Assert.Equal(start.SelectMany(v => v), Values(onCuda).SelectMany(v => v));
        for (int step = 0; step < Steps; step++)
        {
            onCuda.Step(cudaData);
            onCpu.Step(cpuData);
            float[] found = onCuda.Losses.ToArray(), expected = onCpu.Losses.ToArray();
            for (int i = 0; i < found.Length; i++)
                Assert.True(Math.Abs(found[i] - expected[i]) <= 2e-5 * Math.Abs(expected[i]) + 1e-7, $"step {step}: {onCpu.LossNames[i]} is {found[i]:R}, expected {expected[i]:R}");
        }
        Assert.Equal((ulong)Steps, onCuda.Steps);
        Assert.Equal(onCpu.MeanLosses(1, Steps - 1)[0], onCuda.MeanLosses(1, Steps - 1)[0], 2e-5 * onCpu.MeanLosses(1, Steps - 1)[0]);

        double moved = 0, apart = 0;
        foreach ((float[] s, float[] a, float[] b) in start.Zip(Values(onCuda), Values(onCpu)))
        {
            for (int i = 0; i < s.Length; i++)
            {
                moved += Math.Pow(b[i] - s[i], 2);
                apart += Math.Pow(b[i] - a[i], 2);
            }
        }
        Assert.True(apart < 1e-4 * moved, $"the parameters are {Math.Sqrt(apart):E1} apart after having moved {Math.Sqrt(moved):E1}");
    }

    private static float[][] Values(Model model) => [.. model.Parameters.Select(p => model.Device.ToArray(p.Value))];

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_replayed_graph_gives_the_bits_of_single_launches(string name, Implementation implementation)
    {
        uint[] replayed = Train(name, implementation, 6, eager: false);
        Assert.Equal(Train(name, implementation, 6, eager: true), replayed);
        Assert.Equal(replayed, Train(name, implementation, 6, eager: false));
        Assert.NotEqual(replayed, Train(name, implementation, 5, eager: false));
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Steps_allocate_nothing_on_either_side(string name, Implementation implementation)
    {
        // Emulated kernels take a second for each step.
        int steps = implementation == Implementation.Kernel ? 20 : 100;
        foreach (bool eager in new[] { false, true })
        {
            using Device device = TestCuda.Open(implementation);
            using ImageData data = Images(device);
            using CodeModel model = Planned(name, device, eager);
            for (int i = 0; i < 3; i++)
                model.Step(data);
            (long free, int growths) = (device.GpuMemory.Free, device.ScratchGrowths);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < steps; i++)
                model.Step(data);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(free, device.GpuMemory.Free);
            Assert.Equal(growths, device.ScratchGrowths);
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Training_goes_on_from_a_file_on_either_device(string name, Implementation implementation)
    {
        using var folder = new TemporaryFolder();
        string path = folder["state.safetensors"];
        using (Device device = TestCuda.Open(implementation))
        {
            using ImageData data = Images(device);
            using CodeModel model = Planned(name, device);
            for (int i = 0; i < 4; i++)
                model.Step(data);
            Checkpoint.Save(model, path);
        }
        using (Device device = TestCuda.Open(implementation))
        {
            using ImageData data = Images(device);
            using CodeModel model = Planned(name, device);
            // Into a model whose graph is recorded already: its addresses stay.
            for (int i = 0; i < 3; i++)
                model.Step(data);
            Checkpoint.Load(model, path);
            Assert.Equal(4UL, model.Steps);
            for (int i = 0; i < 4; i++)
                model.Step(data);
            Assert.Equal(Train(name, implementation, 8, eager: false), Bits(model));
        }
        using (Device device = Device.Cpu(1))
        {
            using CodeModel model = Planned(name, device);
            Checkpoint.Load(model, path);
            Assert.Equal(4UL, model.Steps);
        }
    }

    /// <summary>Between replays the same model is evaluated and another one is planned, which needs more scratch memory.</summary>
    [Fact]
    public void A_graph_survives_what_happens_between_its_replays()
    {
        const Implementation Kind = Implementation.Kernel;
        using Device device = TestCuda.Open(Kind);
        using ImageData data = Images(device);
        using CodeModel model = Planned("vae", device);
        for (int i = 0; i < 3; i++)
            model.Step(data);
        using (var larger = new ConvVae(ConvVaeOptions.Canonical(new(16, 3, 9, 7))))
        {
            larger.Plan(device, 9, Seed);
            larger.Forward();
        }
        device.ReserveScratch(1 << 20);
        for (int i = 0; i < 3; i++)
            model.Step(data);
        Assert.Equal(Train("vae", Kind, 6, eager: false), Bits(model));
    }
}
