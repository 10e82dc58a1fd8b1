using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using CudaGen.Nets;

namespace CudaGen.Bench;

/// <summary>What was measured so far, as JSON, in a file if there is to be one.</summary>
internal sealed class Results(string? path)
{
    public JsonObject Root { get; } = new()
    {
        ["date"] = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        ["commit"] = Commit(),
    };

    /// <summary>Adds a row to one of the lists, and writes the file: what ends a run early leaves what it had.</summary>
    public void Add(string list, JsonObject row)
    {
        if (Root[list] is not JsonArray rows)
            Root[list] = rows = [];
        rows.Add((JsonNode)row);
        Save();
    }

    public void Save()
    {
        if (path is not null)
            AtomicFile.WriteJson(path, Root);
    }

    // Of the working tree, or, away from it, the one that the program was built from.
    private static string? Commit()
    {
        try
        {
            using Process git = Process.Start(new ProcessStartInfo("git", ["describe", "--always", "--dirty"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            string commit = git.StandardOutput.ReadToEnd().Trim();
            git.WaitForExit();
            if (git.ExitCode == 0)
                return commit;
        }
        catch (Win32Exception)
        {
            // There is no git.
        }
        return typeof(Results).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+').ElementAtOrDefault(1);
    }
}
