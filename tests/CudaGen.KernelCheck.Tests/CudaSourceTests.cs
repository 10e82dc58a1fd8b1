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
    }

    [Fact]
    public void A_declaration_without_a_body_is_no_kernel() =>
        Assert.Empty(CudaSource.Parse("k.cu", "extern \"C\" __global__ void later(int n);").Kernels);

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
