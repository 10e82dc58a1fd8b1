namespace CudaGen.Runtime.Tests;

public sealed class CudaGraphTests
{
    private static readonly Kernel Add = CudaHere.NewAdd();

    [Fact]
    public void A_graph_runs_when_it_is_launched_and_as_often()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Tensor y = arena.Take(new Shape(40)), copy = arena.Take(new Shape(40)), cleared = arena.Take(new Shape(3));
        device.Launch(Add, y, 1);
        device.Upload(cleared, [1, 2, 3]);
        using CudaGraph graph = device.Capture(() =>
        {
            device.Launch(Add, y, 10);
            device.Copy(copy, y);
            device.Launch(Add, y, 100);
            device.Clear(cleared);
        });
        Assert.Equal(4, graph.Nodes);
        Assert.All(device.ToArray(y), v => Assert.Equal(1, v));
        Assert.Equal([1, 2, 3], device.ToArray(cleared));
        for (int i = 1; i <= 3; i++)
        {
            graph.Launch();
            // Between launches of the graph and after them the stream works as ever.
            device.Launch(Add, y, 1000);
            Assert.All(device.ToArray(y), v => Assert.Equal(1 + 1110 * i, v));
            Assert.All(device.ToArray(copy), v => Assert.Equal(1 + 1110 * (i - 1) + 10, v));
            Assert.Equal([0, 0, 0], device.ToArray(cleared));
        }
    }

    [Fact]
    public void Arguments_are_those_of_the_capture_and_memory_is_that_of_the_launch()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        using PinnedBuffer<float> pinned = new(device, 3), back = new(device, 3);
        Tensor y = arena.Take(new Shape(3));
        Buffer<float> buffer = new(y.Address, 3, y.Kind);
        device.Launch(Add, y, 0);
        float a = 10;
        using CudaGraph graph = device.Capture(() =>
        {
            pinned.CopyTo(buffer);
            device.Launch(Add, y, a);
            back.CopyFrom(buffer);
        });
        a = 20;
        foreach (float value in (float[])[1, 2])
        {
            pinned.Span.Fill(value);
            graph.Launch();
            device.Synchronize();
            Assert.Equal([value + 10, value + 10, value + 10], back.Span.ToArray());
        }
    }

    [Fact]
    public void Nothing_is_allocated_copied_or_loaded_while_a_graph_is_captured()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Tensor y = arena.Take(new Shape(3));
        device.ReserveScratch(100);
        device.Launch(Add, y, 1);
        (string What, Action Work)[] refused =
        [
            ("Allocating the arena 'inner'", () => new Arena(device, "inner", 64).Dispose()),
            ("Growing the scratch memory from 100 to 101 floats", () => device.ReserveScratch(101)),
            ("Upload", () => device.Upload(y, [1, 2, 3])),
            ("Download", () => device.ToArray(y)),
            ("Loading add.cu", () => device.Launch(CudaHere.NewAdd(), y, 1)),
            ("Capture", () => device.Capture(() => { }).Dispose()),
        ];
        foreach ((string what, Action work) in refused)
        {
            CudaGenException e = Assert.Throws<CudaGenException>(() => device.Capture(() =>
            {
                device.Launch(Add, y, 1);
                work();
            }));
            Assert.StartsWith(what + ": not while a graph is captured", e.Message, StringComparison.Ordinal);
            // The capture is given up, and nothing of it has run.
            Assert.All(device.ToArray(y), v => Assert.Equal(1, v));
        }
        using CudaGraph graph = device.Capture(() => device.Launch(Add, y, 1));
        graph.Launch();
        Assert.All(device.ToArray(y), v => Assert.Equal(2, v));
    }

    [Fact]
    public void What_goes_wrong_in_a_capture_ends_it()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Tensor y = arena.Take(new Shape(3));
        device.Launch(Add, y, 1);
        Assert.Throws<TimeoutException>(() => device.Capture(() => throw new TimeoutException()));
        // CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: there is nothing to wait for.
        Assert.Equal(900, Assert.Throws<CudaException>(() => device.Capture(device.Synchronize)).Status);
        device.Launch(Add, y, 1);
        Assert.All(device.ToArray(y), v => Assert.Equal(2, v));
        using CudaGraph empty = device.Capture(() => { });
        empty.Launch();
        Assert.Equal(0, empty.Nodes);
    }

    [Fact]
    public void A_graph_that_is_gone_is_not_launched_and_keeps_its_device_no_longer()
    {
        Device device = CudaHere.Open();
        CudaGraph graph = device.Capture(() => { });
        Assert.Contains("1 of its arenas, graphs", Assert.Throws<DeviceException>(device.Dispose).Message, StringComparison.Ordinal);
        graph.Dispose();
        graph.Dispose();
        Assert.Throws<ObjectDisposedException>(graph.Launch);
        device.Dispose();
        Assert.Throws<ObjectDisposedException>(() => device.Capture(() => { }));
    }
}
