using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>Which set of hyper-parameters a model takes.</summary>
public enum Recipe
{
    /// <summary>The architecture of the tutorial with its mistakes corrected and the values of the paper.</summary>
    Canonical,

    /// <summary>Exactly what the tutorial says, oddities included.</summary>
    Seed,
}

/// <summary>What a person asked a training program for. Null stands for a flag that was not given.</summary>
public sealed record TrainOptions
{
    /// <summary>Folder or file with data; null for built-in images.</summary>
    public string? Data { get; init; }

    /// <summary>auto, cpu, cuda or cuda:N.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Which implementation of the operations runs.</summary>
    public Implementation Implementation { get; init; }

    /// <summary>How a GPU multiplies.</summary>
    public Precision? Precision { get; init; }

    /// <summary>Whether a GPU is given launches one by one.</summary>
    public bool Eager { get; init; }

    /// <summary>Threads of the CPU path, 1 to 1024.</summary>
    public int? Threads { get; init; }

    public Recipe? Recipe { get; init; }

    /// <summary>1 to 1000000.</summary>
    public int? Epochs { get; init; }

    /// <summary>Steps after which training ends even within an epoch, 1 to 10^12.</summary>
    public long? Steps { get; init; }

    /// <summary>Images per step, 1 to 65536.</summary>
    public int? Batch { get; init; }

    public ulong? Seed { get; init; }

    /// <summary>Folder that holds the folders of runs.</summary>
    public string Out { get; init; } = "runs";

    /// <summary>Folder of a run to go on with.</summary>
    public string? Resume { get; init; }

    /// <summary>Whether to print the layer table, parameters and memory and stop, with nothing allocated or written.</summary>
    public bool DryRun { get; init; }

    /// <summary>Whether to print plain lines even on a terminal.</summary>
    public bool Plain { get; init; }

    /// <summary>Size of the latent vector, 1 to 4096.</summary>
    public int? Latent { get; init; }

    /// <summary>The flags that only some programs have.</summary>
    public ModelFlags Flags { get; init; } = new([]);
}
