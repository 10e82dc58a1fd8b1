using static CudaGen.KernelCheck.Tests.Driver.Session;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>Graphs that captures made, replayed.</summary>
[Collection(OneProcess.Name)]
public sealed unsafe class GraphTests
{
    private const uint NonBlocking = 1;

    [Fact]
    public void A_graph_runs_again_with_what_memory_holds_then() => Run(() =>
    {
        int* source = Pinned(1), target = Pinned(1);
        nint stream = Stream(NonBlocking);
        ulong memory = Memory(4);
        Check(Api.cuStreamBeginCapture_v2(stream, 0));
        Check(Api.cuMemcpyHtoDAsync_v2(memory, source, 4, stream));
        Check(Api.cuMemcpyDtoHAsync_v2(target, memory, 4, stream));
        nint graph = EndCapture(stream), exec = Instantiate(graph);
        Destroy(graph); // the executable form has its own copy
        for (int i = 0; i < 3; i++)
        {
            *source = i;
            *target = -1;
            Check(Api.cuGraphLaunch(exec, stream));
            Assert.Equal(-1, *target);
            Check(Api.cuStreamSynchronize(stream));
            Assert.Equal(i, *target);
        }
        Check(Api.cuMemFreeHost(source));
        Check(Api.cuMemFreeHost(target));
        Check(Api.cuMemFree_v2(memory));
        Destroy(stream, exec);
    });

    [Fact]
    public void A_captured_copy_of_ordinary_memory_reads_it_when_it_runs() => Run(() =>
    {
        nint stream = Stream(NonBlocking);
        ulong memory = Memory(4);
        uint value = 1;
        Check(Api.cuMemcpyHtoDAsync_v2(memory, &value, 4, stream)); // staged at the call
        value = 2;
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(1u, Read(memory));
        Check(Api.cuStreamBeginCapture_v2(stream, 0));
        Check(Api.cuMemcpyHtoDAsync_v2(memory, &value, 4, stream));
        nint graph = EndCapture(stream), exec = Instantiate(graph);
        value = 3;
        Check(Api.cuGraphLaunch(exec, stream));
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(3u, Read(memory));
        Check(Api.cuMemFree_v2(memory));
        Destroy(stream, graph, exec);
    });

    [Fact]
    public void Launches_of_one_executable_graph_follow_each_other_across_streams() => Run(() =>
    {
        nint first = Stream(NonBlocking), second = Stream(NonBlocking);
        int* pinned = Pinned(2);
        pinned[0] = 1;
        pinned[1] = 0;
        Check(Api.cuStreamBeginCapture_v2(first, 0));
        Check(Api.cuMemcpyDtoDAsync_v2((ulong)(pinned + 1), (ulong)pinned, 4, first));
        nint graph = EndCapture(first), exec = Instantiate(graph);
        Check(Fill((ulong)pinned, 5, first));
        Check(Api.cuGraphLaunch(exec, first));
        Check(Fill((ulong)pinned, 6, first));
        Check(Api.cuGraphLaunch(exec, second));
        Check(Api.cuStreamSynchronize(second)); // needs the first launch, but not the fill behind it
        Assert.Equal((5, 5), (pinned[0], pinned[1]));
        Check(Api.cuCtxSynchronize());
        Check(Api.cuMemFreeHost(pinned));
        Destroy(first, second, graph, exec);
    });

    [Fact]
    public void Branches_of_a_graph_may_overtake_each_other() => Run(() =>
    {
        nint origin = Stream(NonBlocking), fork = Stream(NonBlocking), start = Event(), end = Event();
        int* pinned = Pinned(1);
        Check(Api.cuStreamBeginCapture_v2(origin, 0));
        Check(Api.cuEventRecord(start, origin));
        Check(Api.cuStreamWaitEvent(fork, start, 0));
        Check(Fill((ulong)pinned, 1, origin));
        Check(Fill((ulong)pinned, 2, fork));
        Check(Api.cuEventRecord(end, fork));
        Check(Api.cuStreamWaitEvent(origin, end, 0));
        nint graph = EndCapture(origin), exec = Instantiate(graph);
        int Last(string order)
        {
            Control.Order = order;
            Check(Api.cuGraphLaunch(exec, origin));
            Check(Api.cuStreamSynchronize(origin));
            return *pinned;
        }
        Assert.Equal((2, 1), (Last("ascending"), Last("descending")));
        Assert.Equal(2, Enumerable.Range(0, 20).Select(seed => Last($"random:{seed}")).Distinct().Count());
        Check(Api.cuMemFreeHost(pinned));
        Destroy(origin, fork, start, end, graph, exec);
    });

    [Fact]
    public void What_a_graph_uses_must_outlive_it() => Run(() =>
    {
        nint stream = Stream(NonBlocking);
        ulong memory = Memory(64);
        Check(Api.cuStreamBeginCapture_v2(stream, 0));
        Check(Api.cuMemsetD8Async(memory, 1, 64, stream));
        nint graph = EndCapture(stream), exec = Instantiate(graph);
        Check(Api.cuMemFree_v2(memory));
        Check(Api.cuGraphLaunch(exec, stream));
        Assert.Equal(Result.IllegalAddress, Api.cuStreamSynchronize(stream));
        Assert.Contains("free", Assert.Single(Control.Reports), StringComparison.Ordinal);
        Destroy(stream, graph, exec);
        Control.Clear();
    });

    [Fact]
    public void A_launch_in_flight_outlives_its_executable_graph() => Run(() =>
    {
        nint stream = Stream(NonBlocking);
        int* pinned = Pinned(1);
        Check(Api.cuStreamBeginCapture_v2(stream, 0));
        Check(Fill((ulong)pinned, 3, stream));
        nint graph = EndCapture(stream), exec = Instantiate(graph);
        Check(Api.cuGraphUpload(exec, stream));
        Check(Api.cuGraphLaunch(exec, stream));
        Destroy(graph, exec);
        Check(Api.cuStreamSynchronize(stream));
        Assert.Equal(3, *pinned);
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream);
    });

    [Fact]
    public void Wrong_handles_and_arguments_are_refused() => Run(() =>
    {
        nint stream = Stream(NonBlocking), exec;
        nuint count = 5;
        Check(Api.cuStreamBeginCapture_v2(stream, 0));
        nint graph = EndCapture(stream);
        Assert.Equal(Result.InvalidHandle, Api.cuGraphInstantiateWithFlags(&exec, stream, 0));
        Assert.Equal(Result.InvalidHandle, Api.cuGraphInstantiateWithFlags(&exec, 0, 0));
        Assert.Equal(Result.InvalidValue, Api.cuGraphInstantiateWithFlags(null, graph, 0));
        Assert.Equal(Result.InvalidValue, Api.cuGraphInstantiateWithFlags(&exec, graph, 64));
        Assert.Equal(Result.InvalidValue, Api.cuGraphGetNodes(graph, null, null));
        Assert.Equal(Result.InvalidHandle, Api.cuGraphGetNodes(stream, null, &count));
        Check(Api.cuGraphGetNodes(graph, null, &count));
        Assert.Equal(0u, count);
        exec = Instantiate(graph);
        Assert.Equal(Result.InvalidHandle, Api.cuGraphLaunch(graph, stream));
        Assert.Equal(Result.InvalidHandle, Api.cuGraphLaunch(exec, graph));
        Assert.Equal(Result.InvalidHandle, Api.cuGraphUpload(exec, graph));
        Destroy(graph, exec);
        Assert.Equal(Result.InvalidHandle, Api.cuGraphDestroy(graph));
        Assert.Equal(Result.InvalidHandle, Api.cuGraphExecDestroy(exec));
        Assert.Equal(Result.InvalidHandle, Api.cuGraphLaunch(exec, stream));
        Destroy(stream);
    });

    [Fact]
    public void Nodes_are_listed_as_far_as_there_is_room() => Run(() =>
    {
        nint stream = Stream(NonBlocking);
        int* pinned = Pinned(1);
        Check(Api.cuStreamBeginCapture_v2(stream, 0));
        for (uint i = 0; i < 3; i++)
            Check(Fill((ulong)pinned, i, stream));
        nint graph = EndCapture(stream);
        nint* nodes = stackalloc nint[5];
        nuint count = 2;
        Check(Api.cuGraphGetNodes(graph, nodes, &count));
        Assert.Equal(2u, count);
        count = 5;
        Check(Api.cuGraphGetNodes(graph, nodes, &count));
        Assert.Equal((3u, 0), (count, nodes[3]));
        Assert.Equal(3, new HashSet<nint> { nodes[0], nodes[1], nodes[2] }.Count);
        Check(Api.cuMemFreeHost(pinned));
        Destroy(stream, graph);
    });
}
