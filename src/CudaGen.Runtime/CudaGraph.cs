using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Runtime;

/// <summary>
/// Work that was recorded once and is given to the GPU as a whole, with one call instead of one for each launch. It holds
/// the addresses and numbers of its arguments as they were; what shall change between replays must lie in device memory.
/// </summary>
public sealed unsafe class CudaGraph : IDisposable
{
    private readonly CudaContext _context;
    private readonly Device _device;
    private CUgraphExec _executable;

    /// <summary>Records what <paramref name="work"/> gives to the device, without running it. See <see cref="Device.Capture"/>.</summary>
    internal CudaGraph(Device device, CudaContext context, Action work)
    {
        (_device, _context) = (device, context);
        context.BeginCapture();
        try
        {
            work();
        }
        catch
        {
            context.AbandonCapture();
            throw;
        }
        CUgraph graph = context.EndCapture();
        try
        {
            nuint nodes = 0;
            Check(Cuda.cuGraphGetNodes(graph, null, ref nodes));
            Nodes = (int)nodes;
            Check(Cuda.cuGraphInstantiateWithFlags(out _executable, graph, 0));
        }
        finally
        {
            // The executable has its own copy of everything.
            _ = Cuda.cuGraphDestroy(graph);
        }
        device.Attach();
        LiveObjects.Add(LiveObject.Graph);
    }

    /// <summary>Launches, copies and fills that were recorded.</summary>
    public int Nodes { get; }

    /// <summary>Runs the work once more, after everything given to the device before.</summary>
    /// <exception cref="CudaException">The driver refused.</exception>
    public void Launch()
    {
        ObjectDisposedException.ThrowIf(_executable == default, this);
        _context.Enter();
        Check(Cuda.cuGraphLaunch(_executable, _context.Stream));
    }

    public void Dispose()
    {
        if (_executable == default)
            return;
        _ = Cuda.cuStreamSynchronize(_context.Stream);
        _ = Cuda.cuGraphExecDestroy(_executable);
        _executable = default;
        _device.Detach();
        LiveObjects.Remove(LiveObject.Graph);
    }
}
