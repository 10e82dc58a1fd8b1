using System.Diagnostics;
using CudaGen.Tests;

namespace CudaGen.Runtime.Tests;

/// <summary>Compiled once, found by whoever comes next.</summary>
public sealed class CompilationTests : IDisposable
{
    // The cache that several processes of this test share.
    private const string SharedFolder = "CUDAGEN_TEST_SHARED_CACHE";

    private readonly string _folder = Directory.CreateTempSubdirectory("cudagen-compiled-").FullName;
    private readonly EnvironmentVariables _environment = new("CUDAGEN_CACHE");

    public CompilationTests()
    {
        // The stand-ins are built into the cache, too, by whoever asks for them first: not into the one that goes with this test.
        _ = TestCuda.IsHere;
        _environment["CUDAGEN_CACHE"] = _folder;
    }

    public void Dispose()
    {
        _environment.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string[] Files => Directory.GetFiles(_folder, "*", SearchOption.AllDirectories);

    private static (int Compiled, int Cached) Use(Kernel add)
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 64);
        Tensor y = arena.Take(new Shape(3));
        device.Launch(add, y, 1);
        device.Launch(add, y, 2);
        Assert.Equal([3, 3, 3], device.ToArray(y));
        Assert.True(device.Compilation.Seconds > 0);
        return (device.Compilation.Compiled, device.Compilation.Cached);
    }

    [Fact]
    public void The_next_device_finds_what_was_compiled()
    {
        Kernel add = CudaHere.NewAdd();
        Assert.Equal((1, 0), Use(add));
        Assert.Equal((0, 1), Use(add));
        string file = Assert.Single(Files);
        byte[] content = File.ReadAllBytes(file);
        content[^1] ^= 1;
        File.WriteAllBytes(file, content);
        Assert.Equal((1, 0), Use(add));
        Assert.Equal((0, 1), Use(add));
    }

    [Fact]
    public void Text_name_and_headers_all_count()
    {
        KernelSource source = CudaHere.NewAdd().Source;
        KernelSource[] others =
        [
            source with { Text = source.Text + "\n" }, source with { Name = "sum.cu" }, source with { Headers = [("a.cuh", "")] },
            source with { Headers = [("b.cuh", "")] }, source with { Headers = [("a.cuh", " ")] },
        ];
        foreach (KernelSource one in others.Prepend(source))
            Assert.Equal((1, 0), Use(new(one, "add")));
        Assert.Equal(1 + others.Length, Files.Length);
    }

    [Fact]
    public void A_folder_that_cannot_be_written_costs_time_only()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        _environment["CUDAGEN_CACHE"] = file;
        Kernel add = CudaHere.NewAdd();
        Assert.Equal((1, 0), Use(add));
        Assert.Equal((1, 0), Use(add));
    }

    private static readonly Kernel Shared = new(new KernelSource("shared.cu", CudaHere.NewAdd().Source.Text.Split('\n', 2)[1]), "add");

    [Fact]
    public async Task Two_processes_that_start_at_once_leave_one_good_file()
    {
        CudaHere.Open().Dispose();
        Process[] processes = [Start(), Start()];
        foreach (Process process in processes)
        {
            using (process)
            {
                string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
                await process.WaitForExitAsync(TestContext.Current.CancellationToken);
                Assert.True(process.ExitCode == 0, output);
            }
        }
        Assert.Single(Files);
        Assert.Equal((0, 1), Use(Shared));
    }

    // This program again, for one test.
    private static Process Start()
    {
        string program = Path.Combine(AppContext.BaseDirectory, typeof(CompilationTests).Assembly.GetName().Name!);
        return Process.Start(new ProcessStartInfo(program,
            ["--filter-method", $"*.{nameof(A_text_is_compiled_or_found)}", "--results-directory", Path.GetTempPath()])
        {
            RedirectStandardOutput = true,
            Environment = { [SharedFolder] = Environment.GetEnvironmentVariable("CUDAGEN_CACHE") },
        })!;
    }

    [Fact]
    public void A_text_is_compiled_or_found()
    {
        if (Environment.GetEnvironmentVariable(SharedFolder) is { } folder)
            _environment["CUDAGEN_CACHE"] = folder;
        (int compiled, int cached) = Use(Shared);
        Assert.Equal(1, compiled + cached);
    }
}
