using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static CudaGen.KernelCheck.Tests.Driver.Session;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>Work waits until the host waits for it, and streams and events order it as CUDA documents.</summary>
[Collection(OneProcess.Name)]
public sealed unsafe class StreamTests
{
    private const uint NonBlocking = 1;

    [Fact]
    public void Work_runs_when_the_host_waits_and_not_before() => Run(() =>
    {
        nint stream = Stream(NonBlocking);
        int* pinned = Pinned(1);
        *pinned = 0;
        Check(Api.cuMemsetD32Async((ulong)pinned, 7, 1, stream));
        Assert.Equal(0, *pinned);
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(7, *pinned);
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream);
    });

    [Fact]
    public void A_wait_for_one_stream_runs_nothing_of_another() => Run(() =>
    {
        nint first = Stream(NonBlocking), second = Stream(NonBlocking);
        int* pinned = Pinned(2);
        pinned[0] = pinned[1] = 0;
        Check(Fill((ulong)pinned, 1, first));
        Check(Fill((ulong)(pinned + 1), 2, second));
        Check(Api.cuStreamSynchronize(second));
        Assert.Equal((0, 2), (pinned[0], pinned[1]));
        Check(Api.cuCtxSynchronize());
        Assert.Equal(1, pinned[0]);
        Check(Api.cuMemFreeHost(pinned));
        Destroy(first, second);
    });

    [Fact]
    public void A_poll_says_not_ready_once_and_runs_the_work() => Run(() =>
    {
        nint stream = Stream(), done = Event();
        int* pinned = Pinned(1);
        Assert.Equal(Result.Success, Api.cuStreamQuery(stream));
        Check(Fill((ulong)pinned, 3, stream));
        Assert.Equal(Result.NotReady, Api.cuStreamQuery(stream));
        Assert.Equal((Result.Success, 3), (Api.cuStreamQuery(stream), *pinned));
        Check(Fill((ulong)pinned, 4, stream));
        Check(Api.cuEventRecord(done, stream));
        Check(Fill((ulong)pinned, 5, stream));
        Assert.Equal((Result.NotReady, 4), (Api.cuEventQuery(done), *pinned));
        Assert.Equal((Result.Success, 4), (Api.cuEventQuery(done), *pinned));
        Check(Api.cuStreamSynchronize(stream));
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream, done);
    });

    [Fact]
    public void An_event_makes_one_stream_wait_for_what_another_had_then() => Run(() =>
    {
        nint first = Stream(NonBlocking), second = Stream(NonBlocking), between = Event();
        int* pinned = Pinned(1);
        Check(Fill((ulong)pinned, 1, first));
        Check(Api.cuEventRecord(between, first));
        Check(Fill((ulong)pinned, 2, first));
        Check(Api.cuStreamWaitEvent(second, between, 0));
        ulong copy = Memory(4);
        Check(Api.cuMemcpyDtoDAsync_v2(copy, (ulong)pinned, 4, second));
        Check(Api.cuStreamSynchronize(second));
        Assert.Equal(1, *pinned);
        Check(Api.cuStreamSynchronize(first));
        Assert.Equal((2, 1u), (*pinned, Read(copy)));
        Check(Api.cuMemFree_v2(copy));
        Check(Api.cuMemFreeHost(pinned));
        Destroy(first, second, between);
    });

    [Fact]
    public void Streams_that_wait_for_each_other_in_turns_run_in_the_order_of_the_calls() => Run(() =>
    {
        nint[] streams = [Stream(NonBlocking), Stream(NonBlocking)];
        nint turn = Event();
        ulong memory = Memory(4);
        for (uint i = 0; i < 5000; i++)
        {
            Check(Api.cuStreamWaitEvent(streams[i % 2], turn, 0));
            Check(Fill(memory, i, streams[i % 2]));
            Check(Api.cuEventRecord(turn, streams[i % 2]));
        }
        Check(Api.cuEventSynchronize(turn));
        Assert.Equal(4999u, Read(memory));
        Check(Api.cuMemFree_v2(memory));
        Destroy(turn, streams[0], streams[1]);
    });

    [Fact]
    public void An_event_that_was_never_recorded_holds_nobody_up() => Run(() =>
    {
        nint stream = Stream(), never = Event();
        int* pinned = Pinned(1);
        Check(Api.cuStreamWaitEvent(stream, never, 0));
        Check(Fill((ulong)pinned, 6, stream));
        Check(Api.cuEventSynchronize(never));
        Assert.Equal(Result.Success, Api.cuEventQuery(never));
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(6, *pinned);
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream, never);
    });

    [Fact]
    public void The_legacy_stream_waits_for_blocking_streams_and_they_for_it() => Run(() =>
    {
        nint blocking = Stream(), free = Stream(NonBlocking);
        int* pinned = Pinned(3);
        pinned[0] = pinned[1] = pinned[2] = 0;
        Check(Fill((ulong)pinned, 1, blocking));
        Check(Fill((ulong)(pinned + 1), 2, free));
        Check(Fill((ulong)pinned, 3, 0));
        Check(Fill((ulong)(pinned + 2), 4, blocking));
        Check(Api.cuStreamSynchronize(blocking));
        Assert.Equal((3, 0, 4), (pinned[0], pinned[1], pinned[2]));
        Check(Fill((ulong)(pinned + 2), 5, blocking));
        Check(Api.cuStreamSynchronize(0));
        Assert.Equal((0, 5), (pinned[1], pinned[2]));
        Check(Api.cuStreamSynchronize(free));
        Assert.Equal(2, pinned[1]);
        Check(Api.cuMemFreeHost(pinned));
        Destroy(blocking, free);
    });

    [Fact]
    public void Each_thread_has_its_own_per_thread_stream() => Run(context =>
    {
        const nint PerThread = 2, Legacy = 1;
        int* pinned = Pinned(2);
        pinned[0] = pinned[1] = 0;
        Check(Fill((ulong)pinned, 1, PerThread));
        OnAnotherThread(() =>
        {
            Check(Api.cuCtxSetCurrent(context));
            Check(Fill((ulong)(pinned + 1), 2, PerThread));
            Check(Api.cuStreamSynchronize(PerThread));
        });
        Assert.Equal((0, 2), (pinned[0], pinned[1]));
        Check(Api.cuStreamSynchronize(Legacy));
        Assert.Equal(1, pinned[0]);
        Check(Api.cuMemFreeHost(pinned));
    });

    [Fact]
    public void Streams_may_overtake_each_other_where_nothing_orders_them() => Run(() =>
    {
        int Last(string order)
        {
            Control.Order = order;
            nint first = Stream(NonBlocking), second = Stream(NonBlocking);
            int* pinned = Pinned(1);
            Check(Fill((ulong)pinned, 1, first));
            Check(Fill((ulong)pinned, 2, second));
            Check(Api.cuCtxSynchronize());
            int last = *pinned;
            Check(Api.cuMemFreeHost(pinned));
            Destroy(first, second);
            return last;
        }
        Assert.Equal((2, 1), (Last("ascending"), Last("descending")));
        Assert.Equal(2, Enumerable.Range(0, 20).Select(seed => Last($"random:{seed}")).Distinct().Count());
    });

    [Fact]
    public void A_destroyed_stream_still_does_its_work() => Run(() =>
    {
        nint stream = Stream(NonBlocking), done = Event();
        int* pinned = Pinned(1);
        Check(Fill((ulong)pinned, 9, stream));
        Check(Api.cuEventRecord(done, stream));
        Destroy(stream);
        Assert.Equal(Result.InvalidHandle, Api.cuStreamSynchronize(stream));
        Check(Api.cuEventSynchronize(done));
        Assert.Equal(9, *pinned);
        Check(Api.cuMemFreeHost(pinned));
        Destroy(done);
    });

    [Fact]
    public void Handles_that_are_none_are_refused() => Run(() =>
    {
        nint stream = Stream(), @event = Event();
        Destroy(stream);
        foreach (nint bad in (nint[])[stream, @event, 0x1234, -1, nint.MaxValue])
        {
            Assert.Equal(Result.InvalidHandle, Api.cuStreamSynchronize(bad));
            Assert.Equal(Result.InvalidHandle, Api.cuStreamQuery(bad));
            Assert.Equal(Result.InvalidHandle, Api.cuStreamDestroy_v2(bad));
            Assert.Equal(Result.InvalidHandle, Api.cuEventRecord(@event, bad));
            Assert.Equal(Result.InvalidHandle, Api.cuMemsetD8Async(1, 0, 1, bad));
        }
        Destroy(@event);
        nint none = Stream();
        foreach (nint bad in (nint[])[@event, none, 0])
        {
            Assert.Equal(Result.InvalidHandle, Api.cuEventDestroy_v2(bad));
            Assert.Equal(Result.InvalidHandle, Api.cuEventRecord(bad, 0));
            Assert.Equal(Result.InvalidHandle, Api.cuStreamWaitEvent(none, bad, 0));
            Assert.Equal(Result.InvalidHandle, Api.cuEventSynchronize(bad));
        }
        Destroy(none);
    });

    [Fact]
    public void Arguments_out_of_range_are_refused() => Run(() =>
    {
        nint handle = 0;
        Assert.Equal(Result.InvalidValue, Api.cuStreamCreate(null, 0));
        Assert.Equal(Result.InvalidValue, Api.cuStreamCreate(&handle, 2));
        Assert.Equal(Result.InvalidValue, Api.cuEventCreate(null, 0));
        Assert.Equal(Result.InvalidValue, Api.cuEventCreate(&handle, 8));
        Assert.Equal(Result.InvalidValue, Api.cuEventCreate(&handle, 4)); // INTERPROCESS wants DISABLE_TIMING
        Assert.Equal(Result.InvalidValue, Api.cuLaunchHostFunc(0, null, null));
        Assert.Equal(Result.InvalidValue, Api.cuStreamWaitEvent(0, Event(), 1));
        Check(Api.cuStreamCreateWithPriority(&handle, 1, -5));
        Destroy(handle);
    }, leaks: 1);

    [Fact]
    public void Elapsed_time_wants_two_events_that_are_over_and_timed() => Run(() =>
    {
        nint stream = Stream(), start = Event(), end = Event(), untimed = Event(2);
        float time = -1;
        Assert.Equal(Result.InvalidHandle, Api.cuEventElapsedTime(&time, start, end));
        Check(Api.cuEventRecord(start, stream));
        Check(Api.cuLaunchHostFunc(stream, &Sleep, null));
        Check(Api.cuEventRecord(end, stream));
        Check(Api.cuEventRecord(untimed, stream));
        Assert.Equal(Result.NotReady, Api.cuEventElapsedTime(&time, start, end));
        Check(Api.cuStreamSynchronize(stream));
        Check(Api.cuEventElapsedTime(&time, start, end));
        Assert.InRange(time, 20, 20000);
        float again;
        Check(Api.cuEventElapsedTime_v2(&again, start, end));
        Assert.Equal(time, again);
        Assert.Equal(Result.InvalidHandle, Api.cuEventElapsedTime(&time, start, untimed));
        Assert.Equal(Result.InvalidValue, Api.cuEventElapsedTime(null, start, end));
        Destroy(stream, start, end, untimed);
    });

    [Fact]
    public void A_host_function_runs_in_its_turn_and_must_not_call_CUDA() => Run(() =>
    {
        nint stream = Stream();
        int* pinned = Pinned(2);
        Check(Fill((ulong)pinned, 8, stream));
        Check(Api.cuLaunchHostFunc(stream, &CopyAndCall, pinned));
        Check(Fill((ulong)pinned, 9, stream));
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal((9, 8, Result.NotPermitted), (pinned[0], pinned[1], _statusInHostFunction));
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream);
    });

    private static int _statusInHostFunction;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Sleep(void* data) => Thread.Sleep(25);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void CopyAndCall(void* data)
    {
        ((int*)data)[1] = ((int*)data)[0];
        _statusInHostFunction = Api.cuCtxSynchronize();
    }
}
