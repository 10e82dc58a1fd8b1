using System.ComponentModel;
using System.Diagnostics;
using CudaGen.Runtime;

namespace CudaGen.GpuCheck;

/// <summary>A program that ran to its end.</summary>
/// <param name="ExitCode">0 when all was well.</param>
/// <param name="Lines">The last lines of both its outputs, in the order in which they came.</param>
internal sealed record ProgramRun(int ExitCode, IReadOnlyList<string> Lines)
{
    private const int LinesKept = 2000, LinesShown = 40;

    /// <summary>What to show of a failure.</summary>
    internal IReadOnlyList<string> Tail => [.. Lines.TakeLast(LinesShown)];

    /// <summary>The last line that has this text, or nothing.</summary>
    internal string LineWith(string text) => Lines.LastOrDefault(l => l.Contains(text, StringComparison.Ordinal))?.Trim() ?? "";

    /// <summary>Starts a program, with more variables in its environment, and waits for it. Cancelled, it and its children are killed.</summary>
    internal static async Task<ProgramRun> Run(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment,
        CancellationToken cancelled)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        using Process process = new() { StartInfo = start };
        Queue<string> lines = [];
        void Keep(object sender, DataReceivedEventArgs e)
        {
            lock (lines)
            {
                if (e.Data is not null)
                    lines.Enqueue(e.Data);
                if (lines.Count > LinesKept)
                    lines.Dequeue();
            }
        }
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new InputException($"{program}: it cannot be started: {e.Message}", e);
        }
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            await process.WaitForExitAsync(cancelled).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        lock (lines)
            return new(process.ExitCode, [.. lines]);
    }
}
