using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets.Tests;

/// <summary>What every model promises about its training step.</summary>
public sealed class ModelTests : IDisposable
{
    private const int Batch = 6;
    private const ulong Seed = 11;
    private static readonly ConvSizes Small = new(12, 3, 5, 4);

    private static readonly Dictionary<string, Func<ConvSizes, CodeModel>> Models = new()
    {
        ["cae"] = sizes => new ConvAutoencoder(ConvAutoencoderOptions.Canonical(sizes)),
        ["cae, seed"] = sizes => new ConvAutoencoder(ConvAutoencoderOptions.Seed(sizes)),
        ["vae"] = sizes => new ConvVae(ConvVaeOptions.Canonical(sizes)),
        ["vae, seed"] = sizes => new ConvVae(ConvVaeOptions.Seed(sizes)),
    };

    private readonly int _alive = LiveObjects.Total;

    public static TheoryData<string> Names => [.. Models.Keys];

    /// <summary>Whatever a test made is gone after it.</summary>
    public void Dispose() => Assert.Equal(_alive, LiveObjects.Total);

    private static ImageData Images(Device device, int size = 12)
    {
        // Squares of some place and brightness, more images than three batches.
        const int Count = 20;
        byte[] pixels = new byte[Count * size * size];
        for (int i = 0; i < pixels.Length; i++)
        {
            (int image, int place) = Math.DivRem(i, size * size);
            bool inside = place / size >= image % 5 && place % size <= 4 + image % 7;
            pixels[i] = (byte)(inside ? 255 - 9 * image : 5);
        }
        return new ImageData(device, pixels, size, size, 1);
    }

    private static uint[] Bits(Model model)
        => [.. model.State().Where(t => !t.IsCounter).SelectMany(t => t.Tensor.Span.ToArray()).Select(BitConverter.SingleToUInt32Bits), (uint)model.Steps];

    private static uint[] Train(string name, int threads, int steps, Implementation implementation = Implementation.Auto)
    {
        using Device device = Device.Cpu(threads, implementation);
        using ImageData data = Images(device);
        using CodeModel model = Models[name](Small);
        model.Plan(device, Batch, Seed);
        for (int i = 0; i < steps; i++)
            model.Step(data);
        Assert.All(model.MeanLosses(0, steps), loss => Assert.True(double.IsFinite(loss)));
        return Bits(model);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Ten_steps_give_the_same_bits_with_any_number_of_threads(string name)
    {
        uint[] once = Train(name, 1, 10);
        Assert.Equal(once, Train(name, 1, 10));
        Assert.Equal(once, Train(name, 2, 10));
        Assert.Equal(once, Train(name, 3, 10));
        Assert.NotEqual(once, Train(name, 1, 9));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Training_goes_on_from_a_file_as_if_it_had_never_stopped(string name)
    {
        using var folder = new TemporaryFolder();
        string path = folder["state.safetensors"];
        using (Device device = Device.Cpu(1))
        {
            using ImageData data = Images(device);
            using CodeModel model = Models[name](Small);
            model.Plan(device, Batch, Seed);
            for (int i = 0; i < 5; i++)
                model.Step(data);
            Checkpoint.Save(model, path, ("note", "five steps"));
        }
        using (Device device = Device.Cpu(2))
        {
            using ImageData data = Images(device);
            using CodeModel model = Models[name](Small);
            model.Plan(device, Batch, Seed);
            Assert.Equal("five steps", Checkpoint.Load(model, path)["note"]);
            for (int i = 0; i < 5; i++)
                model.Step(data);
            Assert.Equal(Train(name, 1, 10), Bits(model));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_hundred_steps_allocate_nothing(string name)
    {
        foreach (int threads in new[] { 1, 2 })
        {
            using Device device = Device.Cpu(threads);
            using ImageData data = Images(device);
            using CodeModel model = Models[name](Small);
            model.Plan(device, Batch, Seed);
            int growths = device.ScratchGrowths;
            for (int i = 0; i < 3; i++)
                model.Step(data);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
                model.Step(data);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(growths, device.ScratchGrowths);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_description_is_the_memory_that_is_planned(string name)
    {
        using Device device = Device.Cpu(1);
        using CodeModel model = Models[name](Small);
        MemorySummary described = model.Describe(device, Batch).Memory;
        Assert.Equal(0, device.ScratchGrowths);
        model.Plan(device, Batch, Seed);
        Assert.Equal(described, model.Memory);
        long parameters = model.Parameters.Sum(p => (long)p.Value.Length) * sizeof(float);
        Assert.InRange(described.Parameters, parameters, parameters + model.Parameters.Count * Arena.Alignment);
        Assert.Equal(described.Parameters, described.Gradients);
        Assert.Equal(2 * described.Parameters, described.Moments);
    }

    [Fact]
    public void Parameter_counts_are_those_of_the_tutorials()
    {
        using Device device = Device.Cpu(1);
        using var cae = new ConvAutoencoder(ConvAutoencoderOptions.Seed(new()));
        using var vae = new ConvVae(ConvVaeOptions.Seed(new()));
        Assert.Equal(90773, cae.Describe(device, 1).Layers.Sum(l => l.Parameters));
        Assert.Equal(122153, vae.Describe(device, 1).Layers.Sum(l => l.Parameters));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Plans_and_devices_are_gone_when_disposed(string name)
    {
        int before = LiveObjects.Total;
        Device device = Device.Cpu(2);
        CodeModel model = Models[name](Small);
        model.Describe(device, Batch);
        Assert.Equal(before + 1, LiveObjects.Total);
        model.Plan(device, Batch, Seed);
        Assert.Throws<DeviceException>(device.Dispose);
        model.Dispose();
        model.Dispose();
        device.Dispose();
        Assert.Equal(before, LiveObjects.Total);
        Assert.Throws<InvalidOperationException>(() => model.Batch);
    }

    /// <summary>(L(p + h d) - L(p - h d)) / 2h = grad . d along the gradient itself.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void The_gradient_is_the_slope_of_the_loss(string name)
    {
        foreach (Implementation implementation in new[] { Implementation.Reference, Implementation.Cpu })
        {
            using Device device = Device.Cpu(1, implementation);
            using CodeModel model = Models[name](Small);
            model.Plan(device, Batch, Seed);
            // The divergence of a standard deviation near 0 is too steep for differences.
            foreach (Parameter p in model.Parameters.Where(p => p.Name.EndsWith(".bias", StringComparison.Ordinal)))
                p.Value.Span.Fill(p.Name == "w_stddev.bias" ? 1 : 0.1f);
            for (int i = 0; i < model.Images.Length; i++)
                model.Images.Span[i] = i * 37 % 101 / 100f;
            if (model is ConvVae vae)
            {
                for (int i = 0; i < vae.Noise.Length; i++)
                    vae.Noise.Span[i] = i * 29 % 17 / 8f - 1;
            }
            model.Forward();
            model.ZeroGradients();
            model.Backward();
            double norm = Math.Sqrt(model.Parameters.Sum(p => p.Gradient.Span.ToArray().Sum(g => (double)g * g)));
            const float H = 1e-2f;
            double slope = (LossAt(H) - LossAt(-2 * H)) / (2 * H);
            Assert.InRange(slope / norm, 0.98, 1.02);

            double LossAt(float move)
            {
                foreach (Parameter p in model.Parameters)
                {
                    for (int i = 0; i < p.Value.Length; i++)
                        p.Value.Span[i] += (float)(move * p.Gradient.Span[i] / norm);
                }
                model.Forward();
                return model.Losses[0];
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(30)]
    public void Sizes_that_do_not_fit_are_refused(int image)
        => Files.Complains(() => new ConvVae(ConvVaeOptions.Canonical(new(image))).Dispose(), $"{image}", "multiple of 4");

    [Fact]
    public void Adam_of_both_places_of_epsilon_is_used()
    {
        Assert.Equal(AdamEpsilon.Hat, ConvVaeOptions.Seed(new()).Adam.EpsilonPlace);
        Assert.Equal(AdamEpsilon.Corrected, ConvVaeOptions.Canonical(new()).Adam.EpsilonPlace);
        Assert.NotEqual(Train("vae", 1, 2), Train("vae, seed", 1, 2));
    }
}
