namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>The tests that share the state of the stand-ins in this process: one after the other.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class OneProcess
{
    public const string Name = "stand-ins";
}

/// <summary>CUresult values that the tests expect.</summary>
internal static class Result
{
    public const int Success = 0, InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, InvalidDevice = 101, InvalidImage = 200,
        InvalidContext = 201, InvalidHandle = 400, IllegalState = 401, NotFound = 500, NotReady = 600, IllegalAddress = 700,
        LaunchOutOfResources = 701, ContextIsDestroyed = 709, LaunchFailed = 719, NotPermitted = 800, CaptureUnsupported = 900,
        CaptureInvalidated = 901, CaptureMerge = 902, CaptureUnmatched = 903, CaptureUnjoined = 904, CaptureIsolation = 905,
        CaptureImplicit = 906, CapturedEvent = 907, CaptureWrongThread = 908;
}

/// <summary>The checked stand-ins in this process, and what tests do with them again and again.</summary>
internal static unsafe class Session
{
    private static readonly Lazy<string> LazyFolder = new(() => StandIns.Build(check: true));
    private static readonly Lazy<Cuda> LazyCuda = new(() => new Cuda(Folder));
    private static readonly Lazy<StandInControl> LazyControl = new(() => new StandInControl(Folder));

    public static string Folder => LazyFolder.Value;

    public static Cuda Api => LazyCuda.Value;

    public static StandInControl Control => LazyControl.Value;

    /// <summary>
    /// Runs a test with the primary context current to its thread. What it leaves behind, or the stand-ins report without being
    /// asked, is its failure.
    /// </summary>
    /// <param name="test">Gets the handle of the context.</param>
    /// <param name="leaks">How many objects it leaves on purpose.</param>
    public static void Run(Action<nint> test, int leaks = 0)
    {
        Reset();
        nint context;
        Check(Api.cuInit(0));
        Check(Api.cuDevicePrimaryCtxRetain(&context, 0));
        Check(Api.cuCtxSetCurrent(context));
        try
        {
            test(context);
            IReadOnlyList<string> left = Control.Leaks; // the context itself is one
            Assert.True(left.Count == 1 + leaks, string.Join('\n', left));
            Assert.Empty(Control.Reports);
        }
        finally
        {
            Control.FailNothing();
            _ = Api.cuCtxSetCurrent(0);
            _ = Api.cuDevicePrimaryCtxRelease_v2(0);
            Control.Clear();
        }
    }

    public static void Run(Action test, int leaks = 0) => Run(_ => test(), leaks);

    private static void Reset()
    {
        Control.Clear();
        Control.FailNothing();
        Control.Order = "ascending";
        Control.Checked = true;
        Control.Memory = 1L << 30;
    }

    public static void Check(int status)
    {
        if (status != Result.Success)
            Assert.Fail($"status {status} {Control.Explanation} {string.Join('\n', Control.Reports)}");
    }

    public static nint Stream(uint flags = 0)
    {
        nint stream;
        Check(Api.cuStreamCreate(&stream, flags));
        return stream;
    }

    public static nint Event(uint flags = 0)
    {
        nint @event;
        Check(Api.cuEventCreate(&@event, flags));
        return @event;
    }

    public static ulong Memory(nuint size)
    {
        ulong address;
        Check(Api.cuMemAlloc_v2(&address, size));
        return address;
    }

    public static int* Pinned(int count)
    {
        void* address;
        Check(Api.cuMemAllocHost_v2(&address, (nuint)(count * sizeof(int))));
        return (int*)address;
    }

    /// <summary>Gives the stream a fill of four bytes.</summary>
    public static int Fill(ulong address, uint value, nint stream) => Api.cuMemsetD32Async(address, value, 1, stream);

    /// <summary>The four bytes there, after all that the legacy stream waits for.</summary>
    public static uint Read(ulong address)
    {
        uint value;
        Check(Api.cuMemcpyDtoH_v2(&value, address, 4));
        return value;
    }

    public static nint EndCapture(nint stream)
    {
        nint graph;
        Check(Api.cuStreamEndCapture(stream, &graph));
        return graph;
    }

    public static nint Instantiate(nint graph)
    {
        nint exec;
        Check(Api.cuGraphInstantiateWithFlags(&exec, graph, 0));
        return exec;
    }

    public static void OnAnotherThread(Action action)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
            throw new InvalidOperationException("on the other thread", failure);
    }

    public static void Destroy(params ReadOnlySpan<nint> handles)
    {
        foreach (nint handle in handles)
            if (Api.cuStreamDestroy_v2(handle) != 0 && Api.cuEventDestroy_v2(handle) != 0 && Api.cuGraphDestroy(handle) != 0
                && Api.cuGraphExecDestroy(handle) != 0)
                Check(Api.cuModuleUnload(handle));
    }
}
