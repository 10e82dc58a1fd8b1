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
    /// <summary>Those of Metz et al. 2017, for a ring of Gaussians.</summary>
    public static ToySizes Ring(int latent = 256) => new(2, latent, 128, 128, 128);

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
/// With <see cref="Tricks.Unroll"/> the generator plays against a discriminator which is some updates ahead, and its gradient goes through
/// these updates:
/// <code>
/// discriminator   L(w) = CE(D_w(x), real) + CE(D_w(G(z)), generated)
/// generator       CE(D_w(G(z)), real), or with <see cref="Minimax"/> -L(w), or unrolled -L(w_K), where w_K comes of K updates of w on L
/// </code>
/// </summary>
public sealed class ToyGan : AdversarialModel
{
    private const int Total = 0, OnReal = 1, OnFake = 2, OfGenerator = 3;
    private const int FakeClass = 0, RealClass = 1;

    private readonly ToySizes _sizes;
    private UnrolledDiscriminator? _unrolled;
    private Network _judgeOfReal = null!;
    // Losses of an update that is only tried, which are none of the step.
    private Tensor _total, _onReal, _onFake;

    public ToyGan(ToySizes sizes, AdversarialOptions options) : base("toy2d", options)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        _sizes = sizes;
    }

    /// <summary>The tutorial: Adam 0.01 for the generator and 0.05 for the discriminator, MXNet's epsilon.</summary>
    public static ToyGan Tutorial(ToySizes sizes, Tricks tricks) => Of(sizes, tricks, new(0.05f, EpsilonPlace: AdamEpsilon.Hat));

    /// <summary>The same with Adam as in its paper.</summary>
    public static ToyGan Canonical(ToySizes sizes, Tricks tricks) => Of(sizes, tricks, new(0.05f));

    /// <summary>
    /// For a ring of Gaussians, with the networks of Metz et al. 2017, <see cref="ToySizes.Ring"/>, and their Adam with beta1 0.5, at rates of
    /// our own: 3e-3 for the generator and 1e-3 for the discriminator.
    /// </summary>
    public static ToyGan Ring(ToySizes sizes, Tricks tricks, AdamEpsilon epsilon)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        AdamOptions adam = new(3e-3f, 0.5f, EpsilonPlace: epsilon);
        return new(sizes, new(sizes.Spec(), adam with { LearningRate = 1e-3f }, adam) { FreshCodes = false, Tricks = tricks }) { Minimax = true };
    }

    private static ToyGan Of(ToySizes sizes, Tricks tricks, AdamOptions discriminator)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return new(sizes, new(sizes.Spec(), discriminator, discriminator with { LearningRate = 0.01f }) { FreshCodes = false, Tricks = tricks });
    }

    /// <summary>
    /// Whether the generator's loss is the discriminator's with the other sign, of which only the part on generated points matters, as in
    /// theory and in Metz et al. It always is where the discriminator is unrolled: of no other loss does the part that goes through the
    /// updates vanish as the discriminator gets better.
    /// </summary>
    public bool Minimax { get; init; }

    /// <summary>The discriminator's optimiser.</summary>
    public AdamOptions DiscriminatorOptions => Options.Discriminator.Adam!.Value;

    public override IReadOnlyList<string> LossNames { get; } = ["d_loss", "d_real", "d_fake", "g_loss"];

    protected override Layer[] DiscriminatorLayers()
    {
        // Larger networks start as those of Metz et al.
        Initialiser start = _sizes.GeneratorHidden == 0 ? Initialiser.Normal(0.02f) : Initialiser.Orthogonal(1.4f);
        return
        [
            new DenseLayer("fc1", _sizes.Discriminator1, Activation.Tanh) { Weights = start },
            new DenseLayer("fc2", _sizes.Discriminator2, Activation.Tanh) { Weights = start },
            new DenseLayer("fc3", 2, Activation.Linear) { Weights = start },
        ];
    }

    protected override void Build(Planner planner)
    {
        base.Build(planner);
        if (Tricks.Unroll == 0)
            return;
        (_total, _onReal, _onFake) = (planner.Activation(Shape.Scalar), planner.Activation(Shape.Scalar), planner.Activation(Shape.Scalar));
        _judgeOfReal = Discriminator.Rows(planner, 0, planner.Batch);
        _unrolled = new(planner, Tricks.Unroll, Discriminator, DiscriminatorGroup, DiscriminatorOptimiser, PassesAhead, TangentOfLosses);
    }

    public override void DiscriminatorGradients()
    {
        Generator.Forward(Device);
        ForwardDiscriminator();
        DiscriminatorLosses(Loss(Total), Loss(OnReal), Loss(OnFake), 1);
        BackwardDiscriminator();
    }

    private void DiscriminatorLosses(Tensor total, Tensor onReal, Tensor onFake, float sign)
        => PairLosses.SoftmaxCrossEntropy(Device, total, onReal, onFake, Discriminator.DY, Discriminator.Y, RealClass, FakeClass, sign / Batch);

    // Both passes of an update that is only tried.
    private void PassesAhead(bool parameters)
    {
        ForwardDiscriminator();
        DiscriminatorLosses(_total, _onReal, _onFake, 1);
        if (parameters)
            BackwardDiscriminator();
        else
            Discriminator.BackwardInput(Device, parameters: false);
    }

    private void TangentOfLosses()
        => Kernels.Losses.SoftmaxTangent(Device, _unrolled!.Hessian.DY, _unrolled.Hessian.Y, Discriminator.Y, 1f / Batch);

    public override void GeneratorLoss()
    {
        if (_unrolled is not null)
        {
            UnrolledLoss(_unrolled);
            return;
        }
        ForwardGenerator();
        (int target, float sign) = Minimax ? (FakeClass, -1f) : (RealClass, 1f);
        Kernels.Losses.SoftmaxCrossEntropy(Device, Loss(OfGenerator), Judge.DY, Judge.Y, target, sign / Batch);
        BackwardJudge();
    }

    private void UnrolledLoss(UnrolledDiscriminator unrolled)
    {
        Generate();
        unrolled.Forward(Device);
        ForwardDiscriminator();
        DiscriminatorLosses(Loss(OfGenerator), _onReal, _onFake, -1);
        _judgeOfReal.Backward(Device);
        Judge.Backward(Device);
        unrolled.Backward(Device, Generator.DY, Batch);
    }
}
