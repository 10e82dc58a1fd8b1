using System.Globalization;
using System.Text.Json.Nodes;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>What distinguishes one training program of an autoencoder from another.</summary>
/// <param name="Name">Name of the program and of its run folders.</param>
/// <param name="Summary">One sentence for the help.</param>
/// <param name="Create">Makes the model of a recipe.</param>
/// <param name="RecipeDifferences">How the two recipes differ, a line each.</param>
public sealed record CodeProgram(string Name, string Summary, Func<Recipe, ConvSizes, CodeModel> Create,
    IReadOnlyList<string> RecipeDifferences);

/// <summary>What was asked for, with the recipe's values for what was not.</summary>
internal sealed record RunConfig(string Program, Recipe Recipe, string? Data, int Epochs, long? Steps, int Batch, int Latent, ulong Seed)
{
    /// <summary>The values of the flags and the recipe.</summary>
    public static RunConfig Of(string program, TrainOptions options)
    {
        // With a number of steps and none of epochs, the steps alone decide.
        int epochs = options.Epochs ?? (options.Steps is null ? 10 : 1_000_000);
        return new(program, options.Recipe ?? Recipe.Canonical, options.Data, epochs, options.Steps, options.Batch ?? 128,
            options.Latent ?? 20, options.Seed ?? 1);
    }

    public JsonObject ToJson() => new()
    {
        ["program"] = Program,
        ["recipe"] = RecipeName(Recipe),
        ["data"] = Data,
        ["epochs"] = Epochs,
        ["steps"] = Steps,
        ["batch"] = Batch,
        ["latent"] = Latent,
        ["seed"] = Seed,
    };

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
            saved = new(program, (string?)json["recipe"] == "seed" ? Recipe.Seed : Recipe.Canonical, (string?)json["data"],
                (int)json["epochs"]!, (long?)json["steps"], (int)json["batch"]!, (int)json["latent"]!, (ulong)json["seed"]!);
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException or NullReferenceException or OverflowException
            or ArgumentNullException)
        {
            throw new InputException($"{path}: expected program, recipe, data, epochs, steps, batch, latent and seed of a run", e);
        }
        Same("--recipe", options.Recipe, saved.Recipe);
        Same("--batch", options.Batch, saved.Batch);
        Same("--latent", options.Latent, saved.Latent);
        Same("--seed", options.Seed, saved.Seed);
        return saved with
        {
            Data = options.Data ?? saved.Data,
            Epochs = options.Epochs ?? (options.Steps is null ? saved.Epochs : 1_000_000),
            Steps = options.Steps ?? (options.Epochs is null ? saved.Steps : null),
        };

        void Same<T>(string flag, T? given, T value) where T : struct
        {
            if (given is { } g && !g.Equals(value))
                throw new InputException($"{flag}: found '{Text(g)}', the run in {run.Path} has '{Text(value)}' and cannot change it");
        }

        static string Text(object value) => value is Recipe r ? RecipeName(r) : value.ToString()!;
    }

    public static string RecipeName(Recipe recipe) => recipe == Recipe.Seed ? "seed" : "canonical";
}

/// <summary>Trains a model that turns images into codes and back, and leaves a run folder.</summary>
public static class CodeTraining
{
    /// <summary>Steps over which a line of metrics.jsonl is a mean.</summary>
    private const int LogEvery = 50;

    // A checkpoint in between costs a few milliseconds, and losing half a minute is no loss.
    private static readonly TimeSpan CheckpointEvery = TimeSpan.FromSeconds(20);

    /// <summary>The whole program: flags, data, training, files. Returns the exit code.</summary>
    public static int Run(CodeProgram program, string[] args) => Executable.Run(interrupt =>
    {
        if (CommandLine.Parse(program.Name, program.Summary, args) is not { } options)
            return 0;
        using RunFolder? resumed = options.Resume is null ? null : RunFolder.Open(options.Resume);
        RunConfig config = resumed is null ? RunConfig.Of(program.Name, options) : RunConfig.Resume(program.Name, resumed, options);

        using Device device = Device.Open(options.Device, options.Threads ?? 0, options.Implementation);
        DataSource data = DataSource.Open(config.Data, config.Seed);
        if (data.Train.Height != data.Train.Width || data.Train.Channels != 1)
            throw new InputException($"{config.Data}: found images {data.Train.Height}x{data.Train.Width}x{data.Train.Channels}, expected square grey ones");
        using CodeModel model = program.Create(config.Recipe, new ConvSizes(data.Train.Height, config.Latent));
        model.Eager = options.Eager;

        Console.WriteLine($"device    {device.Description}");
        Console.WriteLine($"data      {data.Name}{(data.BuiltIn ? "; real data: --data FOLDER with the MNIST files" : "")}");
        PrintRecipe(program, config.Recipe);
        if (options.DryRun)
        {
            PrintPlan(model, device, config.Batch, data);
            return 0;
        }
        if (resumed is not null)
            new Session(program, config, device, data, model, resumed, options.Plain).Resume(interrupt);
        else
        {
            using RunFolder run = RunFolder.Create(options.Out, program.Name);
            run.WriteConfig(config.ToJson());
            new Session(program, config, device, data, model, run, options.Plain).Start(interrupt);
        }
        return 0;
    });

    private static void PrintRecipe(CodeProgram program, Recipe recipe)
    {
        Console.WriteLine($"recipe    {RunConfig.RecipeName(recipe)}; how seed and canonical differ:");
        foreach (string line in program.RecipeDifferences)
            Console.WriteLine($"          - {line}");
    }

    private static void PrintPlan(CodeModel model, Device device, int batch, DataSource data)
    {
        (IReadOnlyList<LayerSummary> layers, MemorySummary memory) = model.Describe(device, batch);
        Console.WriteLine();
        Console.WriteLine($"{"layer",-10} {"what",-38} {"output",-20} {"parameters",10}");
        foreach (LayerSummary layer in layers)
            Console.WriteLine($"{layer.Name,-10} {layer.What,-38} {layer.Output,-20} {layer.Parameters,10}");
        Console.WriteLine($"{"total",-70} {layers.Sum(l => l.Parameters),10}");
        Console.WriteLine();
        long images = data.Train.Pixels.Length + (long)data.Test.Pixels.Length;
        Console.WriteLine($"memory at batch {batch}: {Size(memory.Total + images)}");
        foreach ((string what, long bytes) in new[] { ("parameters", memory.Parameters), ("gradients", memory.Gradients),
            ("Adam's moments", memory.Moments), ("activations", memory.Activations), ("scratch", memory.Scratch), ("data set", images) })
            Console.WriteLine($"  {what,-16} {Size(bytes),12}");
    }

    private static string Size(long bytes) => bytes < 1 << 20 ? $"{bytes / 1024.0:F1} KiB" : $"{bytes / 1048576.0:F1} MiB";

    /// <summary>One run, from its first step or its checkpoint to its last.</summary>
    private sealed class Session(CodeProgram program, RunConfig config, Device device, DataSource data, CodeModel model, RunFolder run, bool plain)
    {
        private readonly int _stepsPerEpoch = (data.Train.Count + config.Batch - 1) / config.Batch;
        private CodeEvaluation _evaluation = null!;

        private string CheckpointPath => run.PathOf("checkpoint.safetensors");

        private long TotalSteps
        {
            get
            {
                long all = (long)config.Epochs * _stepsPerEpoch;
                return config.Steps is { } steps ? Math.Min(all, steps) : all;
            }
        }

        public void Start(CancellationToken interrupt)
        {
            model.Plan(device, config.Batch, config.Seed);
            // A run that is killed before its first checkpoint can be resumed as well.
            Save();
            Train(interrupt);
        }

        public void Resume(CancellationToken interrupt)
        {
            model.Plan(device, config.Batch, config.Seed);
            IDictionary<string, string> metadata = Checkpoint.Load(model, CheckpointPath);
            if (!metadata.TryGetValue("metrics_bytes", out string? text) || !long.TryParse(text, CultureInfo.InvariantCulture, out long bytes) || bytes < 0)
                throw new InputException($"{CheckpointPath}: found metadata metrics_bytes '{text}', expected a number of bytes");
            run.Metrics.Truncate(bytes);
            Console.WriteLine($"resume    {run.Path} at step {model.Steps} of {TotalSteps}");
            if ((long)model.Steps >= TotalSteps)
            {
                Console.WriteLine("          nothing left to do; ask for more with --epochs or --steps");
                return;
            }
            Train(interrupt);
        }

        private void Train(CancellationToken interrupt)
        {
            using var training = new ImageData(device, data.Train.Pixels, data.Train.Height, data.Train.Width, data.Train.Channels);
            using var test = new ImageData(device, data.Test.Pixels, data.Test.Height, data.Test.Width, data.Test.Channels);
            _evaluation = new CodeEvaluation(device, model, test, data.Test);
            Console.WriteLine($"run       {run.Path}: {TotalSteps} steps of {config.Batch} images, {_stepsPerEpoch} an epoch");
            long total = TotalSteps, saved = TimeProvider.System.GetTimestamp();
            var display = ProgressDisplay.ForConsole(plain);
            using (display)
            {
                display.Begin(total, _stepsPerEpoch, config.Batch, (long)model.Steps);
                while ((long)model.Steps < total)
                {
                    model.Step(training);
                    long step = (long)model.Steps;
                    bool endOfEpoch = step % _stepsPerEpoch == 0 || step == total;
                    if (endOfEpoch)
                    {
                        EndEpoch(step, display);
                        saved = TimeProvider.System.GetTimestamp();
                        continue;
                    }
                    if (step % LogEvery == 0)
                        Log(step);
                    if (display.IsDue)
                        display.Update(step, Recent(step));
                    if (TimeProvider.System.GetElapsedTime(saved) > CheckpointEvery || interrupt.IsCancellationRequested)
                    {
                        Save();
                        saved = TimeProvider.System.GetTimestamp();
                    }
                    if (interrupt.IsCancellationRequested && step < total)
                    {
                        display.WriteLine($"stopped at step {step}; go on with --resume {run.Path}");
                        return;
                    }
                }
            }
            _evaluation.PrintVerdict(config.Recipe);
            Console.WriteLine($"wrote     {run.Path}: metrics.jsonl, loss.svg, samples-*.png, generator.safetensors, checkpoint.safetensors");
        }

        private void Log(long step, params ReadOnlySpan<Metric> test)
        {
            Metric[] losses = Recent(step);
            if (losses.Any(m => !double.IsFinite(m.Value)))
                throw new CudaGenException($"step {step}: the loss is {losses[0].Value}; training has diverged, {CheckpointPath} is from before");
            run.Metrics.Append([new("step", step), new("epoch", Epoch(step)), .. losses, .. test]);
        }

        // The mean of the losses since the last line of the log.
        private Metric[] Recent(long step)
        {
            int count = (int)(step % LogEvery == 0 ? LogEvery : step % LogEvery);
            double[] means = model.MeanLosses((ulong)(step - count), count);
            return [.. model.LossNames.Select((name, i) => new Metric(name, means[i]))];
        }

        private long Epoch(long step) => (step + _stepsPerEpoch - 1) / _stepsPerEpoch;

        private void EndEpoch(long step, ProgressDisplay display)
        {
            // What a GPU was given is not done yet, and its time belongs to the epoch.
            device.Synchronize();
            display.Pause(step);
            Metric[] test = _evaluation.Run();
            Log(step, test);
            _evaluation.Samples().SavePng(run.PathOf($"samples-{Epoch(step):D4}.png"));
            if (config.Latent == 2)
                _evaluation.Scatter().SavePng(run.PathOf($"latent-{Epoch(step):D4}.png"));
            DrawLosses();
            _evaluation.SaveGenerator(run.PathOf("generator.safetensors"));
            Save();
            display.EndEpoch(step, [.. Recent(step), .. test]);
        }

        private void DrawLosses()
        {
            var metrics = MetricsFile.Read(run.Metrics.Path);
            List<PlotPanel> panels = [.. model.LossNames.Select(name => new PlotPanel(name, [PlotSeries.FromMetrics(metrics, "step", name)]))];
            foreach (string key in _evaluation.Names)
                panels.Add(new(key, [PlotSeries.FromMetrics(metrics, "step", key)]));
            LossPlot.Save(run.PathOf("loss.svg"), $"{program.Name}, {RunConfig.RecipeName(config.Recipe)}", "step", panels);
        }

        private void Save()
        {
            // The log first: a checkpoint never knows of lines that could be lost.
            run.Metrics.Flush(toDisk: true);
            Checkpoint.Save(model, CheckpointPath, ("metrics_bytes", run.Metrics.Length.ToString(CultureInfo.InvariantCulture)));
        }
    }
}
