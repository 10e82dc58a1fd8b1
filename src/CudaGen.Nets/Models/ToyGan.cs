using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Sizes of the networks for points.</summary>
/// <param name="Dimensions">Coordinates of a point.</param>
/// <param name="Latent">Length of a code.</param>
/// <param name="Discriminator1">Units of its first hidden layer.</param>
/// <param name="Discriminator2">Units of its second.</param>
/// <param name="GeneratorHidden">Units of the generator's two hidden layers; 0 for a single linear layer.</param>
public sealed record ToySizes(int Dimensions = 2, int Latent = 2, int Discriminator1 = 5, int Discriminator2 = 3, int GeneratorHidden = 0)
{
    /// <exception cref="InputException">A size is out of range.</exception>
    public GeneratorSpec Spec()
    {
        SizeRange.Require("toy2d", ("discriminator1", Discriminator1), ("discriminator2", Discriminator2));
        return GeneratorSpec.Of(Architectures.Toy, CodeDistribution.Normal, OutputRange.Points,
            ("dimensions", Dimensions), ("latent", Latent), ("hidden", GeneratorHidden));
    }
}

/// <summary>
/// The GAN of the theory tutorial, which learns a Gaussian in the plane: a linear generator and a small discriminator with two
/// logits, class 0 for generated and 1 for real points. The generator's update takes the points that the discriminator has just seen.
/// </summary>
public sealed class ToyGan : AdversarialModel
{
    private const int Total = 0, OnReal = 1, OnFake = 2, OfGenerator = 3;
    private const int FakeClass = 0, RealClass = 1;

    private readonly ToySizes _sizes;

    public ToyGan(ToySizes sizes, AdversarialOptions options) : base("toy2d", options)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        _sizes = sizes;
    }

    /// <summary>The tutorial: Adam 0.01 for the generator and 0.05 for the discriminator, MXNet's epsilon.</summary>
    public static ToyGan Tutorial(ToySizes sizes, Tricks tricks) => Of(sizes, tricks, new(0.05f, EpsilonPlace: AdamEpsilon.Hat));

    /// <summary>The same with Adam as in its paper.</summary>
    public static ToyGan Canonical(ToySizes sizes, Tricks tricks) => Of(sizes, tricks, new(0.05f));

    private static ToyGan Of(ToySizes sizes, Tricks tricks, AdamOptions discriminator)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return new(sizes, new(sizes.Spec(), discriminator, discriminator with { LearningRate = 0.01f }) { FreshCodes = false, Tricks = tricks });
    }

    public override IReadOnlyList<string> LossNames { get; } = ["d_loss", "d_real", "d_fake", "g_loss"];

    protected override Layer[] DiscriminatorLayers()
    {
        Initialiser start = Initialiser.Normal(0.02f);
        return
        [
            new DenseLayer("fc1", _sizes.Discriminator1, Activation.Tanh) { Weights = start },
            new DenseLayer("fc2", _sizes.Discriminator2, Activation.Tanh) { Weights = start },
            new DenseLayer("fc3", 2, Activation.Linear) { Weights = start },
        ];
    }

    public override void DiscriminatorGradients()
    {
        Generator.Forward(Device);
        ForwardDiscriminator();
        Kernels.Losses.SoftmaxCrossEntropy(Device, Loss(OnReal), RealScoreGradients, RealScores, RealClass, 1f / Batch);
        Kernels.Losses.SoftmaxCrossEntropy(Device, Loss(OnFake), FakeScoreGradients, FakeScores, FakeClass, 1f / Batch);
        Reduce.Add(Device, Loss(Total), Loss(OnReal), Loss(OnFake));
        BackwardDiscriminator();
    }

    public override void GeneratorLoss()
    {
        ForwardGenerator();
        Kernels.Losses.SoftmaxCrossEntropy(Device, Loss(OfGenerator), Judge.DY, Judge.Y, RealClass, 1f / Batch);
        BackwardJudge();
    }
}
