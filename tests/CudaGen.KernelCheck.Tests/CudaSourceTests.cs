using static System.StringComparison;

namespace CudaGen.KernelCheck.Tests;

public sealed class CudaSourceTests
{
    [Fact]
    public void Finds_kernels_with_their_parameters_and_lines()
    {
        CudaSource source = CudaSource.Parse("k.cu", """
            // extern "C" __global__ void commented_out(int a) { }
            #define N 4
            extern "C" __global__ void __launch_bounds__(256, 2)
            first(float* __restrict__ y, const float* x,
                  int n)
            {
                if (n > 0) { y[0] = x[0]; }
            }
            extern "C"
            {
                __global__ void second() { const char* text = "}"; }
            }
            namespace inner { template <class T> __global__ void third(T* p) { *p = '}'; } }
            """);
        Assert.Equal([
            new KernelDeclaration("first", true, "float* __restrict__ y, const float* x, int n", 4),
            new KernelDeclaration("second", true, "", 11),
            new KernelDeclaration("third", false, "T* p", 13),
        ], source.Kernels);
        Assert.Empty(source.Complaints);
    }

    [Fact]
    public void A_declaration_without_a_body_is_no_kernel() =>
        Assert.Empty(CudaSource.Parse("k.cu", "extern \"C\" __global__ void later(int n);").Kernels);

    [Theory]
    [InlineData("float twice(float x) { return 2 * x; }", "k.cu:1: error: function 'twice' has neither __device__ nor __global__")]
    [InlineData("\nstatic inline int add(int a, int b = (1 + 2))\n{ return a + b; }", "k.cu:2: error: function 'add'")]
    [InlineData("constexpr int four() { return 4; }", "function 'four'")]
    [InlineData("template <class T> T same(T v) { return v; }", "function 'same'")]
    [InlineData("namespace a { namespace b { void inside() {} } }", "function 'inside'")]
    [InlineData("const float table[2] = {1, 2};", "array 'table' has neither __constant__ nor __device__")]
    [InlineData("static constexpr int steps[] = {1, 2};", "array 'steps'")]
    [InlineData("/* a\n b */ const float grid[2][2] = {{1, 2}, {3, 4}};", "k.cu:2: error: array 'grid'")]
    [InlineData("int counter;", "variable 'counter'")]
    [InlineData("static float scale = 2.0f;", "variable 'scale'")]
    public void Host_code_is_refused(string text, string complaint)
    {
        string found = Assert.Single(CudaSource.Parse("k.cu", text).Complaints);
        Assert.Contains(complaint, found, Ordinal);
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
    public void Device_code_types_and_constants_are_not(string text) => Assert.Empty(CudaSource.Parse("k.cu", text).Complaints);

    [Fact]
    public void Reads_the_files_that_are_included_by_name()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["sub"]);
        File.WriteAllText(folder["sub/a.cuh"], "#include \"b.cuh\"\n");
        File.WriteAllText(folder["sub/b.cuh"], "#include \"b.cuh\"\n");
        File.WriteAllText(folder["k.cu"], "#include \"sub/a.cuh\"\n  # include \"not there.cuh\"\n#include <system>\n");
        Assert.Equal([("sub/a.cuh", "#include \"b.cuh\"\n"), ("b.cuh", "#include \"b.cuh\"\n")], CudaSource.Read(folder["k.cu"]).Headers);
    }
}
