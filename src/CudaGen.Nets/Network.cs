using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// Layers, one after the other. It is planned once for an input; its passes then read and write the tensors of that plan.
/// <see cref="Rows"/> gives the same network, with the same parameters, on a part of the batch.
/// </summary>
public sealed class Network
{
    private readonly Layer[] _layers;
    private Tensor _tangent;

    /// <param name="layers">At least one.</param>
    public Network(params Layer[] layers)
    {
        ArgumentNullException.ThrowIfNull(layers);
        ArgumentOutOfRangeException.ThrowIfZero(layers.Length);
        _layers = layers;
    }

    public IReadOnlyList<Layer> Layers => _layers;

    /// <summary>The input, first extent the batch.</summary>
    public Tensor X => _layers[0].X;

    /// <summary>The output.</summary>
    public Tensor Y => _layers[^1].Y;

    /// <summary>The gradient of the input, where it was asked for.</summary>
    public Tensor DX => _layers[0].DX;

    /// <summary>The gradient of the output, which the loss writes and the backward pass overwrites.</summary>
    public Tensor DY => _layers[^1].DY;

    /// <summary>Whether a row of the output depends on other rows of the input.</summary>
    public bool CouplesRows => _layers.Any(l => l.CouplesRows);

    /// <summary>Takes all tensors for an input, and returns the output.</summary>
    /// <param name="planner">Where from.</param>
    /// <param name="x">The input.</param>
    /// <param name="dx">Where its gradient goes; none without.</param>
    /// <param name="y">Where the output goes; a tensor of its own without.</param>
    public Tensor Plan(Planner planner, Tensor x, Tensor dx = default, Tensor? y = null)
    {
        ArgumentNullException.ThrowIfNull(planner);
        // A reshape at the end has no memory of its own.
        Layer last = _layers.Last(l => l is not ReshapeLayer);
        foreach (Layer layer in _layers)
        {
            layer.Plan(planner, x, dx, layer == last ? y : null);
            (x, dx) = (layer.Y, layer.WantedGradient);
        }
        return Y;
    }

    /// <summary>
    /// This network on rows [<paramref name="first"/>, <paramref name="first"/> + <paramref name="count"/>) of its batch: the same
    /// parameters and, row by row, the same memory.
    /// </summary>
    public Network Rows(Planner planner, int first, int count, Tensor dx = default)
    {
        ArgumentNullException.ThrowIfNull(planner);
        Layer[] layers = new Layer[_layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            layers[i] = _layers[i].Rows(planner, first, count, dx);
            dx = layers[i].WantedGradient;
        }
        return new(layers);
    }

    /// <summary>Refuses a layer without <see cref="Layer.HasTangent"/>, by its name.</summary>
    /// <exception cref="InputException">There is one.</exception>
    public void RequireTangents()
    {
        if (_layers.FirstOrDefault(l => !l.HasTangent) is { } layer)
        {
            throw new InputException($"layer '{layer.Name}' ({layer.What}) has no second derivative here, "
                + "expected a critic of convolutions, dense layers, average pooling, dropout, ReLU and leaky ReLU");
        }
    }

    /// <summary>Takes what <see cref="Tangent"/> needs.</summary>
    /// <exception cref="InputException">A layer has no tangent; the message names it.</exception>
    public void PlanTangent(Planner planner)
    {
        ArgumentNullException.ThrowIfNull(planner);
        RequireTangents();
        _tangent = planner.Activation(new(_layers.Max(l => l.Y.Length)));
    }

    /// <summary>Sums the gradients of biases over parts of the batch.</summary>
    internal void SumInParts(BatchParts parts)
    {
        foreach (Layer layer in _layers)
            layer.Parts = parts;
    }

    /// <summary>Outputs as in training.</summary>
    public void Forward(Device device)
    {
        foreach (Layer layer in _layers)
            layer.Forward(device);
    }

    /// <summary>Outputs as in use: running statistics, no dropout.</summary>
    public void Infer(Device device)
    {
        foreach (Layer layer in _layers)
            layer.Infer(device);
    }

    /// <summary>Draws the random numbers of the next pass.</summary>
    /// <param name="device">The device.</param>
    /// <param name="seed">Key of all random numbers.</param>
    /// <param name="stream">The first of as many streams as there are layers.</param>
    /// <param name="step">The number of the step.</param>
    public void Draw(Device device, ulong seed, uint stream, Buffer<ulong> step)
    {
        for (int i = 0; i < _layers.Length; i++)
            _layers[i].Draw(device, seed, stream + (uint)i, step);
    }

    /// <summary>From DY: the gradients of all parameters, added, and that of the input where the plan has a place for it.</summary>
    public void Backward(Device device)
    {
        for (int i = _layers.Length - 1; i >= 0; i--)
        {
            _layers[i].BackwardInput(device, Target(i), parameters: true);
            _layers[i].BackwardWeights(device);
        }
    }

    /// <summary>
    /// From DY: the gradient of the input where the plan has a place for it. With <paramref name="parameters"/> the gradients of all
    /// parameters but the weights, which <see cref="BackwardWeights"/> adds.
    /// </summary>
    public void BackwardInput(Device device, bool parameters) => BackwardLayers(device, parameters, ..);

    /// <summary>The same through some of the layers.</summary>
    internal void BackwardLayers(Device device, bool parameters, Range layers)
    {
        (int first, int count) = layers.GetOffsetAndLength(_layers.Length);
        for (int i = first + count - 1; i >= first; i--)
            _layers[i].BackwardInput(device, Target(i), parameters);
    }

    /// <summary>After <see cref="BackwardInput"/>: adds the gradients of the weights.</summary>
    public void BackwardWeights(Device device)
    {
        for (int i = _layers.Length - 1; i >= 0; i--)
            _layers[i].BackwardWeights(device);
    }

    /// <summary>
    /// Pushes a tangent, which X was overwritten with, forward: the inputs X of all layers become the derivative of what they were along
    /// it. The output keeps its value.
    /// </summary>
    /// <remarks>
    /// For a network that is linear in its input but for ReLUs this is all that the second derivative of its gradient needs:
    /// docs/derivations.md.
    /// </remarks>
    public void Tangent(Device device)
    {
        for (int i = 0; i < _layers.Length - 1; i++)
            _layers[i].Tangent(device, _tangent);
    }

    private Tensor? Target(int layer) => _layers[layer].DX.Length == 0 ? null : _layers[layer].DX;
}
