using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static CudaGen.KernelCheck.Tests.Driver.Session;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>Memory and copies: when they happen, what they refuse, and what is reported.</summary>
[Collection(OneProcess.Name)]
public sealed unsafe class MemoryTests
{
    private const uint NonBlocking = 1;

    [Fact]
    public void Pinned_memory_is_read_when_the_copy_runs_and_ordinary_memory_at_the_call() => Run(() =>
    {
        nint stream = Stream(NonBlocking);
        ulong memory = Memory(8);
        int* pinned = Pinned(1);
        int ordinary = 1;
        *pinned = 1;
        Check(Api.cuMemcpyHtoDAsync_v2(memory, &ordinary, 4, stream));
        Check(Api.cuMemcpyHtoDAsync_v2(memory + 4, pinned, 4, stream));
        ordinary = *pinned = 2;
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal((1u, 2u), (Read(memory), Read(memory + 4)));
        Check(Api.cuMemFreeHost(pinned));
        Check(Api.cuMemFree_v2(memory));
        Destroy(stream);
    });

    [Fact]
    public void A_copy_to_ordinary_memory_is_done_when_the_call_returns() => Run(() =>
    {
        nint stream = Stream(NonBlocking);
        ulong memory = Memory(4);
        uint ordinary = 0;
        uint* pinned = (uint*)Pinned(1);
        *pinned = 0;
        Check(Fill(memory, 3, stream));
        Check(Api.cuMemcpyDtoHAsync_v2(pinned, memory, 4, stream));
        Assert.Equal(0u, *pinned);
        Check(Api.cuMemcpyDtoHAsync_v2(&ordinary, memory, 4, stream));
        Assert.Equal((3u, 3u), (ordinary, *pinned));
        Check(Api.cuMemFreeHost(pinned));
        Check(Api.cuMemFree_v2(memory));
        Destroy(stream);
    });

    [Fact]
    public void Synchronous_copies_wait_for_blocking_streams_and_not_for_others() => Run(() =>
    {
        nint blocking = Stream(), free = Stream(NonBlocking);
        ulong memory = Memory(8);
        Check(Api.cuMemsetD8_v2(memory, 0, 8));
        Check(Fill(memory, 1, blocking));
        Check(Fill(memory + 4, 2, free));
        Assert.Equal((1u, 0u), (Read(memory), Read(memory + 4)));
        Check(Api.cuStreamSynchronize(free));
        Assert.Equal(2u, Read(memory + 4));
        Check(Api.cuMemFree_v2(memory));
        Destroy(blocking, free);
    });

    [Fact]
    public void A_synchronous_copy_from_ordinary_memory_may_still_be_on_its_way() => Run(() =>
    {
        // Documented, and hard to see on a GPU: the call returns when the bytes are staged, and a stream that the legacy
        // stream does not order can be faster than they are.
        nint free = Stream(NonBlocking);
        ulong memory = Memory(4), copy = Memory(4);
        int value = 7;
        int* pinned = Pinned(1);
        Check(Api.cuMemsetD8_v2(memory, 0, 4));
        Check(Api.cuCtxSynchronize());
        Check(Api.cuMemcpyHtoD_v2(memory, &value, 4));
        Check(Api.cuMemcpyDtoDAsync_v2(copy, memory, 4, free));
        Check(Api.cuStreamSynchronize(free));
        Assert.Equal((0u, 7u), (Read(copy), Read(memory)));
        *pinned = 8;
        Check(Api.cuMemcpyHtoD_v2(memory, pinned, 4)); // waits, as from pinned memory it must
        Check(Api.cuMemcpyDtoDAsync_v2(copy, memory, 4, free));
        Check(Api.cuStreamSynchronize(free));
        Assert.Equal(8u, Read(copy));
        Check(Api.cuMemFreeHost(pinned));
        Check(Api.cuMemFree_v2(memory));
        Check(Api.cuMemFree_v2(copy));
        Destroy(free);
    });

    [Fact]
    public void A_synchronous_copy_takes_what_earlier_work_left_in_ordinary_memory() => Run(() =>
    {
        nint stream = Stream();
        ulong memory = Memory(4);
        int value = 1;
        Check(Api.cuLaunchHostFunc(stream, &Increment, &value));
        Check(Api.cuMemcpyHtoD_v2(memory, &value, 4));
        Assert.Equal((2, 2u), (value, Read(memory)));
        Check(Api.cuMemFree_v2(memory));
        Destroy(stream);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Increment(void* data) => ++*(int*)data;

    [Fact]
    public void Synchronous_fills_and_copies_on_the_device_do_not_make_the_host_wait() => Run(() =>
    {
        int* pinned = Pinned(2);
        ulong memory = Memory(4);
        pinned[0] = pinned[1] = 0;
        Check(Api.cuMemsetD32_v2(memory, 4, 1));
        Check(Api.cuMemcpyDtoD_v2((ulong)pinned, memory, 4));
        Assert.Equal(0, pinned[0]);
        Check(Api.cuMemsetD32_v2((ulong)(pinned + 1), 5, 1)); // but one of pinned memory does
        Assert.Equal((4, 5), (pinned[0], pinned[1]));
        Check(Api.cuMemFreeHost(pinned));
        Check(Api.cuMemFree_v2(memory));
    });

    [Fact]
    public void Fresh_memory_is_poison() => Run(() =>
    {
        Control.Checked = false;
        ulong memory = Memory(4);
        Assert.True(float.IsNaN(BitConverter.UInt32BitsToSingle(Read(memory))));
        Check(Api.cuMemFree_v2(memory));
    });

    [Fact]
    public void Reading_bytes_that_nobody_wrote_is_reported() => Run(() =>
    {
        ulong memory = Memory(8), other = Memory(8);
        ulong value;
        Check(Fill(memory, 1, 0));
        Check(Api.cuMemcpyDtoH_v2(&value, memory, 4));
        Assert.Equal(Result.LaunchFailed, Api.cuMemcpyDtoH_v2(&value, memory, 8));
        Assert.Contains("cuMemcpyDtoH_v2", Assert.Single(Control.Reports), StringComparison.Ordinal);
        Control.Clear();
        Check(Api.cuMemcpyDtoD_v2(memory, other, 8));
        Assert.Equal(Result.LaunchFailed, Api.cuCtxSynchronize());
        Assert.Contains("cuMemcpyDtoD_v2", Assert.Single(Control.Reports), StringComparison.Ordinal);
        Control.Clear();
        Check(Api.cuMemFree_v2(memory));
        Check(Api.cuMemFree_v2(other));
    });

    [Fact]
    public void Ranges_that_end_outside_are_reported_when_the_copy_runs() => Run(() =>
    {
        ulong memory = Memory(64);
        nint stream = Stream(NonBlocking);
        byte* host = stackalloc byte[128];
        Check(Api.cuMemsetD8Async(memory, 0, 65, stream));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Assert.Contains("cuMemsetD8Async", Assert.Single(Control.Reports), StringComparison.Ordinal);
        Control.Clear();
        Assert.Equal(Result.IllegalAddress, Api.cuMemcpyHtoDAsync_v2(memory + 60, host, 8, stream)); // before it is staged
        Control.Clear();
        Assert.Equal(Result.IllegalAddress, Api.cuMemcpyHtoD_v2(memory, host, nuint.MaxValue));
        Control.Clear();
        Assert.Equal(Result.InvalidValue, Api.cuMemsetD32_v2(memory, 0, nuint.MaxValue / 2));
        Check(Api.cuMemcpyHtoDAsync_v2(memory, host, 64, stream));
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(Result.IllegalAddress, Api.cuMemcpyDtoHAsync_v2(host, memory, 65, stream));
        Control.Clear();
        Check(Api.cuMemcpyDtoDAsync_v2(memory, memory + 32, 32, stream));
        Check(Api.cuStreamSynchronize(stream));
        Check(Api.cuMemcpyDtoDAsync_v2(memory, memory + 32, 33, stream));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Control.Clear();
        Check(Api.cuMemcpyDtoDAsync_v2(memory, memory + 31, 32, stream));
        Assert.Equal(Result.LaunchFailed, Api.cuStreamSynchronize(stream));
        Assert.Contains("overlap", Assert.Single(Control.Reports), StringComparison.Ordinal);
        Control.Clear();
        Check(Api.cuMemFree_v2(memory));
        Destroy(stream);
    });

    [Fact]
    public void Memory_that_is_freed_under_pending_work_is_reported() => Run(() =>
    {
        ulong memory = Memory(64);
        nint stream = Stream(NonBlocking);
        Check(Api.cuMemsetD8Async(memory, 0, 64, stream));
        Check(Api.cuMemFree_v2(memory));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Assert.Contains("free", Assert.Single(Control.Reports), StringComparison.Ordinal);
        Control.Clear();
        int* pinned = Pinned(1);
        Check(Fill((ulong)pinned, 0, stream));
        Check(Api.cuMemFreeHost(pinned));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Control.Clear();
        Destroy(stream);
    });

    [Fact]
    public void An_error_sticks_until_it_is_cleared_and_everything_can_be_given_back() => Run(() =>
    {
        ulong memory = Memory(4), fresh = 0;
        nint stream = Stream(NonBlocking), @event = Event(), handle;
        int* pinned = Pinned(1);
        *pinned = 0;
        Check(Api.cuMemsetD8Async(memory, 0, 5, stream));
        Check(Fill((ulong)pinned, 1, stream));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Assert.Equal(0, *pinned); // nothing runs behind the error
        Assert.Equal(Result.IllegalAddress, Api.cuMemAlloc_v2(&fresh, 4));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamCreate(&handle, 0));
        Assert.Equal(Result.IllegalAddress, Fill(memory, 0, stream));
        Assert.Equal(Result.IllegalAddress, Api.cuEventRecord(@event, stream));
        Assert.Equal(Result.IllegalAddress, Api.cuCtxSynchronize());
        Assert.Equal(Result.Success, Api.cuCtxGetCurrent(&handle));
        Check(Api.cuMemFree_v2(memory));
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream, @event);
        Control.Clear();
        Check(Api.cuCtxSynchronize());
    });

    [Fact]
    public void What_is_no_memory_of_the_right_kind_is_refused() => Run(() =>
    {
        ulong memory = Memory(64), address;
        int* pinned = Pinned(1);
        int ordinary = 0;
        void* host;
        Assert.Equal(Result.InvalidValue, Api.cuMemAlloc_v2(&address, 0));
        Assert.Equal(Result.InvalidValue, Api.cuMemAlloc_v2(null, 4));
        Assert.Equal(Result.InvalidValue, Api.cuMemAllocHost_v2(&host, 0));
        Assert.Equal(Result.InvalidValue, Api.cuMemHostAlloc(&host, 4, 8));
        Assert.Equal(Result.InvalidValue, Api.cuMemFree_v2(memory + 4));
        Assert.Equal(Result.InvalidValue, Api.cuMemFree_v2((ulong)pinned));
        Assert.Equal(Result.InvalidValue, Api.cuMemFree_v2(0));
        Assert.Equal(Result.InvalidValue, Api.cuMemFreeHost((void*)memory));
        Assert.Equal(Result.InvalidValue, Api.cuMemHostGetDevicePointer_v2(&address, &ordinary, 0));
        Assert.Equal(Result.InvalidValue, Api.cuMemHostGetDevicePointer_v2(&address, pinned, 1));
        Assert.Equal(Result.InvalidValue, Api.cuMemcpyHtoD_v2(0, &ordinary, 4));
        Assert.Equal(Result.InvalidValue, Api.cuMemcpyHtoD_v2(memory, null, 4));
        Assert.Equal(Result.InvalidValue, Api.cuMemcpyHtoD_v2(memory, (void*)memory, 4));
        Assert.Equal(Result.InvalidValue, Api.cuMemcpyDtoH_v2((void*)memory, memory, 4));
        Assert.Equal(Result.InvalidValue, Api.cuMemsetD32Async(memory + 2, 0, 1, 0));
        Check(Api.cuMemcpyHtoD_v2(0, null, 0)); // nothing is nothing
        Check(Api.cuMemsetD8_v2(0, 0, 0));
        Check(Api.cuMemHostGetDevicePointer_v2(&address, pinned, 0));
        Assert.Equal((ulong)pinned, address);
        Check(Api.cuMemFree_v2(memory));
        Assert.Equal(Result.InvalidValue, Api.cuMemFree_v2(memory));
        Check(Api.cuMemFreeHost(pinned));
    });

    [Fact]
    public void Pointers_know_what_they_point_at() => Run(context =>
    {
        ulong memory = Memory(64), value = 0;
        int* pinned = Pinned(1);
        int type = 0, ordinary = 0;
        Check(Api.cuPointerGetAttribute(&type, 2, memory + 8));
        Assert.Equal(2, type);
        Check(Api.cuPointerGetAttribute(&type, 2, (ulong)pinned));
        Assert.Equal(1, type);
        Check(Api.cuPointerGetAttribute(&value, 1, memory));
        Assert.Equal((ulong)context, value);
        Check(Api.cuPointerGetAttribute(&value, 11, memory + 8));
        Assert.Equal(memory, value);
        Check(Api.cuPointerGetAttribute(&value, 12, memory + 8));
        Assert.Equal(64u, value);
        Assert.Equal(Result.InvalidValue, Api.cuPointerGetAttribute(&value, 4, memory));
        Assert.Equal(Result.InvalidValue, Api.cuPointerGetAttribute(&type, 2, (ulong)&ordinary));
        Check(Api.cuMemFree_v2(memory));
        Assert.Equal(Result.InvalidValue, Api.cuPointerGetAttribute(&type, 2, memory));
        Check(Api.cuMemFreeHost(pinned));
    });

    [Fact]
    public void The_device_has_as_much_memory_as_it_is_given() => Run(() =>
    {
        Control.Memory = 1 << 20;
        nuint free, total;
        ulong memory, more = 1;
        Check(Api.cuMemAlloc_v2(&memory, 1 << 19));
        Check(Api.cuMemGetInfo_v2(&free, &total));
        Assert.Equal(((nuint)(1 << 19), (nuint)(1 << 20)), (free, total));
        Assert.Equal((Result.OutOfMemory, 0ul), (Api.cuMemAlloc_v2(&more, (1 << 19) + 1), more));
        Assert.Equal("524289 bytes were asked for; 524288 are in use", Control.Explanation);
        Check(Api.cuMemAlloc_v2(&more, 1 << 19));
        Check(Api.cuMemFree_v2(memory));
        Check(Api.cuMemFree_v2(more));
        Check(Api.cuDeviceTotalMem_v2(&total, 0));
        Assert.Equal((nuint)(1 << 20), total);
    });

    [Fact]
    public void Stream_ordered_memory_is_freed_when_the_stream_gets_there() => Run(() =>
    {
        nint stream = Stream(NonBlocking);
        ulong memory;
        Check(Api.cuMemAllocAsync(&memory, 4, stream));
        Check(Fill(memory, 1, stream));
        Check(Api.cuMemFreeAsync(memory, stream));
        Assert.Equal(3, Control.Leaks.Count); // the context, the stream and the memory
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(2, Control.Leaks.Count);
        Assert.Equal(Result.InvalidValue, Api.cuMemFreeAsync(memory, stream));
        Check(Api.cuMemAllocAsync(&memory, 4, stream));
        Check(Api.cuMemFreeAsync(memory, stream));
        Check(Fill(memory, 1, stream));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Control.Clear();
        Check(Api.cuMemAllocAsync(&memory, 4, stream));
        Check(Api.cuMemFreeAsync(memory, stream));
        Check(Api.cuMemFreeAsync(memory, stream));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Assert.Equal("cuMemFreeAsync: the memory was freed before", Assert.Single(Control.Reports));
        Control.Clear();
        Destroy(stream);
    });

    [Fact]
    public void Threads_with_streams_of_their_own_do_not_disturb_each_other() => Run(context =>
    {
        void Work(uint first)
        {
            Check(Api.cuCtxSetCurrent(context));
            nint stream = Stream(NonBlocking), @event = Event();
            for (uint i = first; i < first + 100; i++)
            {
                uint value;
                ulong memory = Memory(8);
                Check(Fill(memory, i, stream));
                Check(Api.cuMemcpyDtoDAsync_v2(memory + 4, memory, 4, stream));
                Check(Api.cuEventRecord(@event, stream));
                if (i % 3 == 0)
                    Check(Api.cuCtxSynchronize());
                Check(Api.cuEventSynchronize(@event));
                Check(Api.cuMemcpyDtoHAsync_v2(&value, memory + 4, 4, stream));
                Assert.Equal(i, value);
                Check(Api.cuMemFree_v2(memory));
            }
            Destroy(stream, @event);
        }
        Parallel.For(1, 5, new ParallelOptions { MaxDegreeOfParallelism = 4 }, n => Work((uint)n * 1000));
    });
}
