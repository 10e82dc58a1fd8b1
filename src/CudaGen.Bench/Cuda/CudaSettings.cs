using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>What a person asked of the measurements on a CUDA device.</summary>
internal sealed record CudaSettings
{
    /// <summary>cuda or cuda:N.</summary>
    public required string DeviceName { get; init; }

    public required BenchModel[] Models { get; init; }

    public required Implementation[] Implementations { get; init; }

    public required Precision[] Precisions { get; init; }

    /// <summary>Images of a step; null for the model's.</summary>
    public int? Batch { get; init; }

    /// <summary>Tiny sizes and hardly any repetition: whether everything runs, not how fast.</summary>
    public bool Quick { get; init; }

    /// <summary>Turns of each side.</summary>
    public int Turns { get; init; }

    /// <summary>Seconds after which nothing more is begun; null for no end.</summary>
    public int? Budget { get; init; }

    public bool Kernels { get; init; }

    public bool Bandwidth { get; init; }

    public bool Startup { get; init; }

    /// <summary>The other side's command, or null.</summary>
    public string? Peer { get; init; }

    public string[] PeerModes { get; init; } = [];

    public int PeerSteps { get; init; }

    /// <summary>Seconds of a timed row.</summary>
    public double Seconds => Quick ? 0 : 0.5;

    /// <summary>Floats of a tensor that no cache holds.</summary>
    public int Large => Quick ? 1 << 12 : 1 << 26;

    /// <summary>Extents of the largest matrix product.</summary>
    public int Product => Quick ? 48 : 8192;

    public int BatchOf(BenchModel model) => Batch ?? (Quick ? Math.Min(4, model.Batch) : model.Batch);

    /// <exception cref="DeviceException">There is no such device, or it has not this implementation or precision.</exception>
    public Device Open(Implementation implementation, Precision precision) => Device.Open(DeviceName, 0, implementation, precision);
}
