using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>y = x with the one-hot label of each row behind it (Mirza and Osindero 2014).</summary>
/// <param name="name">Name of the layer.</param>
/// <param name="labels">(N, classes), one-hot; belongs to the model.</param>
public sealed class LabelLayer(string name, Tensor labels) : Layer(name, Activation.Linear)
{
    private Tensor _labels = labels;

    public override string What => "labels appended";

    protected override Shape Prepare(Planner planner, Shape x) => new(x.Rows, x.RowLength + _labels.Shape.RowLength);

    private protected override void TakeRows(int first, int count) => _labels = _labels.Rows(first, count);

    public override void Forward(Device device) => Concat.Forward(device, Y, X, _labels);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        if (dx is { } target)
            Concat.Backward(device, target, null, DY);
    }
}

/// <summary>
/// Minibatch discrimination (Salimans et al. 2016, section 3.2): y is x with <paramref name="kernels"/> numbers behind it that tell how
/// close a row is to the others of the batch, so that a discriminator sees when a generator makes one image only.
/// </summary>
/// <param name="name">Name of the layer.</param>
/// <param name="kernels">B of the paper.</param>
/// <param name="dimensions">C of the paper.</param>
public sealed class MinibatchDiscriminationLayer(string name, int kernels, int dimensions) : Layer(name, Activation.Linear)
{
    private Parameter _weight = null!;
    private Tensor _products, _dproducts, _closeness, _dcloseness, _dx;

    public override string What => $"minibatch discrimination {kernels}x{dimensions}";

    public override bool CouplesRows => true;

    protected override Shape Prepare(Planner planner, Shape x)
    {
        _weight = planner.Parameter(Name + ".weight", new(kernels * dimensions, x.RowLength), Initialiser.Normal(0.05f));
        return new(x.Rows, x.RowLength + kernels);
    }

    private protected override void Bind(Planner planner)
    {
        int rows = X.Shape.Rows;
        _products = planner.Activation(new(rows, kernels, dimensions));
        _closeness = planner.Activation(new(rows, kernels));
        _dproducts = planner.Gradient(new(rows, kernels, dimensions));
        _dcloseness = planner.Gradient(new(rows, kernels));
        _dx = planner.Gradient(X.Shape);
        planner.Scratch(Dense.ScratchFloats(planner.Device, rows, _weight.Value.Shape));
    }

    public override void Forward(Device device)
    {
        Dense.Forward(device, _products.Reshape(new(X.Shape.Rows, kernels * dimensions)), X, _weight.Value, null, Activation.Linear);
        MinibatchDiscrimination.Forward(device, _closeness, _products);
        Concat.Forward(device, Y, X, _closeness);
    }

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        Concat.Backward(device, _dx, _dcloseness, DY);
        MinibatchDiscrimination.Backward(device, _dproducts, _dcloseness, _products);
        if (dx is not { } target)
            return;
        Dense.BackwardData(device, target, Flat(_dproducts), _weight.Value);
        Arithmetic.Add(device, target, target, _dx.Reshape(target.Shape));
    }

    public override void BackwardWeights(Device device) => Dense.BackwardWeights(device, _weight.Gradient, Flat(_dproducts), X, _weight.AddsGradient());

    private Tensor Flat(Tensor products) => products.Reshape(new(products.Shape.Rows, kernels * dimensions));
}
