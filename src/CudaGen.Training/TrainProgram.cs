using CudaGen.Nets;

namespace CudaGen.Training;

/// <summary>What a program trains on when no data is given, and what it takes.</summary>
public enum DataKind
{
    /// <summary>Grey images; built-in digits.</summary>
    Grey,

    /// <summary>Colour images with classes; built-in coloured digits.</summary>
    Colour,

    /// <summary>Colour images; built-in faces.</summary>
    Faces,

    /// <summary>Points in the plane, always built in.</summary>
    Points,
}

/// <summary>What a training program makes its model from.</summary>
/// <param name="Recipe">Which set of numbers.</param>
/// <param name="Image">Height and width of the images.</param>
/// <param name="Channels">Their colours.</param>
/// <param name="Classes">Their classes.</param>
/// <param name="Latent">Length of a code, or null for the recipe's.</param>
/// <param name="Flags">Values of the flags that only some programs have.</param>
public sealed record ModelRequest(Recipe Recipe, int Image, int Channels, int Classes, int? Latent, ModelFlags Flags)
{
    /// <summary>The tricks that were asked for.</summary>
    public Tricks Tricks => Flags.Tricks;
}

/// <summary>What distinguishes one training program from another.</summary>
/// <param name="Name">Name of the program and of its run folders.</param>
/// <param name="Summary">What it does, for the help: "trains ...".</param>
/// <param name="Data">What it trains on.</param>
/// <param name="Create">Makes the model.</param>
/// <param name="RecipeDifferences">How the two recipes differ, a line each.</param>
public sealed record TrainProgram(string Name, string Summary, DataKind Data, Func<ModelRequest, Model> Create, IReadOnlyList<string> RecipeDifferences)
{
    /// <summary>Passes over the data where nothing else is asked for.</summary>
    public int Epochs { get; init; } = 10;

    /// <summary>Images of a step where nothing else is asked for.</summary>
    public Func<Recipe, int> Batch { get; init; } = _ => 128;

    /// <summary>The same where it depends on flags of the model; null where they leave it alone.</summary>
    public Func<ModelFlags, int?> BatchOfFlags { get; init; } = _ => null;

    /// <summary>Which of the flags in <see cref="ModelFlags"/> the program has.</summary>
    public IReadOnlyList<string> Flags { get; init; } = [];

    /// <summary>Rows and columns of the sample grids, and the epochs between two.</summary>
    public (int Side, int Every) Grid { get; init; } = (10, 1);

    /// <summary>Whether the images need labels.</summary>
    public bool NeedsLabels { get; init; }

    /// <summary>Whether the length of a code can be chosen.</summary>
    public bool HasLatent { get; init; } = true;
}
