using System.Reflection;
using CudaGen.Runtime;

namespace CudaGen.GpuCheck;

/// <summary>The program <c>gpu-check</c> of the bundle that <c>tools/bundle.sh</c> makes.</summary>
public static class GpuCheckCommand
{
    private const int SomethingFailed = 1, Wrong = 2;

    // A stand-in takes this many times as long as a GPU.
    private const int GpuPatience = 4, StandInPatience = 40;

    /// <summary>Runs the checks that the flags ask for and returns the exit code.</summary>
    public static async Task<int> Run(string[] args)
    {
        try
        {
            GpuCheckOptions options = GpuCheckOptions.Parse(args);
            if (options.Help)
            {
                Console.WriteLine(GpuCheckOptions.Usage);
                return 0;
            }
            return await Run(options).ConfigureAwait(false);
        }
        catch (Exception e) when (e is CudaGenException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"gpu-check: {e.Message.ReplaceLineEndings(" ")}");
            return Wrong;
        }
    }

    private static async Task<int> Run(GpuCheckOptions options)
    {
        IReadOnlyList<LibraryReport> libraries = LibraryReport.All();
        foreach (LibraryReport library in libraries)
            Console.WriteLine($"{library.Name,-8} {(library.Path is null ? library.Failure : $"{library.Version,-8} {library.Path}")}");
        if (options.Libraries)
            return libraries.Take(2).All(l => l.Path is not null) ? 0 : SomethingFailed; // the engine needs a driver and NVRTC

        (string device, bool standIn) = Describe();
        string commit = Commit();
        Console.WriteLine($"device   {device}");
        if (standIn)
            Console.WriteLine("         This is a run on CPU stand-ins. It says nothing about a GPU.");
        Console.WriteLine($"commit   {commit}");
        // A new one in any case: runs of an earlier check are not compared with those of this one.
        string work = Path.GetFullPath(Path.Combine(options.Work ?? Path.GetTempPath(), $"gpu-check-{Guid.NewGuid():N}"));
        Checks checks = new(AppContext.BaseDirectory, work, options, standIn, libraries.All(l => l.Path is not null));
        Check[] asked = [.. checks.All().Where(c => options.Only.Count == 0 || options.Only.Any(n => c.Name.StartsWith(n, StringComparison.Ordinal)))];
        if (asked.Length == 0)
            throw new InputException($"--only: found '{string.Join(',', options.Only)}', expected the beginning of one of: "
                + string.Join("; ", checks.All().Select(c => c.Name)));
        CheckReport report = new(options.Json, commit, device, standIn, libraries);
        Directory.CreateDirectory(work);
        try
        {
            await new Schedule(options.Jobs, options.Budget, standIn ? StandInPatience : GpuPatience, report.Add).Run(asked).ConfigureAwait(false);
        }
        finally
        {
            if (options.Work is null)
                Directory.Delete(work, recursive: true);
        }
        Console.WriteLine(report.Summary);
        return report.Failed > 0 ? SomethingFailed : 0;
    }

    // Closed again: the GPU is for the programs.
    private static (string Description, bool StandIn) Describe()
    {
        using Device device = Device.Open("cuda");
        return (device.Description, device.IsStandIn);
    }

    // The build writes it behind the version: 1.0.0+commit.
    private static string Commit() => typeof(GpuCheckCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion.Split('+')[^1];
}
