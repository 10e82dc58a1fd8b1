using CudaGen.KernelCheck.Tests.Driver;
using static System.StringComparison;

namespace CudaGen.KernelCheck.Tests;

/// <summary>Launches on the stand-ins: numbers, refusals, and what is said of them.</summary>
[Collection(OneProcess.Name)]
public sealed class LaunchWorkerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private List<WorkerMessage> Run(string kernel, string json, LaunchMode mode = LaunchMode.Checked, int orders = 1)
    {
        File.WriteAllText(_folder["k.cu"], kernel);
        File.WriteAllText(_folder["c.json"], json);
        return InProcess.Run(new LaunchJob(mode, Session.Folder, _folder["k.cu"], CaseFile.Read(_folder["c.json"]), orders));
    }

    private string Finding(string arguments, string grid = "1", string block = "32", string kernel = Twice)
    {
        List<WorkerMessage> messages = Run(kernel, Case(arguments, grid, block));
        return Assert.Single(messages.Single(m => m.Kind == "ran").Texts!);
    }

    private const string Twice = """
        extern "C" __global__ void __launch_bounds__(64) k(float* y, const float* x, int n)
        {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n)
                y[i] = 2 * x[i];
        }
        """;

    private const string X = """{"type": "const float*", "name": "x", "length": 10, "fill": {"range": [0, 1]}}""";
    private const string N = """{"type": "int", "name": "n", "value": 10}""";

    private static string Y(string expected = """{"range": [0, 2]}""") =>
        $$"""{"type": "float*", "name": "y", "length": 10, "expected": {{expected}}}""";

    private static string Case(string arguments, string grid = "1", string block = "32") =>
        $$"""{"kernel": "k", "grid": {{grid}}, "block": {{block}}, "arguments": [{{arguments}}]}""";

    [Theory]
    [InlineData(LaunchMode.Checked)]
    [InlineData(LaunchMode.Fast)]
    public void Right_numbers_pass_in_every_order(LaunchMode mode)
    {
        List<WorkerMessage> messages = Run(Twice, Case($"{Y()}, {X}, {N}"), mode, orders: 5);
        IEnumerable<string> runs = Enumerable.Repeat("running ran ", 5);
        Assert.Equal($"compiling compiled {string.Concat(runs)}done", string.Join(' ', messages.Select(m => m.Kind)));
        Assert.Equal(["", "descending", "random 1", "random 2", "random 3"], messages.Where(m => m.Kind == "ran").Select(m => m.Order));
        Assert.All(messages.Where(m => m.Kind == "ran"), m => Assert.Equal(0.0, m.MaxError));
        Assert.All(messages, m => Assert.Empty(m.Texts ?? []));
    }

    [Fact]
    public void A_wrong_number_is_found() =>
        Assert.Equal("y[9] is 18, expected 9, difference 9, allowed 9.1e-05; 9 of 10 differ, this one most",
            Finding($"{Y("""{"range": [0, 1]}""")}, {X}, {N}"));

    [Fact]
    public void A_number_that_is_not_written_is_found()
    {
        foreach (string y in new[] { Y(), """{"type": "float*", "name": "y", "length": 10}""" })
            Assert.EndsWith("nobody wrote byte 36, when 'y' is read back", Finding($$"""{{y}}, {{X}}, {"type": "int", "value": 9}"""), Ordinal);
    }

    [Fact]
    public void An_input_that_changes_is_found() =>
        Assert.Equal("x[1] was changed from 1 to 2, and is an input",
            Finding("""{"type": "float*", "name": "x", "values": [1, 1], "role": "input"}""", block: "1",
                kernel: "extern \"C\" __global__ void k(float* x) { x[1] = 2; }"));

    [Fact]
    public void Arguments_of_the_wrong_size_or_number_are_found_before_the_launch()
    {
        Assert.Equal("argument 'n' has 8 bytes, the kernel's has 4",
            Finding($$"""{{Y()}}, {{X}}, {"type": "long long", "name": "n", "value": 10}"""));
        Assert.Equal("the case has 2 arguments, the kernel has 3", Finding($"{Y()}, {X}"));
        Assert.Equal("the case has 4 arguments, the kernel has 3", Finding($$"""{{Y()}}, {{X}}, {{N}}, {"type": "int", "value": 10}"""));
    }

    [Theory]
    [InlineData("1", "2048", "CUDA_ERROR_INVALID_VALUE: invalid argument (k: 2048 threads in a block, 1024 at most)")]
    [InlineData("1", "65",
        "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: too many resources requested for launch (k: 65 threads in a block, but __launch_bounds__(64))")]
    [InlineData("0", "32", "CUDA_ERROR_INVALID_VALUE: invalid argument (k: an extent of the grid or of the block is 0)")]
    public void A_launch_that_is_refused_says_why(string grid, string block, string finding) =>
        Assert.Equal($"cuLaunchKernel: {finding}", Finding($"{Y()}, {X}, {N}", grid, block));

    [Fact]
    public void A_kernel_that_is_not_there_is_told()
    {
        List<WorkerMessage> messages = Run(Twice, """{"kernel": "other", "grid": 1, "block": 1, "arguments": []}""");
        string finding = Assert.Single(messages.Single(m => m.Kind == "ran").Texts!);
        Assert.StartsWith("cuModuleGetFunction(\"other\"): CUDA_ERROR_NOT_FOUND", finding, Ordinal);
    }

    [Fact]
    public void Variables_of_the_file_are_fresh_in_every_launch()
    {
        List<WorkerMessage> messages = Run("""
            __device__ int launches = 0;
            extern "C" __global__ void k(int* y) { y[0] = ++launches; }
            """, """{"kernel": "k", "grid": 1, "block": 1, "arguments": [{"type": "int*", "expected": [1]}]}""", orders: 3);
        Assert.All(messages.Where(m => m.Kind == "ran"), m => Assert.Empty(m.Texts!));
    }

    [Fact]
    public void Values_of_every_size_arrive()
    {
        List<WorkerMessage> messages = Run("""
            extern "C" __global__ void k(double* y, char a, unsigned short b, int c, long long d, float e, double f, float4 g, int2 h)
            {
                y[0] = a; y[1] = b; y[2] = c; y[3] = (double)d; y[4] = e; y[5] = f; y[6] = g.w; y[7] = h.y;
            }
            """, """
            {"kernel": "k", "grid": 1, "block": 1, "arguments": [
              {"type": "double*", "expected": [-7, 65535, -100000, 4294967296, 0.5, 0.1, 4, -2], "rtol": 0, "atol": 0},
              {"type": "char", "value": -7}, {"type": "unsigned short", "value": 65535}, {"type": "int", "value": -100000},
              {"type": "long long", "value": 4294967296}, {"type": "float", "value": 0.5}, {"type": "double", "value": 0.1},
              {"type": "float4", "value": [1, 2, 3, 4]}, {"type": "int2", "value": [-1, -2]}]}
            """);
        Assert.Empty(messages.Single(m => m.Kind == "ran").Texts!);
    }

    [Fact]
    public void Errors_of_the_compiler_have_the_line_of_the_file()
    {
        List<WorkerMessage> messages = Run("extern \"C\" __global__ void k(float* y)\n{\n    y[0] = undeclared;\n}\n", "[]");
        string error = Assert.Single(messages.Single(m => m.Kind == "compiled").Texts!);
        Assert.StartsWith("k.cu:3:", error, Ordinal);
        Assert.Contains("undeclared", error, Ordinal);
        Assert.DoesNotContain(messages, m => m.Kind == "running");
    }

    [Fact]
    public void Files_of_the_folder_can_be_included()
    {
        File.WriteAllText(_folder["twice.cuh"], "__device__ float twice(float v) { return 2 * v; }\n");
        List<WorkerMessage> messages = Run("#include \"twice.cuh\"\nextern \"C\" __global__ void k(float* y) { y[0] = twice(2); }\n",
            """{"kernel": "k", "grid": 1, "block": 1, "arguments": [{"type": "float*", "expected": [4]}]}""");
        Assert.Empty(messages.Single(m => m.Kind == "ran").Texts!);
    }

    [Theory]
    [InlineData(LaunchMode.Checked)]
    [InlineData(LaunchMode.Fast)]
    public void Every_builtin_of_the_list_compiles(LaunchMode mode)
    {
        List<WorkerMessage> messages = InProcess.Run(new LaunchJob(mode, Session.Folder, Builtins.File, [], 1));
        Assert.Empty(messages.Single(m => m.Kind == "compiled").Texts!);
        Assert.Equal("done", messages[^1].Kind);
    }

    [Fact]
    public void Contraction_rounds_once()
    {
        // a * b - c is 0 in two roundings, and the error of the product in one.
        const string Kernel = "extern \"C\" __global__ void k(float* y, float a, float b, float c) { y[0] = a * b - c; }";
        static string Expecting(string value) => Case($$"""
            {"type": "float*", "expected": [{{value}}], "atol": 0}, {"type": "float", "value": 1.00000011920928955078125},
            {"type": "float", "value": 1.00000011920928955078125}, {"type": "float", "value": 1.0000002384185791015625}
            """, block: "1");
        Assert.Empty(Run(Kernel, Expecting("0"), LaunchMode.Fast).Single(m => m.Kind == "ran").Texts!);
        Assert.Empty(Run(Kernel, Expecting("1.4210854715202004e-14"), LaunchMode.Contraction).Single(m => m.Kind == "ran").Texts!);
    }

    // The stand-ins by other names, without the library that would give them away, are taken for a GPU.
    [Fact]
    public void A_gpu_gets_what_the_emulator_gets_until_the_first_error()
    {
        _ = Session.Control;
        Directory.CreateDirectory(_folder["lib"]);
        foreach (string name in new[] { "libcuda.so.1", "libnvrtc.so.12" })
            File.CreateSymbolicLink(_folder[$"lib/{name}"], Path.Combine(Session.Folder, name));
        Environment.SetEnvironmentVariable("CUDAGEN_LIB_DIR", _folder["lib"]);
        try
        {
            File.WriteAllText(_folder["k.cu"], Twice);
            File.WriteAllText(_folder["c.json"], $$"""
                [{"kernel": "k", "grid": 1, "block": 32, "arguments": [{{Y()}}, {{X}}, {{N}}]},
                 {"kernel": "k", "grid": 1, "block": 32, "arguments": [{{Y()}}, {{X}}, {"type": "int", "value": 9}]},
                 {"kernel": "k", "grid": 1, "block": 32, "arguments": [{{Y()}}, {{X}}, {{N}}]}]
                """);
            List<WorkerMessage> messages = InProcess.Run(new LaunchJob(LaunchMode.Gpu, null, _folder["k.cu"], CaseFile.Read(_folder["c.json"]), 4));
            WorkerMessage[] runs = [.. messages.Where(m => m.Kind == "ran")];
            Assert.Equal([0, 1], runs.Select(r => r.Case));
            Assert.Empty(runs[0].Texts!);
            // Unset memory is what it looks like on the emulator, but as memory that somebody filled.
            Assert.StartsWith("y[9] is NaN, expected 18, as in memory that nobody wrote", Assert.Single(runs[1].Texts!), Ordinal);
            Assert.NotEqual("done", messages[^1].Kind);
        }
        finally
        {
            Environment.SetEnvironmentVariable("CUDAGEN_LIB_DIR", null);
            Session.Control.Clear();
        }
    }

    [Fact]
    public void Stand_ins_are_not_taken_for_a_gpu()
    {
        Environment.SetEnvironmentVariable("CUDAGEN_LIB_DIR", Session.Folder);
        try
        {
            Assert.Null(CudaLibraries.OpenReal(out string reason));
            Assert.Equal("the libraries that CUDAGEN_LIB_DIR offers are stand-ins", reason);
        }
        finally
        {
            Environment.SetEnvironmentVariable("CUDAGEN_LIB_DIR", null);
        }
    }
}
