using System.ComponentModel;
using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>
/// Runs the C# program that computes what a case expects. It gets a folder with one file of raw little-endian numbers for
/// each argument, NAME.bin, and leaves the outputs there in the same form.
/// </summary>
internal static class Reference
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5); // the first run builds it

    /// <summary>The case with all that its reference computes, written to and read from a folder.</summary>
    /// <exception cref="InputException">The program does not build, fails, or leaves out an output.</exception>
    public static KernelCase Run(KernelCase kernelCase, string folder)
    {
        Directory.CreateDirectory(folder);
        // What a kernel starts without, the reference starts without.
        foreach (CaseArgument argument in kernelCase.Arguments)
            if (argument.Content is byte[] content)
                File.WriteAllBytes(FileOf(folder, argument), content);
        string program = kernelCase.Reference!;
        try
        {
            // Programs of one file are made ready for compilation ahead of time, which takes packages that not every machine has.
            string[] arguments = ["run", "-c", "Release", "-p:PublishAot=false", program, "--", folder];
            Subprocess run = Subprocess.Run("dotnet", arguments, Path.GetDirectoryName(program)!, Limit);
            if (run.TimedOut)
                throw new InputException($"{program}: still running after {Limit.TotalMinutes:0} minutes");
            if (run.ExitCode != 0)
                throw new InputException($"{program}: ended with status {run.ExitCode}: {FirstError(run)}");
        }
        catch (Win32Exception e)
        {
            throw new InputException($"{program}: cannot run dotnet, which it takes: {e.Message}", e);
        }
        return WithExpected(kernelCase, folder);
    }

    /// <summary>The case with the outputs that its reference left in a folder.</summary>
    public static KernelCase WithExpected(KernelCase kernelCase, string folder) => kernelCase with
    {
        ExpectedFolder = folder,
        Arguments = [.. kernelCase.Arguments.Select(a => Computes(a) ? a with { Expected = Read(kernelCase, folder, a) } : a)],
    };

    /// <summary>Whether a reference is asked for what comes out in an argument.</summary>
    public static bool Computes(CaseArgument argument) => argument.IsPointer && argument.Role != Role.Input && argument.Expected is null;

    private static byte[] Read(KernelCase kernelCase, string folder, CaseArgument argument)
    {
        string path = FileOf(folder, argument), name = Path.GetFileName(path);
        if (!File.Exists(path))
            throw new InputException($"{kernelCase.Reference}: found no {name} afterwards, expected {argument.Size} bytes");
        byte[] bytes = File.ReadAllBytes(path);
        return bytes.Length == argument.Size
            ? bytes : throw new InputException($"{kernelCase.Reference}: found {bytes.Length} bytes in {name}, expected {argument.Size}");
    }

    private static string FileOf(string folder, CaseArgument argument) => Path.Combine(folder, argument.Name + ".bin");

    private static string FirstError(Subprocess run)
    {
        string[] lines = (run.Output + "\n" + run.Errors).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string? Line(string word) => lines.FirstOrDefault(l => l.Contains(word, StringComparison.OrdinalIgnoreCase));
        return Line("error") ?? Line("exception") ?? lines.FirstOrDefault() ?? "it says nothing";
    }
}
