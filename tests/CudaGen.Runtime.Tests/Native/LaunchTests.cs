using CudaGen.Runtime.Native;

namespace CudaGen.Runtime.Tests;

/// <summary>What goes from C# through the driver into a kernel, and what comes back when it does not fit.</summary>
public sealed class LaunchTests
{
    private static readonly KernelSource Source = new("echo.cu", """
        #include "twice.cuh"

        extern "C" __global__ void echo(long long* integers, double* reals, signed char a, unsigned char b, short c, unsigned short d, int e,
                                        unsigned f, long long g, unsigned long long h, float i, double j, const float* k)
        {
            integers[0] = a;
            integers[1] = b;
            integers[2] = c;
            integers[3] = d;
            integers[4] = e;
            integers[5] = f;
            integers[6] = g;
            integers[7] = (long long)h;
            integers[8] = (long long)k;
            reals[0] = i;
            reals[1] = j;
        }

        // Every value lies behind a gap.
        extern "C" __global__ void echo_mixed(signed char a, double b, unsigned char c, short d, signed char e, const float* f, unsigned char g,
                                              float h, short i, long long* integers, unsigned char j, unsigned k)
        {
            integers[0] = a;
            integers[1] = (long long)b;
            integers[2] = c;
            integers[3] = d;
            integers[4] = e;
            integers[5] = (long long)f;
            integers[6] = g;
            integers[7] = (long long)h;
            integers[8] = i;
            integers[9] = j;
            integers[10] = k;
        }

        extern "C" __global__ void where(int* extents, int* threads)
        {
            int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
            int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
            threads[block * blockDim.x * blockDim.y * blockDim.z + thread] = thread;
            if (block != 0 || thread != 0)
                return;
            extents[0] = gridDim.x;
            extents[1] = gridDim.y;
            extents[2] = gridDim.z;
            extents[3] = blockDim.x;
            extents[4] = blockDim.y;
            extents[5] = blockDim.z;
        }

        extern "C" __global__ void reverse(int* x)
        {
            extern __shared__ int copy[];
            copy[threadIdx.x] = x[threadIdx.x];
            __syncthreads();
            x[threadIdx.x] = twice(copy[blockDim.x - 1 - threadIdx.x]);
        }
        """, ("twice.cuh", """
        static __device__ int twice(int x)
        {
            return 2 * x;
        }
        """));

    private static readonly Kernel Echo = new(Source, "echo"), Mixed = new(Source, "echo_mixed"), Where = new(Source, "where"),
        Reverse = new(Source, "reverse");

    [Fact]
    public void Arguments_of_every_width_arrive()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Buffer<long> integers = arena.Take<long>(9);
        Buffer<double> reals = arena.Take<double>(2);
        Tensor pointer = arena.Take(new Shape(3));
        void Run(sbyte a, byte b, short c, ushort d, int e, uint f, long g, ulong h, float i, double j, Tensor? k)
        {
            device.Launch(Echo, 1, 1, 0, integers, reals, KernelArgument.Of(a), KernelArgument.Of(b), KernelArgument.Of(c), KernelArgument.Of(d),
                e, f, g, h, i, j, k);
            Assert.Equal([a, b, c, d, e, f, g, (long)h, k?.Address ?? 0], device.ToArray(integers));
            Assert.Equal([i, j], device.ToArray(reals));
        }
        Run(-2, 254, -300, 65000, -70_000, 4_000_000_000, -5_000_000_000, 0xFEDC_BA98_7654_3210, -1.25f, 1e300, pointer);
        Run(sbyte.MaxValue, 1, short.MaxValue, 2, int.MaxValue, 3, long.MaxValue, 4, float.Epsilon, double.Epsilon, null);
        Run(sbyte.MinValue, 0, short.MinValue, 0, int.MinValue, 0, long.MinValue, 0, float.NegativeInfinity, double.NaN, null);
    }

    [Fact]
    public void Gaps_between_parameters_shift_nothing()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Buffer<long> integers = arena.Take<long>(11);
        Tensor pointer = arena.Take(new Shape(3));
        device.Launch(Mixed, 1, 1, 0, KernelArgument.Of((sbyte)-1), -(double)(1L << 50), KernelArgument.Of((byte)200), KernelArgument.Of((short)-3),
            KernelArgument.Of((sbyte)-4), pointer, KernelArgument.Of((byte)206), 65536f, KernelArgument.Of((short)-8), integers,
            KernelArgument.Of((byte)209), uint.MaxValue - 10);
        Assert.Equal([-1, -(1L << 50), 200, -3, -4, pointer.Address, 206, 65536, -8, 209, uint.MaxValue - 10], device.ToArray(integers));
    }

    [Fact]
    public void Grid_and_block_have_the_extents_that_were_given()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 1 << 16);
        const int Threads = 24 * 210;
        Buffer<int> extents = arena.Take<int>(6), threads = arena.Take<int>(Threads);
        device.Upload(threads, Enumerable.Repeat(-1, Threads).ToArray());
        device.Launch(Where, new(2, 3, 4), new(5, 6, 7), 0, extents, threads);
        Assert.Equal([2, 3, 4, 5, 6, 7], device.ToArray(extents));
        Assert.Equal(Enumerable.Range(0, Threads).Select(i => i % 210), device.ToArray(threads));
    }

    [Fact]
    public void Shared_memory_is_as_large_as_was_asked_for()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Buffer<int> x = arena.Take<int>(96);
        device.Upload(x, Enumerable.Range(0, 96).ToArray());
        device.Launch(Reverse, 1, 96, 96 * sizeof(int), x);
        Assert.Equal(Enumerable.Range(0, 96).Select(i => 2 * (95 - i)), device.ToArray(x));
    }

    [Fact]
    public void An_argument_that_is_not_the_kernel_s_is_refused()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Kernel add = CudaHere.NewAdd();
        Tensor y = arena.Take(new Shape(3));
        string Refusal(Action launch) => Assert.Throws<CudaGenException>(launch).Message;
        Assert.Equal("add: 2 arguments, the kernel has 3", Refusal(() => device.Launch(add, 1, 32, 0, y, 1f)));
        Assert.Equal("add: 4 arguments, the kernel has 3", Refusal(() => device.Launch(add, 1, 32, 0, y, 1f, 3, 3)));
        Assert.Equal("add: argument 1 has 8 bytes, the kernel's has 4", Refusal(() => device.Launch(add, 1, 32, 0, y, 1.0, 3)));
        Assert.Equal("add: argument 2 has 8 bytes, the kernel's has 4", Refusal(() => device.Launch(add, 1, 32, 0, y, 1f, 3L)));
        Assert.Equal("add: argument 0 has 4 bytes, the kernel's has 8", Refusal(() => device.Launch(add, 1, 32, 0, 0, 1f, 3)));
        device.Launch(add, 1, 32, 0, y, 1f, 3);
        Assert.Equal([1, 1, 1], device.ToArray(y));
    }

    [Fact]
    public void No_block_is_no_launch_and_too_large_a_one_an_error()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Kernel add = CudaHere.NewAdd();
        Tensor y = arena.Take(new Shape(3));
        device.Launch(add, 0, 32, 0, y, 1f, 3);
        device.Launch(add, new(1, 0), 32, 0, y, 1f, 3);
        device.LaunchOver(add, 0, y, 1f, 3);
        Assert.Equal(default, device.Compilation);
        CudaException e = Assert.Throws<CudaException>(() => device.Launch(add, 1, 2048, 0, y, 1f, 3));
        Assert.Equal(1, e.Status);
        Assert.StartsWith("cuLaunchKernel(add, ", e.Message, StringComparison.Ordinal);
        Assert.Contains("CUDA_ERROR_INVALID_VALUE (1)", e.Message, StringComparison.Ordinal);
        Assert.Contains("block (2048, 1, 1)", e.Message, StringComparison.Ordinal);
        device.Launch(add, 1, 32, 0, y, 1f, 3);
        Assert.Equal([1, 1, 1], device.ToArray(y));
    }

    [Fact]
    public void A_launch_allocates_nothing()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Kernel add = CudaHere.NewAdd();
        Tensor y = arena.Take(new Shape(40));
        device.Launch(add, y, 1);
        device.Synchronize();
        long free = device.GpuMemory.Free, before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
            device.Launch(add, y, 1);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal((0, free), (allocated, device.GpuMemory.Free));
        Assert.All(device.ToArray(y), v => Assert.Equal(11, v));
    }

    [Fact]
    public void A_kernel_goes_to_a_GPU_only()
    {
        using Device device = Device.Cpu(1);
        Assert.Contains("kernel add asks for a CUDA device; this is cpu (1 thread",
            Assert.Throws<DeviceException>(() => device.Launch(CudaHere.NewAdd(), 1, 1, 0)).Message, StringComparison.Ordinal);
        Assert.Contains("a graph asks for", Assert.Throws<DeviceException>(() => device.Capture(() => { })).Message, StringComparison.Ordinal);
        Assert.Contains("an event asks for", Assert.Throws<DeviceException>(() => new CudaEvent(device)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_text_that_does_not_compile_shows_the_log_and_the_numbered_lines()
    {
        using Device device = CudaHere.Open();
        Kernel broken = new(new KernelSource("broken.cu", """
            extern "C" __global__ void broken(float* y)
            {
                y[0] = no_such_name;
            }
            """), "broken");
        CudaException e = Assert.Throws<CudaException>(() => device.Launch(broken, 1, 1, 0, (nint)0));
        Assert.Equal((int)nvrtcResult.NVRTC_ERROR_COMPILATION, e.Status);
        const string Start = "broken.cu: NVRTC_ERROR_COMPILATION (6): ";
        Assert.StartsWith(Start, e.Message, StringComparison.Ordinal);
        string[] lines = e.Message[Start.Length..].Split('\n');
        int text = Array.IndexOf(lines, "   1  extern \"C\" __global__ void broken(float* y)");
        Assert.True(text > 1, e.Message);
        Assert.Equal("   3      y[0] = no_such_name;", lines[text + 2]);
        string log = string.Join('\n', lines[..text]);
        Assert.Contains("broken.cu", log, StringComparison.Ordinal);
        Assert.Contains("no_such_name", log, StringComparison.Ordinal);
        Assert.Contains("error", log, StringComparison.Ordinal);
        // It is not remembered as compiled.
        Assert.Throws<CudaException>(() => device.Launch(broken, 1, 1, 0, (nint)0));
        Assert.Equal(0, device.Compilation.Cached);
    }

    [Fact]
    public void A_kernel_that_the_text_has_not_is_named()
    {
        using Device device = CudaHere.Open();
        Kernel wrong = new(CudaHere.NewAdd().Source, "sub");
        CudaException e = Assert.Throws<CudaException>(() => device.Launch(wrong, 1, 1, 0, (nint)0));
        Assert.StartsWith("cuModuleGetFunction(add.cu, sub): CUDA_ERROR_NOT_FOUND (500)", e.Message, StringComparison.Ordinal);
    }
}
