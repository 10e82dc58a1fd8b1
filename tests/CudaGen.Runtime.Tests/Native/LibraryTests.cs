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
