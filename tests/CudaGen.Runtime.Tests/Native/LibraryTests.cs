using CudaGen.Runtime.Native;

namespace CudaGen.Runtime.Tests;

/// <summary>When cuBLAS and cuDNN are taken, and how their failures are told.</summary>
public sealed class LibraryTests
{
    [Theory]
    [InlineData(Implementation.Kernel, "", false, "")]
    [InlineData(Implementation.Kernel, "cublas cudnn", false, "")]
    [InlineData(Implementation.Auto, "cublas cudnn", true, "cublas cudnn")]
    [InlineData(Implementation.Auto, "cublas", false, "cublas cudnn")]
    [InlineData(Implementation.Auto, "cudnn", false, "cublas")]
    [InlineData(Implementation.Library, "cublas cudnn", true, "cublas cudnn")]
    public void Libraries_are_taken_when_both_load(Implementation implementation, string here, bool expected, string loaded)
    {
        List<string> asked = [];
        Assert.Equal(expected, CudaContext.TakesLibraries(implementation, Load));
        Assert.Equal(loaded, string.Join(' ', asked));

        string Load(string library)
        {
            asked.Add(library);
            return here.Split(' ').Contains(library) ? "" : $"no library '{library}'";
        }
    }

    [Theory, InlineData("cublas"), InlineData("cudnn")]
    public void A_library_that_was_asked_for_and_does_not_load_is_an_error(string missing)
    {
        string message = Assert.Throws<DeviceException>(
            () => CudaContext.TakesLibraries(Implementation.Library, library => library == missing ? $"no library '{missing}'; tried a, b" : "")).Message;
        Assert.Equal($"no library '{missing}'; tried a, b", message);
    }

    [Fact]
    public void The_device_line_says_which_implementation_it_became()
    {
        using Device any = CudaHere.Open();
        using Device kernel = Device.Open("cuda", 0, Implementation.Kernel);
        Assert.EndsWith("; handwritten kernels)", kernel.Description, StringComparison.Ordinal);
        Assert.SkipUnless(any.Cuda!.Blas is not null, "cuBLAS and cuDNN do not load");
        using Device library = Device.Open("cuda", 0, Implementation.Library);
        Assert.Matches(@"; cuBLAS \d+\.\d+, cuDNN \d+\.\d+\)$", library.Description);
        Assert.Equal(library.Description, any.Description);
    }

    [Theory, InlineData(Precision.Tf32, "tf32"), InlineData(Precision.Bf16, "bf16")]
    public void A_precision_is_in_the_device_line(Precision precision, string name)
    {
        using Device any = CudaHere.Open();
        Assert.SkipUnless(any.Cuda!.Blas is not null, "cuBLAS and cuDNN do not load");
        Assert.Equal(Precision.Fp32, any.Precision);
        using Device auto = Device.Open("auto", 0, Implementation.Auto, precision);
        Assert.Equal(precision, auto.Precision);
        Assert.Equal($"{any.Description[..^1]}, {name})", auto.Description);
        using Device guest = Device.FromHandles(any.ContextHandle, any.StreamHandle, Implementation.Auto, precision);
        Assert.Equal(auto.Description, guest.Description);
    }

    [Theory]
    [InlineData("cpu", Implementation.Auto, "the CPU has no precision 'tf32'; it computes in fp32")]
    [InlineData("auto", Implementation.Cpu, "the CPU has no precision 'tf32'; it computes in fp32")]
    [InlineData("auto", Implementation.Reference, "the CPU has no precision 'tf32'; it computes in fp32")]
    [InlineData("cuda", Implementation.Kernel, "the implementation 'kernel' has no precision 'tf32'; it computes in fp32")]
    [InlineData("cuda:3", Implementation.Kernel, "the implementation 'kernel' has no precision 'tf32'; it computes in fp32")]
    public void A_precision_is_refused_where_it_is_not_to_be_had(string device, Implementation implementation, string message)
        => Assert.Equal(message, Assert.Throws<DeviceException>(() => Device.Open(device, 1, implementation, Precision.Tf32)).Message);

    /// <summary>The libraries would compute in float32 and say nothing.</summary>
    [Theory]
    [InlineData(Precision.Fp32, 7, "0", null)]
    [InlineData(Precision.Tf32, 8, null, null)]
    [InlineData(Precision.Tf32, 9, "1", null)]
    [InlineData(Precision.Bf16, 9, "0", null)]
    [InlineData(Precision.Tf32, 7, null, "tf32: found a GPU of compute capability 7.x, expected 8.0 or later")]
    [InlineData(Precision.Bf16, 6, null, "bf16: found a GPU of compute capability 6.x, expected 8.0 or later")]
    [InlineData(Precision.Tf32, 9, "0", "tf32: found NVIDIA_TF32_OVERRIDE=0 in the environment, which forbids it to NVIDIA's libraries; expected it unset")]
    public void A_precision_asks_for_tensor_cores(Precision precision, int capability, string? tf32Override, string? message)
    {
        void Ask() => CudaContext.RequireTensorCores(precision, capability, tf32Override);
        if (message is null)
            Ask();
        else
            Assert.Equal(message, Assert.Throws<DeviceException>(Ask).Message);
    }

    [Fact]
    public void A_failure_has_the_call_the_status_and_the_librarys_words()
    {
        using Device device = CudaHere.Open();
        Assert.SkipUnless(device.Cuda!.Blas is not null, "cuBLAS and cuDNN do not load");
        CudaException blas = Assert.Throws<CudaException>(() => Status.Check(CuBlas.cublasSetStream_v2(default, default)));
        Assert.StartsWith("cublasSetStream_v2(default, default): CUBLAS_STATUS_NOT_INITIALIZED (1): ", blas.Message, StringComparison.Ordinal);
        CudaException dnn = Assert.Throws<CudaException>(() => Status.Check(CuDnn.cudnnSetStream(default, default)));
        Assert.StartsWith("cudnnSetStream(default, default): CUDNN_STATUS_", dnn.Message, StringComparison.Ordinal);
        Assert.NotEqual(0, dnn.Status);
    }
}
