using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>What of a batch norm is learnt.</summary>
public enum BatchNormParameters
{
    /// <summary>Scale gamma and shift beta.</summary>
    Affine,

    /// <summary>A shift that no optimiser touches and no scale: the layer only whitens.</summary>
    FrozenShift,
}

/// <summary>
/// Batch norm over the last extent (Ioffe and Szegedy 2015): y = f(gamma (x - mean) / sqrt(var + epsilon) + beta).
/// </summary>
/// <param name="name">Name of the layer.</param>
/// <param name="epsilon">Added to the variance.</param>
/// <param name="momentum">Share of this batch in the running statistics; 0 leaves them as they are, as programs that forget to update them do.</param>
/// <param name="activation">f.</param>
public sealed class BatchNormLayer(string name, float epsilon, float momentum, Activation activation) : Layer(name, activation)
{
    private Tensor _mean, _rstd, _runningMean, _runningVariance;
    private Parameter? _gamma;
    private Parameter _beta = null!;

    public BatchNormParameters Learnt { get; init; }

    /// <summary>How the scales start.</summary>
    public Initialiser Scales { get; init; } = Initialiser.One;

    /// <summary>Added to the variance.</summary>
    public float Epsilon { get; set; } = epsilon;

    /// <summary>Share of the next batch in the running statistics.</summary>
    public float Momentum { get; set; } = momentum;

    public override string What => $"batch norm, {Activation}";

    public override bool CouplesRows => true;

    protected override Shape Prepare(Planner planner, Shape x)
    {
        if (planner.Training && x.Length == x.Channels)
            throw new InputException($"batch: found {x.Rows}, expected at least 2, as layer '{Name}' ({What}) needs a variance");
        Shape channels = new(x.Channels);
        bool affine = Learnt == BatchNormParameters.Affine;
        _gamma = affine ? planner.Parameter(Name + ".gamma", channels, Scales) : null;
        _beta = affine ? planner.Parameter(Name + ".beta", channels) : planner.Frozen(Name + ".beta", channels);
        _runningMean = planner.Statistic(Name + ".running_mean", channels, 0);
        _runningVariance = planner.Statistic(Name + ".running_var", channels, 1);
        return x;
    }

    private protected override void Bind(Planner planner)
    {
        Shape channels = new(X.Shape.Channels);
        (_mean, _rstd) = (planner.Activation(channels), planner.Activation(channels));
        planner.Scratch(BatchNorm.ScratchFloats(X.Shape));
    }

    public override void Forward(Device device)
        => BatchNorm.ForwardTraining(device, Y, _mean, _rstd, _runningMean, _runningVariance, X, _gamma?.Value, _beta.Value, Epsilon, Momentum, Activation);

    public override void Infer(Device device)
        => BatchNorm.ForwardInference(device, Y, X, _runningMean, _runningVariance, _gamma?.Value, _beta.Value, Epsilon, Activation);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        (Parameter? gamma, Parameter? beta) = parameters ? (_gamma, _beta) : default;
        // Both were written by the same passes.
        _ = gamma?.AddsGradient();
        BatchNorm.Backward(device, dx ?? DY, gamma?.Gradient, beta?.Gradient, DY, X, Y, _mean, _rstd, _gamma?.Value, Activation,
            beta?.AddsGradient() ?? false);
    }
}
