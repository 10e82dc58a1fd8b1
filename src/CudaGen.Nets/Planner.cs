using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>How the elements of a parameter start.</summary>
public enum Initialiser
{
    Zero,

    /// <summary>Uniform in +-sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010): TensorFlow's default.</summary>
    GlorotUniform,
}

/// <summary>A trained tensor: a view into the parameter arena and one into the gradient arena, at the same place.</summary>
public sealed record Parameter(string Name, Tensor Value, Tensor Gradient, Initialiser Initialiser, int FanIn, int FanOut);

/// <summary>A line of the table that describes a network.</summary>
/// <param name="Name">Name of the layer.</param>
/// <param name="What">What it computes.</param>
/// <param name="Output">Shape of its output, batch included.</param>
/// <param name="Parameters">Trained numbers.</param>
public sealed record LayerSummary(string Name, string What, Shape Output, int Parameters);

/// <summary>Bytes that a planned model takes.</summary>
public sealed record MemorySummary(long Parameters, long Gradients, long Moments, long Activations, long Scratch)
{
    public long Total => Parameters + Gradients + Moments + Activations + Scratch;
}

/// <summary>
/// Hands out the tensors of a network from a few arenas. A network is built twice: first on arenas that only count, then
/// on arenas of exactly that size.
/// </summary>
public sealed class Planner : IDisposable
{
    private readonly Arena _parameters, _activations;
    private readonly Arena? _gradients, _first, _second;
    private readonly List<IDisposable> _owned = [];
    private int _scratch;

    private Planner(Device device, int batch, bool training, Planner? measured)
    {
        (Device, Batch, Training) = (device, batch, training);
        try
        {
            _parameters = Make("parameters", measured?._parameters);
            _activations = Make("activations", measured?._activations);
            if (training)
            {
                _gradients = Make("gradients", measured?._gradients);
                _first = Make("first moments", measured?._parameters);
                _second = Make("second moments", measured?._parameters);
            }
        }
        catch
        {
            // A GPU that has room for some of the arenas is left as it was found.
            Dispose();
            throw;
        }

        Arena Make(string name, Arena? size) => size is null ? Arena.Measure(name) : new Arena(device, name, size.Used);
    }

    /// <summary>Builds on arenas that only count.</summary>
    public static Planner Measure(Device device, int batch, bool training, Action<Planner> build)
    {
        ArgumentNullException.ThrowIfNull(build);
        Planner planner = new(device, batch, training, null);
        try
        {
            build(planner);
            return planner;
        }
        catch
        {
            planner.Dispose();
            throw;
        }
    }

    /// <summary>Builds on memory, and reserves the scratch memory of the device.</summary>
    public static Planner Allocate(Device device, int batch, bool training, Action<Planner> build)
    {
        ArgumentNullException.ThrowIfNull(device);
        using Planner measured = Measure(device, batch, training, build);
        Planner planner = new(device, batch, training, measured);
        try
        {
            build(planner);
            // The moments have the layout of the parameters, of which they are only ever taken as a whole.
            planner._first?.Take(new Shape((int)(planner._parameters.Used / sizeof(float))));
            planner._second?.Take(new Shape((int)(planner._parameters.Used / sizeof(float))));
            device.ReserveScratch(planner._scratch);
            return planner;
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

    public List<Parameter> Parameters { get; } = [];

    public List<LayerSummary> Layers { get; } = [];

    /// <summary>All parameters, gradients and moments as flat tensors, for an optimiser.</summary>
    public (Tensor Value, Tensor Gradient, Tensor First, Tensor Second) Flat
        => (_parameters.AsTensor(), _gradients!.AsTensor(), _first!.AsTensor(), _second!.AsTensor());

    public MemorySummary Memory
        => new(_parameters.Used, _gradients?.Used ?? 0, Training ? 2 * _parameters.Used : 0, _activations.Used, (long)_scratch * sizeof(float));

    /// <summary>A tensor that lives as long as the plan: activations, gradients of activations, inputs, losses.</summary>
    public Tensor Activation(Shape shape) => _activations.Take(shape);

    /// <summary>A gradient of an activation; an empty tensor when there is no training.</summary>
    public Tensor Gradient(Shape shape) => Training ? _activations.Take(shape) : default;

    /// <summary>A buffer that lives as long as the plan.</summary>
    public Buffer<T> Buffer<T>(int length) where T : unmanaged => _activations.Take<T>(length);

    /// <summary>A weight or bias with its gradient.</summary>
    public Parameter Parameter(string name, Shape shape, Initialiser initialiser = Initialiser.Zero, int fanIn = 0, int fanOut = 0)
    {
        Parameter parameter = new(name, _parameters.Take(shape), Training ? _gradients!.Take(shape) : default, initialiser, fanIn, fanOut);
        Parameters.Add(parameter);
        return parameter;
    }

    /// <summary>
    /// Parameters that lie one after the other, so that one product computes them all: (sum of rows, ...) cut into the
    /// named blocks of rows.
    /// </summary>
    public (Tensor Value, Tensor Gradient) Stacked(Shape shape, Initialiser initialiser, int fanIn, int fanOut, params ReadOnlySpan<string> names)
    {
        Tensor value = _parameters.Take(shape), gradient = Training ? _gradients!.Take(shape) : default;
        int rows = shape.Rows / names.Length;
        for (int i = 0; i < names.Length; i++)
        {
            Parameters.Add(new(names[i], value.Rows(i * rows, rows), Training ? gradient.Rows(i * rows, rows) : default, initialiser, fanIn,
                fanOut));
        }
        return (value, gradient);
    }

    /// <summary>Scratch memory that an operation of the network will ask for.</summary>
    public void Scratch(int floats) => _scratch = Math.Max(_scratch, floats);

    /// <summary>Takes over something that is disposed with the plan.</summary>
    public T Own<T>(T owned) where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    /// <summary>Gives every parameter its start, from (seed, its place in the list).</summary>
    public void Initialise(ulong seed)
    {
        using Arena zero = new(Device, "step zero", sizeof(ulong));
        Buffer<ulong> step = zero.Take<ulong>(1);
        for (int i = 0; i < Parameters.Count; i++)
        {
            Parameter p = Parameters[i];
            float bound = p.Initialiser == Initialiser.Zero ? 0 : MathF.Sqrt(6f / (p.FanIn + p.FanOut));
            if (bound == 0)
                RandomFill.Constant(Device, p.Value, 0);
            else
                RandomFill.Uniform(Device, p.Value, seed, (uint)i, step, -bound, bound);
        }
    }

    public void Dispose()
    {
        foreach (IDisposable owned in _owned)
            owned.Dispose();
        _owned.Clear();
        _parameters?.Dispose();
        _activations?.Dispose();
        _gradients?.Dispose();
        _first?.Dispose();
        _second?.Dispose();
    }
}
