using CudaGen.Tests;

namespace CudaGen.Runtime.Tests;

/// <summary>What the tests of a CUDA device share.</summary>
internal static class CudaHere
{
    /// <summary>Opens it; skips the test where there is none.</summary>
    public static Device Open() => TestCuda.Open();

    /// <summary>A text that nothing compiled before: y[i] += a.</summary>
    public static Kernel NewAdd() => new(new KernelSource("add.cu", $$"""
        // {{Guid.NewGuid()}}
        extern "C" __global__ void add(float* y, float a, int n)
        {
            int i = blockIdx.x * blockDim.x + threadIdx.x;
            if (i < n)
                y[i] += a;
        }
        """), "add");

    public static void Launch(this Device device, Kernel add, Tensor y, float a)
        => device.Launch(add, (y.Length + 31) / 32, 32, 0, y, a, y.Length);
}
