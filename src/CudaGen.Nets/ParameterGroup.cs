using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>A trained tensor: a view into the parameter arena of its network and one into the gradient arena, at the same place.</summary>
/// <param name="Name">layer.weight, layer.bias, layer.gamma or layer.beta.</param>
/// <param name="Value">The tensor.</param>
/// <param name="Gradient">Its gradient; empty without training.</param>
/// <param name="Initialiser">How it starts.</param>
/// <param name="FanIn">Inputs of an output.</param>
/// <param name="FanOut">Outputs of an input.</param>
public sealed record Parameter(string Name, Tensor Value, Tensor Gradient, Initialiser Initialiser, int FanIn, int FanOut);

/// <summary>What a network keeps without training it, such as a running mean.</summary>
/// <param name="Name">layer.running_mean or layer.running_var.</param>
/// <param name="Value">The tensor.</param>
/// <param name="Start">What its elements start as.</param>
public sealed record Statistic(string Name, Tensor Value, float Start);

/// <summary>
/// The gradient of a dense layer's weights. They are most of a fully connected network, so they are not zeroed and then added to: the first
/// product after <see cref="ParameterGroup.ZeroGradients"/> overwrites them.
/// </summary>
internal sealed class MatrixGradient(Tensor value)
{
    private bool _stale = true;

    public Tensor Value => value;

    /// <summary>From now on the next product overwrites.</summary>
    public void Zero() => _stale = true;

    /// <summary>Adds dy^T x, or overwrites with it what <see cref="Zero"/> left.</summary>
    public void Add(Device device, Tensor dy, Tensor x)
    {
        Dense.BackwardWeights(device, value, dy, x, add: !_stale);
        _stale = false;
    }
}

/// <summary>The parameters of one network, which one optimiser updates.</summary>
public sealed class ParameterGroup
{
    private readonly Arena _values;
    private readonly Arena? _gradients;
    private readonly List<MatrixGradient> _matrices = [];

    internal ParameterGroup(string name, Arena values, Arena? gradients) => (Name, _values, _gradients) = (name, values, gradients);

    /// <summary>Name of the network: d, g, or empty where there is only one.</summary>
    public string Name { get; }

    /// <summary>All parameters that are trained.</summary>
    public List<Parameter> Parameters { get; } = [];

    /// <summary>Parameters that no optimiser touches.</summary>
    public List<Parameter> Frozen { get; } = [];

    public List<Statistic> Statistics { get; } = [];

    /// <summary>All trained parameters as one flat tensor, gaps included.</summary>
    public Tensor Value => _values.AsTensor();

    /// <summary>Their gradients, in the same places.</summary>
    public Tensor Gradient => _gradients!.AsTensor();

    /// <summary>Makes the next backward pass overwrite all gradients. Those of matrices keep what they hold until then.</summary>
    public void ZeroGradients(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Tensor all = Gradient;
        int done = 0;
        foreach (MatrixGradient matrix in _matrices)
        {
            int first = (int)((matrix.Value.Address - all.Address) / sizeof(float));
            ZeroRange(first);
            done = first + matrix.Value.Length;
            matrix.Zero();
        }
        ZeroRange(all.Length);
        foreach (Parameter frozen in Frozen)
            RandomFill.Constant(device, frozen.Gradient, 0);

        void ZeroRange(int end)
        {
            if (end > done)
                RandomFill.Constant(device, all.Slice(done, new(end - done)), 0);
        }
    }

    /// <summary>A gradient, taken from <see cref="Gradients"/> after those before it, that need not be zeroed.</summary>
    internal MatrixGradient Matrix(Tensor gradient)
    {
        _matrices.Add(new(gradient));
        return _matrices[^1];
    }

    internal Arena Values => _values;

    internal Arena? Gradients => _gradients;

    /// <summary>What belongs to a parameter in a flat tensor of the same layout, such as a moment.</summary>
    public Tensor In(Tensor flat, Parameter parameter)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        return In(flat, parameter.Value);
    }

    /// <summary>The same for a tensor of parameters, of one or of several that lie one after the other.</summary>
    internal Tensor In(Tensor flat, Tensor value) => flat.Slice((int)((value.Address - Value.Address) / sizeof(float)), value.Shape);

    /// <summary>Everything that makes the network what it is: parameters, frozen ones, statistics.</summary>
    public IEnumerable<NamedTensor> Tensors()
        => [.. Parameters.Select(p => new NamedTensor(p.Name, p.Value)), .. Frozen.Select(p => new NamedTensor(p.Name, p.Value)),
            .. Statistics.Select(s => new NamedTensor(s.Name, s.Value))];
}
