using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Sizes of the CIFAR-10 GAN.</summary>
/// <param name="Image">Height and width of the square images, a multiple of 8.</param>
/// <param name="Channels">Colours.</param>
/// <param name="Latent">Length of a code.</param>
/// <param name="Discriminator">Channels of its four convolutions.</param>
/// <param name="Generator">Channels of the generator, from an eighth of the resolution on.</param>
public sealed record CifarSizes(int Image, int Channels, int Latent, IReadOnlyList<int> Discriminator, IReadOnlyList<int> Generator)
{
    /// <summary>The tutorial's.</summary>
    public static CifarSizes For(int image = 32, int channels = 3, int latent = 100)
        => new(image, channels, latent, [64, 128, 128, 256], [256, 128, 128, 128]);

    /// <exception cref="InputException">A size is out of range.</exception>
    public GeneratorSpec Spec()
    {
        if (Image < 8 || Image % 8 != 0)
            throw new InputException($"image size: found {Image}, expected a multiple of 8");
        SizeRange.RequireWidths("cifar", "discriminator", Discriminator, 4);
        SizeRange.RequireWidths("cifar", "generator", Generator, 4);
        return GeneratorSpec.Of(Architectures.Cifar, CodeDistribution.Normal, OutputRange.Symmetric,
            ("image", Image), ("channels", Channels), ("latent", Latent), ("width0", Generator[0]), ("width1", Generator[1]),
            ("width2", Generator[2]), ("width3", Generator[3]));
    }
}

/// <summary>
/// The CIFAR-10 GAN of the Keras tutorial, without batch norm and with dropout at the end of the discriminator. With N codes a step
/// is three updates: the discriminator on N/2 real images, the discriminator on N/2 generated ones, the generator on N.
/// </summary>
public sealed class CifarGan : AdversarialModel
{
    private const int OnReal = 0, OnFake = 1, OfGenerator = 2;

    private readonly CifarSizes _sizes;
    private readonly float _drop;
    private Network _onReal = null!, _onFake = null!, _halfGenerator = null!;
    private Tensor _targets;

    /// <param name="sizes">Sizes of the networks.</param>
    /// <param name="drop">Probability of a zero in the discriminator's features.</param>
    /// <param name="options">The numbers.</param>
    public CifarGan(CifarSizes sizes, float drop, AdversarialOptions options) : base("cifar", options)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        (_sizes, _drop) = (sizes, drop);
    }

    /// <summary>The tutorial: Adam 2e-4 with beta1 0.5 and Keras' epsilon, dropout 0.4.</summary>
    public static CifarGan Tutorial(CifarSizes sizes, Tricks tricks) => Of(sizes, tricks, new(2e-4f, 0.5f, Epsilon: 1e-7f, EpsilonPlace: AdamEpsilon.Hat));

    /// <summary>The same with Adam as in its paper.</summary>
    public static CifarGan Canonical(CifarSizes sizes, Tricks tricks) => Of(sizes, tricks, new(2e-4f, 0.5f));

    private static CifarGan Of(CifarSizes sizes, Tricks tricks, AdamOptions adam)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return new(sizes, 0.4f, new(sizes.Spec(), adam, adam) { Tricks = tricks });
    }

    public override IReadOnlyList<string> LossNames { get; } = ["d_real", "d_fake", "g_loss"];

    /// <summary>Real images of a step: half of the codes.</summary>
    public int Half => Batch / 2;

    public override int ImagesPerStep => Half;

    /// <summary>The codes of the discriminator's generated images, (N/2, latent).</summary>
    public Tensor HalfZ => _halfGenerator.X;

    /// <summary>Masks of the discriminator's features for real images, for generated ones, and for those of the generator's update.</summary>
    public (Tensor Real, Tensor Fake, Tensor Judge) Masks => (Mask(_onReal), Mask(_onFake), Mask(Judge));

    protected override Layer[] DiscriminatorLayers()
    {
        Activation leaky = Activation.LeakyRelu(0.2f);
        return
        [
            new ConvLayer("conv1", _sizes.Discriminator[0], 3, 1, leaky),
            new ConvLayer("conv2", _sizes.Discriminator[1], 3, 2, leaky),
            new ConvLayer("conv3", _sizes.Discriminator[2], 3, 2, leaky),
            new ConvLayer("conv4", _sizes.Discriminator[3], 3, 2, leaky),
            new DropoutLayer("dropout", _drop),
            new DenseLayer("fc", 1, Activation.Linear),
        ];
    }

    private static Tensor Mask(Network network) => network.Layers.OfType<DropoutLayer>().Single(l => l.Name == "dropout").Mask;

    // The three updates take turns in the same N rows: real images in the first half, generated ones in the second, then all of them.
    protected override void Build(Planner planner)
    {
        ArgumentNullException.ThrowIfNull(planner);
        if (planner.Batch < 2 || planner.Batch % 2 != 0)
            throw new InputException($"batch: found {planner.Batch}, expected an even number, as half of it is real images");
        int half = planner.Batch / 2;
        TakeBatch(planner, half, half, 0);
        PlanNetworks(planner, Pair);
        _onReal = Discriminator.Rows(planner, 0, half);
        _onFake = Discriminator.Rows(planner, half, half);
        Judge = Discriminator.Rows(planner, 0, planner.Batch, Generator.DY);
        _halfGenerator = Generator.Rows(planner, half, half);
        if (Tricks.LabelFlip > 0)
            _targets = planner.Activation(new(half, 1));
        TakeOptimisers(planner);
    }

    // The discriminator's gradient is that of both updates; a step does them one after the other.
    public override void DiscriminatorGradients()
    {
        OnRealImages();
        OnGeneratedImages();
    }

    protected override void RunStep(DataSet data)
    {
        LoadReal(data, 0);
        DrawForDiscriminator(0);
        ZeroDiscriminatorGradients();
        OnRealImages();
        UpdateDiscriminator();
        ZeroDiscriminatorGradients();
        OnGeneratedImages();
        UpdateDiscriminator();
        for (int i = 1; i <= Tricks.GeneratorSteps; i++)
        {
            DrawForGenerator(i);
            ZeroGeneratorGradients();
            GeneratorGradients();
            UpdateGenerator();
        }
        UpdateAverage();
    }

    /// <summary>L = BCE(D(x), 1) and its gradient, added.</summary>
    public void OnRealImages()
    {
        AddInstanceNoise(_onReal.X, Real);
        _onReal.Forward(Device);
        DiscriminatorLoss(OnReal, _onReal, Tricks.RealTarget, real: true);
        _onReal.Backward(Device);
    }

    /// <summary>L = BCE(D(G(z)), 0) and its gradient, added.</summary>
    public void OnGeneratedImages()
    {
        _halfGenerator.Forward(Device);
        AddInstanceNoise(_onFake.X, Fake, Purpose.FakeNoise);
        _onFake.Forward(Device);
        DiscriminatorLoss(OnFake, _onFake, 0, real: false);
        _onFake.Backward(Device);
    }

    public override void GeneratorLoss()
    {
        Generator.Forward(Device);
        AddInstanceNoise(Judge.X, Pair);
        Judge.Forward(Device);
        Kernels.Losses.BinaryCrossEntropy(Device, Loss(OfGenerator), Judge.DY, Judge.Y, 1, 1f / Batch);
        BackwardJudge();
    }

    private void DiscriminatorLoss(int loss, Network network, float target, bool real)
    {
        if (_targets.Length == 0)
        {
            Kernels.Losses.BinaryCrossEntropy(Device, Loss(loss), network.DY, network.Y, target, 1f / Half);
            return;
        }
        DrawTargets(_targets, target, real);
        Kernels.Losses.BinaryCrossEntropy(Device, Loss(loss), network.DY, network.Y, _targets, 1f / Half);
    }
}
