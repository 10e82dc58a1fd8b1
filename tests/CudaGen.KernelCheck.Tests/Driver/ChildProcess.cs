using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>This program again, as another process that does one of the jobs below instead of running tests.</summary>
internal static unsafe class ChildProcess
{
    private const string JobVariable = "CUDAGEN_TEST_JOB";

    private static readonly Dictionary<string, Func<int>> Jobs = new()
    {
        ["build"] = () =>
        {
            Console.WriteLine(StandIns.Build(check: true));
            return 0;
        },
        ["before cuInit"] = () =>
        {
            int device;
            nint context;
            return Session.Api.cuDeviceGet(&device, 0) == Result.NotInitialized
                && Session.Api.cuDevicePrimaryCtxRetain(&context, 0) == Result.NotInitialized
                && Session.Api.cuCtxSynchronize() == Result.NotInitialized && Session.Api.cuDriverGetVersion(&device) == 0
                && Session.Api.cuInit(1) == Result.InvalidValue && Session.Api.cuDeviceGet(&device, 0) == Result.NotInitialized
                && Session.Api.cuInit(0) == 0 && Session.Api.cuDeviceGet(&device, 0) == 0 ? 0 : 1;
        },
        ["second cuInit"] = () => Session.Api.cuInit(0) == 0 ? Session.Api.cuInit(0) : -1,
    };

    [ModuleInitializer]
    internal static void RunJob()
    {
        if (Environment.GetEnvironmentVariable(JobVariable) is string job)
            Environment.Exit(Jobs[job]());
    }

    /// <summary>Starts a job; its standard output is a pipe.</summary>
    public static Process Start(string job, params ReadOnlySpan<(string Name, string? Value)> environment)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(ChildProcess).Assembly.Location);
        start.Environment[JobVariable] = job;
        foreach ((string name, string? value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Runs a job to its end.</summary>
    public static (int Code, string Output, string Errors) Run(string job, params ReadOnlySpan<(string Name, string? Value)> environment)
    {
        using Process process = Start(job, environment);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.GetAwaiter().GetResult());
    }
}
