using System.CommandLine;
using System.CommandLine.Parsing;
using CudaGen.Bench.Cuda;
using CudaGen.Runtime;

namespace CudaGen.Bench;

/// <summary>The flags of bench/bench.cs.</summary>
public static class BenchCommand
{
    /// <summary>Measures what the flags ask for; 1 where something failed that the rest was measured without.</summary>
    /// <exception cref="InputException">A flag is wrong.</exception>
    public static int Run(string[] args)
    {
        var device = new Option<string>("--device") { Description = "cpu, cuda or cuda:N", DefaultValueFactory = _ => "cpu" };
        var models = new Option<string?>("--models")
        {
            Description = "models to time, with commas between them, or all: "
                + $"{string.Join(", ", BenchModel.All.Select(m => m.Name))} (default: cae,vae; on a GPU all)",
        };
        var batch = new Option<int?>("--batch") { Description = "images of a step (default: the model's)" };
        var bandwidth = new Option<bool>("--bandwidth") { Description = "time memory-bound operations beside copies, too" };
        var peer = new Option<string?>("--peer")
        {
            Description = "another command to compare with, such as 'tuned.sh python3 bench.py --device cpu --threads 2': it takes --models, "
                + "--steps and --json FILE and writes there {\"rows\": [...]} of model, ms_per_step and ms_min. On a GPU it also takes "
                + "--mode, --tf32 on|off and --amp none|bf16, its rows have mode and gen_us, and one start times all models in all modes",
        };
        var peerSteps = new Option<int>("--peer-steps") { Description = "steps of a turn of --peer", DefaultValueFactory = _ => 30 };
        var json = new Option<string?>("--json") { Description = "file for the results; on a GPU it is written after each of them" };
        var threads = new Option<int>("--threads") { Description = "CPU: threads of both sides", DefaultValueFactory = _ => 2 };
        var blocks = new Option<int>("--blocks") { Description = "CPU: turns of each side", DefaultValueFactory = _ => 12 };
        var steps = new Option<int>("--steps") { Description = "CPU: steps of a turn", DefaultValueFactory = _ => 40 };
        var python = new Option<string>("--python")
        {
            Description = "CPU: Python that has torch; 'none' to time this side alone",
            DefaultValueFactory = _ => "python3",
        };
        var convolutions = new Option<bool>("--convolutions") { Description = "CPU: time the three passes of 3x3 convolutions, too" };
        var implementations = new Option<string>("--impl")
        {
            Description = "GPU: implementations to time, of library and kernel",
            DefaultValueFactory = _ => "library,kernel",
        };
        var precisions = new Option<string>("--precision")
        {
            Description = "GPU: precisions to time, of fp32, tf32 and bf16",
            DefaultValueFactory = _ => "fp32",
        };
        var kernels = new Option<bool>("--kernels") { Description = "GPU: where a step goes, kernel by kernel" };
        var startup = new Option<bool>("--startup")
        {
            Description = "GPU: the time from the start of a process to its first finished step, of the first two models",
        };
        var everything = new Option<bool>("--all") { Description = "GPU: --kernels, --bandwidth and --startup" };
        var turns = new Option<int>("--turns") { Description = "GPU: turns of each side", DefaultValueFactory = _ => 2 };
        var peerModes = new Option<string>("--peer-modes")
        {
            Description = "GPU: modes of --peer; those with compile, which take minutes, come once and last",
            DefaultValueFactory = _ => "eager,graph,compile,compile+graph",
        };
        var budget = new Option<int?>("--budget")
        {
            Description = "GPU: seconds after which nothing more is begun and --peer is ended; the most valuable comes first",
        };
        var quick = new Option<bool>("--quick") { Description = "GPU: tiny sizes, to see that everything runs; of gan, vae and toy2d" };
        var firstStep = new Option<string?>(Startup.Flag) { Hidden = true };
        Option[] ofCpu = [threads, blocks, steps, python, convolutions];
        Option[] ofCuda = [implementations, precisions, kernels, startup, everything, turns, peerModes, budget, quick, firstStep];
        var command = new RootCommand("Times training steps and what they are made of, beside the ceilings of the machine; compares with PyTorch.")
        {
            device, models, batch, bandwidth, peer, peerSteps, json,
        };
        foreach (Option option in (Option[])[.. ofCpu, .. ofCuda])
            command.Options.Add(option);
        command.SetAction(parsed =>
        {
            string name = parsed.GetValue(device)!;
            bool cpu = name == "cpu";
            foreach (Option option in cpu ? ofCuda : ofCpu)
            {
                if (parsed.GetResult(option) is OptionResult { Implicit: false })
                    throw new InputException($"{option.Name}: not with --device {name}");
            }
            if (cpu)
            {
                var results = new Results(parsed.GetValue(json));
                var bench = new CpuBench(results, parsed.GetValue(threads), parsed.GetValue(blocks), parsed.GetValue(steps), parsed.GetValue(batch));
                bench.Machine();
                bench.Products();
                if (parsed.GetValue(bandwidth))
                    bench.Bandwidth();
                if (parsed.GetValue(convolutions))
                    bench.Convolutions();
                foreach (BenchModel model in BenchModel.Named(parsed.GetValue(models) ?? "cae,vae"))
                    bench.Model(model, parsed.GetValue(python)!, parsed.GetValue(peer), parsed.GetValue(peerSteps));
                results.Save();
                return 0;
            }
            bool tiny = parsed.GetValue(quick), whole = parsed.GetValue(everything);
            var settings = new CudaSettings
            {
                DeviceName = name,
                Models = BenchModel.Named(parsed.GetValue(models) ?? (tiny ? "gan,vae,toy2d" : "all")),
                Implementations = [.. Choices(parsed, implementations, "library", "kernel").Select(i => Enum.Parse<Implementation>(i, ignoreCase: true))],
                Precisions = [.. Choices(parsed, precisions, "fp32", "tf32", "bf16").Select(p => Enum.Parse<Precision>(p, ignoreCase: true))],
                Batch = AtLeast(parsed, batch, 2),
                Quick = tiny,
                Turns = AtLeast(parsed, turns, 1),
                Budget = AtLeast(parsed, budget, 1),
                Kernels = whole || parsed.GetValue(kernels),
                Bandwidth = whole || parsed.GetValue(bandwidth),
                Startup = whole || parsed.GetValue(startup),
                Peer = parsed.GetValue(peer),
                PeerModes = Choices(parsed, peerModes, "eager", "graph", "compile", "compile+graph"),
                PeerSteps = AtLeast(parsed, peerSteps, 1),
            };
            if (parsed.GetValue(firstStep) is { } first)
            {
                Startup.Run(settings, first);
                return 0;
            }
            using var cuda = new CudaBench(settings, new Results(parsed.GetValue(json)));
            return cuda.Run() ? 0 : 1;
        });
        ParseResult parsed = command.Parse(args);
        if (parsed.Errors.Count > 0)
            throw new InputException(parsed.Errors[0].Message);
        return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    }

    private static string[] Choices(ParseResult parsed, Option<string> option, params string[] known)
    {
        string[] asked = parsed.GetValue(option)!.Split(',');
        return Array.Find(asked, a => !known.Contains(a)) is { } unknown
            ? throw new InputException($"{option.Name}: found '{unknown}', expected some of {string.Join(", ", known)}, with commas between them")
            : asked;
    }

    private static int AtLeast(ParseResult parsed, Option<int> option, int least) => AtLeast(option, parsed.GetValue(option), least)!.Value;

    private static int? AtLeast(ParseResult parsed, Option<int?> option, int least) => AtLeast(option, parsed.GetValue(option), least);

    private static int? AtLeast(Option option, int? value, int least) => value < least
        ? throw new InputException($"{option.Name}: found {value}, expected at least {least}")
        : value;
}
