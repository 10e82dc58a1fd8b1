using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static CudaGen.KernelCheck.Tests.Driver.Session;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>What stream capture allows, what it forbids, and with which error: one test a rule.</summary>
[Collection(OneProcess.Name)]
public sealed unsafe class CaptureTests
{
    private const uint NonBlocking = 1;
    private const int Global = 0, ThreadLocal = 1, Relaxed = 2;
    private const int None = 0, Active = 1, Invalidated = 2;

    private static int Status(nint stream)
    {
        int status = -1;
        Check(Api.cuStreamIsCapturing(stream, &status));
        return status;
    }

    private static nint Begin(int mode = Global, uint flags = NonBlocking)
    {
        nint stream = Stream(flags);
        Check(Api.cuStreamBeginCapture_v2(stream, mode));
        return stream;
    }

    /// <summary>Ends a capture that some call has spoilt.</summary>
    private static void EndSpoilt(nint stream)
    {
        Assert.Equal(Invalidated, Status(stream));
        nint graph = -1;
        Assert.Equal(Result.CaptureInvalidated, Api.cuStreamEndCapture(stream, &graph));
        Assert.Equal((0, None), (graph, Status(stream)));
    }

    private static void EndWell(nint stream) => Destroy(EndCapture(stream), stream);

    [Fact]
    public void A_captured_stream_runs_nothing() => Run(() =>
    {
        int* pinned = Pinned(1);
        *pinned = 0;
        nint stream = Begin();
        Assert.Equal(Active, Status(stream));
        Check(Fill((ulong)pinned, 1, stream));
        nint graph = EndCapture(stream);
        Assert.Equal(None, Status(stream));
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(0, *pinned);
        nuint nodes;
        Check(Api.cuGraphGetNodes(graph, null, &nodes));
        Assert.Equal(1u, nodes);
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream, graph);
    });

    [Fact]
    public void A_capture_begins_once_and_not_on_the_legacy_stream() => Run(() =>
    {
        Assert.Equal(Result.CaptureUnsupported, Api.cuStreamBeginCapture_v2(0, Global));
        Assert.Equal(Result.CaptureUnsupported, Api.cuStreamBeginCapture_v2(1, Global));
        nint stream = Stream();
        Assert.Equal(Result.InvalidValue, Api.cuStreamBeginCapture_v2(stream, 3));
        Assert.Equal(Result.InvalidValue, Api.cuStreamBeginCapture_v2(stream, -1));
        Check(Api.cuStreamBeginCapture_v2(stream, Global));
        Assert.Equal(Result.IllegalState, Api.cuStreamBeginCapture_v2(stream, Global));
        EndWell(stream);
    });

    [Fact]
    public void The_per_thread_stream_can_be_captured() => Run(() =>
    {
        Check(Api.cuStreamBeginCapture_v2(2, Global));
        Destroy(EndCapture(2));
    });

    [Fact]
    public void Only_a_capture_that_began_can_end() => Run(() =>
    {
        nint stream = Stream(), graph;
        Assert.Equal(Result.InvalidValue, Api.cuStreamEndCapture(stream, null));
        Assert.Equal(Result.IllegalState, Api.cuStreamEndCapture(stream, &graph));
        Assert.Equal(Result.IllegalState, Api.cuStreamEndCapture(0, &graph));
        Destroy(stream);
        Assert.Equal(Result.InvalidHandle, Api.cuStreamEndCapture(stream, &graph));
    });

    public static TheoryData<string> Unsafe =>
        ["cuMemAlloc", "cuMemFree", "cuMemAllocHost", "cuMemFreeHost", "cuModuleLoadData", "synchronous copy", "another stream", "poll", "event"];

    private static int CallUnsafe(string name, ulong memory, void* host, nint other, nint @event)
    {
        nint module;
        ulong address;
        void* pinned;
        byte* image = stackalloc byte[64];
        int value = 0;
        return name switch
        {
            "cuMemAlloc" => Api.cuMemAlloc_v2(&address, 4),
            "cuMemFree" => Api.cuMemFree_v2(memory),
            "cuMemAllocHost" => Api.cuMemAllocHost_v2(&pinned, 4),
            "cuMemFreeHost" => Api.cuMemFreeHost(host),
            "cuModuleLoadData" => Api.cuModuleLoadData(&module, image),
            "synchronous copy" => Api.cuMemcpyHtoD_v2(memory, &value, 4),
            "another stream" => Api.cuStreamSynchronize(other),
            "poll" => Api.cuStreamQuery(other),
            "event" => Api.cuEventSynchronize(@event),
            _ => throw new ArgumentException(name, nameof(name)),
        };
    }

    [Theory, MemberData(nameof(Unsafe))]
    public void Calls_that_a_capture_cannot_see_spoil_it(string name) => Run(() =>
    {
        ulong memory = Memory(4);
        int* host = Pinned(1);
        nint other = Stream(NonBlocking), @event = Event();
        foreach (int mode in (int[])[Global, ThreadLocal])
        {
            nint stream = Begin(mode);
            Assert.Equal(Result.CaptureUnsupported, CallUnsafe(name, memory, host, other, @event));
            EndSpoilt(stream);
            Destroy(stream);
        }
        // The thread that says it knows what it does is left alone, in both ways of saying so.
        nint relaxed = Begin(Relaxed);
        _ = CallUnsafe(name, memory, host, other, @event);
        EndWell(relaxed);
        int own = Relaxed;
        Check(Api.cuThreadExchangeStreamCaptureMode(&own));
        Assert.Equal(Global, own);
        nint global = Begin();
        _ = CallUnsafe(name is "cuMemFree" or "cuMemFreeHost" ? "poll" : name, memory, host, other, @event);
        EndWell(global);
        Check(Api.cuThreadExchangeStreamCaptureMode(&own));
        Assert.Equal(Relaxed, own);
        if (name != "cuMemFree")
            Check(Api.cuMemFree_v2(memory));
        if (name != "cuMemFreeHost")
            Check(Api.cuMemFreeHost(host));
        Destroy(other, @event);
    }, leaks: name is "cuMemAlloc" or "cuMemAllocHost" ? 2 : 0);

    [Fact]
    public void Another_thread_spoils_a_global_capture_unless_it_minds_its_own() => Run(context =>
    {
        int Query(int mode)
        {
            int status = -1;
            OnAnotherThread(() =>
            {
                Check(Api.cuCtxSetCurrent(context));
                int own = mode;
                Check(Api.cuThreadExchangeStreamCaptureMode(&own));
                nint stream = Stream(NonBlocking);
                status = Api.cuStreamQuery(stream);
                Destroy(stream);
            });
            return status;
        }
        nint global = Begin(), local;
        Assert.Equal((0, 0), (Query(ThreadLocal), Query(Relaxed)));
        Assert.Equal(Active, Status(global));
        Assert.Equal(Result.CaptureUnsupported, Query(Global));
        EndSpoilt(global);
        local = Begin(ThreadLocal);
        Assert.Equal(0, Query(Global));
        EndWell(local);
        Destroy(global);
    });

    [Theory, InlineData(Global), InlineData(ThreadLocal), InlineData(Relaxed)]
    public void A_captured_stream_cannot_be_waited_for(int mode) => Run(() =>
    {
        nint stream = Begin(mode);
        Assert.Equal(Result.CaptureUnsupported, Api.cuStreamSynchronize(stream));
        Assert.Equal(Result.CaptureInvalidated, Api.cuStreamSynchronize(stream));
        EndSpoilt(stream);
        Check(Api.cuStreamBeginCapture_v2(stream, mode));
        Assert.Equal(Result.CaptureUnsupported, Api.cuStreamQuery(stream));
        EndSpoilt(stream);
        Check(Api.cuStreamBeginCapture_v2(stream, mode));
        Assert.Equal(Result.CaptureUnsupported, Api.cuCtxSynchronize());
        EndSpoilt(stream);
        Destroy(stream);
    });

    [Theory, InlineData(Global), InlineData(ThreadLocal), InlineData(Relaxed)]
    public void A_captured_event_cannot_be_waited_for(int mode) => Run(() =>
    {
        nint stream = Begin(mode), @event = Event();
        Check(Api.cuEventRecord(@event, stream));
        Assert.Equal(Result.CapturedEvent, Api.cuEventSynchronize(@event));
        EndSpoilt(stream);
        Check(Api.cuStreamBeginCapture_v2(stream, mode));
        Check(Api.cuEventRecord(@event, stream));
        Assert.Equal(Result.CapturedEvent, Api.cuEventQuery(@event));
        EndSpoilt(stream);
        // It stays a captured event until it is recorded again.
        Assert.Equal(Result.CapturedEvent, Api.cuEventQuery(@event));
        Assert.Equal(Result.CapturedEvent, Api.cuStreamWaitEvent(stream, @event, 0));
        float time;
        Assert.Equal(Result.CapturedEvent, Api.cuEventElapsedTime(&time, @event, @event));
        Check(Api.cuEventRecord(@event, stream));
        Check(Api.cuEventSynchronize(@event));
        Destroy(stream, @event);
    });

    [Fact]
    public void The_legacy_stream_is_out_of_use_while_a_blocking_stream_captures() => Run(() =>
    {
        ulong memory = Memory(4);
        uint value = 0;
        nint @event = Event();
        Func<int>[] uses =
        [
            () => Fill(memory, 1, 0), () => Api.cuMemsetD32_v2(memory, 1, 1), () => Api.cuStreamSynchronize(0), () => Api.cuStreamQuery(1),
            () => Api.cuEventRecord(@event, 0), () => Api.cuStreamWaitEvent(0, @event, 0), () => Api.cuMemcpyDtoD_v2(memory, memory, 4),
        ];
        foreach (Func<int> use in uses)
        {
            nint stream = Begin(Relaxed, flags: 0);
            int status;
            Assert.Equal(Result.CaptureImplicit, Api.cuStreamIsCapturing(0, &status)); // which harms nobody
            Assert.Equal(Active, Status(stream));
            Assert.Equal(Result.CaptureImplicit, use());
            EndSpoilt(stream);
            Destroy(stream);
        }
        // A stream that the legacy stream does not wait for does not mind.
        nint free = Begin(Relaxed);
        Check(Fill(memory, 5, 0));
        Check(Api.cuMemcpyDtoH_v2(&value, memory, 4));
        Assert.Equal((5u, None), (value, Status(0)));
        EndWell(free);
        Check(Api.cuMemFree_v2(memory));
        Destroy(@event);
    });

    [Fact]
    public void A_wait_for_work_outside_the_capture_is_refused() => Run(() =>
    {
        nint outside = Stream(NonBlocking), @event = Event();
        Check(Api.cuEventRecord(@event, outside));
        nint stream = Begin();
        Assert.Equal(Result.CaptureIsolation, Api.cuStreamWaitEvent(stream, @event, 0));
        Assert.Equal(Result.CaptureInvalidated, Api.cuStreamWaitEvent(stream, @event, 0));
        EndSpoilt(stream);
        Destroy(outside, stream, @event);
    });

    [Fact]
    public void Two_captures_do_not_merge() => Run(() =>
    {
        nint first = Begin(), second = Begin(), @event = Event();
        Check(Api.cuEventRecord(@event, first));
        Assert.Equal(Result.CaptureMerge, Api.cuStreamWaitEvent(second, @event, 0));
        EndSpoilt(first);
        EndSpoilt(second);
        Destroy(first, second, @event);
    });

    [Fact]
    public void A_forked_stream_is_joined_before_the_end() => Run(() =>
    {
        int* pinned = Pinned(2);
        pinned[0] = pinned[1] = 0;
        nint origin = Begin(), fork = Stream(NonBlocking), start = Event(), end = Event(), graph;
        Check(Fill((ulong)pinned, 1, origin));
        Check(Api.cuEventRecord(start, origin));
        Check(Api.cuStreamWaitEvent(fork, start, 0));
        Assert.Equal(Active, Status(fork));
        Check(Fill((ulong)(pinned + 1), 2, fork));
        Assert.Equal(Result.CaptureUnmatched, Api.cuStreamEndCapture(fork, &graph));
        EndSpoilt(origin);
        Assert.Equal(None, Status(fork));

        Check(Api.cuStreamBeginCapture_v2(origin, Global));
        Check(Api.cuEventRecord(start, origin));
        Check(Api.cuStreamWaitEvent(fork, start, 0));
        Check(Fill((ulong)(pinned + 1), 2, fork));
        graph = -1;
        Assert.Equal(Result.CaptureUnjoined, Api.cuStreamEndCapture(origin, &graph));
        Assert.Equal((0, None, None), (graph, Status(origin), Status(fork)));

        Check(Api.cuStreamBeginCapture_v2(origin, Global));
        Check(Api.cuEventRecord(start, origin));
        Check(Api.cuStreamWaitEvent(fork, start, 0));
        Check(Fill((ulong)(pinned + 1), 2, fork));
        Check(Api.cuEventRecord(end, fork));
        Check(Api.cuStreamWaitEvent(origin, end, 0));
        graph = EndCapture(origin);
        nint exec = Instantiate(graph);
        Check(Api.cuGraphLaunch(exec, fork));
        Check(Api.cuStreamSynchronize(fork));
        Assert.Equal((0, 2), (pinned[0], pinned[1]));
        Check(Api.cuMemFreeHost(pinned));
        Destroy(origin, fork, start, end, graph, exec);
    });

    [Fact]
    public void A_fork_that_did_nothing_needs_no_join() => Run(() =>
    {
        nint origin = Begin(), fork = Stream(NonBlocking), start = Event();
        Check(Api.cuEventRecord(start, origin));
        Check(Api.cuStreamWaitEvent(fork, start, 0));
        EndWell(origin);
        Destroy(fork, start);
    });

    [Fact]
    public void A_spoilt_capture_takes_nothing_more() => Run(() =>
    {
        ulong memory = Memory(4);
        nint stream = Begin(), idle = Stream(NonBlocking), @event = Event(), other = Event();
        Check(Api.cuEventRecord(@event, stream));
        Assert.Equal(Result.CaptureUnsupported, Api.cuStreamSynchronize(stream));
        Assert.Equal(Result.CaptureInvalidated, Fill(memory, 1, stream));
        Assert.Equal(Result.CaptureInvalidated, Api.cuEventRecord(other, stream));
        Assert.Equal(Result.InvalidValue, Api.cuStreamWaitEvent(idle, @event, 0));
        Assert.Equal(None, Status(idle));
        EndSpoilt(stream);
        Check(Api.cuMemFree_v2(memory));
        Destroy(stream, idle, @event, other);
    });

    [Fact]
    public void A_capture_ends_in_the_thread_that_began_it_unless_relaxed() => Run(context =>
    {
        nint stream = Begin(ThreadLocal), relaxed = Begin(Relaxed), graph = 0;
        OnAnotherThread(() =>
        {
            Check(Api.cuCtxSetCurrent(context));
            nint none = -1, made;
            Assert.Equal(Result.CaptureWrongThread, Api.cuStreamEndCapture(stream, &none));
            Assert.Equal(0, none);
            Check(Api.cuStreamEndCapture(relaxed, &made));
            graph = made;
        });
        EndSpoilt(stream);
        Destroy(stream, relaxed, graph);
    });

    [Fact]
    public void Stream_ordered_memory_is_not_captured() => Run(() =>
    {
        ulong memory = Memory(4), fresh;
        nint stream = Begin(Relaxed);
        Assert.Equal(Result.CaptureUnsupported, Api.cuMemAllocAsync(&fresh, 4, stream));
        EndSpoilt(stream);
        Check(Api.cuStreamBeginCapture_v2(stream, Relaxed));
        Assert.Equal(Result.CaptureUnsupported, Api.cuMemFreeAsync(memory, stream));
        EndSpoilt(stream);
        Check(Api.cuMemFree_v2(memory));
        Destroy(stream);
    });

    [Fact]
    public void A_stream_that_is_destroyed_takes_its_capture_along() => Run(() =>
    {
        nint origin = Begin(), fork = Stream(NonBlocking), @event = Event(), graph;
        Check(Api.cuEventRecord(@event, origin));
        Check(Api.cuStreamWaitEvent(fork, @event, 0));
        Destroy(origin);
        Assert.Equal(Result.InvalidHandle, Api.cuStreamEndCapture(origin, &graph));
        Assert.Equal(None, Status(fork));
        Check(Api.cuMemFree_v2(Memory(4))); // no capture is in the way any more

        origin = Begin();
        Check(Api.cuEventRecord(@event, origin));
        Check(Api.cuStreamWaitEvent(fork, @event, 0));
        Destroy(fork);
        EndSpoilt(origin);
        Destroy(origin, @event);
    });

    [Fact]
    public void A_context_that_is_destroyed_takes_its_captures_along() => Run(() =>
    {
        nint own;
        Check(Api.cuCtxCreate_v2(&own, 0, 0));
        Begin();
        Check(Api.cuCtxDestroy_v2(own));
        Check(Api.cuMemFree_v2(Memory(4)));
        Control.Clear();
    });

    [Fact]
    public void A_stream_can_be_asked_from_anywhere_whether_it_captures() => Run(context =>
    {
        nint stream = Begin();
        OnAnotherThread(() =>
        {
            Check(Api.cuCtxSetCurrent(context));
            Assert.Equal(Active, Status(stream));
        });
        Assert.Equal(Result.InvalidValue, Api.cuStreamIsCapturing(stream, null));
        int mode = 7;
        Assert.Equal(Result.InvalidValue, Api.cuThreadExchangeStreamCaptureMode(&mode));
        Assert.Equal(Result.InvalidValue, Api.cuThreadExchangeStreamCaptureMode(null));
        EndWell(stream);
    });

    [Fact]
    public void Host_functions_and_graphs_are_captured_too() => Run(() =>
    {
        int* pinned = Pinned(1);
        *pinned = 0;
        nint stream = Begin();
        Check(Api.cuLaunchHostFunc(stream, &Increment, pinned));
        nint inner = EndCapture(stream), innerExec = Instantiate(inner);
        Check(Api.cuStreamBeginCapture_v2(stream, Global));
        Check(Api.cuGraphLaunch(innerExec, stream));
        Check(Api.cuGraphLaunch(innerExec, stream));
        Assert.Equal(Result.CaptureUnsupported, Api.cuGraphUpload(innerExec, stream));
        EndSpoilt(stream);
        Check(Api.cuStreamBeginCapture_v2(stream, Global));
        Check(Api.cuGraphLaunch(innerExec, stream));
        Check(Api.cuGraphLaunch(innerExec, stream));
        nint outer = EndCapture(stream), outerExec = Instantiate(outer);
        Check(Api.cuGraphLaunch(outerExec, stream));
        Check(Api.cuGraphLaunch(outerExec, stream));
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(4, *pinned);
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream, inner, innerExec, outer, outerExec);
    });

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Increment(void* data) => ++*(int*)data;
}
