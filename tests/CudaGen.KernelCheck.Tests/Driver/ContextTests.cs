using System.Runtime.InteropServices;
using static CudaGen.KernelCheck.Tests.Driver.Session;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>The device, its contexts, and what is left in them.</summary>
[Collection(OneProcess.Name)]
public sealed unsafe class ContextTests
{
    [Fact]
    public void Calls_want_a_current_context() => Run(context =>
    {
        ulong memory;
        nint handle = 1;
        int device;
        Check(Api.cuCtxSetCurrent(0));
        Assert.Equal(Result.InvalidContext, Api.cuMemAlloc_v2(&memory, 4));
        Assert.Equal(Result.InvalidContext, Api.cuStreamCreate(&handle, 0));
        Assert.Equal(Result.InvalidContext, Api.cuStreamSynchronize(0));
        Assert.Equal(Result.InvalidContext, Api.cuCtxSynchronize());
        Assert.Equal(Result.InvalidContext, Api.cuCtxGetDevice(&device));
        Check(Api.cuCtxGetCurrent(&handle));
        Assert.Equal(0, handle);
        OnAnotherThread(() => Assert.Equal(Result.InvalidContext, Api.cuCtxSynchronize()));
        Check(Api.cuCtxSetCurrent(context));
        Check(Api.cuCtxGetDevice(&device));
        Assert.Equal(0, device);
    });

    [Fact]
    public void Contexts_are_stacked_for_each_thread() => Run(context =>
    {
        nint own, current;
        Check(Api.cuCtxCreate_v2(&own, 0, 0));
        Check(Api.cuCtxGetCurrent(&current));
        Assert.Equal(own, current);
        Check(Api.cuCtxPushCurrent_v2(context));
        Check(Api.cuCtxPopCurrent_v2(&current));
        Assert.Equal(context, current);
        Check(Api.cuCtxDestroy_v2(own)); // and off the stack
        Check(Api.cuCtxGetCurrent(&current));
        Assert.Equal(context, current);
        Check(Api.cuCtxPopCurrent_v2(&current));
        Assert.Equal(Result.InvalidContext, Api.cuCtxPopCurrent_v2(&current));
        Check(Api.cuCtxSetCurrent(context));
        uint version;
        Check(Api.cuCtxGetApiVersion(0, &version));
        Assert.Equal(3020u, version);
    });

    [Fact]
    public void A_destroyed_context_stays_current_elsewhere_and_is_of_no_use() => Run(() =>
    {
        nint created, stream;
        ulong memory;
        Check(Api.cuCtxCreate_v2(&created, 0, 0));
        Check(Api.cuStreamCreate(&stream, 0));
        nint own = created;
        using var destroyed = new ManualResetEventSlim();
        using var current = new ManualResetEventSlim();
        int status = 0;
        var thread = new Thread(() =>
        {
            ulong address;
            Check(Api.cuCtxSetCurrent(own));
            current.Set();
            destroyed.Wait();
            status = Api.cuMemAlloc_v2(&address, 4);
        });
        thread.Start();
        current.Wait();
        Check(Api.cuCtxDestroy_v2(own));
        destroyed.Set();
        thread.Join();
        Assert.Equal(Result.ContextIsDestroyed, status);
        Assert.Equal(Result.InvalidContext, Api.cuCtxDestroy_v2(own));
        Assert.Equal(Result.InvalidContext, Api.cuCtxSetCurrent(own));
        Assert.Equal(Result.InvalidHandle, Api.cuStreamSynchronize(stream));
        string leak = Assert.Single(Control.Leaks, l => !l.StartsWith("primary", StringComparison.Ordinal));
        Assert.Matches("^stream [0-9]+, alive when its context was destroyed$", leak);
        Control.Clear();
        Check(Api.cuMemAlloc_v2(&memory, 4)); // the primary context is as it was
        Check(Api.cuMemFree_v2(memory));
    });

    [Fact]
    public void The_primary_context_lives_as_long_as_it_is_retained() => Run(context =>
    {
        nint again;
        uint flags;
        int active;
        Check(Api.cuDevicePrimaryCtxRetain(&again, 0));
        Assert.Equal(context, again);
        Check(Api.cuDevicePrimaryCtxRelease_v2(0));
        ulong memory = Memory(4);
        Check(Api.cuDevicePrimaryCtxGetState(0, &flags, &active));
        Assert.Equal((0u, 1), (flags, active));
        Check(Api.cuDevicePrimaryCtxRelease_v2(0));
        Check(Api.cuDevicePrimaryCtxGetState(0, &flags, &active));
        Assert.Equal(0, active);
        Assert.Equal(Result.InvalidContext, Api.cuDevicePrimaryCtxRelease_v2(0));
        Assert.Equal(Result.ContextIsDestroyed, Api.cuMemFree_v2(memory));
        string leak = Assert.Single(Control.Leaks);
        Assert.StartsWith("device allocation ", leak, StringComparison.Ordinal);
        Assert.EndsWith(" of 4 bytes, alive when its context was destroyed", leak, StringComparison.Ordinal);
        Control.Clear();
        Assert.Empty(Control.Leaks);
        Check(Api.cuDevicePrimaryCtxRetain(&again, 0));
        Assert.Equal(context, again);
        Check(Api.cuCtxSynchronize());
        Check(Api.cuDevicePrimaryCtxReset_v2(0));
        Assert.Equal(Result.ContextIsDestroyed, Api.cuCtxSynchronize());
        Check(Api.cuDevicePrimaryCtxRelease_v2(0)); // resetting did not
        Assert.Equal(Result.InvalidContext, Api.cuDevicePrimaryCtxRelease_v2(0));
        Check(Api.cuDevicePrimaryCtxRetain(&again, 0));
        Check(Api.cuCtxSynchronize());
    });

    [Fact]
    public void Everything_that_is_alive_is_listed() => Run(() =>
    {
        nint stream = Stream(), @event = Event(), exec;
        ulong memory = Memory(12);
        int* pinned = Pinned(3);
        Check(Api.cuStreamBeginCapture_v2(stream, 0));
        nint graph = EndCapture(stream);
        exec = Instantiate(graph);
        string[] kinds = [.. Control.Leaks.Select(l => string.Concat(l.Where(c => !char.IsDigit(c))))];
        Assert.Equal(["device allocation  of  bytes", "event ", "executable graph ", "graph ", "pinned allocation  of  bytes",
            "primary context, retained  times", "stream "], kinds.Order(StringComparer.Ordinal));
        Check(Api.cuMemFree_v2(memory));
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream, @event, graph, exec);
    });

    [Fact]
    public void Events_and_streams_of_different_contexts_do_not_mix() => Run(context =>
    {
        nint own, @event = Event(), stream;
        Check(Api.cuCtxCreate_v2(&own, 0, 0));
        Check(Api.cuStreamCreate(&stream, 0));
        Assert.Equal(Result.InvalidHandle, Api.cuEventRecord(@event, stream));
        Check(Api.cuStreamDestroy_v2(stream));
        Check(Api.cuCtxDestroy_v2(own));
        Destroy(@event);
    });

    [Fact]
    public void A_wait_for_work_of_a_context_that_was_destroyed_is_over() => Run(context =>
    {
        nint own, other, theirs, ours = Stream(), current;
        int* pinned = Pinned(2);
        pinned[0] = pinned[1] = 0;
        Check(Api.cuCtxCreate_v2(&own, 0, 0));
        Check(Api.cuStreamCreate(&other, 0));
        Check(Api.cuEventCreate(&theirs, 0));
        Check(Fill((ulong)pinned, 1, other));
        Check(Api.cuEventRecord(theirs, other));
        Check(Api.cuStreamWaitEvent(ours, theirs, 0));
        Check(Fill((ulong)(pinned + 1), 2, ours));
        Check(Api.cuCtxDestroy_v2(own));
        Check(Api.cuCtxGetCurrent(&current));
        Assert.Equal(context, current);
        Check(Api.cuStreamSynchronize(ours));
        Assert.Equal((0, 2), (pinned[0], pinned[1]));
        Control.Clear();
        Check(Api.cuMemFreeHost(pinned));
        Destroy(ours);
    });

    [Fact]
    public void The_device_describes_itself_as_one_of_compute_capability_9() => Run(() =>
    {
        int Attribute(int id)
        {
            int value;
            Check(Api.cuDeviceGetAttribute(&value, id, 0));
            return value;
        }
        int count, device, value, version;
        Check(Api.cuDeviceGetCount(&count));
        Check(Api.cuDeviceGet(&device, 0));
        Check(Api.cuDriverGetVersion(&version));
        Assert.Equal((1, 0, 12080), (count, device, version));
        Assert.Equal((9, 0, 32, 132), (Attribute(75), Attribute(76), Attribute(10), Attribute(16)));
        Assert.Equal((1024, 49152, 232448), (Attribute(1), Attribute(8), Attribute(97)));
        Assert.Equal(Result.InvalidValue, Api.cuDeviceGetAttribute(&value, 9999, 0));
        Assert.Equal(Result.InvalidValue, Api.cuDeviceGetAttribute(null, 75, 0));
        Assert.Equal(Result.InvalidDevice, Api.cuDeviceGetAttribute(&value, 75, 1));
        Assert.Equal(Result.InvalidDevice, Api.cuDeviceGet(&device, 1));
        byte* name = stackalloc byte[64];
        Check(Api.cuDeviceGetUuid_v2(name, 0));
        Assert.NotEqual(0, name[15]);
        Check(Api.cuProfilerStart());
        Check(Api.cuProfilerStop());
        Check(Api.cuDeviceGetName(name, 64, 0));
        Assert.Equal("CudaGen CPU stand-in, checked", Marshal.PtrToStringUTF8((nint)name));
        Check(Api.cuDeviceGetName(name, 8, 0));
        Assert.Equal("CudaGen", Marshal.PtrToStringUTF8((nint)name));
        Assert.Equal("CPU stand-in, checked", Control.Description);
        Assert.Matches("^[0-9a-f]{32}$", Control.BuildId);
        Assert.EndsWith(Control.BuildId, Folder, StringComparison.Ordinal);
    });

    [Fact]
    public void Errors_have_the_names_and_texts_of_NVIDIA() => Run(() =>
    {
        (int, string?) Text(int error)
        {
            byte* text;
            int status = Api.cuGetErrorString(error, &text);
            return (status, Marshal.PtrToStringUTF8((nint)text));
        }
        byte* name;
        Check(Api.cuGetErrorName(700, &name));
        Assert.Equal("CUDA_ERROR_ILLEGAL_ADDRESS", Marshal.PtrToStringUTF8((nint)name));
        Assert.Equal((0, "an illegal memory access was encountered"), Text(700));
        Assert.Equal((0, "capture was not ended in the same stream as it began"), Text(903));
        Assert.Equal((Result.InvalidValue, null), Text(12345));
        Assert.Equal(Result.InvalidValue, Api.cuGetErrorName(0, null));
    });
}
