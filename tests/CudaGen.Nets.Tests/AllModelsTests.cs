using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Nets.Tests;

/// <summary>What every model promises about its training step, on the CPU and on a CUDA device.</summary>
public sealed class AllModelsTests : IDisposable
{
    private readonly int _alive = LiveObjects.Total;

    public static TheoryData<string> Names => [.. SmallModels.Names];

    /// <summary>Whatever a test made is gone after it.</summary>
    public void Dispose() => Assert.Equal(_alive, LiveObjects.Total);

    [Theory, MemberData(nameof(Names))]
    public void The_bits_do_not_depend_on_threads(string name)
    {
        uint[] once = SmallModels.Train(() => Device.Cpu(1), name, 8);
        Assert.Equal(once, SmallModels.Train(() => Device.Cpu(2), name, 8));
        Assert.Equal(once, SmallModels.Train(() => Device.Cpu(3), name, 8));
        Assert.NotEqual(once, SmallModels.Train(() => Device.Cpu(1), name, 7));
    }

    [Theory, MemberData(nameof(Names))]
    public void Training_goes_on_from_a_file_as_if_it_had_never_stopped(string name)
    {
        using var folder = new TemporaryFolder();
        string path = folder["state.safetensors"];
        uint[] whole = SmallModels.Train(() => Device.Cpu(1), name, 8);
        foreach (int stop in new[] { 0, 2, 3, 5 })
        {
            using Device device = Device.Cpu(2);
            using (Model first = SmallModels.Create(name))
            {
                first.Plan(device, SmallModels.Batch, SmallModels.Seed);
                using DataSet data = SmallModels.Data(device, first);
                for (int i = 0; i < stop; i++)
                    first.Step(data);
                Checkpoint.Save(first, path);
            }
            using Model second = SmallModels.Create(name);
            second.Plan(device, SmallModels.Batch, SmallModels.Seed);
            Checkpoint.Load(second, path);
            using DataSet rest = SmallModels.Data(device, second);
            for (int i = stop; i < 8; i++)
                second.Step(rest);
            Assert.Equal(whole, SmallModels.Bits(second));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Steps_allocate_nothing(string name)
    {
        foreach (int threads in new[] { 1, 2 })
        {
            using Device device = Device.Cpu(threads);
            using Model model = SmallModels.Create(name);
            model.Plan(device, SmallModels.Batch, SmallModels.Seed);
            using DataSet data = SmallModels.Data(device, model);
            int growths = device.ScratchGrowths;
            for (int i = 0; i < 5; i++)
                model.Step(data);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 20; i++)
                model.Step(data);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(growths, device.ScratchGrowths);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void The_description_is_the_memory_that_is_planned(string name)
    {
        using Device device = Device.Cpu(1);
        using Model model = SmallModels.Create(name);
        (IReadOnlyList<LayerSummary> layers, MemorySummary described) = model.Describe(device, SmallModels.Batch);
        Assert.Equal(0, device.ScratchGrowths);
        model.Plan(device, SmallModels.Batch, SmallModels.Seed);
        Assert.Equal(described, model.Memory);
        Assert.Equal(model.Parameters.Sum(p => p.Value.Length), layers.Sum(l => l.Parameters));
    }

    public static TheoryData<string, Implementation> OnCuda
    {
        get
        {
            TheoryData<string, Implementation> rows = [];
            // Each layer, loss and trick at least once: emulated kernels take their time.
            foreach (string name in new[] { "ae", "gan, tricks", "cgan", "dcgan", "wgan", "wgan-gp, tutorial", "began", "cifar", "cs231n, tutorial", "toy2d" })
            {
                rows.Add(name, Implementation.Kernel);
                rows.Add(name, Implementation.Library);
            }
            return rows;
        }
    }

    /// <summary>
    /// Losses of the first steps are those of the CPU path but for roundings; a recorded step gives the bits of single launches. Over
    /// the change of what a step is (cs231n trains its discriminator alone first) the graph is recorded anew.
    /// </summary>
    [Theory, MemberData(nameof(OnCuda))]
    public void A_CUDA_device_follows_the_CPU_and_replays_what_it_launches(string name, Implementation implementation)
    {
        const int Steps = 4;
        using (Device cuda = TestCuda.Open(implementation), cpu = Device.Cpu(1))
        {
            using Model onCuda = SmallModels.Create(name), onCpu = SmallModels.Create(name);
            onCuda.Plan(cuda, SmallModels.Batch, SmallModels.Seed);
            onCpu.Plan(cpu, SmallModels.Batch, SmallModels.Seed);
            using DataSet cudaData = SmallModels.Data(cuda, onCuda), cpuData = SmallModels.Data(cpu, onCpu);
            // One step, for Adam and RMSProp turn the sign of round-off into whole steps, so that runs drift apart; and not the first, in
            // which all that Adam knows of a gradient is its sign, and toy2d's discriminator is so flat that some of them cancel.
            for (int i = 0; i < 12; i++)
                onCpu.Step(cpuData);
            using var folder = new TemporaryFolder();
            Checkpoint.Save(onCpu, folder["state.safetensors"]);
            Checkpoint.Load(onCuda, folder["state.safetensors"]);
            onCuda.Step(cudaData);
            onCpu.Step(cpuData);
            float[] found = onCuda.Losses.ToArray(), expected = onCpu.Losses.ToArray();
            for (int i = 0; i < found.Length; i++)
                Assert.True(Math.Abs(found[i] - expected[i]) <= 2e-5 * (Math.Abs(expected[i]) + 0.1), $"{onCpu.LossNames[i]} is {found[i]:R}, expected {expected[i]:R}");
        }
        uint[] replayed = SmallModels.Train(() => TestCuda.Open(implementation), name, Steps);
        Assert.Equal(SmallModels.Train(() => TestCuda.Open(implementation), name, Steps, eager: true), replayed);
    }

    /// <summary>
    /// A step from each of the first states of the CPU path: losses, and the moments of both optimisers, in which the gradients are. The
    /// parameters are compared as a whole, as Adam turns the sign of a gradient near zero into a step.
    /// </summary>
    [Theory, MemberData(nameof(Adversarial))]
    public void A_step_of_the_kernels_is_that_of_the_CPU(string name)
    {
        using var folder = new TemporaryFolder();
        string path = folder["state.safetensors"];
        using IDisposable fast = TestCuda.Unchecked();
        using Device cuda = TestCuda.Open(Implementation.Kernel), cpu = Device.Cpu(1);
        using Model onCuda = SmallModels.Create(name), onCpu = SmallModels.Create(name);
        onCuda.Plan(cuda, SmallModels.Batch, SmallModels.Seed);
        onCpu.Plan(cpu, SmallModels.Batch, SmallModels.Seed);
        using DataSet cudaData = SmallModels.Data(cuda, onCuda), cpuData = SmallModels.Data(cpu, onCpu);
        // The fourth step of cs231n is the first of its game.
        for (int step = 0; step < (onCpu is Cs231nGan ? 4 : 2); step++)
            CompareStep(step, onCuda, onCpu, cudaData, cpuData, path);
    }

    private static void CompareStep(int step, Model onCuda, Model onCpu, DataSet cudaData, DataSet cpuData, string path)
    {
        Checkpoint.Save(onCpu, path);
        Checkpoint.Load(onCuda, path);
        float[] start = Values(onCpu, "param.");
        onCuda.Step(cudaData);
        onCpu.Step(cpuData);
        float[] found = onCuda.Losses.ToArray(), expected = onCpu.Losses.ToArray();
        for (int i = 0; i < found.Length; i++)
        {
            Assert.True(Math.Abs(found[i] - expected[i]) <= 2e-5 * (Math.Abs(expected[i]) + 0.1),
                $"step {step}: {onCpu.LossNames[i]} is {found[i]:R}, expected {expected[i]:R}");
        }
        foreach (string part in new[] { "optimiser.d", "optimiser.g" })
            Near(2e-5, Values(onCuda, part), Values(onCpu, part), new float[Values(onCpu, part).Length], $"step {step}: {part}");
        Near(1e-3, Values(onCuda, "param."), Values(onCpu, "param."), start, $"step {step}: the change of the parameters");
        Assert.Equal(Counters(onCpu), Counters(onCuda));
    }

    /// <summary>Gradients of both networks of the paper's wgan, whose updates cannot be compared; see <see cref="Adversarial"/>.</summary>
    [Fact]
    public void Gradients_of_wgan_by_the_kernels_are_those_of_the_CPU()
    {
        using var folder = new TemporaryFolder();
        using IDisposable fast = TestCuda.Unchecked();
        using Device cuda = TestCuda.Open(Implementation.Kernel), cpu = Device.Cpu(1);
        using var onCuda = (AdversarialModel)SmallModels.Create("wgan");
        using var onCpu = (AdversarialModel)SmallModels.Create("wgan");
        onCuda.Plan(cuda, SmallModels.Batch, SmallModels.Seed);
        onCpu.Plan(cpu, SmallModels.Batch, SmallModels.Seed);
        using DataSet cudaData = SmallModels.Data(cuda, onCuda), cpuData = SmallModels.Data(cpu, onCpu);
        // A step leaves the same images and codes on both sides, and the state of one is then that of both.
        onCuda.Step(cudaData);
        onCpu.Step(cpuData);
        Checkpoint.Save(onCpu, folder["state.safetensors"]);
        Checkpoint.Load(onCuda, folder["state.safetensors"]);
        foreach (AdversarialModel model in new[] { onCuda, onCpu })
        {
            model.ZeroDiscriminatorGradients();
            model.DiscriminatorGradients();
            model.ZeroGeneratorGradients();
            model.GeneratorGradients();
        }
        foreach (string network in new[] { "d", "g" })
            Near(2e-5, Gradients(onCuda, network), Gradients(onCpu, network), new float[Gradients(onCpu, network).Length], $"gradients of {network}");
    }

    private static float[] Gradients(Model model, string group) => [.. model.Groups.Single(g => g.Name == group).Parameters
        .SelectMany(p => model.Device.ToArray(p.Gradient))];

    // Not the smallest model: some of its first gradients cancel, and Adam makes whole steps of what is left. Nor wgan by the paper: where all of
    // a clipped critic's units are on one side of their kinks, the gradients of a bias by real and by fake images cancel, and RMSProp does the
    // same. The tutorial's epsilon lies inside the root, which makes next to no step of next to nothing.
    public static TheoryData<string> Adversarial => [.. SmallModels.Names.Where(n => n is not ("ae" or "toy2d" or "wgan"))];

    private static float[] Values(Model model, string prefix) => [.. model.State()
        .Where(t => !t.IsCounter && t.Name.StartsWith(prefix, StringComparison.Ordinal)).SelectMany(t => model.Device.ToArray(t.Tensor))];

    private static ulong[] Counters(Model model) => [.. model.State().Where(t => t.IsCounter).Select(t => model.Device.Read(t.Counter))];

    // |found - expected| against |expected - start|, both over all numbers.
    private static void Near(double tolerance, float[] found, float[] expected, float[] start, string what)
    {
        double apart = Math.Sqrt(found.Zip(expected).Sum(p => Math.Pow(p.First - p.Second, 2)));
        double moved = Math.Sqrt(start.Zip(expected).Sum(p => Math.Pow(p.First - p.Second, 2)));
        TestContext.Current.TestOutputHelper?.WriteLine($"{what}: {apart / moved:E1}");
        Assert.True(apart <= tolerance * moved, $"{what}: {apart:E1} apart, {moved:E1} large");
    }
}
