using System.Diagnostics;
using System.Runtime.Versioning;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>How the stand-ins are built and kept, and what their environment tells them.</summary>
[SupportedOSPlatform("linux")]
public sealed class StandInsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A compiler that writes what it was asked for, slowly, and notes it; it fails on the file of that name.</summary>
    private string Compiler(string failing = "none")
    {
        string program = _folder["cxx"];
        File.WriteAllText(program, $"""
            #!/bin/sh
            if [ "$1" = --version ]; then echo 'a compiler 1.0'; exit 0; fi
            case " $* " in *" {failing} "*) echo '{failing}:1: error: no' >&2; exit 1;; esac
            while [ "$1" != -o ]; do shift; done
            echo "$2" >> '{_folder["log"]}'
            sleep 0.01
            echo made > "$2"
            """);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return program;
    }

    private (string, string?)[] Environment(string compiler) => [("CUDAGEN_CXX", compiler), ("CUDAGEN_CACHE", _folder["cache"])];

    [Fact]
    public void Two_processes_that_build_at_once_build_once()
    {
        (string, string?)[] environment = Environment(Compiler());
        Process[] builds = [.. Enumerable.Range(0, 3).Select(_ => ChildProcess.Start("build", environment))];
        string[] folders = [.. builds.Select(b => b.StandardOutput.ReadToEnd().Trim())];
        foreach (Process build in builds)
        {
            build.WaitForExit();
            Assert.Equal(0, build.ExitCode);
            build.Dispose();
        }
        string folder = Assert.Single(folders.Distinct());
        Assert.True(File.Exists(Path.Combine(folder, "libcuda.so.1")));
        string[] made = File.ReadAllLines(_folder["log"]);
        Assert.Equal(made.Distinct(), made);
        Assert.Single(made, name => name == "libcuda.so.1");
        Assert.DoesNotContain(Directory.GetFileSystemEntries(Path.Combine(_folder["cache"], "standins")),
            entry => Path.GetFileName(entry).StartsWith('.'));
    }

    [Fact]
    public void What_the_compiler_does_not_take_is_told_and_leaves_nothing()
    {
        (int code, string _, string errors) = ChildProcess.Run("build", Environment(Compiler(failing: "libcuda_device.cpp")));
        Assert.NotEqual(0, code);
        Assert.Contains("CudaGenException", errors, StringComparison.Ordinal);
        Assert.Contains("libcuda_device.cpp:1: error: no", errors, StringComparison.Ordinal);
        string[] left = Directory.GetFileSystemEntries(Path.Combine(_folder["cache"], "standins"));
        Assert.Equal(["lock", "objects"], left.Select(Path.GetFileName).Order());
        // The next try starts where this one ended.
        Assert.Equal(0, ChildProcess.Run("build", Environment(Compiler())).Code);
    }

    [Fact]
    public void A_compiler_that_is_not_there_is_told()
    {
        (int code, string _, string errors) = ChildProcess.Run("build", Environment(_folder["missing"]));
        Assert.NotEqual(0, code);
        Assert.Contains($"CUDAGEN_CXX names '{_folder["missing"]}', which cannot be run", errors, StringComparison.Ordinal);
        (code, _, errors) = ChildProcess.Run("build", ("PATH", _folder.Path), ("CUDAGEN_CXX", null), ("CUDAGEN_CACHE", _folder["cache"]));
        Assert.NotEqual(0, code);
        Assert.Contains("no C++ compiler is installed", errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Before_cuInit_nothing_works() => Assert.Equal(0, ChildProcess.Run("before cuInit").Code);

    [Fact]
    public void The_environment_makes_calls_fail_and_gets_their_count_when_the_process_exits()
    {
        (int code, _, _) = ChildProcess.Run("second cuInit", ("CUDAGEN_CHECK_FAIL", "cuInit:2:42"), ("CUDAGEN_CHECK_CALLS", _folder["calls"]));
        Assert.Equal(42, code);
        Assert.Equal(["cuInit 2"], File.ReadAllLines(_folder["calls"]));
    }
}
