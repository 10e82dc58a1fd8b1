using System.ComponentModel;
using System.Diagnostics;

namespace CudaGen.KernelCheck;

/// <summary>How a program that was run has ended, with everything that it wrote.</summary>
/// <param name="ExitCode">Its exit status; 128 + n for signal n.</param>
/// <param name="TimedOut">Whether it was killed because it took too long.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Errors">Standard error.</param>
internal sealed record Subprocess(int ExitCode, bool TimedOut, string Output, string Errors)
{
    /// <summary>Runs a program to its end, or kills it and its children after the time.</summary>
    /// <exception cref="Win32Exception">There is no such program.</exception>
    public static Subprocess Run(string program, IEnumerable<string> arguments, string folder, TimeSpan limit)
    {
        using Process process = Start(program, arguments, folder);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        bool ended = process.WaitForExit(limit);
        if (!ended)
            process.Kill(entireProcessTree: true);
        process.WaitForExit();
        return new Subprocess(process.ExitCode, !ended, output.GetAwaiter().GetResult(), errors.GetAwaiter().GetResult());
    }

    /// <summary>Starts a program with all three streams in this process's hands.</summary>
    public static Process Start(string program, IEnumerable<string> arguments, string folder)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start)!;
    }
}
