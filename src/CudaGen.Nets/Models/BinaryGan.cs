using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// The game of Goodfellow et al. 2014 on logits, with the generator's non-saturating loss:
/// <code>
/// discriminator   L = BCE(D(x), 1) + BCE(D(G(z)), 0)
/// generator       L = BCE(D(G(z)), 1)
/// </code>
/// </summary>
public abstract class BinaryGan(string kind, AdversarialOptions options) : AdversarialModel(kind, options)
{
    private const int Total = 0, OnReal = 1, OnFake = 2, OfGenerator = 3;

    private Tensor _targets;

    public override IReadOnlyList<string> LossNames { get; } = ["d_loss", "d_real", "d_fake", "g_loss"];

    protected override void Build(Planner planner)
    {
        base.Build(planner);
        if (Tricks.LabelFlip > 0)
            _targets = planner.Activation(new(2 * planner.Batch, 1));
    }

    public override void DiscriminatorGradients()
    {
        Generator.Forward(Device);
        ForwardDiscriminator();
        DiscriminatorLosses();
        BackwardDiscriminator();
    }

    /// <summary>From the scores: their losses and gradients.</summary>
    private protected void DiscriminatorLosses()
    {
        (Tensor dy, Tensor y) = (Discriminator.DY, Discriminator.Y);
        if (_targets.Length == 0)
        {
            PairLosses.BinaryCrossEntropy(Device, Loss(Total), Loss(OnReal), Loss(OnFake), dy, y, Tricks.RealTarget, 0, 1f / Batch);
            return;
        }
        DrawTargets(_targets.Rows(0, Batch), Tricks.RealTarget, real: true);
        DrawTargets(_targets.Rows(Batch, Batch), 0, real: false);
        PairLosses.BinaryCrossEntropy(Device, Loss(Total), Loss(OnReal), Loss(OnFake), dy, y, _targets, 1f / Batch);
    }

    /// <summary>A step without an update of the generator has no loss of it: 0, not what the step before left.</summary>
    private protected void NoGeneratorLoss() => RandomFill.Constant(Device, Loss(OfGenerator), 0);

    public override void GeneratorLoss()
    {
        ForwardGenerator();
        Kernels.Losses.BinaryCrossEntropy(Device, Loss(OfGenerator), Judge.DY, Judge.Y, 1, 1f / Batch);
        BackwardJudge();
    }
}
