using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Sizes of the networks of WGAN-GP.</summary>
/// <param name="Image">Height and width of the square images, a power of two from 16 to 256.</param>
/// <param name="Channels">Colours.</param>
/// <param name="Latent">Length of a code.</param>
/// <param name="Critic">Channels of the critic's convolutions of stride 2, until 4x4 are left.</param>
/// <param name="Generator">Channels of the generator, from 4x4 on.</param>
public sealed record WganGpSizes(int Image, int Channels, int Latent, IReadOnlyList<int> Critic, IReadOnlyList<int> Generator)
{
    /// <summary>The tutorial's widths at 64x64, and as many of them as smaller images have room for.</summary>
    public static WganGpSizes For(int image, int channels, int latent = 128)
    {
        int levels = LevelsOf(image);
        int[] widths = [.. Enumerable.Range(0, levels).Select(i => Math.Min(64 << i, 512))];
        return new(image, channels, latent, widths, [.. widths.Reverse()]);
    }

    /// <summary>Halvings down to 4x4.</summary>
    /// <exception cref="InputException">The image is no power of two from 16 to 256.</exception>
    internal static int LevelsOf(int image) => int.IsPow2(image) && image is >= 16 and <= 256
        ? int.Log2(image) - 2
        : throw new InputException($"image size: found {image}, expected 16, 32, 64, 128 or 256");

    /// <exception cref="InputException">A size is out of range.</exception>
    public GeneratorSpec Spec()
    {
        int levels = LevelsOf(Image);
        SizeRange.RequireWidths($"wgan-gp of {Image}x{Image}", "critic", Critic, levels);
        SizeRange.RequireWidths($"wgan-gp of {Image}x{Image}", "generator", Generator, levels);
        (string, int)[] sizes = [("image", Image), ("channels", Channels), ("latent", Latent), .. Generator.Select((w, i) => ($"width{i + 1}", w))];
        return GeneratorSpec.Of(Architectures.WganGp, CodeDistribution.Normal, OutputRange.Symmetric, sizes);
    }
}

/// <summary>The numbers of WGAN-GP beyond those of any adversarial model.</summary>
/// <param name="Weight">Weight of the penalty, lambda.</param>
/// <param name="Slopes">Slope of the leaky ReLU behind each convolution of the critic.</param>
/// <param name="Dropout">Probability of a zero behind all of them but the first.</param>
/// <param name="NormalAlpha">Whether the point between real and generated image is drawn from N(0, 1) instead of U(0, 1).</param>
public sealed record PenaltyOptions(float Weight, IReadOnlyList<float> Slopes, float Dropout = 0, bool NormalAlpha = false);

/// <summary>
/// Wasserstein GAN with a gradient penalty (Gulrajani et al. 2017, algorithm 1), its second derivative by hand:
/// <code>
/// critic      L = mean D(G(z)) - mean D(x) + lambda mean (|dD/dxhat| - 1)^2,   xhat = x + alpha (G(z) - x)
/// generator   L = -mean D(G(z))
/// </code>
/// The penalty asks for the gradient of a gradient. For a critic that is linear but for its leaky ReLUs that is the gradient of its
/// weights with two things exchanged: for the activations of xhat, tangents along the penalty's own gradient
/// (docs/derivations.md). So xhat is the third part of the critic's batch, and its rows end up as tangents.
/// </summary>
public sealed class WganGp : AdversarialModel
{
    private const int OfCritic = 0, Distance = 1, Penalty = 2, OfGenerator = 3;

    private readonly WganGpSizes _sizes;
    private readonly PenaltyOptions _penalty;
    private Network _both = null!, _between = null!;

    public WganGp(WganGpSizes sizes, PenaltyOptions penalty, AdversarialOptions options) : base("wgan-gp", options)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        ArgumentNullException.ThrowIfNull(penalty);
        if (penalty.Slopes.Count != sizes.Critic.Count)
            throw new InputException($"slopes: found {penalty.Slopes.Count}, expected {sizes.Critic.Count}");
        (_sizes, _penalty) = (sizes, penalty);
    }

    /// <summary>The tutorial: Adam 2e-4 (0.5, 0.9), three updates of the critic on the same images, alpha from N(0, 1), dropout, one slope of 0.3.</summary>
    public static WganGp Tutorial(WganGpSizes sizes, Tricks tricks)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        float[] slopes = [.. sizes.Critic.Select((_, i) => i == 1 ? 0.3f : 0.2f)];
        AdamOptions adam = new(2e-4f, 0.5f, 0.9f, 1e-7f, AdamEpsilon.Hat);
        return new(sizes, new(10, slopes, 0.3f, NormalAlpha: true),
            new(sizes.Spec(), adam, adam) { DiscriminatorSteps = 3, FreshImages = false, Tricks = tricks });
    }

    /// <summary>The paper's penalty with the tutorial's networks and rates: alpha from U(0, 1), no dropout, new images for every update.</summary>
    public static WganGp Canonical(WganGpSizes sizes, Tricks tricks)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        AdamOptions adam = new(2e-4f, 0.5f, 0.9f);
        return new(sizes, new(10, [.. sizes.Critic.Select(_ => 0.2f)]), new(sizes.Spec(), adam, adam) { DiscriminatorSteps = 3, Tricks = tricks });
    }

    public override bool ScoresAreLogits => false;

    public override IReadOnlyList<string> LossNames { get; } = ["d_loss", "wasserstein", "penalty", "g_loss"];

    /// <summary>Where on the way from the real to the generated image each xhat lies, (N).</summary>
    public Tensor Alpha { get; private set; }

    /// <summary>|dD/dxhat| of each sample, (N).</summary>
    public Tensor Norms { get; private set; }

    /// <summary>dD/dxhat, the shape of <see cref="AdversarialModel.Fake"/>.</summary>
    public Tensor Slope => _between.DX;

    private protected override bool NeedsTangents => true;

    protected override Layer[] DiscriminatorLayers()
    {
        List<Layer> layers = [];
        for (int i = 0; i < _sizes.Critic.Count; i++)
        {
            layers.Add(new ConvLayer($"conv{i + 1}", _sizes.Critic[i], 4, 2, Activation.LeakyRelu(_penalty.Slopes[i])));
            if (i > 0 && _penalty.Dropout > 0)
                layers.Add(new DropoutLayer($"dropout{i + 1}", _penalty.Dropout));
        }
        layers.Add(new ConvLayer($"conv{_sizes.Critic.Count + 1}", 1, 4, 1, Activation.Linear) { Border = Border.Valid });
        return [.. layers];
    }

    protected override void Build(Planner planner)
    {
        ArgumentNullException.ThrowIfNull(planner);
        int n = planner.Batch;
        TakeBatch(planner, n, n, n);
        PlanNetworks(planner, Fake);
        _both = Discriminator.Rows(planner, 0, 2 * n);
        _between = Discriminator.Rows(planner, 2 * n, n, planner.Gradient(Spec.Batch(n)));
        Judge = Discriminator.Rows(planner, n, n, Generator.DY);
        // No bias changes the slope, so the points between give none a gradient.
        Discriminator.SumInParts(new(3, 2));
        _both.SumInParts(new(2, 2));
        _between.PlanTangent(planner);
        (Alpha, Norms) = (planner.Activation(new(n)), planner.Activation(new(n)));
        TakeOptimisers(planner);
    }

    private protected override void DrawForDiscriminator(int pass)
    {
        base.DrawForDiscriminator(pass);
        if (_penalty.NormalAlpha)
            RandomFill.Normal(Device, Alpha, Seed, Stream(pass, Purpose.Interpolation), StepCounter);
        else
            RandomFill.Uniform(Device, Alpha, Seed, Stream(pass, Purpose.Interpolation), StepCounter, 0, 1);
    }

    public override void DiscriminatorGradients()
    {
        CriticPasses();
        Discriminator.BackwardWeights(Device);
    }

    /// <summary>The two parts of <see cref="DiscriminatorGradients()"/> one after the other, <paramref name="wasserstein"/> being called between them.</summary>
    public void DiscriminatorGradients(Action wasserstein)
    {
        ArgumentNullException.ThrowIfNull(wasserstein);
        CriticPasses();
        _both.BackwardWeights(Device);
        wasserstein();
        _between.BackwardWeights(Device);
    }

    /// <summary>All of the critic's update but the gradients of its weights: losses, gradients of activations, tangents.</summary>
    private void CriticPasses()
    {
        Generator.Forward(Device);
        AddInstanceNoise(_both.X, Pair.Rows(0, 2 * Batch));
        GradientPenalty.Interpolate(Device, _between.X, _both.X.Rows(0, Batch), _both.X.Rows(Batch, Batch), Alpha);
        Discriminator.Forward(Device);

        PairLosses.Wasserstein(Device, Loss(OfCritic), Loss(Distance), _both.DY, _both.Y, 1f / Batch);
        RandomFill.Constant(Device, _between.DY, 1);
        // All three parts at once down to the first layer, through which the points between go alone.
        Discriminator.BackwardLayers(Device, parameters: true, 1..);
        _both.BackwardLayers(Device, parameters: true, ..1);
        _between.BackwardLayers(Device, parameters: false, ..1);
        GradientPenalty.Evaluate(Device, Loss(Penalty), Norms, _between.X, _between.DX, _penalty.Weight, Loss(OfCritic));
        _between.Tangent(Device);
    }

    public override void GeneratorLoss()
    {
        ForwardGenerator();
        Kernels.Losses.Mean(Device, Loss(OfGenerator), Judge.DY, Judge.Y, -1f / Batch);
        BackwardJudge();
    }
}
