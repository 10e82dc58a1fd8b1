using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Where the codes of a generator come from.</summary>
public enum CodeDistribution
{
    /// <summary>N(0, 1)</summary>
    Normal,

    /// <summary>U(-1, 1)</summary>
    Uniform,
}

/// <summary>What the numbers that a generator gives are.</summary>
public enum OutputRange
{
    /// <summary>Images in [0, 1].</summary>
    Unit,

    /// <summary>Images in [-1, 1].</summary>
    Symmetric,

    /// <summary>Points, not images.</summary>
    Points,
}

/// <summary>
/// Which network a generator is: the name of an architecture and its sizes, all whole numbers, as they stand in a file.
/// </summary>
/// <param name="Architecture">One of <see cref="Architectures"/>.</param>
/// <param name="Sizes">By name; every architecture has "latent".</param>
/// <param name="Codes">Where its codes come from.</param>
/// <param name="Range">What it gives.</param>
public sealed record GeneratorSpec(string Architecture, IReadOnlyDictionary<string, int> Sizes, CodeDistribution Codes, OutputRange Range)
{
    /// <summary>Length of a code, labels not counted.</summary>
    public int Latent => this["latent"];

    /// <summary>Classes that an image can be asked of; 0 where it cannot.</summary>
    public int Classes => Sizes.GetValueOrDefault("classes");

    /// <summary>A size by its name.</summary>
    /// <exception cref="InputException">There is none.</exception>
    public int this[string name] => Sizes.TryGetValue(name, out int size) ? size : throw new InputException($"{Architecture}: found no size '{name}'");

    /// <summary>Height, width and channels of an image; (dimensions) of a point.</summary>
    public Shape Output => Range == OutputRange.Points ? new(this["dimensions"]) : new(this["image"], this["image"], Sizes.GetValueOrDefault("channels", 1));

    /// <summary>A batch of outputs.</summary>
    public Shape Batch(int rows) => Range == OutputRange.Points ? new(rows, Output[0]) : new(rows, Output[0], Output[1], Output[2]);

    /// <summary>The network, unplanned; its input is (N, latent).</summary>
    /// <param name="labels">(N, classes), one-hot, where there are classes.</param>
    /// <param name="logits">Whether to leave out the activation at the end.</param>
    /// <exception cref="InputException">The architecture is unknown, or a size is missing or out of range.</exception>
    public Network Build(Tensor labels = default, bool logits = false) => Architectures.Generator(this, labels, logits);

    /// <exception cref="InputException">A size is out of range.</exception>
    internal static GeneratorSpec Of(string architecture, CodeDistribution codes, OutputRange range, params (string Name, int Size)[] sizes)
    {
        GeneratorSpec spec = new(architecture, sizes.ToDictionary(s => s.Name, s => s.Size), codes, range);
        spec.CheckSizes();
        return spec;
    }

    /// <summary>Refuses a size out of range: 1 to 65536, and 0 only where that stands for none.</summary>
    /// <exception cref="InputException">There is one.</exception>
    internal void CheckSizes()
    {
        foreach ((string name, int size) in Sizes)
        {
            (int low, int high) = (Architecture, name) switch
            {
                // A label is a byte.
                (Architectures.Mlp, "classes") => (0, 256),
                (_, "classes") => (0, 0),
                (Architectures.Toy, "hidden") => (0, SizeRange.Most),
                (Architectures.Cs231n, "affine") => (0, 1),
                // Its half and quarter are widths.
                (Architectures.Cs231n, "latent") => (4, SizeRange.Most),
                (Architectures.Began, "scales") => (1, 8),
                _ => (1, SizeRange.Most),
            };
            SizeRange.Require(Architecture, name, size, low, high);
        }
    }
}
