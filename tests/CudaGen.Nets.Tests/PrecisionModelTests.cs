using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Nets.Tests;

/// <summary>Training steps in TF32 and bfloat16 promise what those in float32 do, and stay near them.</summary>
public sealed class PrecisionModelTests : IDisposable
{
    private readonly int _alive = LiveObjects.Total;

    /// <summary>The model, and the layers with a product that its losses go through one after the other.</summary>
    private static readonly Dictionary<string, (Func<Model> Create, int Layers)> Models = new()
    {
        ["vae"] = (() => new ConvVae(ConvVaeOptions.Canonical(new(8, 3, 4, 5))), 7),
        ["dcgan"] = (() => SmallModels.Create("dcgan"), 8),
        ["dcgan, average pool"] = (() => SmallModels.Create("dcgan, average pool"), 8),
        ["wgan-gp"] = (() => SmallModels.Create("wgan-gp"), 10),
    };

    public static TheoryData<string, Precision> Rows
    {
        get
        {
            TheoryData<string, Precision> rows = [];
            foreach (string name in Models.Keys)
            {
                rows.Add(name, Precision.Tf32);
                rows.Add(name, Precision.Bf16);
            }
            return rows;
        }
    }

    public void Dispose() => Assert.Equal(_alive, LiveObjects.Total);

    private static Model Planned(string name, Device device, bool eager = false)
    {
        Model model = Models[name].Create();
        model.Plan(device, SmallModels.Batch, SmallModels.Seed);
        model.Eager = eager;
        return model;
    }

    private static uint[] Train(string name, Precision precision, int steps, bool eager = false)
    {
        using Device device = TestCuda.Open(Implementation.Library, precision);
        using Model model = Planned(name, device, eager);
        using DataSet data = SmallModels.Data(device, model);
        for (int i = 0; i < steps; i++)
            model.Step(data);
        return SmallModels.Bits(model);
    }

    /// <summary>
    /// One step from the same state, not the first, in which Adam knows of a gradient its sign alone. To first order each layer adds
    /// the relative error of its products; moments hold the gradients, and went back through the layers as well.
    /// </summary>
    [Theory, MemberData(nameof(Rows))]
    public void A_step_stays_near_that_in_float32(string name, Precision precision)
    {
        using var folder = new TemporaryFolder();
        string path = folder["state.safetensors"];
        using Device low = TestCuda.Open(Implementation.Library, precision), full = TestCuda.Open(Implementation.Library);
        using Model inLow = Planned(name, low), inFull = Planned(name, full);
        using DataSet lowData = SmallModels.Data(low, inLow), fullData = SmallModels.Data(full, inFull);
        for (int i = 0; i < 8; i++)
            inFull.Step(fullData);
        Checkpoint.Save(inFull, path);
        Checkpoint.Load(inLow, path);
        inLow.Step(lowData);
        inFull.Step(fullData);
        double layer = precision == Precision.Tf32 ? 2.0 / 1024 : 3.0 / 256;
        float[] found = inLow.Losses.ToArray(), expected = inFull.Losses.ToArray();
        for (int i = 0; i < found.Length; i++)
        {
            Assert.True(Math.Abs(found[i] - expected[i]) <= Models[name].Layers * layer * (Math.Abs(expected[i]) + 0.1),
                $"{inFull.LossNames[i]} is {found[i]:R}, in float32 {expected[i]:R}");
        }
        double apart = Apart(Moments(inLow), Moments(inFull));
        TestContext.Current.TestOutputHelper?.WriteLine($"losses {string.Join(' ', found)}, in float32 {string.Join(' ', expected)}; moments {apart:E1} apart");
        // The largest number of a pooling window may become another one, and the gradient then jumps to that pixel.
        if (name != "dcgan")
            Assert.InRange(apart, IsInEffect(precision) ? 1e-5 : 0, 2 * Models[name].Layers * layer);
    }

    // A GPU's libraries may find float32 faster than TF32 in networks as small as these.
    private static bool IsInEffect(Precision precision) => precision == Precision.Bf16 || TestCuda.StandIn is not null;

    private static float[] Moments(Model model) => [.. model.State()
        .Where(t => !t.IsCounter && t.Name.Contains(".m.", StringComparison.Ordinal)).SelectMany(t => model.Device.ToArray(t.Tensor))];

    private static double Apart(float[] found, float[] expected)
        => Math.Sqrt(found.Zip(expected).Sum(p => Math.Pow(p.First - p.Second, 2)) / expected.Sum(e => Math.Pow(e, 2)));

    [Theory, MemberData(nameof(Rows))]
    public void A_replayed_graph_gives_the_bits_of_single_launches(string name, Precision precision)
    {
        uint[] replayed = Train(name, precision, 5);
        Assert.Equal(Train(name, precision, 5, eager: true), replayed);
        Assert.Equal(replayed, Train(name, precision, 5));
        if (IsInEffect(precision))
            Assert.NotEqual(replayed, Train(name, Precision.Fp32, 5));
    }

    [Theory, MemberData(nameof(Rows))]
    public void Training_goes_on_from_a_file_as_if_it_had_never_stopped(string name, Precision precision)
    {
        using var folder = new TemporaryFolder();
        string path = folder["state.safetensors"];
        using (Device device = TestCuda.Open(Implementation.Library, precision))
        {
            using Model model = Planned(name, device);
            using DataSet data = SmallModels.Data(device, model);
            for (int i = 0; i < 3; i++)
                model.Step(data);
            Checkpoint.Save(model, path);
        }
        using (Device device = TestCuda.Open(Implementation.Library, precision))
        {
            using Model model = Planned(name, device);
            using DataSet data = SmallModels.Data(device, model);
            Checkpoint.Load(model, path);
            for (int i = 0; i < 3; i++)
                model.Step(data);
            Assert.Equal(Train(name, precision, 6), SmallModels.Bits(model));
        }
    }

    [Theory, MemberData(nameof(Rows))]
    public void Steps_allocate_nothing_on_either_side(string name, Precision precision)
    {
        foreach (bool eager in new[] { false, true })
        {
            using Device device = TestCuda.Open(Implementation.Library, precision);
            using Model model = Planned(name, device, eager);
            using DataSet data = SmallModels.Data(device, model);
            int growths = device.ScratchGrowths;
            for (int i = 0; i < 3; i++)
                model.Step(data);
            Assert.Equal(growths, device.ScratchGrowths);
            // The recorded graph and the code of the kernels are memory that the first steps take.
            long free = device.GpuMemory.Free, before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 20; i++)
                model.Step(data);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(free, device.GpuMemory.Free);
            Assert.Equal(growths, device.ScratchGrowths);
        }
    }
}
