using CudaGen.KernelCheck.Tests.Driver;
using CudaGen.KernelCheck.Tests.Libraries;
using static CudaGen.KernelCheck.Tests.Libraries.CuBlas;

namespace CudaGen.KernelCheck.Tests;

/// <summary>The stand-in of cuBLAS: its products against the definition in double, and what it refuses or reports.</summary>
[Collection(OneProcess.Name)]
public sealed unsafe class CuBlasStandInTests
{
    private static readonly string[] Exports =
    [
        "cublasCreate_v2", "cublasDestroy_v2", "cublasGemmEx", "cublasGetMathMode", "cublasGetPointerMode_v2", "cublasGetProperty",
        "cublasGetStatusName", "cublasGetStatusString", "cublasGetStream_v2", "cublasGetVersion_v2", "cublasSetMathMode", "cublasSetPointerMode_v2",
        "cublasSetStream_v2", "cublasSetWorkspace_v2", "cublasSgemmStridedBatched", "cublasSgemm_v2",
    ];

    private static readonly Lazy<CuBlas> LazyApi = new(() => new CuBlas(Session.Folder));

    private static CuBlas Blas => LazyApi.Value;

    public static TheoryData<int, int> Operations => new()
    {
        { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 }, { 2, 0 }, { 0, 2 },
    };

    /// <summary>Gives a test a handle on the default stream.</summary>
    private static void Run(Action<nint> test) => Session.Run(() =>
    {
        nint handle;
        Assert.Equal(Success, Blas.cublasCreate_v2(&handle));
        test(handle);
        Assert.Equal(Success, Blas.cublasDestroy_v2(handle));
    });

    /// <summary>C = A B of 8 x 8 matrices.</summary>
    private static int Multiply(nint handle, float* a, float* b, float* c, float alpha = 1, float beta = 0) =>
        Blas.cublasSgemm_v2(handle, 0, 0, 8, 8, 8, &alpha, a, 8, b, 8, &beta, c, 8);

    /// <summary>An element of such a product, and the sum of the absolute values in it.</summary>
    private static (double Value, double Magnitude) Element(float[] a, float[] b, int row, int column)
    {
        double value = 0, magnitude = 0;
        for (int k = 0; k < 8; k++)
        {
            double term = (double)a[row + 8 * k] * b[k + 8 * column];
            (value, magnitude) = (value + term, magnitude + Math.Abs(term));
        }
        return (value, magnitude);
    }

    /// <summary>Waits, and expects one report that holds a text; the next test finds none.</summary>
    private static void Reports(string text)
    {
        Assert.NotEqual(Success, Session.Api.cuCtxSynchronize());
        Assert.Contains(text, Assert.Single(Session.Control.Reports), StringComparison.Ordinal);
        Session.Control.Clear();
    }

    [Fact]
    public void It_exports_the_names_of_its_header() =>
        Assert.Equal(Exports, new ElfFile(Path.Combine(Session.Folder, "libcublas.so.12")).Exports);

    [Theory, MemberData(nameof(Operations))]
    public void A_product_is_what_its_definition_says(int transa, int transb) => Run(handle =>
    {
        (int M, int N, int K)[] shapes = [(1, 1, 1), (3, 5, 7), (17, 33, 5), (97, 13, 257), (100, 260, 300), (129, 1, 64), (5, 5, 0)];
        foreach ((int m, int n, int k) in shapes)
        {
            Product(handle, transa, transb, m, n, k, padding: 0, alpha: 1, beta: 0);
            Product(handle, transa, transb, m, n, k, padding: 3, alpha: -0.5f, beta: 2);
            Product(handle, transa, transb, m, n, k, padding: 1, alpha: 0, beta: 0.5f);
        }
    });

    private static void Product(nint handle, int transa, int transb, int m, int n, int k, int padding, float alpha, float beta)
    {
        int lda = Math.Max(1, transa == 0 ? m : k) + padding, ldb = Math.Max(1, transb == 0 ? k : n) + padding, ldc = m + padding;
        float[] a = DeviceFloats.Random(1, lda * Math.Max(1, transa == 0 ? k : m)), b = DeviceFloats.Random(2, ldb * Math.Max(1, transb == 0 ? n : k));
        float[] before = beta == 0 ? DeviceFloats.NaN(ldc * n) : DeviceFloats.Random(3, ldc * n);
        using DeviceFloats onA = new(a), onB = new(b), onC = new(before);
        Assert.Equal(Success, Blas.cublasSgemm_v2(handle, transa, transb, m, n, k, &alpha, onA.Address, lda, onB.Address, ldb, &beta, onC.Address, ldc));
        float[] after = onC.Read();
        for (int j = 0; j < n; j++)
        {
            for (int i = 0; i < m; i++)
            {
                double sum = beta == 0 ? 0 : (double)beta * before[i + ldc * j], magnitude = Math.Abs(sum);
                for (int q = 0; q < k; q++)
                {
                    double term = alpha * (double)a[transa == 0 ? i + lda * q : q + lda * i] * b[transb == 0 ? q + ldb * j : j + ldb * q];
                    (sum, magnitude) = (sum + term, magnitude + Math.Abs(term));
                }
                Compare.Near(sum, magnitude, after[i + ldc * j], $"({m}, {n}, {k}) padded by {padding}, C[{i}, {j}]");
            }
            Assert.Equal(before[(ldc * j + m)..(ldc * (j + 1))], after[(ldc * j + m)..(ldc * (j + 1))]);
        }
    }

    [Fact]
    public void Work_waits_for_its_stream_and_keeps_the_scalars_of_the_call() => Run(handle =>
    {
        float[] a = DeviceFloats.Random(1, 64), b = DeviceFloats.Random(2, 64);
        using DeviceFloats onA = new(a), onB = new(b), onC = new(DeviceFloats.NaN(64));
        nint stream = Session.Stream(flags: 1);
        Assert.Equal(Success, Blas.cublasSetStream_v2(handle, stream));
        float alpha = 2, beta = 0;
        Assert.Equal(Success, Blas.cublasSgemm_v2(handle, 0, 0, 8, 8, 8, &alpha, onA.Address, 8, onB.Address, 8, &beta, onC.Address, 8));
        alpha = 5;
        Assert.True(float.IsNaN(onC.Read()[0]));
        Session.Check(Session.Api.cuStreamSynchronize(stream));
        (double value, double magnitude) = Element(a, b, 0, 0);
        Compare.Near(2 * value, 2 * magnitude, onC.Read()[0], "C[0, 0]");
        Session.Check(Session.Api.cuStreamDestroy_v2(stream));
    });

    [Fact]
    public void A_captured_product_is_replayed() => Run(handle =>
    {
        using DeviceFloats a = new(DeviceFloats.Random(1, 64)), b = new(DeviceFloats.Random(2, 64)), c = new(new float[64]);
        nint stream = Session.Stream(flags: 1), graph, exec;
        Assert.Equal(Success, Blas.cublasSetStream_v2(handle, stream));
        Session.Check(Session.Api.cuStreamBeginCapture_v2(stream, 0));
        Assert.Equal(Success, Multiply(handle, a.Address, b.Address, c.Address, beta: 1));
        Session.Check(Session.Api.cuStreamEndCapture(stream, &graph));
        Session.Check(Session.Api.cuGraphInstantiateWithFlags(&exec, graph, 0));
        for (int i = 0; i < 3; i++)
            Session.Check(Session.Api.cuGraphLaunch(exec, stream));
        Session.Check(Session.Api.cuStreamSynchronize(stream));
        (double value, double magnitude) = Element(a.Read(), b.Read(), 3, 5);
        Compare.Near(3 * value, 3 * magnitude, c.Read()[3 + 8 * 5], "C[3, 5] after three replays");
        Session.Check(Session.Api.cuGraphExecDestroy(exec));
        Session.Check(Session.Api.cuGraphDestroy(graph));
        Session.Check(Session.Api.cuStreamDestroy_v2(stream));
    });

    [Fact]
    public void A_handle_is_not_made_while_a_stream_captures() => Run(_ =>
    {
        nint stream = Session.Stream(), handle, graph;
        Session.Check(Session.Api.cuStreamBeginCapture_v2(stream, 0));
        Assert.Equal(AllocFailed, Blas.cublasCreate_v2(&handle));
        Session.Check(Session.Api.cuStreamEndCapture(stream, &graph));
        Session.Check(Session.Api.cuGraphDestroy(graph));
        Session.Check(Session.Api.cuStreamDestroy_v2(stream));
    });

    [Theory]
    [InlineData(0, 0, -1, 8, 8, 8, 8, 8, "negative")]
    [InlineData(0, 0, 8, 8, -1, 8, 8, 8, "negative")]
    [InlineData(3, 0, 8, 8, 8, 8, 8, 8, "operation")]
    [InlineData(0, 0, 8, 8, 8, 7, 8, 8, "leading dimension of A")]
    [InlineData(1, 0, 8, 8, 9, 8, 9, 8, "leading dimension of A")]
    [InlineData(0, 0, 8, 8, 8, 8, 7, 8, "leading dimension of B")]
    [InlineData(0, 1, 8, 8, 8, 8, 7, 8, "leading dimension of B")]
    [InlineData(0, 0, 8, 8, 8, 8, 8, 7, "leading dimension of C")]
    [InlineData(0, 0, 0, 0, 0, 0, 1, 1, "leading dimension of A")]
    public void Arguments_that_contradict_each_other_are_refused(int transa, int transb, int m, int n, int k, int lda, int ldb, int ldc, string reason) =>
        Run(handle =>
        {
            using DeviceFloats memory = new(3 * 81);
            float* a = memory.Address;
            float one = 1, zero = 0;
            Assert.Equal(InvalidValue, Blas.cublasSgemm_v2(handle, transa, transb, m, n, k, &one, a, lda, a + 81, ldb, &zero, a + 162, ldc));
            Assert.Contains(reason, Session.Control.Explanation, StringComparison.Ordinal);
        });

    [Fact]
    public void Pointers_that_cannot_be_read_are_refused() => Run(handle =>
    {
        using DeviceFloats memory = new(DeviceFloats.Random(1, 192));
        float* a = memory.Address, b = a + 64, c = a + 128;
        float one = 1, zero = 0;
        Assert.Equal(InvalidValue, Multiply(handle, null, b, c));
        Assert.Equal(InvalidValue, Multiply(handle, a, null, c));
        Assert.Equal(InvalidValue, Multiply(handle, a, b, null));
        Assert.Equal(InvalidValue, Blas.cublasSgemm_v2(handle, 0, 0, 8, 8, 8, null, a, 8, b, 8, &zero, c, 8));
        Assert.Equal(InvalidValue, Blas.cublasSgemm_v2(handle, 0, 0, 8, 8, 8, &one, a, 8, b, 8, null, c, 8));
        Assert.Equal(InvalidValue, Blas.cublasSgemm_v2(handle, 0, 0, 8, 8, 8, a, a, 8, b, 8, &zero, c, 8)); // device memory, in host mode
        Assert.Equal(Success, Blas.cublasSgemm_v2(handle, 0, 0, 0, 8, 8, &one, null, 1, null, 8, &zero, null, 1)); // nothing to do
        Assert.Equal(InvalidValue, Blas.cublasCreate_v2(null));
        Assert.Equal(InvalidValue, Blas.cublasGetVersion_v2(handle, null));
    });

    [Fact]
    public void A_handle_that_does_not_exist_is_refused() => Session.Run(() =>
    {
        nint handle, other;
        Assert.Equal(Success, Blas.cublasCreate_v2(&handle));
        Assert.Equal(Success, Blas.cublasDestroy_v2(handle));
        Assert.Equal(Success, Blas.cublasCreate_v2(&other));
        using DeviceFloats memory = new(192);
        foreach (nint dead in (nint[])[handle, 0, 1, (nint)memory.Address])
        {
            Assert.Equal(NotInitialized, Multiply(dead, memory.Address, memory.Address + 64, memory.Address + 128));
            Assert.Equal(NotInitialized, Blas.cublasSetStream_v2(dead, 0));
            Assert.Equal(NotInitialized, Blas.cublasDestroy_v2(dead));
        }
        Assert.Equal(Success, Blas.cublasDestroy_v2(other));
    });

    [Fact]
    public void Operands_are_checked_when_the_work_runs() => Run(handle =>
    {
        using DeviceFloats a = new(DeviceFloats.Random(1, 64)), b = new(DeviceFloats.Random(2, 64)), unset = new(64), blank = new(64), c = new(64);
        Multiply(handle, a.Address + 1, b.Address, c.Address);
        Reports("cublasSgemm_v2, A");
        Multiply(handle, a.Address, b.Address, c.Address + 1);
        Reports("cublasSgemm_v2, C");
        Multiply(handle, a.Address, unset.Address, c.Address);
        Reports("cublasSgemm_v2, B");
        Multiply(handle, a.Address, b.Address, blank.Address, beta: 1);
        Reports("cublasSgemm_v2, C");
        Multiply(handle, a.Address, b.Address, b.Address);
        Reports("C is written and overlaps B");
        Multiply(handle, (float*)((byte*)a.Address + 2), b.Address, c.Address);
        Reports("A is not aligned");
        float* host = stackalloc float[64];
        Multiply(handle, a.Address, host, c.Address);
        Reports("cublasSgemm_v2, B");
        // The rows of C between those of A in every column: no overlap.
        float one = 1, zero = 0;
        Assert.Equal(Success, Blas.cublasSgemm_v2(handle, 0, 0, 4, 8, 8, &one, a.Address, 8, b.Address, 8, &zero, a.Address + 4, 8));
        Session.Check(Session.Api.cuCtxSynchronize());
    });

    [Fact]
    public void After_a_report_every_product_fails() => Run(handle =>
    {
        using DeviceFloats a = new(64);
        Multiply(handle, a.Address, a.Address, a.Address);
        Assert.NotEqual(Success, Session.Api.cuCtxSynchronize());
        Assert.Equal(ExecutionFailed, Multiply(handle, a.Address, a.Address, a.Address));
        Session.Control.Clear();
    });

    [Fact]
    public void Scalars_in_device_memory_are_read_when_the_work_runs() => Run(handle =>
    {
        float[] a = DeviceFloats.Random(1, 64), b = DeviceFloats.Random(2, 64);
        using DeviceFloats onA = new(a), onB = new(b), onC = new(DeviceFloats.NaN(64)), scalars = new([2, 0]);
        Assert.Equal(Success, Blas.cublasSetPointerMode_v2(handle, 1));
        Assert.Equal(Success, Blas.cublasSgemm_v2(handle, 0, 0, 8, 8, 8, scalars.Address, onA.Address, 8, onB.Address, 8, scalars.Address + 1, onC.Address, 8));
        (double value, double magnitude) = Element(a, b, 7, 1);
        Compare.Near(2 * value, 2 * magnitude, onC.Read()[7 + 8], "C[7, 1]");
        int mode;
        Assert.Equal((Success, 1), (Blas.cublasGetPointerMode_v2(handle, &mode), mode));
        Assert.Equal(InvalidValue, Blas.cublasSetPointerMode_v2(handle, 2));
    });

    [Fact]
    public void Tensor_cores_keep_10_bits_where_they_are_allowed() => Run(handle =>
    {
        float[] a = DeviceFloats.Random(1, 64), b = DeviceFloats.Random(2, 64);
        using DeviceFloats onA = new(a), onB = new(b), onC = new(64);
        double Error(int compute)
        {
            float one = 1, zero = 0;
            Assert.Equal(Success, Blas.cublasGemmEx(handle, 0, 0, 8, 8, 8, &one, onA.Address, R32F, 8, onB.Address, R32F, 8, &zero, onC.Address, R32F, 8,
                compute, -1));
            float[] c = onC.Read();
            return Enumerable.Range(0, 64).Max(i => Math.Abs(c[i] - Element(a, b, i % 8, i / 8).Value));
        }
        Assert.InRange(Error(Compute32F), 0, 2e-6);
        Assert.InRange(Error(Compute32FFastTf32), 2e-5, 1e-2);
        Assert.Equal(Success, Blas.cublasSetMathMode(handle, Tf32Math));
        Assert.InRange(Error(Compute32F), 2e-5, 1e-2);
        Assert.InRange(Error(Compute32FPedantic), 0, 2e-6);
        int mode;
        Assert.Equal((Success, Tf32Math), (Blas.cublasGetMathMode(handle, &mode), mode));
        Assert.Equal(InvalidValue, Blas.cublasSetMathMode(handle, 5));
    });

    [Fact]
    public void Matrices_of_bfloat16_are_multiplied_in_float32() => Run(handle =>
    {
        float[] a = [.. DeviceFloats.Random(1, 64).Select(Bfloat16.Round)], b = [.. DeviceFloats.Random(2, 64).Select(Bfloat16.Round)];
        using DeviceFloats onA = new(Bfloat16.Pack(a)), onB = new(Bfloat16.Pack(b)), onC = new(64), small = new(32);
        float one = 1, zero = 0;
        Assert.Equal(Success, Blas.cublasGemmEx(handle, 0, 0, 8, 8, 8, &one, onA.Address, R16BF, 8, onB.Address, R16BF, 8, &zero, onC.Address, R32F, 8,
            Compute32F, -1));
        Assert.Equal(Success, Blas.cublasGemmEx(handle, 0, 0, 8, 8, 8, &one, onA.Address, R16BF, 8, onB.Address, R16BF, 8, &zero, small.Address, R16BF, 8,
            Compute32F, 99));
        (double value, double magnitude) = Element(a, b, 2, 3);
        float[] c = onC.Read();
        Compare.Near(value, magnitude, c[2 + 8 * 3], "C[2, 3]");
        Assert.Equal(Bfloat16.Pack([.. c.Select(Bfloat16.Round)]), small.Read());
        Assert.Equal(NotSupported, Blas.cublasGemmEx(handle, 0, 0, 8, 8, 8, &one, onA.Address, R16BF, 8, onB.Address, R16BF, 8, &zero, onC.Address, R32F, 8,
            Compute32FFastTf32, -1));
        Assert.Equal(NotSupported, Blas.cublasGemmEx(handle, 0, 0, 8, 8, 8, &one, onA.Address, R16F, 8, onB.Address, R16F, 8, &zero, onC.Address, R32F, 8,
            Compute32F, -1));
        Assert.Equal(InvalidValue, Blas.cublasGemmEx(handle, 0, 0, 8, 8, 8, &one, onA.Address, R16BF, 8, onB.Address, R16BF, 8, &zero, onC.Address, R32F, 8,
            Compute32F, 50));
    });

    [Fact]
    public void A_workspace_is_used_checked_and_forgotten_with_the_stream() => Run(handle =>
    {
        using DeviceFloats a = new(DeviceFloats.Random(1, 64)), b = new(DeviceFloats.Random(2, 64)), c = new(64), workspace = new(new float[4096]);
        Assert.Equal(InvalidValue, Blas.cublasSetWorkspace_v2(handle, workspace.Address + 1, 16384));
        Assert.Equal(Success, Blas.cublasSetWorkspace_v2(handle, workspace.Address, 4096));
        Assert.Equal(AllocFailed, Multiply(handle, a.Address, b.Address, c.Address));
        Assert.Equal(Success, Blas.cublasSetWorkspace_v2(handle, workspace.Address, 16384));
        Assert.Equal(Success, Multiply(handle, a.Address, b.Address, c.Address));
        Assert.True(float.IsNaN(workspace.Read()[0]));
        Multiply(handle, a.Address, workspace.Address, c.Address);
        Reports("workspace is written and overlaps B");
        using DeviceFloats other = new(new float[4096]);
        Assert.Equal(Success, Blas.cublasSetWorkspace_v2(handle, other.Address, 16384));
        Assert.Equal(Success, Blas.cublasSetStream_v2(handle, 0));
        Assert.Equal(Success, Multiply(handle, a.Address, b.Address, c.Address));
        Assert.Equal(0, other.Read()[0]);
    });

    [Fact]
    public void Batches_lie_a_stride_apart() => Run(handle =>
    {
        float[] a = DeviceFloats.Random(1, 3 * 12), b = DeviceFloats.Random(2, 3 * 20);
        using DeviceFloats onA = new(a), onB = new(b), apart = new(3 * 15), between = new(45);
        int Batched(float* c, int ldc, long stride)
        {
            float one = 1, zero = 0;
            return Blas.cublasSgemmStridedBatched(handle, 0, 0, 3, 5, 4, &one, onA.Address, 3, 12, onB.Address, 4, 20, &zero, c, ldc, stride, 3);
        }
        Assert.Equal(Success, Batched(apart.Address, 3, 15));
        Assert.Equal(Success, Batched(between.Address, 9, 3)); // rows of three matrices by turns
        float[] one3 = apart.Read(), by3 = between.Read();
        for (int batch = 0; batch < 3; batch++)
            for (int j = 0; j < 5; j++)
                for (int i = 0; i < 3; i++)
                {
                    double sum = 0;
                    for (int k = 0; k < 4; k++)
                        sum += (double)a[12 * batch + i + 3 * k] * b[20 * batch + k + 4 * j];
                    Compare.Near(sum, 4, one3[15 * batch + i + 3 * j], $"batch {batch}, C[{i}, {j}]");
                    Assert.Equal(one3[15 * batch + i + 3 * j], by3[3 * batch + i + 9 * j]);
                }
        Assert.Equal(Success, Batched(apart.Address, 3, 14));
        Reports("the matrices C of the batches overlap");
    });

    [Fact]
    public void Calls_fail_on_demand() => Run(handle =>
    {
        using DeviceFloats memory = new(DeviceFloats.Random(1, 192));
        float* a = memory.Address;
        Session.Control.Fail("cublasSgemm_v2", 2, InternalError);
        Assert.Equal(Success, Multiply(handle, a, a + 64, a + 128));
        Assert.Equal(InternalError, Multiply(handle, a, a + 64, a + 128));
        Assert.Equal(Success, Multiply(handle, a, a + 64, a + 128));
        Session.Check(Session.Api.cuCtxSynchronize());
    });

    [Fact]
    public void Statuses_have_names_and_words()
    {
        Assert.Equal("CUBLAS_STATUS_EXECUTION_FAILED", Blas.cublasGetStatusName(ExecutionFailed));
        Assert.NotEqual(Blas.cublasGetStatusString(AllocFailed), Blas.cublasGetStatusString(InvalidValue));
        Assert.DoesNotContain("CUBLAS_STATUS", Blas.cublasGetStatusName(999), StringComparison.Ordinal);
        int version;
        Assert.Equal((Success, 12), (Blas.cublasGetVersion_v2(0, &version), version / 10000));
        int major, minor, patch;
        Assert.Equal((Success, Success, Success),
            (Blas.cublasGetProperty(0, &major), Blas.cublasGetProperty(1, &minor), Blas.cublasGetProperty(2, &patch)));
        Assert.Equal(version, major * 10000 + minor * 100 + patch);
        Assert.Equal((InvalidValue, InvalidValue), (Blas.cublasGetProperty(3, &major), Blas.cublasGetProperty(0, null)));
    }
}
