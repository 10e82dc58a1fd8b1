using System.ComponentModel;
using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>The system's C++ compiler: CUDAGEN_CXX, or else g++, or else clang++.</summary>
internal sealed record CxxCompiler(string Program, string Version)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    /// <exception cref="CudaGenException">There is none.</exception>
    public static CxxCompiler Find()
    {
        if (Environment.GetEnvironmentVariable("CUDAGEN_CXX") is { Length: > 0 } given)
            return TryRun(given) ?? throw new CudaGenException($"CUDAGEN_CXX names '{given}', which cannot be run");
        return TryRun("g++") ?? TryRun("clang++") ?? throw new CudaGenException(
            "no C++ compiler is installed to build the CUDA stand-ins with (tried g++ and clang++; CUDAGEN_CXX can name another)");
    }

    /// <summary>Runs the compiler in a folder; null when all is well, else its text.</summary>
    public string? Run(string folder, IEnumerable<string> arguments)
    {
        Subprocess run = Subprocess.Run(Program, arguments, folder, Limit);
        if (run.TimedOut)
            return $"{Program} did not end within {Limit.TotalMinutes} minutes";
        return run.ExitCode == 0 ? null : run.Errors.Length > 0 ? run.Errors : $"{Program} ended with status {run.ExitCode}";
    }

    private static CxxCompiler? TryRun(string program)
    {
        try
        {
            Subprocess run = Subprocess.Run(program, ["--version"], Path.GetTempPath(), Limit);
            return run.ExitCode == 0 ? new CxxCompiler(program, run.Output) : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
