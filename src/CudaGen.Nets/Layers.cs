using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// A layer with its activation: y = f(op(x)). <see cref="Plan"/> is called once, then Forward and Backward any number of
/// times; between them the layer keeps x and y.
/// </summary>
public abstract class Layer(string name, Activation activation)
{
    public string Name { get; } = name;

    public Activation Activation { get; } = activation;

    /// <summary>The input; it belongs to the layer before.</summary>
    public Tensor X { get; private set; }

    /// <summary>The output.</summary>
    public Tensor Y { get; private set; }

    /// <summary>
    /// The gradient of the loss with respect to y. The layer after writes it; <see cref="Backward"/> turns it into the
    /// gradient before the activation, in place.
    /// </summary>
    public Tensor DY { get; private set; }

    /// <summary>Takes parameters, output and workspace for this input, and returns the output.</summary>
    public Tensor Plan(Planner planner, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(planner);
        int before = planner.Parameters.Sum(p => p.Value.Length);
        X = x;
        Shape y = Prepare(planner, x.Shape);
        Y = planner.Activation(y);
        DY = planner.Gradient(y);
        planner.Layers.Add(new(Name, What, y, planner.Parameters.Sum(p => p.Value.Length) - before));
        return Y;
    }

    /// <summary>One line on what the layer computes.</summary>
    public abstract string What { get; }

    /// <summary>Takes what the layer needs for an input of this shape and returns the shape of its output.</summary>
    protected abstract Shape Prepare(Planner planner, Shape x);

    /// <summary>y = f(op(x))</summary>
    public abstract void Forward(Device device);

    /// <summary>
    /// From DY: adds the gradients of the parameters, and overwrites <paramref name="dx"/> with that of x unless null.
    /// </summary>
    public abstract void Backward(Device device, Tensor? dx);
}

/// <summary>y = f(x w^T + b) with one or several named blocks of outputs that are computed by one product.</summary>
public sealed class DenseLayer(string name, int outputs, Activation activation, params string[] heads) : Layer(name, activation)
{
    private (Tensor Value, Tensor Gradient) _weight, _bias;

    public override string What => $"dense, {Activation}";

    protected override Shape Prepare(Planner planner, Shape x)
    {
        string[] names = heads.Length == 0 ? [Name] : heads;
        Shape w = new(outputs * names.Length, x.RowLength);
        _weight = planner.Stacked(w, Initialiser.GlorotUniform, x.RowLength, outputs, [.. names.Select(n => n + ".weight")]);
        _bias = planner.Stacked(new Shape(outputs * names.Length), Initialiser.Zero, 0, 0, [.. names.Select(n => n + ".bias")]);
        Shape y = new(x.Rows, w[0]);
        planner.Scratch(Math.Max(Dense.ScratchFloats(x.Rows, w), BiasActivation.ScratchFloats(y)));
        return y;
    }

    public override void Forward(Device device) => Dense.Forward(device, Y, X, _weight.Value, _bias.Value, Activation);

    public override void Backward(Device device, Tensor? dx)
    {
        BiasActivation.Backward(device, DY, DY, Y, _bias.Gradient, Activation);
        Dense.BackwardWeights(device, _weight.Gradient, DY, X);
        if (dx is { } target)
            Dense.BackwardData(device, target, DY, _weight.Value);
    }
}

/// <summary>A convolution with TensorFlow's SAME padding: (N, H, W, C) to (N, ceil(H/stride), ceil(W/stride), filters).</summary>
public sealed class ConvLayer(string name, int filters, int kernel, int stride, Activation activation) : Layer(name, activation)
{
    private Parameter _weight = null!, _bias = null!;
    private ConvolutionPlan _plan = null!;

    public override string What => $"conv {kernel}x{kernel}, stride {stride}, {Activation}";

    protected override Shape Prepare(Planner planner, Shape x)
    {
        Shape w = new(filters, kernel, kernel, x.Channels);
        _weight = planner.Parameter(Name + ".weight", w, Initialiser.GlorotUniform, w.RowLength, kernel * kernel * filters);
        _bias = planner.Parameter(Name + ".bias", new Shape(filters));
        _plan = planner.Own(new ConvolutionPlan(planner.Device, ConvolutionShape.Same(x, w, stride)));
        planner.Scratch(Math.Max(_plan.ScratchFloats, BiasActivation.ScratchFloats(_plan.Shape.Y)));
        return _plan.Shape.Y;
    }

    public override void Forward(Device device)
        => Convolution.Forward(device, _plan, Y, X, _weight.Value, _bias.Value, Activation);

    public override void Backward(Device device, Tensor? dx)
    {
        BiasActivation.Backward(device, DY, DY, Y, _bias.Gradient, Activation);
        Convolution.BackwardFilter(device, _plan, _weight.Gradient, DY, X);
        if (dx is { } target)
            Convolution.BackwardData(device, _plan, target, DY, _weight.Value);
    }
}

/// <summary>
/// A transposed convolution with SAME padding: (N, P, Q, K) to (N, P*stride, Q*stride, filters). It is the backward-data
/// pass of the convolution that goes the other way, and its own gradients are that convolution's other two passes.
/// </summary>
public sealed class ConvTransposeLayer(string name, int filters, int kernel, int stride, Activation activation) : Layer(name, activation)
{
    private Parameter _weight = null!, _bias = null!;
    private ConvolutionPlan _plan = null!;

    public override string What => $"transposed conv {kernel}x{kernel}, stride {stride}, {Activation}";

    protected override Shape Prepare(Planner planner, Shape x)
    {
        Shape w = new(x.Channels, kernel, kernel, filters);
        _weight = planner.Parameter(Name + ".weight", w, Initialiser.GlorotUniform, kernel * kernel * x.Channels, kernel * kernel * filters);
        _bias = planner.Parameter(Name + ".bias", new Shape(filters));
        _plan = planner.Own(new ConvolutionPlan(planner.Device, ConvolutionShape.SameTransposed(x, w, stride)));
        planner.Scratch(Math.Max(_plan.ScratchFloats, BiasActivation.ScratchFloats(_plan.Shape.X)));
        return _plan.Shape.X;
    }

    public override void Forward(Device device)
        => Convolution.BackwardData(device, _plan, Y, X, _weight.Value, _bias.Value, Activation);

    public override void Backward(Device device, Tensor? dx)
    {
        BiasActivation.Backward(device, DY, DY, Y, _bias.Gradient, Activation);
        Convolution.BackwardFilter(device, _plan, _weight.Gradient, X, DY);
        if (dx is { } target)
            Convolution.Forward(device, _plan, target, DY, _weight.Value, null, Activation.Linear);
    }
}

/// <summary>Gives the output of the layer before another shape; no memory moves, as images are NHWC throughout.</summary>
public static class ShapeOf
{
    /// <summary>A flat (N, H*W*C) tensor as images (N, H, W, C).</summary>
    public static Tensor AsImages(this Tensor x, int height, int width, int channels)
        => x.Reshape(new Shape(x.Shape.Rows, height, width, channels));
}
