using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>A trained tensor: a view into the parameter arena of its network and one into the gradient arena, at the same place.</summary>
/// <param name="Name">layer.weight, layer.bias, layer.gamma or layer.beta.</param>
/// <param name="Value">The tensor.</param>
/// <param name="Gradient">Its gradient; empty without training.</param>
/// <param name="Initialiser">How it starts.</param>
/// <param name="FanIn">Inputs of an output.</param>
/// <param name="FanOut">Outputs of an input.</param>
public sealed record Parameter(string Name, Tensor Value, Tensor Gradient, Initialiser Initialiser, int FanIn, int FanOut)
{
    /// <summary>Whether a pass has written the gradient since <see cref="ParameterGroup.ZeroGradients"/>.</summary>
    internal bool HasGradient { get; private set; }

    /// <summary>
    /// What a pass asks that is about to write the gradient: whether to add to it. The first one after
    /// <see cref="ParameterGroup.ZeroGradients"/> overwrites, so that no gradient is zeroed in memory and then added to.
    /// </summary>
    internal bool AddsGradient()
    {
        bool add = HasGradient;
        HasGradient = true;
        return add;
    }

    internal void ZeroGradient() => HasGradient = false;
}

/// <summary>What a network keeps without training it, such as a running mean.</summary>
/// <param name="Name">layer.running_mean or layer.running_var.</param>
/// <param name="Value">The tensor.</param>
/// <param name="Start">What its elements start as.</param>
public sealed record Statistic(string Name, Tensor Value, float Start);

/// <summary>The parameters of one network, which one optimiser updates.</summary>
public sealed class ParameterGroup
{
    private readonly Arena _values;
    private readonly Arena? _gradients;

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

    /// <summary>The parameters as layers have them, frozen ones too: several that one product computes are one.</summary>
    internal List<Parameter> OfLayers { get; } = [];

    /// <summary>Makes the next backward pass overwrite all gradients. They keep what they hold until then.</summary>
    public void ZeroGradients()
    {
        foreach (Parameter parameter in OfLayers)
            parameter.ZeroGradient();
    }

    /// <summary>An update would take what an update before has left.</summary>
    /// <exception cref="InvalidOperationException">No pass has written a gradient since <see cref="ZeroGradients"/>.</exception>
    internal void RequireGradients()
    {
        foreach (Parameter parameter in OfLayers)
        {
            if (!parameter.HasGradient)
                throw new InvalidOperationException($"an update of {parameter.Name}, whose gradient no pass has written");
        }
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
    internal Tensor In(Tensor flat, Tensor value) => flat.Slice(Start(value), value.Shape);

    /// <summary>Where a tensor of parameters starts in <see cref="Value"/>.</summary>
    internal int Start(Tensor value) => (int)((value.Address - Value.Address) / sizeof(float));

    /// <summary>Everything that makes the network what it is: parameters, frozen ones, statistics.</summary>
    public IEnumerable<NamedTensor> Tensors()
        => [.. Parameters.Select(p => new NamedTensor(p.Name, p.Value)), .. Frozen.Select(p => new NamedTensor(p.Name, p.Value)),
            .. Statistics.Select(s => new NamedTensor(s.Name, s.Value))];
}
