using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>How a convolution treats the border.</summary>
public enum Border
{
    /// <summary>TensorFlow's SAME: as many outputs as inputs divided by the stride, rounded up.</summary>
    Same,

    /// <summary>No padding: only where the kernel lies wholly within the image.</summary>
    Valid,
}

/// <summary>
/// A convolution, (N, H, W, C) to (N, P, Q, filters): P = ceil(H / stride) with <see cref="Border.Same"/>,
/// (H - kernel) / stride + 1 with <see cref="Border.Valid"/>.
/// </summary>
public sealed class ConvLayer(string name, int filters, int kernel, int stride, Activation activation) : Layer(name, activation)
{
    private Parameter _weight = null!;
    private Parameter? _bias;
    private ConvolutionPlan _plan = null!;

    public Border Border { get; init; }

    /// <summary>Whether there is a bias; a batch norm behind the layer would take it away again.</summary>
    public bool HasBias { get; init; } = true;

    /// <summary>How the weights start.</summary>
    public Initialiser Weights { get; init; } = Initialiser.GlorotUniform;

    /// <summary>How the biases start.</summary>
    public Initialiser Biases { get; init; } = Initialiser.Zero;

    public override string What => $"conv {kernel}x{kernel}, stride {stride}, {Activation}";

    public override bool HasTangent => IsPiecewiseLinear;

    protected override Shape Prepare(Planner planner, Shape x)
    {
        Shape w = new(filters, kernel, kernel, x.Channels);
        _weight = planner.Parameter(Name + ".weight", w, Weights, w.RowLength, kernel * kernel * filters);
        _bias = HasBias ? planner.Parameter(Name + ".bias", new Shape(filters), Biases) : null;
        return Geometry(x).Y;
    }

    private ConvolutionShape Geometry(Shape x)
        => Border == Border.Same ? ConvolutionShape.Same(x, _weight.Value.Shape, stride) : new(x, _weight.Value.Shape, stride, Padding.None);

    private protected override void Bind(Planner planner)
    {
        _plan = planner.Own(new ConvolutionPlan(planner.Device, Geometry(X.Shape)));
        planner.Scratch(Math.Max(_plan.ScratchFloats, BiasActivation.ScratchFloats(Y.Shape)));
    }

    public override void Forward(Device device) => Convolution.Forward(device, _plan, Y, X, _weight.Value, _bias?.Value, Activation);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        BackwardActivation(device, parameters ? _bias : null);
        if (dx is { } target)
            Convolution.BackwardData(device, _plan, target, DY, _weight.Value);
    }

    public override void BackwardWeights(Device device) => Convolution.BackwardFilter(device, _plan, _weight.Gradient, DY, X, _weight.AddsGradient());

    internal override void Tangent(Device device, Tensor scratch)
    {
        Tensor u = scratch.Slice(0, Y.Shape);
        Convolution.Forward(device, _plan, u, X, _weight.Value, null, Activation.Linear);
        MaskTangent(device, u);
    }
}

/// <summary>
/// A transposed convolution: (N, P, Q, K) to (N, P stride, Q stride, filters) with <see cref="Border.Same"/>,
/// to (P - 1) stride + kernel rows with <see cref="Border.Valid"/>. It is the backward-data pass of the convolution that goes the other
/// way, and its own gradients are that convolution's other two passes.
/// </summary>
public sealed class ConvTransposeLayer(string name, int filters, int kernel, int stride, Activation activation) : Layer(name, activation)
{
    private Parameter _weight = null!;
    private Parameter? _bias;
    private ConvolutionPlan _plan = null!;

    public Border Border { get; init; }

    /// <summary>Whether there is a bias; a batch norm behind the layer would take it away again.</summary>
    public bool HasBias { get; init; } = true;

    /// <summary>How the weights start.</summary>
    public Initialiser Weights { get; init; } = Initialiser.GlorotUniform;

    public override string What => $"transposed conv {kernel}x{kernel}, stride {stride}, {Activation}";

    protected override Shape Prepare(Planner planner, Shape x)
    {
        Shape w = new(x.Channels, kernel, kernel, filters);
        _weight = planner.Parameter(Name + ".weight", w, Weights, kernel * kernel * x.Channels, kernel * kernel * filters);
        _bias = HasBias ? planner.Parameter(Name + ".bias", new Shape(filters)) : null;
        return Geometry(x).X;
    }

    private ConvolutionShape Geometry(Shape x)
    {
        Shape w = _weight.Value.Shape;
        return Border == Border.Same ? ConvolutionShape.SameTransposed(x, w, stride)
            : new(new(x[0], (x[1] - 1) * stride + kernel, (x[2] - 1) * stride + kernel, filters), w, stride, Padding.None);
    }

    private protected override void Bind(Planner planner)
    {
        _plan = planner.Own(new ConvolutionPlan(planner.Device, Geometry(X.Shape)));
        planner.Scratch(Math.Max(_plan.ScratchFloats, BiasActivation.ScratchFloats(Y.Shape)));
    }

    public override void Forward(Device device) => Convolution.BackwardData(device, _plan, Y, X, _weight.Value, _bias?.Value, Activation);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        BackwardActivation(device, parameters ? _bias : null);
        if (dx is { } target)
            Convolution.Forward(device, _plan, target, DY, _weight.Value, null, Activation.Linear);
    }

    public override void BackwardWeights(Device device) => Convolution.BackwardFilter(device, _plan, _weight.Gradient, X, DY, _weight.AddsGradient());
}
