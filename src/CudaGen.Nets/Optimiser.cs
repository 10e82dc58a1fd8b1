using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>The numbers of an optimiser: either Adam's or RMSProp's.</summary>
public sealed record OptimiserOptions
{
    public AdamOptions? Adam { get; private init; }

    public RmsPropOptions? RmsProp { get; private init; }

    public static implicit operator OptimiserOptions(AdamOptions adam) => new() { Adam = adam };

    public static implicit operator OptimiserOptions(RmsPropOptions rmsProp) => new() { RmsProp = rmsProp };

    public static OptimiserOptions FromAdamOptions(AdamOptions adam) => adam;

    public static OptimiserOptions FromRmsPropOptions(RmsPropOptions rmsProp) => rmsProp;
}

/// <summary>An optimiser of one network with its moments and, for Adam's correction, its own count of updates, all in device memory.</summary>
public sealed class Optimiser
{
    private readonly ParameterGroup _group;
    private readonly Tensor _first, _second;
    private readonly Buffer<ulong> _updates;
    private readonly List<(int Start, Shape Shape)> _parts = [];

    internal Optimiser(string name, ParameterGroup group, OptimiserOptions options, Arena moments, Buffer<ulong> updates)
    {
        (Name, _group, Options, _updates) = (name, group, options, updates);
        Shape flat = group.Value.Shape;
        _second = moments.Take(flat);
        if (options.Adam is not null)
            _first = moments.Take(flat);
        Cut();
    }

    // On a CPU, large weights begin a part, and with it loops of their own: their halves meet the threads that have multiplied with them. A GPU takes
    // all in one launch.
    private void Cut()
    {
        int first = 0;
        foreach (Parameter parameter in _group.Parameters)
        {
            int start = _group.Start(parameter.Value);
            if (start == first || parameter.Value.Length < Dense.MinSplitLength || parameter.Value.Kind != DeviceKind.Cpu)
                continue;
            _parts.Add((first, new(start - first)));
            first = start;
        }
        _parts.Add((first, new(_second.Length - first)));
    }

    /// <summary>Name in checkpoints.</summary>
    public string Name { get; }

    public OptimiserOptions Options { get; }

    /// <summary>Adam's first moment.</summary>
    internal Tensor First => _first;

    /// <summary>The second moment, or RMSProp's mean square.</summary>
    internal Tensor Second => _second;

    /// <summary>Updates by Adam that are done.</summary>
    internal Buffer<ulong> Updates => _updates;

    /// <summary>One update from the gradients of the group.</summary>
    public void Update(Device device) => Update(device, 1);

    /// <summary>One update with the learning rate times <paramref name="rate"/>.</summary>
    public void Update(Device device, float rate)
    {
        _group.RequireGradients();
        (Tensor value, Tensor gradient) = (_group.Value, _group.Gradient);
        foreach ((int start, Shape shape) in _parts)
        {
            (Tensor p, Tensor g, Tensor second) = (value.Slice(start, shape), gradient.Slice(start, shape), _second.Slice(start, shape));
            if (Options.Adam is { } adam)
                Optimisers.Adam(device, p, g, _first.Slice(start, shape), second, _updates, adam with { LearningRate = adam.LearningRate * rate });
            else if (Options.RmsProp is { } rmsProp)
                Optimisers.RmsProp(device, p, g, second, rmsProp with { LearningRate = rmsProp.LearningRate * rate });
        }
        if (Options.Adam is not null)
            StepState.Count(device, _updates);
    }

    // TensorFlow 1's mean square starts at 1.
    internal void Start(Device device)
    {
        if (Options.RmsProp is { InsideRoot: true })
            RandomFill.Constant(device, _second, 1);
    }

    internal IEnumerable<NamedTensor> State()
    {
        foreach (Parameter p in _group.Parameters)
        {
            if (Options.Adam is not null)
                yield return new($"{Name}.m.{p.Name}", _group.In(_first, p));
            yield return new($"{Name}.v.{p.Name}", _group.In(_second, p));
        }
        if (Options.Adam is not null)
            yield return new($"{Name}.updates", _updates);
    }
}
