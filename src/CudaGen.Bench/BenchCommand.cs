using System.CommandLine;
using CudaGen.Bench.Cuda;
using CudaGen.Runtime;
using CudaGen.Training;

namespace CudaGen.Bench;

/// <summary>The flags of bench/bench.cs.</summary>
public static class BenchCommand
{
    // Of turns, and of steps in one.
    private const int Most = 1_000_000;

    private static readonly Option[] Common =
    [
        FlagValues.Flag("--device", "cpu, cuda or cuda:N (default: cpu)"),
        FlagValues.Flag("--models", "models to time, with commas between them, or all: "
            + $"{string.Join(", ", BenchModel.All.Select(m => m.Name))} (default: cae,vae; on a GPU all)"),
        FlagValues.Flag("--batch", "images of a step (default: the model's)"),
        FlagValues.Switch("--bandwidth", "time memory-bound operations beside copies, too"),
        FlagValues.Flag("--peer", "another command to compare with, such as 'tuned.sh python3 bench.py --device cpu --threads 2': it takes --models (wgan_gp for wgan-gp), "
            + "--steps and --json FILE and writes there {\"rows\": [...]} of model, ms_per_step and ms_min. On a GPU it also takes "
            + "--mode, --tf32 on|off and --amp none|bf16, its rows have mode and gen_us, and one start times all models in all modes"),
        FlagValues.Flag("--peer-steps", "steps of a turn of --peer (default: 30)"),
        FlagValues.Flag("--json", "file for the results; on a GPU it is written after each of them"),
    ];

    private static readonly Option[] OfCpu =
    [
        FlagValues.Flag("--threads", "CPU: threads of both sides (default: 2)"),
        FlagValues.Flag("--blocks", "CPU: turns of each side (default: 12)"),
        FlagValues.Flag("--steps", "CPU: steps of a turn (default: 40)"),
        FlagValues.Flag("--python", "CPU: Python that has torch; 'none' to time this side alone (default: python3)"),
        FlagValues.Switch("--convolutions", "CPU: time the three passes of convolutions, too"),
    ];

    private static readonly Option[] OfCuda =
    [
        FlagValues.Flag("--impl", "GPU: implementations to time, of library and kernel (default: library,kernel)"),
        FlagValues.Flag("--precision", "GPU: precisions to time, of fp32, tf32 and bf16 (default: fp32)"),
        FlagValues.Switch("--kernels", "GPU: where a step goes, kernel by kernel"),
        FlagValues.Switch("--startup", "GPU: the time from the start of a process to its first finished step, of the first two models"),
        FlagValues.Switch("--all", "GPU: --kernels, --bandwidth and --startup"),
        FlagValues.Flag("--turns", "GPU: turns of each side (default: 2)"),
        FlagValues.Flag("--peer-modes", "GPU: modes of --peer; those with compile, which take minutes, come once and last (default: eager,graph,compile,compile+graph)"),
        FlagValues.Flag("--budget", "GPU: seconds after which nothing more is begun and --peer is ended; the most valuable comes first"),
        FlagValues.Switch("--quick", "GPU: tiny sizes, to see that everything runs; of gan, vae and toy2d"),
        new Option<string?>(Startup.Flag) { Hidden = true },
    ];

    /// <summary>Measures what the flags ask for; 1 where something failed that the rest was measured without.</summary>
    /// <exception cref="InputException">A flag is wrong.</exception>
    public static int Run(string[] args)
    {
        var command = new Command("bench", "Times training steps and what they are made of, beside the ceilings of the machine; compares with PyTorch.");
        foreach (Option option in (Option[])[.. Common, .. OfCpu, .. OfCuda])
            command.Options.Add(option);
        return FlagValues.Run(FlagValues.WithAction(command, Measure), args);
    }

    private static int Measure(FlagValues flags)
    {
        string device = flags.Device() ?? "cpu";
        if (device == "auto")
            throw new InputException("--device: found 'auto', expected cpu, cuda or cuda:N");
        foreach (Option option in device == "cpu" ? OfCuda : OfCpu)
        {
            if (flags.Has(option.Name))
                throw new InputException($"{option.Name}: not with --device {device}");
        }
        return device == "cpu" ? MeasureCpu(flags) : MeasureCuda(flags, device);
    }

    private static int MeasureCpu(FlagValues flags)
    {
        BenchModel[] models = BenchModel.Named(flags.Text("--models", "names of models") ?? "cae,vae");
        string python = flags.Text("--python", "a Python, or none") ?? "python3";
        string? peer = flags.Text("--peer", "a command");
        int peerSteps = PeerSteps(flags);
        var results = new Results(flags.Text("--json", "a file to write"));
        var bench = new CpuBench(results, flags.Whole("--threads", 1, 1024) ?? 2, flags.Whole("--blocks", 1, Most) ?? 12, flags.Whole("--steps", 1, Most) ?? 40,
            flags.Whole("--batch", 1, 65536));
        bench.Machine();
        // A file that cannot be written is no news for the end.
        results.Save();
        bench.Products();
        if (flags.Has("--bandwidth"))
            bench.Bandwidth();
        if (flags.Has("--convolutions"))
            bench.Convolutions();
        foreach (BenchModel model in models)
            bench.Model(model, python, peer, peerSteps);
        results.Save();
        return 0;
    }

    private static int MeasureCuda(FlagValues flags, string device)
    {
        bool quick = flags.Has("--quick"), all = flags.Has("--all");
        var settings = new CudaSettings
        {
            DeviceName = device,
            Models = BenchModel.Named(flags.Text("--models", "names of models") ?? (quick ? "gan,vae,toy2d" : "all")),
            Implementations = [.. Choices(flags, "--impl", "library,kernel", "library", "kernel").Select(i => Enum.Parse<Implementation>(i, ignoreCase: true))],
            Precisions = [.. Choices(flags, "--precision", "fp32", "fp32", "tf32", "bf16").Select(p => Enum.Parse<Precision>(p, ignoreCase: true))],
            Batch = flags.Whole("--batch", 2, 65536),
            Quick = quick,
            Turns = flags.Whole("--turns", 1, Most) ?? 2,
            Budget = flags.Whole("--budget", 1, 1_000_000),
            Kernels = all || flags.Has("--kernels"),
            Bandwidth = all || flags.Has("--bandwidth"),
            Startup = all || flags.Has("--startup"),
            Peer = flags.Text("--peer", "a command"),
            PeerModes = Choices(flags, "--peer-modes", "eager,graph,compile,compile+graph", "eager", "graph", "compile", "compile+graph"),
            PeerSteps = PeerSteps(flags),
        };
        if (flags.Text(Startup.Flag, "a file") is { } first)
        {
            Startup.Run(settings, first);
            return 0;
        }
        using var cuda = new CudaBench(settings, new Results(flags.Text("--json", "a file to write")));
        return cuda.Run() ? 0 : 1;
    }

    // What was asked for, or all that are timed without.
    private static string[] Choices(FlagValues flags, string flag, string otherwise, params string[] known)
    {
        string expected = $"some of {string.Join(", ", known)}, with commas between them";
        string[] asked = (flags.Text(flag, expected) ?? otherwise).Split(',');
        return Array.Find(asked, a => !known.Contains(a)) is { } unknown ? throw new InputException($"{flag}: found '{unknown}', expected {expected}") : asked;
    }

    private static int PeerSteps(FlagValues flags) => flags.Whole("--peer-steps", 1, Most) ?? 30;
}
