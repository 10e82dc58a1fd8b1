using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>A line of the table that describes a network.</summary>
/// <param name="Name">Name of the layer.</param>
/// <param name="What">What it computes.</param>
/// <param name="Output">Shape of its output, batch included.</param>
/// <param name="Parameters">Trained numbers.</param>
public sealed record LayerSummary(string Name, string What, Shape Output, long Parameters);

/// <summary>Bytes that a planned model takes.</summary>
public sealed record MemorySummary(long Parameters, long Gradients, long Moments, long Activations, long Scratch)
{
    public long Total => Parameters + Gradients + Moments + Activations + Scratch;
}

/// <summary>
/// Hands out the tensors of a model from a few arenas: parameters and gradients of each network, moments, and all the rest. A model
/// is built twice: first on arenas that only count, then on arenas of exactly that size.
/// </summary>
public sealed class Planner : IDisposable
{
    private readonly Planner? _measured;
    private readonly Arena _activations, _moments;
    private readonly List<ParameterGroup> _groups = [];
    private readonly List<Optimiser> _optimisers = [];
    private readonly List<(string Name, ParameterGroup Group, Tensor Flat)> _averages = [];
    private readonly List<Statistic> _states = [];
    private readonly List<IDisposable> _owned = [];
    private int _scratch;
    private Action<string, Shape>? _kept;

    private Planner(Device device, int batch, bool training, Planner? measured)
    {
        (Device, Batch, Training, _measured) = (device, batch, training, measured);
        _activations = Make("activations", measured?._activations);
        try
        {
            _moments = Make("moments", measured?._moments);
        }
        catch
        {
            // A GPU that has room for some of the arenas is left as it was found.
            _activations.Dispose();
            throw;
        }
    }

    private Arena Make(string name, Arena? measured) => _measured is null ? Arena.Measure(name) : new Arena(Device, name, measured!.Used);

    /// <summary>Builds on arenas that only count.</summary>
    /// <param name="device">The device.</param>
    /// <param name="batch">Images of a batch.</param>
    /// <param name="training">Whether gradients are wanted.</param>
    /// <param name="build">Takes the tensors.</param>
    /// <param name="kept">Called with the name and shape of everything that a file keeps, before anything is prepared for it.</param>
    public static Planner Measure(Device device, int batch, bool training, Action<Planner> build, Action<string, Shape>? kept = null)
        => Build(new(device, batch, training, null) { _kept = kept }, build);

    /// <summary>Builds on memory, and reserves the scratch memory of the device.</summary>
    /// <exception cref="DeviceException">The memory is not to be had.</exception>
    public static Planner Allocate(Device device, int batch, bool training, Action<Planner> build)
    {
        ArgumentNullException.ThrowIfNull(device);
        using Planner measured = Measure(device, batch, training, build);
        // A system that promises more memory than it has ends the program only when the memory is used.
        if (device.Kind == DeviceKind.Cpu && measured.Memory.Total > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)
            throw new DeviceException($"{measured.Memory.Total} bytes are not to be had, this machine has {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes}");
        return Build(new(device, batch, training, measured), planner =>
        {
            build(planner);
            device.ReserveScratch(planner._scratch);
        });
    }

    private static Planner Build(Planner planner, Action<Planner> build)
    {
        ArgumentNullException.ThrowIfNull(build);
        try
        {
            build(planner);
            return planner;
        }
        catch (OverflowException)
        {
            planner.Dispose();
            throw new ShapeException($"a batch of {planner.Batch}: a layer asks for scratch memory of more than {int.MaxValue} elements");
        }
        catch
        {
            planner.Dispose();
            throw;
        }
    }

    public Device Device { get; }

    public int Batch { get; }

    /// <summary>Whether gradients are wanted.</summary>
    public bool Training { get; }

    /// <summary>The parameters of each network, in the order in which they were begun.</summary>
    public IReadOnlyList<ParameterGroup> Groups => _groups;

    public IReadOnlyList<Optimiser> Optimisers => _optimisers;

    public List<LayerSummary> Layers { get; } = [];

    public MemorySummary Memory
        => new(_groups.Sum(g => g.Values.Used), _groups.Sum(g => g.Gradients?.Used ?? 0), _moments.Used, _activations.Used, (long)_scratch * sizeof(float));

    internal long TrainedNumbers => _groups.Sum(g => g.Parameters.Sum(p => (long)p.Value.Length));

    /// <summary>Parameters of the current network, frozen ones too.</summary>
    internal int ParametersOfLayers => Current.OfLayers.Count;

    internal string GroupPrefix => Current.Name.Length == 0 ? "" : Current.Name + ".";

    private ParameterGroup Current => _groups.Count > 0 ? _groups[^1] : Group("");

    /// <summary>Begins the parameters of a network; all that are taken from here on are its own.</summary>
    /// <param name="name">d, g, or empty where there is only one network.</param>
    public ParameterGroup Group(string name)
    {
        ParameterGroup? measured = _measured?._groups[_groups.Count];
        Arena values = Make($"{name} parameters", measured?.Values);
        try
        {
            ParameterGroup group = new(name, values, Training ? Make($"{name} gradients", measured?.Gradients) : null);
            _groups.Add(group);
            return group;
        }
        catch
        {
            values.Dispose();
            throw;
        }
    }

    /// <summary>An optimiser of all parameters of a group, which must be complete.</summary>
    public Optimiser Optimiser(string name, ParameterGroup group, OptimiserOptions options)
    {
        Optimiser optimiser = new(name, group, options, _moments, Buffer<ulong>(1));
        _optimisers.Add(optimiser);
        return optimiser;
    }

    /// <summary>A flat tensor with the layout of a group, for a moving average of its parameters.</summary>
    public Tensor Average(string name, ParameterGroup group)
    {
        ArgumentNullException.ThrowIfNull(group);
        Tensor flat = _moments.Take(group.Value.Shape);
        _averages.Add((name, group, flat));
        return flat;
    }

    /// <summary>A tensor that lives as long as the plan: activations, gradients of activations, inputs, losses.</summary>
    public Tensor Activation(Shape shape) => _activations.Take(shape);

    /// <summary>A flat tensor with the layout of a group, which must be complete; nothing that a later step depends on.</summary>
    internal Tensor Flat(ParameterGroup group) => Activation(new((int)(group.Values.Used / sizeof(float))));

    /// <summary>A gradient of an activation; an empty tensor when there is no training.</summary>
    public Tensor Gradient(Shape shape) => Training ? _activations.Take(shape) : default;

    /// <summary>A buffer that lives as long as the plan.</summary>
    public Buffer<T> Buffer<T>(int length) where T : unmanaged => _activations.Take<T>(length);

    /// <summary>A weight or bias with its gradient.</summary>
    public Parameter Parameter(string name, Shape shape, Initialiser initialiser = default, int fanIn = 0, int fanOut = 0)
    {
        _kept?.Invoke(name, shape);
        ParameterGroup group = Current;
        Parameter parameter = new(name, group.Values.Take(shape), Training ? group.Gradients!.Take(shape) : default, initialiser, fanIn, fanOut);
        group.Parameters.Add(parameter);
        group.OfLayers.Add(parameter);
        return parameter;
    }

    /// <summary>
    /// Parameters that lie one after the other, so that one product computes them all: (sum of rows, ...) cut into the
    /// named blocks of rows. Returns them as one.
    /// </summary>
    public Parameter Stacked(Shape shape, Initialiser initialiser, int fanIn, int fanOut, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            _kept?.Invoke(name, shape.WithRows(shape.Rows / names.Length));
        ParameterGroup group = Current;
        Tensor value = group.Values.Take(shape), gradient = Training ? group.Gradients!.Take(shape) : default;
        int rows = shape.Rows / names.Length;
        for (int i = 0; i < names.Length; i++)
        {
            group.Parameters.Add(new(names[i], value.Rows(i * rows, rows), Training ? gradient.Rows(i * rows, rows) : default, initialiser, fanIn,
                fanOut));
        }
        Parameter all = new(string.Join('+', names), value, gradient, initialiser, fanIn, fanOut);
        group.OfLayers.Add(all);
        return all;
    }

    /// <summary>A parameter that starts at zero and that no optimiser touches, with its gradient.</summary>
    public Parameter Frozen(string name, Shape shape)
    {
        _kept?.Invoke(name, shape);
        Parameter parameter = new(name, Activation(shape), Gradient(shape), Initialiser.Zero, 0, 0);
        Current.Frozen.Add(parameter);
        Current.OfLayers.Add(parameter);
        return parameter;
    }

    /// <summary>Something that the network keeps without training it.</summary>
    public Tensor Statistic(string name, Shape shape, float start)
    {
        _kept?.Invoke(name, shape);
        Statistic statistic = new(name, Activation(shape), start);
        Current.Statistics.Add(statistic);
        return statistic.Value;
    }

    /// <summary>A number of the model that later steps depend on, and that belongs to no network.</summary>
    public Tensor State(string name, float start)
    {
        _states.Add(new(name, Activation(Shape.Scalar), start));
        return _states[^1].Value;
    }

    /// <summary>Scratch memory that an operation of the network will ask for.</summary>
    public void Scratch(int floats) => _scratch = Math.Max(_scratch, floats);

    /// <summary>Takes over something that is disposed with the plan.</summary>
    public T Own<T>(T owned) where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    /// <summary>Gives everything its start; parameters from (seed, place in the list).</summary>
    public void Initialise(ulong seed)
    {
        using Arena zero = new(Device, "step zero", sizeof(ulong));
        Buffer<ulong> step = zero.Take<ulong>(1);
        uint stream = 0;
        foreach (ParameterGroup group in _groups)
        {
            foreach (Parameter parameter in group.Parameters)
                parameter.Initialiser.Fill(Device, parameter, seed, stream++, step);
            foreach (Statistic statistic in group.Statistics)
                RandomFill.Constant(Device, statistic.Value, statistic.Start);
        }
        foreach (Statistic state in _states)
            RandomFill.Constant(Device, state.Value, state.Start);
        foreach (Optimiser optimiser in _optimisers)
            optimiser.Start(Device);
        foreach ((_, ParameterGroup group, Tensor flat) in _averages)
            Device.Copy(flat, group.Value);
    }

    /// <summary>All that lives from one step to the next, by name.</summary>
    internal IEnumerable<NamedTensor> State()
    {
        foreach (ParameterGroup group in _groups)
        {
            string prefix = group.Name.Length == 0 ? "param." : $"param.{group.Name}.";
            foreach (NamedTensor tensor in group.Tensors())
                yield return tensor.WithPrefix(prefix);
        }
        foreach (Optimiser optimiser in _optimisers)
        {
            foreach (NamedTensor tensor in optimiser.State())
                yield return tensor;
        }
        foreach ((string name, ParameterGroup group, Tensor flat) in _averages)
        {
            foreach (Parameter p in group.Parameters)
                yield return new($"{name}.{p.Name}", group.In(flat, p));
        }
        foreach (Statistic state in _states)
            yield return new("state." + state.Name, state.Value);
    }

    public void Dispose()
    {
        foreach (IDisposable owned in _owned)
            owned.Dispose();
        _owned.Clear();
        foreach (ParameterGroup group in _groups)
        {
            group.Values.Dispose();
            group.Gradients?.Dispose();
        }
        _activations.Dispose();
        _moments.Dispose();
    }
}
