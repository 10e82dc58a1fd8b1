using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// One or several networks with their training step: planned once for a device and a batch, after which a step allocates nothing and
/// is a fixed list of operations. What a step depends on is in device memory: parameters, moments, the number of the step
/// and the data set; nothing else, so a model can be saved after any step and continued bit by bit.
/// </summary>
public abstract class Model(string kind) : IDisposable
{
    /// <summary>Steps whose losses the device keeps for the host to read.</summary>
    public const int RingCapacity = 1024;

    private Planner? _planner;
    private Tensor _ring, _losses;
    private float[] _lossValues = [], _ringValues = [];
    private CudaGraph? _graph;
    private (DataSet? Data, int Phase) _stepped;

    /// <summary>Name of the model in files and programs.</summary>
    public string Kind { get; } = kind;

    /// <summary>Key of all random numbers: start of the parameters, noise, order of the data.</summary>
    public ulong Seed { get; private set; }

    public Device Device => Planned.Device;

    public int Batch => Planned.Batch;

    /// <summary>The parameters of each network.</summary>
    public IReadOnlyList<ParameterGroup> Groups => Planned.Groups;

    /// <summary>The parameters of all networks.</summary>
    public IReadOnlyList<Parameter> Parameters => [.. Groups.SelectMany(g => g.Parameters)];

    /// <summary>What each entry of <see cref="Losses"/> is.</summary>
    public abstract IReadOnlyList<string> LossNames { get; }

    /// <summary>What a generator of this model is, for files and for drawing samples.</summary>
    public abstract GeneratorSpec Spec { get; }

    /// <summary>Images of the data set that a step takes.</summary>
    public virtual int ImagesPerStep => Batch;

    /// <summary>Number of the step to come, in device memory.</summary>
    protected Buffer<ulong> StepCounter { get; private set; }

    /// <summary>Steps done. The device counts them too; this is the host's own count, so asking does not wait.</summary>
    public ulong Steps { get; private set; }

    /// <summary>
    /// Whether a CUDA device is given each launch of a step one by one, rather than the whole step as a recorded graph.
    /// The results are the same bits.
    /// </summary>
    public bool Eager { get; set; }

    /// <summary>Bytes that the plan took.</summary>
    public MemorySummary Memory => Planned.Memory;

    private Planner Planned => _planner ?? throw new InvalidOperationException($"{Kind}: call Plan before anything else");

    /// <summary>The layer table and the memory of a batch, without allocating the tensors.</summary>
    /// <exception cref="InputException">The options contradict each other.</exception>
    public (IReadOnlyList<LayerSummary> Layers, MemorySummary Memory) Describe(Device device, int batch)
    {
        using Planner planner = Planner.Measure(device, batch, true, BuildAll);
        return (planner.Layers, planner.Memory);
    }

    /// <summary>Takes all memory for training with this batch, and starts the parameters from the seed.</summary>
    /// <exception cref="DeviceException">The memory is not to be had.</exception>
    /// <exception cref="InputException">The options contradict each other.</exception>
    public void Plan(Device device, int batch, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        if (_planner is not null)
            throw new InvalidOperationException($"{Kind} is planned already");
        Seed = seed;
        _planner = Planner.Allocate(device, batch, true, BuildAll);
        (_lossValues, _ringValues) = (new float[_losses.Length], new float[_ring.Length]);
        _planner.Initialise(seed);
    }

    private void BuildAll(Planner planner)
    {
        StepCounter = planner.Buffer<ulong>(1);
        _losses = planner.Activation(new Shape(LossNames.Count));
        _ring = planner.Activation(new Shape(RingCapacity, LossNames.Count));
        Build(planner);
    }

    /// <summary>Takes the tensors of the networks, layer after layer.</summary>
    protected abstract void Build(Planner planner);

    /// <summary>Where a step writes its i-th loss.</summary>
    protected Tensor Loss(int i) => _losses.Slice(i, Shape.Scalar);

    /// <summary>
    /// The losses of the last pass, in the order of <see cref="LossNames"/>. Waits for the device; overwritten by the next call.
    /// </summary>
    public ReadOnlySpan<float> Losses
    {
        get
        {
            Device.Download(_losses, _lossValues);
            return _lossValues;
        }
    }

    /// <summary>One training step on the next minibatch of a data set.</summary>
    /// <remarks>
    /// On a CUDA device the first step on a data set runs launch by launch, which loads every kernel that it needs; the
    /// second is recorded, and it and all later ones are one call of the recorded graph.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The device is at work for another thread.</exception>
    public void Step(DataSet data)
    {
        Device device = Device;
        device.Enter();
        try
        {
            StepAlone(data);
        }
        finally
        {
            device.Leave();
        }
    }

    private void StepAlone(DataSet data)
    {
        (DataSet? Data, int Phase) now = (data, Phase);
        if (Device.Kind != DeviceKind.Cuda || Eager)
            RunAndAdvance(data);
        else if (_stepped != now)
        {
            ForgetGraph();
            RunAndAdvance(data);
            _stepped = now;
        }
        else
        {
            _graph ??= Record(data);
            _graph.Launch();
        }
        Steps++;
    }

    /// <summary>Which of several lists of operations the next step is; a recorded step is replayed as long as this stays the same.</summary>
    protected virtual int Phase => 0;

    /// <summary>The operations of one step.</summary>
    protected abstract void RunStep(DataSet data);

    private void RunAndAdvance(DataSet data)
    {
        RunStep(data);
        Advance();
    }

    private CudaGraph Record(DataSet data) => Device.Capture(() => RunAndAdvance(data));

    private void ForgetGraph()
    {
        _graph?.Dispose();
        (_graph, _stepped) = (null, default);
    }

    /// <summary>Counts a step, for steps on given inputs.</summary>
    private protected void CountStep()
    {
        Advance();
        Steps++;
    }

    private void Advance() => StepState.Advance(Device, StepCounter, _ring, _losses);

    /// <summary>Takes over the step number after <see cref="State"/> was written from outside.</summary>
    internal void StateWasReplaced() => Steps = Device.Read(StepCounter);

    /// <summary>The means of each loss over the steps [first, first + count), in double.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Those steps are not done, or no longer kept.</exception>
    public double[] MeanLosses(ulong first, int count)
    {
        if (count < 1 || count > RingCapacity || first + (ulong)count > Steps || Steps - first > RingCapacity)
            throw new ArgumentOutOfRangeException(nameof(first), $"steps {first} to {first + (ulong)count} of {Steps}; {RingCapacity} are kept");
        Device.Download(_ring, _ringValues);
        double[] means = new double[LossNames.Count];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<float> row = _ringValues.AsSpan((int)((first + (ulong)i) % RingCapacity) * means.Length, means.Length);
            for (int j = 0; j < means.Length; j++)
                means[j] += row[j] / (double)count;
        }
        return means;
    }

    /// <summary>Everything that a later step depends on, by name: parameters, statistics, moments, averages, step number and kept losses.</summary>
    public IEnumerable<NamedTensor> State()
        => [.. Planned.State(), new("state.losses", _ring), new("state.step", StepCounter)];

    public void Dispose()
    {
        ForgetGraph();
        _planner?.Dispose();
        _planner = null;
        GC.SuppressFinalize(this);
    }
}
