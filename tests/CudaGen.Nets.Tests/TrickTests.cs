using CudaGen.Runtime;

namespace CudaGen.Nets.Tests;

/// <summary>Each trick changes what it says and nothing else: against the same model without it, from the same seed.</summary>
public sealed class TrickTests : IDisposable
{
    private const int Batch = 64;

    private readonly Device _device = Device.Cpu(1);

    public void Dispose() => _device.Dispose();

    private Gan After(int steps, Tricks tricks)
    {
        Gan model = Gan.Canonical(new(8, 3, 0, 6, 5, 7, 6), tricks);
        model.Plan(_device, Batch, SmallModels.Seed);
        using DataSet data = SmallModels.Data(_device, model);
        for (int i = 0; i < steps; i++)
            model.Step(data);
        return model;
    }

    private static float Loss(Model model, string name) => model.Losses[model.LossNames.ToList().IndexOf(name)];

    // What the discriminator said of the real images in its update; the generator's update leaves it alone.
    private static float[] RealScores(AdversarialModel model) => model.Discriminator.Y.Rows(0, Batch).Span.ToArray();

    private static float[] Values(ParameterGroup group) => group.Value.Span.ToArray();

    private static double Softplus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    /// <summary>The discriminator sees noise of this deviation, the images themselves are as before.</summary>
    [Fact]
    public void Instance_noise_is_on_what_the_discriminator_sees()
    {
        const float Deviation = 0.5f;
        using Gan plain = After(1, new()), noisy = After(1, new() { InstanceNoise = Deviation });
        Assert.Equal(plain.Pair.Span.ToArray(), noisy.Pair.Span.ToArray());
        Assert.Equal(plain.Pair.Span.ToArray(), plain.Discriminator.X.Span.ToArray());
        double[] noise = [.. noisy.Discriminator.X.Span.ToArray().Zip(noisy.Pair.Span.ToArray(), (seen, image) => (double)seen - image)];
        Assert.Equal(0, noise.Average(), 0.02);
        Assert.Equal(Deviation, Math.Sqrt(noise.Average(n => n * n)), 0.02);
        Assert.NotEqual(Values(plain.Groups[0]), Values(noisy.Groups[0]));
    }

    /// <summary>Half of it after half of the steps, and nothing after all of them.</summary>
    [Fact]
    public void Annealed_noise_goes_to_zero()
    {
        const float Deviation = 0.5f;
        foreach ((int steps, double left) in new[] { (1, 1.0), (3, 0.5), (5, 0.0), (8, 0.0) })
        {
            using Gan model = After(steps, new() { InstanceNoise = Deviation, AnnealSteps = 4 });
            double[] noise = [.. model.Discriminator.X.Span.ToArray().Zip(model.Pair.Span.ToArray(), (seen, image) => (double)seen - image)];
            Assert.Equal(left * Deviation, Math.Sqrt(noise.Average(n => n * n)), left * 0.02);
        }
    }

    /// <summary>d_real is of the same scores against 0.9; that of generated images is as before.</summary>
    [Fact]
    public void A_real_target_is_of_real_images_alone()
    {
        using Gan plain = After(1, new()), smooth = After(1, new() { RealTarget = 0.9f });
        float[] scores = RealScores(smooth);
        Assert.Equal(RealScores(plain), scores);
        Assert.Equal(scores.Average(s => Softplus(-s)), Loss(plain, "d_real"), 1e-6);
        Assert.Equal(scores.Average(s => 0.9 * Softplus(-s) + 0.1 * Softplus(s)), Loss(smooth, "d_real"), 1e-6);
        Assert.Equal(Loss(plain, "d_fake"), Loss(smooth, "d_fake"));
        Assert.Equal(plain.Pair.Span.ToArray(), smooth.Pair.Span.ToArray());
    }

    /// <summary>As many samples as the probability says count for the opposite, in both halves; the scores are as before.</summary>
    [Fact]
    public void Flipped_labels_change_the_losses_of_the_discriminator()
    {
        using Gan plain = After(1, new()), flipped = After(1, new() { LabelFlip = 0.25f });
        float[] scores = RealScores(plain);
        Assert.Equal(scores, RealScores(flipped));
        Assert.Equal(plain.Pair.Span.ToArray(), flipped.Pair.Span.ToArray());
        // Softplus(s) - softplus(-s) = s, so each flip moves the sum of the losses by its score.
        double moved = Batch * ((double)Loss(flipped, "d_real") - Loss(plain, "d_real")), mean = scores.Average();
        Assert.InRange(moved / mean / Batch, 0.1, 0.4);
        Assert.NotEqual(Loss(plain, "d_fake"), Loss(flipped, "d_fake"));
        Assert.NotEqual(Values(plain.Groups[0]), Values(flipped.Groups[0]));
    }

    /// <summary>Generated images differ, real ones and what is said of them do not.</summary>
    [Fact]
    public void Generator_dropout_is_in_the_generator_alone()
    {
        using Gan plain = After(1, new()), dropping = After(1, new() { GeneratorDropout = 0.5f });
        Assert.Equal(plain.Real.Span.ToArray(), dropping.Real.Span.ToArray());
        Assert.NotEqual(plain.Fake.Span.ToArray(), dropping.Fake.Span.ToArray());
        Assert.Equal(Loss(plain, "d_real"), Loss(dropping, "d_real"));
        Assert.NotEqual(Loss(plain, "d_fake"), Loss(dropping, "d_fake"));
        Assert.Equal(plain.Parameters.Select(p => p.Name), dropping.Parameters.Select(p => p.Name));
        foreach (DropoutLayer layer in dropping.Generator.Layers.OfType<DropoutLayer>())
            Assert.Equal(0.5, layer.Mask.Span.ToArray().Average(), 0.15);
    }

    /// <summary>With it, and only with it, what is said of an image depends on the others of its half; halves stay apart.</summary>
    [Fact]
    public void Minibatch_discrimination_couples_the_images_of_a_half()
    {
        foreach (bool coupled in new[] { false, true })
        {
            using Gan model = After(1, new() { MinibatchDiscrimination = coupled });
            Assert.Equal(coupled, model.Parameters.Any(p => p.Name == "minibatch.weight"));
            model.DiscriminatorGradients();
            float[] before = model.Discriminator.Y.Span.ToArray();
            model.Real.Rows(1, 1).Span.Fill(0.9f);
            model.DiscriminatorGradients();
            float[] after = model.Discriminator.Y.Span.ToArray();
            Assert.NotEqual(before[1], after[1]);
            if (coupled)
                Assert.NotEqual(before[0], after[0]);
            else
                Assert.Equal(before[0], after[0]);
            Assert.Equal(before[Batch..], after[Batch..]);
        }
    }

    [Fact]
    public void Generator_steps_leave_the_discriminator_as_it_was()
    {
        using Gan once = After(1, new()), thrice = After(1, new() { GeneratorSteps = 3 });
        Assert.Equal(Values(once.Groups[0]), Values(thrice.Groups[0]));
        Assert.Equal(Loss(once, "d_loss"), Loss(thrice, "d_loss"));
        Assert.NotEqual(Values(once.Groups[1]), Values(thrice.Groups[1]));
        Assert.Equal((1UL, 1UL), Updates(once));
        Assert.Equal((1UL, 3UL), Updates(thrice));

        (ulong Discriminator, ulong Generator) Updates(Model model) => (Counter(model, "optimiser.d.updates"), Counter(model, "optimiser.g.updates"));

        ulong Counter(Model model, string name) => _device.Read(model.State().Single(t => t.Name == name).Counter);
    }

    /// <summary>The average looks on.</summary>
    [Fact]
    public void An_average_changes_nothing_but_the_generator_that_is_kept()
    {
        using Gan plain = After(5, new()), averaged = After(5, new() { Average = 0.9f });
        Assert.Contains(averaged.State(), t => t.Name.StartsWith("average.", StringComparison.Ordinal));
        Assert.Equal(Bits(plain), Bits(averaged));
        using Generator of = Generator.Of(plain, 4), ofAverage = Generator.Of(averaged, 4);
        of.Update(plain);
        ofAverage.Update(averaged);
        float[] codes = new float[4 * 3], images = new float[4 * 64], averages = new float[4 * 64];
        of.DrawCodes(1, 0, codes);
        of.Generate(codes, images);
        ofAverage.Generate(codes, averages);
        Assert.NotEqual(images, averages);

        IEnumerable<(string, uint)> Bits(Model model) => model.State().Where(t => !t.IsCounter && !t.Name.StartsWith("average.", StringComparison.Ordinal))
            .SelectMany(t => _device.ToArray(t.Tensor).Select(v => (t.Name, BitConverter.SingleToUInt32Bits(v))));
    }
}
