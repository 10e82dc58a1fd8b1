using CudaGen.Kernels;

namespace CudaGen.Nets;

/// <summary>
/// Wasserstein GAN (Arjovsky et al. 2017, algorithm 1) with the networks of <see cref="Dcgan"/>: several updates of the critic by
/// RMSProp, each with its parameters clipped, then one of the generator.
/// <code>
/// critic      L = mean D(G(z)) - mean D(x)
/// generator   L = -mean D(G(z))
/// </code>
/// </summary>
public sealed class Wgan(DcganSizes sizes, AdversarialOptions options) : AdversarialModel("wgan", options)
{
    private const int OfCritic = 0, Distance = 1, OfGenerator = 2;

    /// <summary>The tutorial: learning rate 5e-4, ten times the paper's, and TensorFlow's RMSProp.</summary>
    public static Wgan Tutorial(DcganSizes sizes, Tricks tricks) => Of(sizes, tricks, new(5e-4f, 0.9f, 1e-10f, InsideRoot: true), false);

    /// <summary>The paper: learning rate 5e-5, parameters within 0.01, five updates of the critic.</summary>
    public static Wgan Canonical(DcganSizes sizes, Tricks tricks) => Of(sizes, tricks, new(5e-5f), true);

    private static Wgan Of(DcganSizes sizes, Tricks tricks, RmsPropOptions rmsProp, bool statistics)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return new(sizes, new(sizes.Spec(), rmsProp with { Clip = 0.01f }, rmsProp)
        {
            DiscriminatorSteps = 5,
            RunningStatistics = statistics,
            Tricks = tricks,
        });
    }

    public override bool ScoresAreLogits => false;

    public override IReadOnlyList<string> LossNames { get; } = ["d_loss", "wasserstein", "g_loss"];

    protected override Layer[] DiscriminatorLayers() => sizes.Discriminator(0.2f);

    protected override void Build(Planner planner)
    {
        base.Build(planner);
        if (!Discriminator.CouplesRows)
            Discriminator.SumInParts(new(2, 2));
    }

    public override void DiscriminatorGradients()
    {
        Generator.Forward(Device);
        ForwardDiscriminator();
        PairLosses.Wasserstein(Device, Loss(OfCritic), Loss(Distance), Discriminator.DY, Discriminator.Y, 1f / Batch);
        BackwardDiscriminator();
    }

    public override void GeneratorLoss()
    {
        ForwardGenerator();
        Kernels.Losses.Mean(Device, Loss(OfGenerator), Judge.DY, Judge.Y, -1f / Batch);
        BackwardJudge();
    }
}
