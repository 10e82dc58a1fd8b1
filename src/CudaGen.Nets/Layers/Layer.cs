using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// A layer with its activation: y = f(op(x)). It keeps its input and output, and the gradients of both, so that its passes
/// need no arguments; <see cref="Network"/> calls them in order.
/// </summary>
public abstract class Layer(string name, Activation activation)
{
    private bool _hasParameters;

    public string Name { get; } = name;

    public Activation Activation { get; } = activation;

    /// <summary>The input; it belongs to the layer before.</summary>
    public Tensor X { get; private set; }

    /// <summary>The output.</summary>
    public Tensor Y { get; private set; }

    /// <summary>Where the gradient of x goes, which belongs to the layer before; empty where nobody asks for it.</summary>
    public Tensor DX { get; private set; }

    /// <summary>
    /// The gradient of the loss with respect to y. The layer after writes it; <see cref="BackwardInput"/> turns it into the
    /// gradient before the activation, in place.
    /// </summary>
    public Tensor DY { get; private set; }

    /// <summary>What the layer after gets as its DX: DY, if that serves a parameter or the gradient of x, or an empty tensor.</summary>
    internal Tensor WantedGradient => _hasParameters || DX.Length > 0 ? DY : default;

    /// <summary>One line on what the layer computes.</summary>
    public abstract string What { get; }

    /// <summary>What stands before the dot in the names of its parameters.</summary>
    public virtual IReadOnlyList<string> Prefixes => [Name];

    /// <summary>Whether a row of y depends on other rows of x, as in a batch norm.</summary>
    public virtual bool CouplesRows => false;

    /// <summary>
    /// Whether the layer is linear in x wherever it can be differentiated, up to its bias, and has <see cref="Tangent"/>: what a gradient
    /// penalty asks of a critic.
    /// </summary>
    public virtual bool HasTangent => false;

    /// <summary>Takes parameters, output and workspace for this input.</summary>
    /// <param name="planner">Where from.</param>
    /// <param name="x">The input.</param>
    /// <param name="dx">Its gradient, or an empty tensor.</param>
    /// <param name="y">Where the output goes, or null for a tensor of its own.</param>
    internal void Plan(Planner planner, Tensor x, Tensor dx, Tensor? y)
    {
        (long before, int parameters) = (planner.TrainedNumbers, planner.ParametersOfLayers);
        (X, DX) = (x, dx);
        Shape shape = Prepare(planner, x.Shape);
        _hasParameters = planner.ParametersOfLayers > parameters;
        (Y, DY) = Outputs(planner, shape, y);
        Bind(planner);
        planner.Layers.Add(new(planner.GroupPrefix + Name, What, shape, planner.TrainedNumbers - before));
    }

    /// <summary>The same layer, with the same parameters and memory, for rows [first, first + count) of the batch.</summary>
    internal Layer Rows(Planner planner, int first, int count, Tensor dx)
    {
        var rows = (Layer)MemberwiseClone();
        (rows.X, rows.Y, rows.DX) = (X.Rows(first, count), Y.Rows(first, count), dx);
        rows.DY = planner.Training ? DY.Rows(first, count) : default;
        rows.TakeRows(first, count);
        rows.Bind(planner);
        return rows;
    }

    private protected virtual (Tensor Y, Tensor DY) Outputs(Planner planner, Shape shape, Tensor? y)
        => (y?.Reshape(shape) ?? planner.Activation(shape), planner.Gradient(shape));

    /// <summary>Takes the parameters for an input of this shape, and returns the shape of the output.</summary>
    protected abstract Shape Prepare(Planner planner, Shape x);

    /// <summary>Narrows further tensors of the batch to some of its rows.</summary>
    private protected virtual void TakeRows(int first, int count) { }

    /// <summary>Takes what belongs to this batch alone: plans and scratch memory.</summary>
    private protected virtual void Bind(Planner planner) { }

    /// <summary>y = f(op(x)), as in training.</summary>
    public abstract void Forward(Device device);

    /// <summary>The same as in use: running statistics, no dropout.</summary>
    public virtual void Infer(Device device) => Forward(device);

    /// <summary>Draws the random numbers of a pass, if the layer has any.</summary>
    public virtual void Draw(Device device, ulong seed, uint stream, Buffer<ulong> counter) { }

    /// <summary>
    /// From DY, which becomes the gradient before the activation: overwrites <paramref name="dx"/> with the gradient of x unless
    /// null, and, with <paramref name="parameters"/>, adds the gradients of all parameters but the weights.
    /// </summary>
    public abstract void BackwardInput(Device device, Tensor? dx, bool parameters);

    /// <summary>After <see cref="BackwardInput"/>: adds the gradient of the weights, from X and DY.</summary>
    public virtual void BackwardWeights(Device device) { }

    /// <summary>
    /// Overwrites y with f'(y) op(x) without the bias, where x has been overwritten with a tangent before: one step of the forward
    /// derivative.
    /// </summary>
    /// <param name="device">The device.</param>
    /// <param name="scratch">At least as long as y; overwritten.</param>
    internal virtual void Tangent(Device device, Tensor scratch) => throw new NotSupportedException($"{Name} ({What}) has no tangent");

    /// <summary>Parts of the batch that the gradients of biases are summed over.</summary>
    internal BatchParts Parts { get; set; } = BatchParts.Whole;

    /// <summary>DY to the gradient before the activation, in place; its sum over rows is added to the gradient of <paramref name="bias"/>.</summary>
    private protected void BackwardActivation(Device device, Parameter? bias)
        => BiasActivation.Backward(device, DY, DY, Y, bias?.Gradient, Activation, bias?.AddsGradient() ?? false, Parts);

    private protected bool IsPiecewiseLinear => Activation.Kind is ActivationKind.Linear or ActivationKind.Relu or ActivationKind.LeakyRelu;

    /// <summary>y = f'(y) u, where u is <paramref name="scratch"/>.</summary>
    private protected void MaskTangent(Device device, Tensor scratch) => BiasActivation.Backward(device, Y, scratch, Y, null, Activation);
}
