using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using CudaGen.Runtime;

namespace CudaGen.Bench;

/// <summary>A command that takes --models, --steps and --json, times itself and writes <c>{"rows": [...]}</c>.</summary>
internal static class PeerCommand
{
    /// <summary>What it is called in tables.</summary>
    public static string Name(string command)
        => Path.GetFileName(command.Split(' ').LastOrDefault(w => w.EndsWith(".py", StringComparison.Ordinal)) ?? command);

    /// <summary>What it calls a model: names of Python have no hyphen.</summary>
    public static string Theirs(string model) => model.Replace('-', '_');

    /// <summary>What we call it.</summary>
    public static string Ours(string model) => model.Replace('_', '-');

    /// <summary>Runs it, for as long as it may take at most, and returns the rows that it wrote; not all of them where it was ended.</summary>
    /// <exception cref="InputException">It cannot be started, or leaves no JSON.</exception>
    public static JsonNode[] Run(string command, string[] flags, TimeSpan limit)
    {
        string file = Path.GetTempFileName();
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0)
            throw new InputException("--peer: found nothing, expected a command");
        var start = new ProcessStartInfo(words[0], [.. words[1..], .. flags, "--json", file]) { RedirectStandardOutput = true };
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        try
        {
            using Process process = Process.Start(start)!;
            // Read, so that it never waits for room to write to.
            process.OutputDataReceived += (_, _) => { };
            process.BeginOutputReadLine();
            bool ended = process.WaitForExit(limit);
            if (!ended)
                process.Kill(entireProcessTree: true);
            byte[] written = File.ReadAllBytes(file);
            if (written.Length > 0)
                return [.. JsonNode.Parse(written)?["rows"]?.AsArray().OfType<JsonNode>() ?? []];
            return ended ? throw new InputException($"--peer: '{command}' ended with exit code {process.ExitCode} and wrote no results") : [];
        }
        catch (Exception e) when (e is Win32Exception or JsonException)
        {
            throw new InputException($"--peer: '{command}' did not run: {e.Message}", e);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
