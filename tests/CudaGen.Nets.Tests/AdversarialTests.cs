using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets.Tests;

/// <summary>Gradients, sizes, refusals and tricks of the adversarial models.</summary>
public sealed class AdversarialTests
{
    public static TheoryData<string> Names => [.. SmallModels.Names.Where(n => n != "ae")];

    /// <summary>(L(p + h d) - L(p - h d)) / 2h = grad . d along the gradient of each network, the gradient penalty's own included.</summary>
    [Theory, MemberData(nameof(Names))]
    public void The_gradients_are_the_slopes_of_the_losses(string name)
    {
        foreach (Implementation implementation in new[] { Implementation.Reference, Implementation.Cpu })
        {
            using Device device = Device.Cpu(1, implementation);
            using var model = (AdversarialModel)SmallModels.Create(name);
            model.Plan(device, SmallModels.Batch, SmallModels.Seed);
            using DataSet data = SmallModels.Data(device, model);
            // Random numbers of the step, then parameters far enough from zero for a slope in float32.
            model.Step(data);
            int salt = 0;
            foreach (Parameter p in model.Parameters)
            {
                bool weight = p.Name.EndsWith(".weight", StringComparison.Ordinal);
                float mean = p.Name.EndsWith(".gamma", StringComparison.Ordinal) ? 1 : weight ? 0 : 0.1f;
                float spread = weight ? 1.5f / MathF.Sqrt(p.Value.Shape.RowLength) : 0.1f;
                for (int i = 0; i < p.Value.Length; i++)
                    p.Value.Span[i] = mean + spread * MathF.Sin(12.9898f * i + 78.233f * salt + i * i % 97);
                salt++;
            }
            CheckSlope(model, model.Groups[0], model.ZeroDiscriminatorGradients, model.DiscriminatorGradients, DiscriminatorLoss);
            CheckSlope(model, model.Groups[1], model.ZeroGeneratorGradients, () =>
            {
                // A model that goes on with the codes of its discriminator's update also goes on with the images.
                model.Generator.Forward(device);
                model.GeneratorGradients();
            }, m => Loss(m, "g_loss"));
        }
    }

    private static double Loss(AdversarialModel model, string name) => model.Losses[model.LossNames.ToList().IndexOf(name)];

    private static double DiscriminatorLoss(AdversarialModel model) => model is CifarGan ? Loss(model, "d_real") + Loss(model, "d_fake") : Loss(model, "d_loss");

    private static void CheckSlope(AdversarialModel model, ParameterGroup group, Action zero, Action gradients, Func<AdversarialModel, double> loss)
    {
        zero();
        gradients();
        float[][] direction = [.. group.Parameters.Select(p => p.Gradient.Span.ToArray())];
        double norm = Math.Sqrt(direction.Sum(d => d.Sum(g => (double)g * g)));
        Assert.True(norm > 1e-6, $"the gradient of {group.Name} is zero");
        const float h = 1e-4f;
        double up = LossAt(h), down = LossAt(-2 * h);
        LossAt(h);
        double slope = (up - down) / (2 * h);
        Assert.True(Math.Abs(slope / norm - 1) < 0.03, $"{group.Name}: slope {slope:R}, gradient {norm:R}");

        double LossAt(float move)
        {
            foreach ((Parameter p, float[] d) in group.Parameters.Zip(direction))
            {
                for (int i = 0; i < d.Length; i++)
                    p.Value.Span[i] += (float)(move * d[i] / norm);
            }
            zero();
            gradients();
            return loss(model);
        }
    }

    /// <summary>No pass would overwrite what is left of the update before.</summary>
    /// <summary>In front of the first parameters only the way to the generator has gradients: none of codes, labels or real images.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Nothing_is_differentiated_for_nobody(string name)
    {
        using Device device = Device.Cpu(1);
        using var model = (AdversarialModel)SmallModels.Create(name);
        model.Plan(device, SmallModels.Batch, SmallModels.Seed);
        Check(model.Generator, model.Groups[1]);
        Check(model.Judge, model.Groups[0]);
        if (model.Discriminator.DX.Length == 0)
            Check(model.Discriminator, model.Groups[0]);

        static void Check(Network network, ParameterGroup group)
        {
            Layer first = network.Layers.First(l => l.Prefixes.Any(p => group.Parameters.Any(q => q.Name.StartsWith(p + ".", StringComparison.Ordinal))));
            Assert.Equal(network.DX.Length > 0, first.DX.Length > 0);
        }
    }

    [Fact]
    public void An_update_without_new_gradients_is_refused()
    {
        using Device device = Device.Cpu(1);
        using var model = (AdversarialModel)SmallModels.Create("gan");
        model.Plan(device, SmallModels.Batch, SmallModels.Seed);
        Assert.Throws<InvalidOperationException>(model.UpdateDiscriminator);
        model.DiscriminatorGradients();
        float[] once = model.Groups[0].Gradient.Span.ToArray();
        model.DiscriminatorGradients();
        Assert.All(model.Groups[0].Gradient.Span.ToArray().Zip(once), g => Assert.Equal(2 * g.Second, g.First));
        model.UpdateDiscriminator();
        model.ZeroDiscriminatorGradients();
        Assert.Contains("fc1.weight", Assert.Throws<InvalidOperationException>(model.UpdateDiscriminator).Message, StringComparison.Ordinal);
    }

    /// <summary>The numbers that the tutorials print.</summary>
    [Fact]
    public void Parameter_counts_are_those_of_the_tutorials()
    {
        using Device device = Device.Cpu(1);
        Counts(Gan.Tutorial(new(), new()), 267009, 1956624);
        Counts(Dcgan.Tutorial(new(), new()), 1102721, 6679105);
        Counts(CifarGan.Tutorial(CifarSizes.For(), new()), 522497, 1466115);
        Counts(Cs231nGan.Tutorial(new(), new()), 3265409, 328537);
        Counts(Cs231nGan.Canonical(new(), new()), 3265409, 328537 + 2 * 76);
        Counts(WganGp.Tutorial(WganGpSizes.For(64, 3), new()), 2764737, 3806083);
        Counts(ToyGan.Tutorial(new(), new()), 41, 6);

        void Counts(Model model, int discriminator, int generator)
        {
            using (model)
            {
                IReadOnlyList<LayerSummary> layers = model.Describe(device, 2).Layers;
                Assert.Equal(discriminator, layers.Where(l => l.Name.StartsWith("d.", StringComparison.Ordinal)).Sum(l => l.Parameters));
                Assert.Equal(generator, layers.Where(l => l.Name.StartsWith("g.", StringComparison.Ordinal)).Sum(l => l.Parameters));
            }
        }
    }

    /// <summary>The network of the reference program of BEGAN, both decoders and the encoder.</summary>
    [Theory]
    [InlineData(32, 8.55)]
    [InlineData(64, 15.1)]
    [InlineData(128, 25.2)]
    public void Began_is_as_large_as_published(int image, double millions)
    {
        using Device device = Device.Cpu(1);
        using Began model = Began.Canonical(BeganSizes.For(image, 3, 64, 128), new());
        Assert.Equal(millions, model.Describe(device, 1).Layers.Sum(l => l.Parameters) / 1e6, 0.06);
    }

    [Fact]
    public void A_critic_without_second_derivative_is_refused_by_the_name_of_its_layer()
    {
        using Device device = Device.Cpu(1);
        using WganGp model = WganGp.Canonical(WganGpSizes.For(16, 3), new() { MinibatchDiscrimination = true });
        Files.Complains(() => model.Describe(device, 4), "'minibatch'", "minibatch discrimination", "expected");
        Files.Complains(() => model.Plan(device, 4, 1), "'minibatch'");
        using Planner planner = Planner.Measure(device, 4, true, p =>
        {
            Network network = new(new ConvLayer("conv1", 3, 4, 2, Activation.LeakyRelu(0.2f)), new BatchNormLayer("bn1", 1e-3f, 0.1f, Activation.Linear));
            network.Plan(p, p.Activation(new(4, 8, 8, 3)));
            Files.Complains(() => network.PlanTangent(p), "'bn1'", "batch norm");
        });
    }

    [Fact]
    public void Sizes_out_of_range_are_one_line()
    {
        using Device device = Device.Cpu(1);
        Files.Complains(() => Dcgan.Canonical(new(18), new()).Dispose(), "18", "multiple of 4");
        Files.Complains(() => WganGpSizes.For(48, 3), "48", "expected 16, 32");
        Files.Complains(() => BeganSizes.For(8, 3), "8", "expected 16, 32");
        Files.Complains(() => CifarGan.Canonical(CifarSizes.For(20), new()).Dispose(), "20", "multiple of 8");
        Files.Complains(() => Cs231nGan.Canonical(new(Latent: 2), new()).Dispose(), "2", "at least 4");
        using CifarGan odd = CifarGan.Canonical(CifarSizes.For(), new());
        Files.Complains(() => odd.Describe(device, 5), "batch", "5", "even");
    }

    [Fact]
    public void The_average_of_the_generator_follows_its_formula()
    {
        const float Decay = 0.25f;
        using Device device = Device.Cpu(1);
        using Gan model = Gan.Canonical(new(8, 3, 0, 6, 5, 7, 6), new() { Average = Decay });
        model.Plan(device, SmallModels.Batch, 5);
        using DataSet data = SmallModels.Data(device, model);
        Parameter weight = model.Groups[1].Parameters[0];
        Tensor average = model.State().Single(t => t.Name == "average." + weight.Name).Tensor;
        float[] expected = weight.Value.Span.ToArray();
        Assert.Equal(expected, average.Span.ToArray());
        for (int step = 0; step < 5; step++)
        {
            model.Step(data);
            float kept = Math.Min(Decay, (1f + step) / (10 + step));
            for (int i = 0; i < expected.Length; i++)
                expected[i] = kept * expected[i] + (1 - kept) * weight.Value.Span[i];
        }
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], average.Span[i], 1e-6f);
        using Generator generator = Generator.Of(model, 1);
        generator.Update(model);
        using var folder = new TemporaryFolder();
        generator.Save(folder["g.safetensors"]);
        Assert.Equal(average.Span.ToArray(), SafeTensors.Read(folder["g.safetensors"]).Tensors[weight.Name].Floats.ToArray());
    }

    /// <summary>
    /// Where training keeps no statistics, or not those of the averaged parameters, the saved generator has its own: with them, inference
    /// on many codes has the mean and deviation of a training pass on many codes.
    /// </summary>
    [Theory]
    [InlineData("dcgan, strided")]
    [InlineData("dcgan, tricks")]
    [InlineData("cs231n, tutorial")]
    public void A_saved_generator_has_the_statistics_that_belong_to_it(string name)
    {
        using Device device = Device.Cpu(2);
        using var model = (AdversarialModel)SmallModels.Create(name);
        model.Plan(device, SmallModels.Batch, SmallModels.Seed);
        using DataSet data = SmallModels.Data(device, model);
        for (int i = 0; i < 10; i++)
            model.Step(data);
        uint[] before = SmallModels.Bits(model);
        using Generator generator = Generator.Of(model, 100);
        generator.Update(model);
        Assert.Equal(before, SmallModels.Bits(model));
        using var folder = new TemporaryFolder();
        generator.Save(folder["g.safetensors"]);
        SafeTensors file = SafeTensors.Read(folder["g.safetensors"]);
        foreach (StoredTensor variance in file.Tensors.Where(t => t.Key.EndsWith("running_var", StringComparison.Ordinal)).Select(t => t.Value))
            Assert.Contains(variance.Floats.ToArray(), v => Math.Abs(v - 1) > 1e-3);

        // The mean over many codes of the last batch norm's output is its shift, in use as in training.
        using Generator loaded = Generator.Load(device, folder["g.safetensors"], 7);
        float[] codes = new float[500 * loaded.Latent], images = new float[500 * loaded.ImageLength], again = new float[images.Length];
        loaded.DrawCodes(3, 0, codes);
        loaded.Generate(codes, images);
        generator.Generate(codes, again);
        Assert.Equal(again, images);
        Assert.True(images.Max() - images.Min() > 1e-4, "all images are the same");
    }

    [Fact]
    public void Generator_dropout_is_for_training_only()
    {
        using Device device = Device.Cpu(1);
        using Gan model = Gan.Canonical(new(8, 3, 0, 6, 5, 7, 6), new() { GeneratorDropout = 0.5f });
        model.Plan(device, SmallModels.Batch, 5);
        Assert.Equal(2, model.Generator.Layers.Count(l => l is DropoutLayer));
        using Generator generator = Generator.Of(model, 1);
        generator.Update(model);
        float[] codes = new float[4 * 3], a = new float[4 * 64], b = new float[4 * 64];
        generator.DrawCodes(1, 0, codes);
        generator.Generate(codes, a);
        generator.Generate(codes, b);
        Assert.Equal(a, b);
    }

    /// <summary>
    /// Before the game there is no loss of the generator, whatever was computed before: a run that a model goes back to, which has
    /// played already, is the run that was never left.
    /// </summary>
    [Theory]
    [InlineData("cs231n")]
    [InlineData("cs231n, tutorial")]
    public void A_step_of_the_discriminator_alone_has_no_loss_of_the_generator(string name)
    {
        using var folder = new TemporaryFolder();
        using Device device = Device.Cpu(1);
        using var model = (AdversarialModel)SmallModels.Create(name);
        model.Plan(device, SmallModels.Batch, SmallModels.Seed);
        using DataSet data = SmallModels.Data(device, model);
        model.Step(data);
        Checkpoint.Save(model, folder["first.safetensors"]);
        for (int i = 0; i < 4; i++)
            model.Step(data);
        Assert.NotEqual(0, Loss(model, "g_loss"));
        Checkpoint.Load(model, folder["first.safetensors"]);
        model.Step(data);
        model.Step(data);
        Assert.Equal(0, Loss(model, "g_loss"));
        Assert.Equal(0, model.MeanLosses(0, 3)[model.LossNames.ToList().IndexOf("g_loss")]);
        Assert.Equal(SmallModels.Train(() => Device.Cpu(1), name, 3), SmallModels.Bits(model));
    }

    [Fact]
    public void The_learning_rate_of_began_is_halved()
    {
        BeganSizes sizes = new(16, 3, 4, 3, 2);
        AdamOptions adam = new(1e-3f);
        using Device device = Device.Cpu(1);
        using Began halved = new(sizes, 0.5f, 0.001f, new(sizes.Spec(), adam, adam) { HalveEvery = 3, LeastRate = 0.25f });
        using Began constant = new(sizes, 0.5f, 0.001f, new(sizes.Spec(), adam, adam));
        halved.Plan(device, 2, 1);
        constant.Plan(device, 2, 1);
        using DataSet data = SmallModels.Data(device, halved);
        for (int i = 0; i < 3; i++)
        {
            halved.Step(data);
            constant.Step(data);
        }
        Assert.Equal(SmallModels.Bits(constant), SmallModels.Bits(halved));
        float[] before = halved.Parameters[0].Value.Span.ToArray();
        halved.Step(data);
        constant.Step(data);
        float[] slow = halved.Parameters[0].Value.Span.ToArray(), fast = constant.Parameters[0].Value.Span.ToArray();
        for (int i = 0; i < before.Length; i++)
            Assert.Equal((fast[i] - before[i]) / 2, slow[i] - before[i], 2e-6f);
    }
}
