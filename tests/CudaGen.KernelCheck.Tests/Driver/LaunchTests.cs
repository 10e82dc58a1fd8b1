using System.Runtime.InteropServices;
using System.Text;
using static CudaGen.KernelCheck.Tests.Driver.Session;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>Modules, functions and launches.</summary>
[Collection(OneProcess.Name)]
public sealed unsafe class LaunchTests
{
    private const uint NonBlocking = 1;

    private const string Source = """
        struct Pair { char first; double second; };

        __device__ int offset = 5;
        __constant__ float scale[3];

        extern "C" __global__ void echo(char* out, char a, short b, Pair c, int d, long long e, float f, double g, const char* h, unsigned char i)
        {
            *(char*)(out + 0) = a;
            *(short*)(out + 2) = b;
            *(int*)(out + 4) = d;
            *(long long*)(out + 8) = e;
            *(float*)(out + 16) = f;
            *(double*)(out + 24) = g;
            *(double*)(out + 32) = c.second;
            *(const char**)(out + 40) = h;
            out[1] = c.first;
            out[48] = i;
        }

        extern "C" __global__ void store(int* out, int value)
        {
            out[blockIdx.x * blockDim.x + threadIdx.x] = value + offset;
        }

        extern "C" __global__ void __launch_bounds__(64) bounded(int* out)
        {
            if (threadIdx.x == 0)
                *out = blockDim.x;
        }

        extern "C" __global__ void shared_user(int* out)
        {
            extern __shared__ int dynamic[];
            __shared__ int fixed_size[256];
            fixed_size[threadIdx.x] = threadIdx.x;
            __syncthreads();
            dynamic[threadIdx.x] = fixed_size[255 - threadIdx.x];
            out[threadIdx.x] = dynamic[threadIdx.x];
        }

        extern "C" __global__ void nothing()
        {
        }
        """;

    [StructLayout(LayoutKind.Sequential)]
    private struct Pair
    {
        public sbyte First;
        public double Second;
    }

    private static nint Load()
    {
        nint module;
        fixed (byte* image = Nvrtc.Image(Source))
            Check(Api.cuModuleLoadData(&module, image));
        return module;
    }

    private static nint Function(nint module, string name)
    {
        nint function;
        fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
            Check(Api.cuModuleGetFunction(&function, module, text));
        return function;
    }

    private static int Launch(nint function, uint grid, uint block, uint shared, nint stream, params ReadOnlySpan<nint> arguments)
    {
        fixed (nint* values = arguments)
        {
            void** pointers = stackalloc void*[arguments.Length + 1];
            for (int i = 0; i < arguments.Length; i++)
                pointers[i] = values + i;
            return Api.cuLaunchKernel(function, grid, 1, 1, block, 1, 1, shared, stream, pointers, null);
        }
    }

    [Fact]
    public void Arguments_of_every_width_arrive() => Run(() =>
    {
        nint module = Load(), echo = Function(module, "echo");
        ulong memory = Memory(64);
        byte* read = stackalloc byte[64];
        ulong self = memory;
        sbyte a = -3;
        short b = -300;
        int d = -70000;
        long e = -5_000_000_000;
        float f = 1.5f;
        double g = 2.25;
        ulong h = 0x1234_5678_9abc_def0;
        byte i = 200;
        Pair c = new() { First = 7, Second = -0.125 };
        void** arguments = stackalloc void*[] { &self, &a, &b, &c, &d, &e, &f, &g, &h, &i };
        void AssertEchoed()
        {
            Check(Api.cuMemcpyDtoH_v2(read, memory, 49));
            Assert.Equal((-3, 7, -300, -70000), ((sbyte)read[0], (sbyte)read[1], *(short*)(read + 2), *(int*)(read + 4)));
            Assert.Equal((-5_000_000_000, 1.5f), (*(long*)(read + 8), *(float*)(read + 16)));
            Assert.Equal((2.25, -0.125), (*(double*)(read + 24), *(double*)(read + 32)));
            Assert.Equal((0x1234_5678_9abc_def0ul, 200), (*(ulong*)(read + 40), read[48]));
            Check(Api.cuMemsetD8_v2(memory, 0, 64));
        }
        Check(Api.cuMemsetD8_v2(memory, 0, 64));
        Check(Api.cuLaunchKernel(echo, 1, 1, 1, 1, 1, 1, 0, 0, arguments, null));
        AssertEchoed();

        // The same in one buffer, laid out as the driver says.
        byte* buffer = stackalloc byte[128];
        int[] sizes = [8, 1, 2, 16, 4, 8, 4, 8, 8, 1];
        nuint offset = 0, size = 0;
        for (nuint n = 0; n < 10; n++)
        {
            Check(Api.cuFuncGetParamInfo(echo, n, &offset, &size));
            Assert.Equal(sizes[n], (int)size);
            Assert.Equal(0u, offset % (nuint)Math.Min(8, sizes[n]));
            NativeMemory.Copy(arguments[n], buffer + offset, size);
        }
        Assert.Equal(Result.InvalidValue, Api.cuFuncGetParamInfo(echo, 10, &offset, &size));
        nuint total = offset + size;
        void** extra = stackalloc void*[] { (void*)1, buffer, (void*)2, &total, null };
        Check(Api.cuLaunchKernel(echo, 1, 1, 1, 1, 1, 1, 0, 0, null, extra));
        AssertEchoed();

        Assert.Equal(Result.InvalidValue, Api.cuLaunchKernel(echo, 1, 1, 1, 1, 1, 1, 0, 0, arguments, extra));
        Assert.Equal(Result.InvalidValue, Api.cuLaunchKernel(echo, 1, 1, 1, 1, 1, 1, 0, 0, null, null));
        total -= 1;
        Assert.Equal(Result.LaunchOutOfResources, Api.cuLaunchKernel(echo, 1, 1, 1, 1, 1, 1, 0, 0, null, extra));
        Assert.Contains("echo: the buffer of arguments has 72 bytes, the kernel's parameters have 73", Control.Explanation, StringComparison.Ordinal);
        total += 64;
        Assert.Equal(Result.LaunchOutOfResources, Api.cuLaunchKernel(echo, 1, 1, 1, 1, 1, 1, 0, 0, null, extra));
        extra[2] = null;
        Assert.Equal(Result.InvalidValue, Api.cuLaunchKernel(echo, 1, 1, 1, 1, 1, 1, 0, 0, null, extra));
        extra[0] = (void*)9;
        Assert.Equal(Result.InvalidValue, Api.cuLaunchKernel(echo, 1, 1, 1, 1, 1, 1, 0, 0, null, extra));
        arguments[3] = null;
        Assert.Equal(Result.InvalidValue, Api.cuLaunchKernel(echo, 1, 1, 1, 1, 1, 1, 0, 0, arguments, null));
        Check(Api.cuMemFree_v2(memory));
        Destroy(module);
    });

    [Fact]
    public void Arguments_are_copied_at_the_call_by_streams_and_graphs_alike() => Run(() =>
    {
        nint module = Load(), store = Function(module, "store"), stream = Stream(NonBlocking);
        ulong memory = Memory(4), address = memory;
        int value = 10;
        void** arguments = stackalloc void*[] { &address, &value };
        Check(Api.cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, stream, arguments, null));
        value = 20;
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(15u, Read(memory));
        Check(Api.cuStreamBeginCapture_v2(stream, 0));
        Check(Api.cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, stream, arguments, null));
        value = 30;
        nint graph = EndCapture(stream), exec = Instantiate(graph);
        for (int i = 0; i < 2; i++)
        {
            Check(Api.cuMemsetD8_v2(memory, 0, 4));
            Check(Api.cuCtxSynchronize());
            Check(Api.cuGraphLaunch(exec, stream));
            Check(Api.cuStreamSynchronize(stream));
            Assert.Equal(25u, Read(memory));
        }
        Check(Api.cuMemFree_v2(memory));
        Destroy(module, stream, graph, exec);
    });

    [Fact]
    public void Launches_that_no_device_takes_are_refused_with_a_reason() => Run(() =>
    {
        nint module = Load(), store = Function(module, "store"), bounded = Function(module, "bounded"), nothing = Function(module, "nothing");
        ulong memory = Memory(4096);
        Assert.Equal(Result.InvalidValue, Launch(store, 0, 1, 0, 0, (nint)memory, 1));
        Assert.Contains("store: an extent", Control.Explanation, StringComparison.Ordinal);
        Assert.Equal(Result.InvalidValue, Launch(store, 1, 1025, 0, 0, (nint)memory, 1));
        Assert.Contains("store: 1025 threads", Control.Explanation, StringComparison.Ordinal);
        Assert.NotEqual(0, Launch(bounded, 1, 65, 0, 0, (nint)memory));
        Assert.Contains("__launch_bounds__(64)", Control.Explanation, StringComparison.Ordinal);
        Assert.Equal(Result.InvalidHandle, Launch(module, 1, 1, 0, 0));
        Assert.Equal(Result.InvalidHandle, Launch(nothing, 1, 1, 0, module));
        nint foreign, theirs;
        Check(Api.cuCtxCreate_v2(&foreign, 0, 0));
        Check(Api.cuStreamCreate(&theirs, 0));
        Assert.Equal(Result.InvalidHandle, Launch(nothing, 1, 1, 0, theirs));
        Assert.Equal(Result.InvalidHandle, Launch(nothing, 1, 1, 0, 0)); // the legacy stream of the current context
        Destroy(theirs);
        Check(Api.cuCtxDestroy_v2(foreign));
        Check(Api.cuLaunchKernel(nothing, 1, 1, 1, 1, 1, 1, 0, 0, null, null));
        Check(Launch(bounded, 1, 64, 0, 0, (nint)memory));
        Assert.Equal(64u, Read(memory));
        Check(Api.cuMemFree_v2(memory));
        Destroy(module);
    });

    [Fact]
    public void More_shared_memory_than_usual_has_to_be_asked_for() => Run(() =>
    {
        nint module = Load(), function = Function(module, "shared_user");
        ulong memory = Memory(4 * 256);
        int Attribute(int id)
        {
            int value;
            Check(Api.cuFuncGetAttribute(&value, id, function));
            return value;
        }
        Assert.Equal((1024, 49152 - 1024, 1024), (Attribute(1), Attribute(8), Attribute(0)));
        Assert.Equal(Result.InvalidValue, Launch(function, 1, 256, 49152 - 1023, 0, (nint)memory));
        Assert.Contains("shared memory", Control.Explanation, StringComparison.Ordinal);
        Check(Launch(function, 1, 256, 49152 - 1024, 0, (nint)memory));
        Assert.Equal(Result.InvalidValue, Api.cuFuncSetAttribute(function, 8, 232448 - 1023));
        Assert.Equal(Result.InvalidValue, Api.cuFuncSetAttribute(function, 8, -1));
        Assert.Equal(Result.InvalidValue, Api.cuFuncSetAttribute(function, 0, 512));
        Check(Api.cuFuncSetAttribute(function, 8, 232448 - 1024));
        Check(Api.cuFuncSetAttribute(function, 9, 100));
        Assert.Equal((232448 - 1024, 100), (Attribute(8), Attribute(9)));
        Check(Launch(function, 1, 256, 232448 - 1024, 0, (nint)memory));
        Check(Api.cuCtxSynchronize());
        int value;
        Assert.Equal(Result.InvalidValue, Api.cuFuncGetAttribute(&value, 99, function));
        Assert.Equal(Result.InvalidValue, Api.cuFuncGetAttribute(null, 0, function));
        Assert.Equal(Result.InvalidHandle, Api.cuFuncGetAttribute(&value, 0, module));
        Check(Api.cuMemFree_v2(memory));
        Destroy(module);
    });

    [Fact]
    public void What_a_kernel_does_wrong_comes_out_at_the_next_wait() => Run(() =>
    {
        nint module = Load(), store = Function(module, "store"), stream = Stream(NonBlocking);
        ulong memory = Memory(64 * 4);
        Check(Launch(store, 1, 65, 0, stream, (nint)memory, 1));
        Assert.Empty(Control.Reports);
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Assert.StartsWith("store: ", Assert.Single(Control.Reports), StringComparison.Ordinal);
        Assert.Equal(Result.IllegalAddress, Launch(store, 1, 1, 0, stream, (nint)memory, 1));
        Check(Api.cuMemFree_v2(memory));
        Destroy(module, stream);
        Control.Clear();
    });

    [Fact]
    public void A_module_must_outlive_its_launches_and_graphs() => Run(() =>
    {
        nint module = Load(), store = Function(module, "store"), stream = Stream(NonBlocking);
        ulong memory = Memory(4);
        Check(Launch(store, 1, 1, 0, stream, (nint)memory, 1));
        Destroy(module);
        Assert.Equal(Result.InvalidHandle, Launch(store, 1, 1, 0, stream, (nint)memory, 1));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Assert.Equal("store: launched from a module that was unloaded before the launch ran", Assert.Single(Control.Reports));
        Control.Clear();

        module = Load();
        Check(Api.cuStreamBeginCapture_v2(stream, 0));
        Check(Launch(Function(module, "store"), 1, 1, 0, stream, (nint)memory, 1));
        nint graph = EndCapture(stream), exec = Instantiate(graph);
        Destroy(module);
        Check(Api.cuGraphLaunch(exec, stream));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Assert.Contains("unloaded", Assert.Single(Control.Reports), StringComparison.Ordinal);
        Control.Clear();
        Check(Api.cuMemFree_v2(memory));
        Destroy(stream, graph, exec);
    });

    [Fact]
    public void Globals_are_found_read_and_written() => Run(() =>
    {
        nint module = Load(), store = Function(module, "store");
        ulong address, memory = Memory(4);
        nuint size;
        fixed (byte* name = "offset\0"u8)
            Check(Api.cuModuleGetGlobal_v2(&address, &size, module, name));
        Assert.Equal((4u, 5u), (size, Read(address)));
        Check(Api.cuMemsetD32_v2(address, 100, 1));
        Check(Launch(store, 1, 1, 0, 0, (nint)memory, 1));
        Assert.Equal(101u, Read(memory));
        fixed (byte* name = "scale\0"u8)
        {
            Check(Api.cuModuleGetGlobal_v2(null, &size, module, name));
            Assert.Equal(12u, size);
            Assert.Equal(Result.InvalidValue, Api.cuModuleGetGlobal_v2(null, null, module, name));
        }
        fixed (byte* name = "none\0"u8)
        {
            Assert.Equal(Result.NotFound, Api.cuModuleGetGlobal_v2(&address, &size, module, name));
            nint function;
            Assert.Equal(Result.NotFound, Api.cuModuleGetFunction(&function, module, name));
            Assert.Equal(Result.InvalidHandle, Api.cuModuleGetFunction(&function, store, name));
        }
        Assert.Equal(store, Function(module, "store"));
        int mode;
        Check(Api.cuModuleGetLoadingMode(&mode));
        Assert.Equal(1, mode); // CU_MODULE_EAGER_LOADING
        Check(Api.cuMemFree_v2(memory));
        Destroy(module);
        Assert.Equal(Result.InvalidHandle, Api.cuModuleUnload(module));
    });

    [Fact]
    public void What_is_no_image_is_refused_with_a_reason() => Run(() =>
    {
        nint module;
        byte* log = stackalloc byte[200];
        int* options = stackalloc int[] { 5, 6 }; // CU_JIT_ERROR_LOG_BUFFER and its size
        void** values = stackalloc void*[] { log, (void*)200 };
        fixed (byte* text = ".version 8.0\n.target sm_90\n\0 and more, so that a header's length can be read"u8)
        {
            Assert.Equal(Result.InvalidImage, Api.cuModuleLoadData(&module, text));
            Assert.NotEqual("", Control.Explanation);
            Assert.Equal(Result.InvalidImage, Api.cuModuleLoadDataEx(&module, text, 2, options, values));
            Assert.Equal(Control.Explanation, Marshal.PtrToStringUTF8((nint)log));
            Assert.Equal(Result.InvalidValue, Api.cuModuleLoadDataEx(&module, text, 2, null, null));
            Assert.Equal(Result.InvalidValue, Api.cuModuleLoadData(null, text));
        }
        Assert.Equal(Result.InvalidValue, Api.cuModuleLoadData(&module, null));
    });

    [Fact]
    public void Occupancy_follows_threads_and_shared_memory() => Run(() =>
    {
        nint module = Load(), nothing = Function(module, "nothing"), bounded = Function(module, "bounded");
        int Blocks(nint function, int threads, nuint shared)
        {
            int blocks;
            Check(Api.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, threads, shared));
            return blocks;
        }
        Assert.Equal((32, 8, 2, 0), (Blocks(nothing, 32, 0), Blocks(nothing, 256, 0), Blocks(nothing, 1024, 0), Blocks(bounded, 65, 0)));
        Assert.Equal(4, Blocks(nothing, 256, 49152));
        int grid, block, blocks;
        Check(Api.cuOccupancyMaxPotentialBlockSize(&grid, &block, nothing, null, 0, 0));
        Assert.Equal((264, 1024), (grid, block));
        Check(Api.cuOccupancyMaxPotentialBlockSize(&grid, &block, bounded, null, 0, 0));
        Assert.Equal((32 * 132, 64), (grid, block));
        Assert.Equal(Result.InvalidValue, Api.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, nothing, 0, 0));
        Assert.Equal(Result.InvalidValue, Api.cuOccupancyMaxActiveBlocksPerMultiprocessor(null, nothing, 32, 0));
        Destroy(module);
    });
}
