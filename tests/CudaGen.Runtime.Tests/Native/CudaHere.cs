namespace CudaGen.Runtime.Tests;

/// <summary>The CUDA device of this machine: a GPU, or the stand-ins that <c>CUDAGEN_LIB_DIR</c> names.</summary>
internal static class CudaHere
{
    /// <summary>Opens it; skips the test where there is none.</summary>
    public static Device Open()
    {
        // Where a folder was named, a failure is one.
        if (Environment.GetEnvironmentVariable("CUDAGEN_LIB_DIR") is { Length: > 0 })
            return Device.Open("cuda");
        Device device = Device.Open("auto", 1);
        if (device.Kind == DeviceKind.Cuda)
            return device;
        device.Dispose();
        Assert.Skip("there is no CUDA device, and CUDAGEN_LIB_DIR names no stand-ins");
        return null;
    }

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
