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

    private Tensor _realTargets, _fakeTargets;

    public override IReadOnlyList<string> LossNames { get; } = ["d_loss", "d_real", "d_fake", "g_loss"];

    protected override void Build(Planner planner)
    {
        base.Build(planner);
        if (Tricks.LabelFlip > 0)
            (_realTargets, _fakeTargets) = (planner.Activation(new(planner.Batch, 1)), planner.Activation(new(planner.Batch, 1)));
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
        RealLoss();
        FakeLoss();
        Reduce.Add(Device, Loss(Total), Loss(OnReal), Loss(OnFake));
    }

    private void RealLoss()
    {
        if (_realTargets.Length == 0)
        {
            Kernels.Losses.BinaryCrossEntropy(Device, Loss(OnReal), RealScoreGradients, RealScores, Tricks.RealTarget, 1f / Batch);
            return;
        }
        DrawTargets(_realTargets, Tricks.RealTarget, real: true);
        Kernels.Losses.BinaryCrossEntropy(Device, Loss(OnReal), RealScoreGradients, RealScores, _realTargets, 1f / Batch);
    }

    private void FakeLoss()
    {
        if (_fakeTargets.Length == 0)
        {
            Kernels.Losses.BinaryCrossEntropy(Device, Loss(OnFake), FakeScoreGradients, FakeScores, 0, 1f / Batch);
            return;
        }
        DrawTargets(_fakeTargets, 0, real: false);
        Kernels.Losses.BinaryCrossEntropy(Device, Loss(OnFake), FakeScoreGradients, FakeScores, _fakeTargets, 1f / Batch);
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
