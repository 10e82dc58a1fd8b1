namespace CudaGen.Runtime;

/// <summary>One launch, library call, copy or fill that a profiled device was given.</summary>
/// <param name="Name">Of the kernel or the native function.</param>
/// <param name="Shape">Extents of a product or convolution; empty for all else.</param>
/// <param name="Bytes">
/// The least that it moves: the sizes of its tensors, each argument once. Not counted are scratch memory and data sets, of which it reads
/// rows.
/// </param>
/// <param name="Flops">Multiply-adds times two of a product or convolution, taps on the padding included; 0 for all else.</param>
public readonly record struct ProfiledWork(string Name, string Shape, long Bytes, long Flops);

/// <summary>
/// What a CUDA device is given while this is its <see cref="Device.Profile"/>, in order, and how long each took: an event before and one
/// after it. What a graph records or replays is not seen.
/// </summary>
/// <remarks>
/// Events have times of their own, about a microsecond, and the time of a launch on an idle GPU includes the wait for the
/// host: give the device something long to do first.
/// </remarks>
public sealed class DeviceProfile(Device device) : IDisposable
{
    private readonly List<(CudaEvent Start, CudaEvent End)> _events = [];
    private readonly List<ProfiledWork> _work = [];
    private string _shape = "";
    private long _flops;

    /// <summary>What was given so far.</summary>
    public IReadOnlyList<ProfiledWork> Work => _work;

    /// <summary>Whether the device has got to the first of it.</summary>
    public bool HasBegun => _work.Count > 0 && _events[0].Start.IsDone;

    /// <summary>Waits for the device and returns the time of each, in microseconds, that of an event included.</summary>
    public double[] Microseconds()
    {
        device.Synchronize();
        return [.. _work.Select((_, i) => 1000.0 * _events[i].End.MillisecondsSince(_events[i].Start))];
    }

    /// <summary>Forgets all, but keeps the events for what comes.</summary>
    public void Clear() => _work.Clear();

    /// <summary>Says what the next work computes.</summary>
    internal void Describe(string shape, long flops) => (_shape, _flops) = (shape, flops);

    internal void Begin(string name, ReadOnlySpan<KernelArgument> arguments)
    {
        long bytes = 0;
        foreach (KernelArgument argument in arguments)
            bytes += argument.TensorBytes;
        Begin(name, bytes);
    }

    internal void Begin(string name, long bytes)
    {
        if (_events.Count == _work.Count)
            _events.Add((new(device), new(device)));
        _work.Add(new(name, _shape, bytes, _flops));
        Describe("", 0);
        _events[_work.Count - 1].Start.Record();
    }

    internal void End() => _events[_work.Count - 1].End.Record();

    public void Dispose()
    {
        foreach ((CudaEvent start, CudaEvent end) in _events)
        {
            start.Dispose();
            end.Dispose();
        }
        _events.Clear();
    }
}
