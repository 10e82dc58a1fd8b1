using System.Globalization;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>Trains a model and leaves a run folder: the whole of a program of tools/train/.</summary>
public static class Trainer
{
    /// <summary>Steps over which a line of metrics.jsonl is a mean.</summary>
    private const int LogEvery = 50;

    /// <summary>Epochs between two generators that are kept.</summary>
    private const int KeepEvery = 5;

    // A checkpoint in between costs a few milliseconds, and losing half a minute is no loss.
    private static readonly TimeSpan CheckpointEvery = TimeSpan.FromSeconds(20);

    /// <summary>Flags, data, training, files. Returns the exit code.</summary>
    public static int Run(TrainProgram program, string[] args) => Executable.Run(interrupt =>
    {
        ArgumentNullException.ThrowIfNull(program);
        if (CommandLine.Parse(program.Name, program.Summary, args, program.HasLatent, program.Data != DataKind.Points, program.Flags) is not { } options)
            return 0;
        using RunFolder? resumed = options.Resume is null ? null : RunFolder.Open(options.Resume);
        RunConfig config = resumed is null ? RunConfig.Of(program, options) : RunConfig.Resume(program.Name, resumed, options);

        using Device device = Device.Open(options.Device, options.Threads ?? 0, options.Implementation, config.Precision);
        TrainingData data = TrainingData.Open(program, config);
        config = config.On(data);
        using Model model = Create(program, config, data);
        model.Eager = options.Eager;

        Console.WriteLine($"device    {device.Description}");
        Console.WriteLine($"data      {data.Description}");
        PrintRecipe(program, config);
        if (options.DryRun)
        {
            Fitting(config, data, () => PrintPlan(model, device, config.Batch, data));
            return 0;
        }
        // What contradicts itself or has no room is refused before there is a folder for it.
        Fitting(config, data, () => model.Plan(device, config.Batch, config.Seed));
        using DataSet training = data.Upload(device, model);
        using Evaluation evaluation = data.Evaluate(device, model, program, config);
        foreach (string note in device.Notes)
            Console.WriteLine($"note      {note}");
        if (device.IsStandIn)
            Console.WriteLine("note      a stand-in runs one GPU thread after another: a step may take minutes; --steps 1 --batch 8 shows one");
        if (resumed is not null)
            new Session(program, config, device, data, model, training, evaluation, resumed, options.Plain).Resume(interrupt);
        else
        {
            using RunFolder run = RunFolder.Create(options.Out, program.Name);
            Session session = new(program, config, device, data, model, training, evaluation, run, options.Plain);
            session.Begin();
            session.Train(interrupt);
        }
        return 0;
    });

    private static Model Create(TrainProgram program, RunConfig config, TrainingData data)
    {
        try
        {
            return program.Create(new(config.Recipe, data.Size, data.Channels, data.Classes, config.Latent, config.Flags));
        }
        catch (InputException e) when (config.Data is not null && e.Message.StartsWith("image size", StringComparison.Ordinal))
        {
            throw new InputException($"{config.Data}: {e.Message}", e);
        }
    }

    /// <summary>Plans, and blames the batch for what has no room: nothing else that a person chooses takes as much.</summary>
    private static void Fitting(RunConfig config, TrainingData data, Action plan)
    {
        try
        {
            plan();
        }
        catch (Exception e) when (e is ShapeException or DeviceException)
        {
            throw new InputException($"--batch: found {config.Batch}, expected fewer {data.Unit}: {e.Message}", e);
        }
    }

    private static void PrintRecipe(TrainProgram program, RunConfig config)
    {
        Console.WriteLine($"recipe    {RunConfig.RecipeName(config.Recipe)}; how seed and canonical differ:");
        foreach (string line in program.RecipeDifferences)
            Console.WriteLine($"          - {line}");
        if (config.Flags.Given.Count > 0)
            Console.WriteLine($"flags     {config.Flags}");
    }

    private static void PrintPlan(Model model, Device device, int batch, TrainingData data)
    {
        (IReadOnlyList<LayerSummary> layers, MemorySummary memory) = model.Describe(device, batch);
        Console.WriteLine();
        Console.WriteLine($"{"layer",-16} {"what",-38} {"output",-20} {"parameters",10}");
        foreach (LayerSummary layer in layers)
            Console.WriteLine($"{layer.Name,-16} {layer.What,-38} {layer.Output,-20} {layer.Parameters,10}");
        Console.WriteLine($"{"total",-76} {layers.Sum(l => l.Parameters),10}");
        Console.WriteLine();
        Console.WriteLine($"memory at batch {batch}: {Size(memory.Total + data.Bytes)}");
        foreach ((string what, long bytes) in new[] { ("parameters", memory.Parameters), ("gradients", memory.Gradients),
            ("moments", memory.Moments), ("activations", memory.Activations), ("scratch", memory.Scratch), ("data set", data.Bytes) })
            Console.WriteLine($"  {what,-16} {Size(bytes),12}");
    }

    private static string Size(long bytes) => bytes < 1 << 20 ? $"{bytes / 1024.0:F1} KiB" : $"{bytes / 1048576.0:F1} MiB";

    /// <summary>One run, from its first step or its checkpoint to its last.</summary>
    private sealed class Session(TrainProgram program, RunConfig config, Device device, TrainingData data, Model model, DataSet training,
        Evaluation evaluation, RunFolder run, bool plain)
    {
        private readonly int _stepsPerEpoch = (data.Count + model.ImagesPerStep - 1) / model.ImagesPerStep;

        private string CheckpointPath => run.PathOf("checkpoint.safetensors");

        private long TotalSteps
        {
            get
            {
                long all = (long)config.Epochs * _stepsPerEpoch;
                return config.Steps is { } steps ? Math.Min(all, steps) : all;
            }
        }

        // Where there is no room for a checkpoint, a folder that nothing can resume would be all that is left.
        public void Begin()
        {
            try
            {
                run.WriteConfig(config.ToJson());
                Save();
            }
            catch
            {
                run.Abandon();
                throw;
            }
        }

        public void Resume(CancellationToken interrupt)
        {
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

        public void Train(CancellationToken interrupt)
        {
            Console.WriteLine($"run       {run.Path}: {TotalSteps} steps of {model.ImagesPerStep} {data.Unit}, {_stepsPerEpoch} an epoch");
            long total = TotalSteps, saved = TimeProvider.System.GetTimestamp();
            var display = ProgressDisplay.ForConsole(plain, data.Unit);
            using (display)
            {
                display.Begin(total, _stepsPerEpoch, model.ImagesPerStep, (long)model.Steps);
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
            evaluation.PrintVerdict(Recent((long)model.Steps));
            Console.WriteLine($"wrote     {run.Path}: metrics.jsonl, loss.svg, samples-*.png, generator.safetensors, checkpoint.safetensors");
        }

        private void Log(long step, params ReadOnlySpan<Metric> test)
        {
            Metric[] losses = Recent(step);
            if (losses.FirstOrDefault(m => !double.IsFinite(m.Value)) is { Key: not null } lost)
                throw new CudaGenException($"step {step}: {lost.Key} is {lost.Value}; training has diverged, {CheckpointPath} is from before");
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
            long epoch = Epoch(step);
            Metric[] test = evaluation.Run();
            Log(step, test);
            evaluation.Draw(run, epoch, step == TotalSteps);
            DrawLosses();
            evaluation.SaveGenerator(run.PathOf("generator.safetensors"));
            if (epoch % KeepEvery == 0)
                evaluation.SaveGenerator(run.PathOf($"generator-{epoch:D4}.safetensors"));
            Save();
            display.EndEpoch(step, [.. Recent(step), .. test]);
        }

        private void DrawLosses()
        {
            var metrics = MetricsFile.Read(run.Metrics.Path);
            List<PlotPanel> panels = [.. model.LossNames.Select(name => new PlotPanel(name, [PlotSeries.FromMetrics(metrics, "step", name)]))];
            foreach (string key in evaluation.Names)
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
