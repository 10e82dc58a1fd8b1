using System.Globalization;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// Flags that change the model and that only some programs have. What was given is kept as text, as it stands in config.json.
/// </summary>
public sealed class ModelFlags : IEquatable<ModelFlags>
{
    /// <summary>Size of built-in faces.</summary>
    public const string Size = "--size";

    /// <summary>How a discriminator halves its images.</summary>
    public const string Downsample = "--downsample";

    /// <summary>Which built-in points.</summary>
    public const string Points = "--points";

    /// <summary>Updates of the discriminator that the generator looks ahead.</summary>
    public const string Unroll = "--unroll";

    /// <summary>Share that a moving average of the generator keeps.</summary>
    public const string Ema = "--ema";

    private const string GeneratorSteps = "--generator-steps", InstanceNoise = "--instance-noise", LabelFlip = "--label-flip",
        RealTarget = "--real-target", Anneal = "--anneal", GeneratorDropout = "--generator-dropout", Minibatch = "--minibatch-discrimination";

    /// <summary>The flags of every adversarial model whose discriminator says real or generated.</summary>
    public static readonly string[] OfClassifiers =
        [Ema, GeneratorSteps, InstanceNoise, LabelFlip, RealTarget, Anneal, GeneratorDropout, Minibatch];

    /// <summary>Those of models whose critic gives a number without bounds.</summary>
    public static readonly string[] OfCritics = [Ema, GeneratorSteps, InstanceNoise, Anneal, GeneratorDropout, Minibatch];

    /// <summary>A flag, what stands behind it, what it does, and what is wrong with a value; null if nothing.</summary>
    internal sealed record Flag(string Name, string Value, string Text, string Expected, Func<string, bool> IsGood);

    internal static readonly Flag[] All =
    [
        new(Size, "N", "height and width of the built-in faces: 16, 32, 64 or 128 (default: 64)", "16, 32, 64 or 128", t => t is "16" or "32" or "64" or "128"),
        new(Downsample, "HOW", "max, average or strided (default: max)", "max, average or strided", t => t is "max" or "average" or "strided"),
        new(Points, "NAME", "gaussian, or ring: eight Gaussians on a circle, with larger networks (default: gaussian)", "gaussian or ring",
            t => t is "gaussian" or "ring"),
        new(Unroll, "K", "updates of the discriminator that the generator looks ahead (default: 0)", "a whole number from 0 to 10", t => Whole(t) is >= 0 and <= 10),
        Number(Ema, "D", "keep a moving average of the generator, with this share of the old, such as 0.999", 0, 0.999999),
        new(GeneratorSteps, "N", "updates of the generator in a step (default: 1)", "a whole number from 1 to 16", t => Whole(t) is >= 1 and <= 16),
        Number(InstanceNoise, "S", "deviation of noise on all that the discriminator sees", 0, 10),
        Number(LabelFlip, "P", "tell the discriminator the opposite with this probability", 0, 0.5),
        Number(RealTarget, "T", "what a real image is called, such as 0.9 (default: 1)", 0.5, 1),
        new(Anneal, "STEPS", "let both noises go to zero over so many steps", "a whole number of at least 1", t => Whole(t) >= 1),
        Number(GeneratorDropout, "P", "dropout behind the hidden layers of the generator, in training", 0, 0.9),
        new(Minibatch, "", "let the discriminator compare the images of a batch", "", _ => true),
    ];

    private readonly SortedDictionary<string, string> _given;

    /// <param name="given">Flags with their values; a flag without one has "on".</param>
    public ModelFlags(IEnumerable<KeyValuePair<string, string>> given) => _given = new(given.ToDictionary(), StringComparer.Ordinal);

    /// <summary>What was given, by name.</summary>
    public IReadOnlyDictionary<string, string> Given => _given;

    /// <summary>The value of a flag, or what stands for none.</summary>
    public string Text(string flag, string otherwise) => _given.GetValueOrDefault(flag, otherwise);

    /// <summary>Height and width of built-in faces.</summary>
    public int FaceSize => int.Parse(Text(Size, "64"), CultureInfo.InvariantCulture);

    /// <summary>Whether the points are those of the ring.</summary>
    public bool Ring => Text(Points, "") == "ring";

    /// <summary>How a discriminator halves its images.</summary>
    public Downsampling Downsampling => Text(Downsample, "max") switch
    {
        "average" => Downsampling.AveragePool,
        "strided" => Downsampling.Strided,
        _ => Downsampling.MaxPool,
    };

    /// <summary>The tricks.</summary>
    public Tricks Tricks => new()
    {
        Average = Real(Ema, 0),
        GeneratorSteps = (int)Real(GeneratorSteps, 1),
        InstanceNoise = Real(InstanceNoise, 0),
        LabelFlip = Real(LabelFlip, 0),
        RealTarget = Real(RealTarget, 1),
        AnnealSteps = ulong.Parse(Text(Anneal, "0"), CultureInfo.InvariantCulture),
        GeneratorDropout = Real(GeneratorDropout, 0),
        MinibatchDiscrimination = _given.ContainsKey(Minibatch),
        Unroll = (int)Real(Unroll, 0),
    };

    /// <summary>Whether the same was given.</summary>
    public bool Equals(ModelFlags? other) => other is not null && _given.SequenceEqual(other._given);

    public override bool Equals(object? obj) => Equals(obj as ModelFlags);

    public override int GetHashCode() => _given.Aggregate(0, (hash, flag) => HashCode.Combine(hash, flag.Key, flag.Value));

    public override string ToString() => string.Join(' ', _given.Select(f => f.Value == "on" ? f.Key : $"{f.Key} {f.Value}"));

    /// <summary>Checks a value.</summary>
    /// <exception cref="InputException">There is no such flag, or the value is out of range.</exception>
    internal static void Check(string name, string value)
    {
        Flag flag = All.FirstOrDefault(f => f.Name == name) ?? throw new InputException($"{name}: there is no such flag");
        if (!flag.IsGood(value))
            throw new InputException($"{name}: found '{value}', expected {flag.Expected}");
    }

    /// <summary>Refuses a flag that would do nothing.</summary>
    /// <param name="data">The value of --data.</param>
    /// <exception cref="InputException">There is one.</exception>
    internal void RequireSense(string? data)
    {
        if (_given.ContainsKey(Size) && data is not null)
            throw new InputException($"{Size}: found with --data, expected without, as it is the size of built-in faces");
        if (_given.ContainsKey(Anneal) && !_given.ContainsKey(InstanceNoise) && !_given.ContainsKey(LabelFlip))
            throw new InputException($"{Anneal}: found alone, expected with {InstanceNoise} or {LabelFlip}");
        if (Tricks.Unroll > 0 && _given.ContainsKey(Minibatch))
            throw new InputException($"{Unroll}: found with {Minibatch}, expected without, as it takes second derivatives of the discriminator");
    }

    private float Real(string flag, float otherwise)
        => _given.TryGetValue(flag, out string? text) ? float.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    private static long? Whole(string text)
        => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;

    private static Flag Number(string name, string value, string text, double low, double high)
        => new(name, value, text, string.Create(CultureInfo.InvariantCulture, $"a number from {low} to {high}"),
            t => double.TryParse(t, NumberStyles.Float, CultureInfo.InvariantCulture, out double v) && v >= low && v <= high);
}
