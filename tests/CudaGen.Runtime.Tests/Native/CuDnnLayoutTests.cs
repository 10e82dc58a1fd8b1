using CudaGen.Runtime.Native;

namespace CudaGen.Runtime.Tests.Native;

/// <summary>Sizes and offsets as a C compiler lays out the structs of cudnn_cnn.h on a 64-bit machine.</summary>
public sealed unsafe class CuDnnLayoutTests
{
    // algo, status, time, memory, determinism, mathType, reserved; four bytes of padding before memory and at the end.
    private static readonly nint[] Offsets = [0, 4, 8, 16, 24, 28, 32];

    [Fact]
    public void Performance_of_a_forward_algorithm()
    {
        cudnnConvolutionFwdAlgoPerf_t p;
        Assert.Equal(48, sizeof(cudnnConvolutionFwdAlgoPerf_t));
        Assert.Equal<nint[]>(Offsets, [At(&p, &p.algo), At(&p, &p.status), At(&p, &p.time), At(&p, &p.memory), At(&p, &p.determinism), At(&p, &p.mathType),
            At(&p, p.reserved)]);
    }

    [Fact]
    public void Performance_of_a_backward_data_algorithm()
    {
        cudnnConvolutionBwdDataAlgoPerf_t p;
        Assert.Equal(48, sizeof(cudnnConvolutionBwdDataAlgoPerf_t));
        Assert.Equal<nint[]>(Offsets, [At(&p, &p.algo), At(&p, &p.status), At(&p, &p.time), At(&p, &p.memory), At(&p, &p.determinism), At(&p, &p.mathType),
            At(&p, p.reserved)]);
    }

    [Fact]
    public void Performance_of_a_backward_filter_algorithm()
    {
        cudnnConvolutionBwdFilterAlgoPerf_t p;
        Assert.Equal(48, sizeof(cudnnConvolutionBwdFilterAlgoPerf_t));
        Assert.Equal<nint[]>(Offsets, [At(&p, &p.algo), At(&p, &p.status), At(&p, &p.time), At(&p, &p.memory), At(&p, &p.determinism), At(&p, &p.mathType),
            At(&p, p.reserved)]);
    }

    [Fact]
    public void Handles_are_pointers_and_enumerations_are_ints()
    {
        Assert.All([sizeof(cudnnHandle_t), sizeof(cudnnTensorDescriptor_t), sizeof(cudnnFilterDescriptor_t), sizeof(cudnnConvolutionDescriptor_t),
            sizeof(cublasHandle_t)], size => Assert.Equal(sizeof(nint), size));
        Assert.All([sizeof(cudnnStatus_t), sizeof(cudnnDataType_t), sizeof(cudnnTensorFormat_t), sizeof(cudnnConvolutionMode_t),
            sizeof(cudnnMathType_t), sizeof(cublasStatus_t), sizeof(cublasOperation_t), sizeof(cublasMath_t)], size => Assert.Equal(4, size));
    }

    private static nint At(void* start, void* field) => (nint)((byte*)field - (byte*)start);
}
