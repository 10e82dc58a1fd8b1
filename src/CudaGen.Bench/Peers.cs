using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics;
using System.Text.Json.Nodes;
using CudaGen.Runtime;

namespace CudaGen.Bench;

/// <summary>The other side.</summary>
internal abstract class Peer(string name) : IDisposable
{
    public Times Times { get; } = new(name);

    public abstract void Turn(int steps, int block, int blocks);

    public virtual void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>bench/torch_peer.py --serve, which computes only when it is told to.</summary>
internal sealed class ServerPeer : Peer
{
    private readonly Process _process;

    public ServerPeer(string title, string python, string model, string variant, string layout, int threads, int batch) : base(title)
    {
        var start = new ProcessStartInfo(python)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        string script = Path.Combine(AppContext.BaseDirectory, "torch_peer.py");
        foreach (string argument in (string[])[script, "--serve", "--models", model, "--variant", variant, "--layout", layout, "--threads", $"{threads}", "--batch", $"{batch}"])
            start.ArgumentList.Add(argument);
        Tune(start);
        try
        {
            _process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InputException($"--python: '{python}' cannot be started: {e.Message}", e);
        }
        string? answer = _process.StandardOutput.ReadLine();
        if (answer is null || !answer.StartsWith("ready", StringComparison.Ordinal))
            throw new InputException($"--python: '{python}' did not get ready, found '{answer}'; it needs torch and numpy, or take --python none");
    }

    // The best settings found for torch on a CPU: an OpenBLAS on torch's own OpenMP threads, the widest kernels, and no
    // memory handed back to the system between steps.
    private static void Tune(ProcessStartInfo start)
    {
        const string openmp = "/usr/lib/x86_64-linux-gnu/openblas-openmp";
        if (Directory.Exists(openmp))
            start.Environment["LD_LIBRARY_PATH"] = openmp;
        if (Vector512.IsHardwareAccelerated)
        {
            start.Environment["OPENBLAS_CORETYPE"] = "SkylakeX";
            start.Environment["ATEN_CPU_CAPABILITY"] = "avx512";
        }
        start.Environment["MALLOC_TOP_PAD_"] = "268435456";
        start.Environment["MALLOC_MMAP_THRESHOLD_"] = "4294967296";
        start.Environment["MALLOC_TRIM_THRESHOLD_"] = "8589934592";
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
    }

    public override void Turn(int steps, int block, int blocks)
    {
        _process.StandardInput.WriteLine($"run {steps + 3}");
        _process.StandardInput.Flush();
        string answer = _process.StandardOutput.ReadLine() ?? throw new CudaGenException($"{Times.Name} ended early");
        foreach (string time in answer.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(4))
            Times.Add(double.Parse(time, CultureInfo.InvariantCulture));
    }

    public override void Dispose()
    {
        try
        {
            _process.StandardInput.WriteLine("quit");
            if (!_process.WaitForExit(2000))
                _process.Kill();
        }
        catch (IOException)
        {
            // It has ended already.
        }
        _process.Dispose();
        base.Dispose();
    }
}

/// <summary>A command that times itself and writes JSON; three times in a run, as each start takes seconds.</summary>
internal sealed class CommandPeer(string command, string model, int peerSteps) : Peer(PeerCommand.Name(command))
{
    public override void Turn(int steps, int block, int blocks)
    {
        if (block % Math.Max(1, blocks / 3) != 0)
            return;
        JsonNode row = PeerCommand.Run(command, ["--models", PeerCommand.Theirs(model), "--steps", $"{peerSteps}"], Timeout.InfiniteTimeSpan).FirstOrDefault()
            ?? throw new InputException($"--peer: '{command}' wrote no rows");
        if (row["ms_per_step"] is null)
            throw new InputException($"--peer: '{command}' failed: {row["error"]}");
        Times.Add((double)row["ms_per_step"]!);
        Times.Add((double)row["ms_min"]!);
    }
}
