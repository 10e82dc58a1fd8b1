using CudaGen.Runtime;
using static System.StringComparison;

namespace CudaGen.KernelCheck.Tests;

public sealed class ClangCompilerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ClangCompiler _clang = Require();

    public void Dispose()
    {
        _clang.Dispose();
        _folder.Dispose();
    }

    private static ClangCompiler Require()
    {
        ClangCompiler? clang = ClangCompiler.Find(out string reason);
        Assert.SkipWhen(clang is null, reason);
        return clang!;
    }

    private ClangResult Compile(string text, int architecture = 80)
    {
        File.WriteAllText(_folder["k.cu"], text);
        return _clang.Compile(_folder["k.cu"], architecture);
    }

    private PtxFacts Facts(string text, int architecture = 80)
    {
        ClangResult result = Compile(text, architecture);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
        return Assert.Single(PtxFacts.Read(result.Ptx!));
    }

    public static TheoryData<int> Architectures => [.. ClangCompiler.Architectures];

    [Theory, MemberData(nameof(Architectures))]
    public void Every_builtin_of_the_list_compiles(int architecture)
    {
        ClangResult result = _clang.Compile(Builtins.File, architecture);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
        Assert.Contains($".target sm_{architecture}", result.Ptx, Ordinal);
        Assert.Equal(Builtins.Kernels, PtxFacts.Read(result.Ptx!).Select(f => f.Kernel).Order(StringComparer.Ordinal));
    }

    [Theory, MemberData(nameof(Architectures))]
    public void A_vector_copy_shows_its_accesses(int architecture)
    {
        PtxFacts facts = Facts("""
            extern "C" __global__ void __launch_bounds__(128) copy(float4* __restrict__ y, const float4* __restrict__ x, float a, int n)
            {
                int i = blockIdx.x * blockDim.x + threadIdx.x;
                if (i >= n) return;
                float4 v = x[i];
                y[i] = make_float4(a * v.x, a * v.y, a * v.z, a * v.w);
            }
            """, architecture);
        Assert.Equal(new AccessCount(0, 0, 1), facts.Loads);
        Assert.Equal(new AccessCount(0, 0, 1), facts.Stores);
        Assert.Equal((128, 24, 0, 0), (facts.MaxThreads, facts.ParameterBytes, facts.LocalBytes, facts.DoubleOperations));
        Assert.InRange(facts.LiveRegisters, 6, 14);
    }

    [Fact]
    public void Shared_memory_barriers_shuffles_and_calls_show()
    {
        PtxFacts facts = Facts("""
            extern "C" __global__ void sum(float* out, const float* x, int n)
            {
                __shared__ float part[32];
                extern __shared__ float rows[];
                float t = threadIdx.x < n ? expf(x[threadIdx.x]) : 0.0f;
                rows[threadIdx.x] = t;
                for (int o = 16; o > 0; o >>= 1) t += __shfl_down_sync(0xffffffffu, t, o);
                if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = t;
                __syncthreads();
                if (threadIdx.x == 0) atomicAdd(out, part[0] / part[1] + rows[1]);
            }
            """);
        Assert.Equal((128, true), (facts.StaticShared, facts.DynamicShared));
        Assert.Equal((1, 5, 1, 1), (facts.Barriers, facts.Shuffles, facts.Atomics, facts.Divisions));
        Assert.Equal(["__nv_expf"], facts.Calls);
    }

    [Fact]
    public void An_array_that_is_indexed_at_run_time_lies_in_local_memory()
    {
        PtxFacts facts = Facts("""
            extern "C" __global__ void pick(float* y, const float* x, int k)
            {
                float a[16];
                for (int i = 0; i < 16; i++) a[i] = x[i] * x[i + k];
                y[threadIdx.x] = a[threadIdx.x & 15] + a[k];
            }
            """);
        Assert.Equal(64, facts.LocalBytes);
    }

    [Theory]
    [InlineData("#include <cmath>\n", "", "k.cu:1:10: fatal error: 'cmath' file not found")]
    [InlineData("", "x[0] = std::exp(x[0]);", "k.cu:4:8: error: use of undeclared identifier 'std'")]
    [InlineData("float twice(float v) { return 2 * v; }", "x[0] = twice(x[0]);", "not viable: call to __host__ function from __global__ function")]
    [InlineData("constexpr int two() { return 2; }", "x[0] = two();", "not viable: call to __host__ function from __global__ function")]
    [InlineData("", "__shared__ float s[2] = {1, 2}; x[0] = s[0];", "error: initialization is not supported for __shared__ variables")]
    [InlineData("", "x[0] = __shfl_down(x[0], 1);", "error: use of undeclared identifier '__shfl_down'")]
    [InlineData("", "threadIdx.x = 3;", "error: no setter defined for property 'x'")]
    [InlineData("", "printf(\"%f\", x[0]);", "error: use of undeclared identifier 'printf'")]
    [InlineData("", "int s[warpSize]; x[0] = s[0];", "error: cannot use variable-length arrays")]
    public void What_the_host_alone_has_is_refused(string before, string statement, string error)
    {
        ClangResult result = Compile($$"""
            {{before}}
            extern "C" __global__ void k(float* x)
            {
            {{statement}}
            }
            """);
        Assert.Null(result.Ptx);
        Assert.Contains(result.Errors, e => e.StartsWith("k.cu:", Ordinal) && e.Contains(error, Ordinal));
    }

    [Theory]
    [InlineData("float twice(float x) { return 2 * x; }", "k.cu:1: error: function 'twice' has neither __device__ nor __global__")]
    [InlineData("\nstatic inline int add(int a, int b = (1 + 2))\n{ return a + b; }", "k.cu:2: error: function 'add'")]
    [InlineData("constexpr int four() { return 4; }", "function 'four'")]
    [InlineData("template <class T> T same(T v) { return v; }", "function 'same'")]
    [InlineData("namespace a { namespace b { void inside() {} } }", "function 'inside'")]
    [InlineData("const float table[2] = {1, 2};", "array 'table' has neither __constant__ nor __device__")]
    [InlineData("static constexpr int steps[] = {1, 2};", "array 'steps'")]
    [InlineData("/* a\n b */ const float grid[2][2] = {{1, 2}, {3, 4}};", "k.cu:2: error: array 'grid'")]
    [InlineData("struct Box { int v; int get() const { return v; } };", "function 'get'")]
    [InlineData("__host__ void host() {}", "function 'host'")]
    [InlineData("#define BEGIN {\nvoid macro() BEGIN }", "k.cu:2: error: function 'macro'")]
    [InlineData("int counter;", "variable 'counter'")]
    [InlineData("static float scale = 2.0f;", "variable 'scale'")]
    public void What_clang_merely_leaves_out_is_refused(string text, string complaint)
    {
        ClangResult result = Compile(text);
        Assert.Null(result.Ptx);
        Assert.Contains(complaint, Assert.Single(result.Errors), Ordinal);
    }

    [Theory]
    [InlineData("__device__ float twice(float x) { return 2 * x; }")]
    [InlineData("static __host__ __device__ __forceinline__ float twice(float x) { return 2 * x; }")]
    [InlineData("#define HD __host__ \\\n __device__\nHD float twice(float x) { return 2 * x; }")]
    [InlineData("__constant__ float table[2] = {1, 2};\n__device__ int counter;")]
    [InlineData("const int size = 4; constexpr float half = 0.5f; static const unsigned mask = ~0u;")]
    [InlineData("struct __align__(16) Pair { float a[2]; __device__ float sum() const { return a[0] + a[1]; } };")]
    [InlineData("struct Philox { unsigned key[2]; };\nenum Kind { A, B };\nunion U { float f; int i; };\nenum class C : int { X };")]
    [InlineData("typedef float real; using index = int; static_assert(sizeof(int) == 4, \"int\");")]
    [InlineData("__device__ float later(float x);\nfloat host_only(float x);")]
    [InlineData("template <class T> struct Box { T v[4]; };")]
    [InlineData("__device__ int operator+(int2 a, int2 b) { return a.x + b.x; }")]
    [InlineData("extern __shared__ float buffer[];")]
    [InlineData("#ifndef __CUDACC_RTC__\n#include <cstdio>\nint main() { return 0; }\n#endif")]
    [InlineData("namespace a { struct B { B() = default; __device__ B(int v) : v(v) {} int v; }; }\nnamespace c = a;\nusing namespace c;")]
    [InlineData("#define KERNEL(NAME, OP) extern \"C\" __global__ void NAME(float* x) { x[0] OP 1; }\nKERNEL(add, +=)\nKERNEL(subtract, -=)")]
    public void Device_code_types_and_constants_are_not(string text) => Assert.Empty(Compile(text).Errors);

    [Fact]
    public void Unintended_double_precision_is_a_warning()
    {
        ClangResult result = Compile("extern \"C\" __global__ void k(float* x)\n{\n    x[0] = x[1] * 0.3;\n}\n");
        string warning = Assert.Single(result.Warnings);
        Assert.StartsWith("k.cu:3:", warning, Ordinal);
        Assert.Contains("increases floating-point precision: 'float' to 'double'", warning, Ordinal);
        Assert.True(PtxFacts.Read(result.Ptx!)[0].DoubleOperations > 0);
    }

    [Fact]
    public void A_file_of_the_same_folder_can_be_included()
    {
        File.WriteAllText(_folder["twice.cuh"], "__device__ float twice(float v) { return 2 * v; }\n");
        Assert.Empty(Compile("#include \"twice.cuh\"\nextern \"C\" __global__ void k(float* x) { x[0] = twice(x[0]); }\n").Errors);
    }

    [Theory]
    [InlineData("no-such-clang", "cannot run no-such-clang")]
    [InlineData("true", "found true, which is no clang")]
    public void A_clang_that_is_named_and_unusable_is_an_error(string name, string complaint)
    {
        string? before = Environment.GetEnvironmentVariable("CUDAGEN_CLANG");
        Environment.SetEnvironmentVariable("CUDAGEN_CLANG", name);
        try
        {
            string message = Assert.Throws<InputException>(() => ClangCompiler.Find(out _)).Message;
            Assert.StartsWith($"CUDAGEN_CLANG: {complaint}", message, Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable("CUDAGEN_CLANG", before);
        }
    }
}
