using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>y = f(x w^T + b) with one or several named blocks of outputs that are computed by one product.</summary>
public sealed class DenseLayer(string name, int outputs, Activation activation, params string[] heads) : Layer(name, activation)
{
    private Parameter _weight = null!, _bias = null!;

    /// <summary>How the weights start.</summary>
    public Initialiser Weights { get; init; } = Initialiser.GlorotUniform;

    /// <summary>How the biases start.</summary>
    public Initialiser Biases { get; init; } = Initialiser.Zero;

    /// <summary>w, (outputs, inputs).</summary>
    internal Tensor Weight => _weight.Value;

    /// <summary>b, (outputs).</summary>
    internal Tensor Bias => _bias.Value;

    public override string What => $"dense, {Activation}";

    public override IReadOnlyList<string> Prefixes => heads.Length == 0 ? [Name] : heads;

    public override bool HasTangent => IsPiecewiseLinear;

    protected override Shape Prepare(Planner planner, Shape x)
    {
        string[] names = heads.Length == 0 ? [Name] : heads;
        Shape w = new(outputs * names.Length, x.RowLength);
        _weight = planner.Stacked(w, Weights, x.RowLength, outputs, [.. names.Select(n => n + ".weight")]);
        _bias = planner.Stacked(new Shape(outputs * names.Length), Biases, 0, 0, [.. names.Select(n => n + ".bias")]);
        return new(x.Rows, w[0]);
    }

    private protected override void Bind(Planner planner)
        => planner.Scratch(Math.Max(Dense.ScratchFloats(planner.Device, X.Shape.Rows, _weight.Value.Shape), BiasActivation.ScratchFloats(Y.Shape)));

    public override void Forward(Device device) => Dense.Forward(device, Y, X, _weight.Value, _bias.Value, Activation);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        BackwardActivation(device, parameters ? _bias : null);
        if (dx is { } target)
            Dense.BackwardData(device, target, DY, _weight.Value);
    }

    public override void BackwardWeights(Device device) => Dense.BackwardWeights(device, _weight.Gradient, DY, X, _weight.AddsGradient());

    internal override void Tangent(Device device, Tensor scratch)
    {
        Tensor u = scratch.Slice(0, Y.Shape);
        Dense.Forward(device, u, X, _weight.Value, null, Activation.Linear);
        MaskTangent(device, u);
    }
}
