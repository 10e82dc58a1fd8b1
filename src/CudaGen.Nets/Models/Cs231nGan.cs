using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Sizes of the CS231n-style convolutional GAN.</summary>
/// <param name="Image">Height and width of the square images, at least 4; the average pools drop what is left over of an odd extent.</param>
/// <param name="Latent">Length of a code, at least 4; its half and quarter are widths of the generator.</param>
/// <param name="Discriminator1">Channels of its first convolution.</param>
/// <param name="Discriminator2">Channels of its second.</param>
/// <param name="Hidden">Units of its dense layer.</param>
/// <param name="Affine">Whether the batch norms have a scale and learn it with the shift.</param>
public sealed record Cs231nSizes(int Image = 28, int Latent = 100, int Discriminator1 = 32, int Discriminator2 = 64, int Hidden = 1024, bool Affine = true)
{
    /// <exception cref="InputException">A size is out of range.</exception>
    public GeneratorSpec Spec()
    {
        if (Image < 4)
            throw new InputException($"image size: found {Image}, expected at least 4");
        if (Latent < 4)
            throw new InputException($"latent: found {Latent}, expected at least 4");
        SizeRange.Require("cs231n", ("discriminator1", Discriminator1), ("discriminator2", Discriminator2), ("hidden", Hidden));
        return GeneratorSpec.Of(Architectures.Cs231n, CodeDistribution.Normal, OutputRange.Unit,
            ("image", Image), ("latent", Latent), ("affine", Affine ? 1 : 0));
    }
}

/// <summary>
/// The convolutional GAN of the CS231n-style tutorial. Before the game the discriminator is trained alone for a number of steps.
/// </summary>
public sealed class Cs231nGan : BinaryGan
{
    /// <summary>Steps for which the discriminator is trained alone; their g_loss is 0. To be set before the first step.</summary>
    public ulong PretrainingSteps { get; set; } = 300;

    private readonly Cs231nSizes _sizes;
    private readonly bool _separate;
    private Optimiser? _onReal, _onFake;

    /// <param name="sizes">Sizes of the networks.</param>
    /// <param name="options">The numbers.</param>
    /// <param name="separate">
    /// Whether the training before the game has two optimisers of its own, one for real and one for generated images, whose moments the
    /// game does not take over.
    /// </param>
    public Cs231nGan(Cs231nSizes sizes, AdversarialOptions options, bool separate = false) : base("cs231n", options)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        (_sizes, _separate) = (sizes, separate);
    }

    /// <summary>The tutorial: batch norms that only whiten, three optimisers of the discriminator, Adam 3e-4 against 1e-4.</summary>
    public static Cs231nGan Tutorial(Cs231nSizes sizes, Tricks tricks)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        sizes = sizes with { Affine = false };
        AdamOptions adam = new(3e-4f, EpsilonPlace: AdamEpsilon.Hat);
        return new(sizes, new(sizes.Spec(), adam, adam with { LearningRate = 1e-4f }) { RunningStatistics = false, Tricks = tricks }, separate: true);
    }

    /// <summary>
    /// Batch norms that learn scale and shift, one optimiser of the discriminator, and rates with which a generator of a tenth of its size
    /// keeps up: beta1 0.5 and 2e-4 (Radford et al. 2016), five times as much for the generator. With the tutorial's rates a discriminator
    /// that began 300 steps before is right about everything for thousands of steps. Running statistics with the tutorial's share of 0.001
    /// would be those of the start as long, so there are none here either.
    /// </summary>
    public static Cs231nGan Canonical(Cs231nSizes sizes, Tricks tricks)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return new(sizes, new(sizes.Spec(), new AdamOptions(2e-4f, 0.5f), new AdamOptions(1e-3f, 0.5f)) { RunningStatistics = false, Tricks = tricks });
    }

    protected override Layer[] DiscriminatorLayers()
    {
        Initialiser start = Initialiser.TruncatedNormal(0.02f);
        return
        [
            new ConvLayer("conv1", _sizes.Discriminator1, 5, 1, Activation.Relu) { Weights = start },
            new AveragePoolLayer("pool1", 2),
            new ConvLayer("conv2", _sizes.Discriminator2, 5, 1, Activation.Relu) { Weights = start },
            new AveragePoolLayer("pool2", 2),
            new DenseLayer("fc1", _sizes.Hidden, Activation.Relu) { Weights = start },
            new DenseLayer("fc2", 1, Activation.Linear) { Weights = start },
        ];
    }

    protected override void Build(Planner planner)
    {
        base.Build(planner);
        if (!_separate)
            return;
        _onReal = planner.Optimiser("optimiser.d_real", DiscriminatorGroup, Options.Discriminator);
        _onFake = planner.Optimiser("optimiser.d_fake", DiscriminatorGroup, Options.Discriminator);
    }

    protected override int Phase => Steps < PretrainingSteps ? 1 : 0;

    protected override void RunStep(DataSet data)
    {
        if (Phase == 0)
        {
            base.RunStep(data);
            return;
        }
        NoGeneratorLoss();
        LoadReal(data, 0);
        DrawForDiscriminator(0);
        if (_separate)
        {
            // The tutorial leaves the order of the two open.
            UpdateOn(_onReal!, others: FakeScoreGradients);
            UpdateOn(_onFake!, others: RealScoreGradients);
            return;
        }
        ZeroDiscriminatorGradients();
        DiscriminatorGradients();
        UpdateDiscriminator();
    }

    /// <summary>An update on one half of the batch: the gradients of the others' scores are zero.</summary>
    private void UpdateOn(Optimiser optimiser, Tensor others)
    {
        Generator.Forward(Device);
        ForwardDiscriminator();
        DiscriminatorLosses();
        RandomFill.Constant(Device, others, 0);
        ZeroDiscriminatorGradients();
        BackwardDiscriminator();
        optimiser.Update(Device);
    }
}
