using System.Text.Json.Nodes;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>What was asked for, with the recipe's values for what was not.</summary>
internal sealed record RunConfig(string Program, Recipe Recipe, string? Data, int Epochs, long? Steps, int Batch, int? Latent, ulong Seed,
    Precision Precision, ModelFlags Flags)
{
    private const int Endless = 1_000_000;

    /// <summary>What there is to train on, in words; null in runs from before this was kept.</summary>
    public string? Images { get; init; }

    /// <summary>Checksum of a sample of it, which tells one set from another of the same size; null in runs from before this was kept.</summary>
    public uint? Crc { get; init; }

    /// <summary>The values of the flags and the recipe.</summary>
    /// <exception cref="InputException">Two flags contradict each other.</exception>
    public static RunConfig Of(TrainProgram program, TrainOptions options)
    {
        options.Flags.RequireSense(options.Data);
        // With a number of steps and none of epochs, the steps alone decide.
        int epochs = options.Epochs ?? (options.Steps is null ? program.Epochs : Endless);
        Recipe recipe = options.Recipe ?? Recipe.Canonical;
        return new(program.Name, recipe, options.Data, epochs, options.Steps, options.Batch ?? program.BatchOfFlags(options.Flags) ?? program.Batch(recipe),
            options.Latent, options.Seed ?? 1, options.Precision ?? Precision.Fp32, options.Flags);
    }

    public JsonObject ToJson()
    {
        JsonObject json = new()
        {
            ["program"] = Program,
            ["recipe"] = RecipeName(Recipe),
            ["data"] = Data,
            ["images"] = Images,
            ["crc"] = Crc,
            ["epochs"] = Epochs,
            ["steps"] = Steps,
            ["batch"] = Batch,
            ["latent"] = Latent,
            ["seed"] = Seed,
            ["precision"] = Text(Precision),
        };
        JsonObject flags = [];
        foreach ((string name, string value) in Flags.Given)
            flags[name] = value;
        json["flags"] = flags;
        return json;
    }

    /// <summary>
    /// The configuration of a run that goes on. How long and where may change; what would make it another run may not.
    /// </summary>
    /// <exception cref="InputException">The file is not such a configuration, or a flag contradicts it.</exception>
    public static RunConfig Resume(string program, RunFolder run, TrainOptions options)
    {
        string path = run.PathOf("config.json");
        JsonObject json = run.ReadConfig();
        RunConfig saved;
        try
        {
            string found = (string?)json["program"] ?? "none";
            if (found != program)
                throw new InputException($"{path}: found a run of '{found}', expected one of '{program}'");
            ModelFlags flags = new((json["flags"] as JsonObject ?? []).Select(f => KeyValuePair.Create(f.Key, (string)f.Value!)));
            foreach ((string name, string value) in flags.Given)
                ModelFlags.Check(name, value);
            Recipe recipe = (string?)json["recipe"] switch
            {
                "seed" => Recipe.Seed,
                "canonical" => Recipe.Canonical,
                string other => throw new InputException($"{path}: recipe: found '{other}', expected canonical or seed"),
                null => throw new FormatException("no recipe"),
            };
            // Runs from before there was a choice have no precision.
            Precision precision = (string?)json["precision"] switch
            {
                null or "fp32" => Precision.Fp32,
                "tf32" => Precision.Tf32,
                "bf16" => Precision.Bf16,
                string other => throw new InputException($"{path}: precision: found '{other}', expected fp32, tf32 or bf16"),
            };
            saved = new(program, recipe, (string?)json["data"], (int)json["epochs"]!, (long?)json["steps"],
                (int)json["batch"]!, (int?)json["latent"], (ulong)json["seed"]!, precision, flags)
            { Images = (string?)json["images"], Crc = (uint?)json["crc"] };
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException or NullReferenceException or OverflowException
            or ArgumentNullException)
        {
            throw new InputException($"{path}: expected program, recipe, data, images, crc, epochs, steps, batch, latent, seed, precision and flags of a run", e);
        }
        Within("epochs", saved.Epochs, Endless);
        Within("steps", saved.Steps, 1_000_000_000_000);
        Within("batch", saved.Batch, 65536);
        Within("latent", saved.Latent, 4096);
        if (saved.Data?.Length == 0)
            throw new InputException($"{path}: data: found no path, expected one or null");
        Same("--recipe", options.Recipe, saved.Recipe);
        Same("--batch", options.Batch, saved.Batch);
        Same("--latent", options.Latent, saved.Latent);
        Same("--seed", options.Seed, saved.Seed);
        Same("--precision", options.Precision, saved.Precision);
        foreach ((string name, string given) in options.Flags.Given)
        {
            if (saved.Flags.Text(name, "") is var value && value != given)
                throw Changed(name, given, value.Length == 0 ? "none" : value);
        }
        return saved with
        {
            Data = options.Data ?? saved.Data,
            Epochs = options.Epochs ?? (options.Steps is null ? saved.Epochs : Endless),
            Steps = options.Steps ?? (options.Epochs is null ? saved.Steps : null),
        };

        // As the flags are.
        void Within(string name, long? value, long most)
        {
            if (value < 1 || value > most)
                throw new InputException($"{path}: {name}: found {value}, expected a whole number from 1 to {most}");
        }

        void Same<T>(string flag, T? given, T? value) where T : struct
        {
            if (given is { } g && !g.Equals(value))
                throw Changed(flag, Text(g), value is { } v ? Text(v) : "the recipe's");
        }

        InputException Changed(string flag, string given, string value)
            => new($"{flag}: found '{given}', the run in {run.Path} has '{value}' and cannot change it");
    }

    /// <summary>The same on these images, which a run that goes on may find elsewhere, but which must be the same ones.</summary>
    /// <exception cref="InputException">The run began on others.</exception>
    public RunConfig On(TrainingData data)
    {
        string place = Data is null ? "built-in data" : $"--data {Data}";
        uint crc = data.Crc();
        if (Images is not null && Images != data.Content)
            throw new InputException($"{place}: found {data.Content}, expected the {Images} that the run began with");
        if (Crc is not null && Crc != crc)
            throw new InputException($"{place}: found other {data.Content} (checksum {crc}), expected those that the run began with ({Crc})");
        return this with { Images = data.Content, Crc = crc };
    }

    // As on the command line.
    private static string Text(object value) => value is Enum ? value.ToString()!.ToLowerInvariant() : value.ToString()!;

    public static string RecipeName(Recipe recipe) => recipe == Recipe.Seed ? "seed" : "canonical";
}
