namespace CudaGen.Runtime.Tests;

/// <summary>Memory of a CUDA device, copies that run later, and events.</summary>
public sealed class CudaMemoryTests
{
    private static readonly Kernel Add = CudaHere.NewAdd();

    [Fact]
    public void An_arena_is_zero_and_its_tensors_are_reached_by_copies_only()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Tensor a = arena.Take(new Shape(5)), b = arena.Take(new Shape(5)), all = arena.AsTensor();
        Buffer<ulong> counter = arena.Take<ulong>(1);
        Assert.All(device.ToArray(all), v => Assert.Equal(0, BitConverter.SingleToInt32Bits(v)));
        Assert.Equal(0, a.Address % Arena.Alignment);
        Assert.Equal(64, b.Address - a.Address);
        device.Upload(a, [1, 2, 3, 4, 5]);
        device.Copy(b, a);
        device.Clear(a);
        device.Upload(counter, [ulong.MaxValue]);
        Assert.Equal([0, 0, 0, 0, 0], device.ToArray(a));
        Assert.Equal([1, 2, 3, 4, 5], device.ToArray(b));
        Assert.Equal(ulong.MaxValue, device.Read(counter));
        Assert.Equal(3, device.Read(b.Slice(2, new Shape(1))));
        Assert.Contains("Device.Download", Assert.Throws<DeviceException>(() => a.Span.Clear()).Message, StringComparison.Ordinal);
        Assert.Contains("Device.Download", Assert.Throws<DeviceException>(() => counter.Span.Clear()).Message, StringComparison.Ordinal);
        Assert.Throws<ShapeException>(() => device.Upload(a, [1]));
        Assert.Throws<ShapeException>(() => device.Download(a, new float[6]));
        Assert.Throws<ShapeException>(() => device.Copy(a, all));
    }

    [Fact]
    public void Memory_goes_and_comes_back()
    {
        using Device device = CudaHere.Open();
        (long free, long total) = device.GpuMemory;
        Assert.InRange(free, 1, total);
        using (Arena arena = new(device, "test", 64 << 20))
            Assert.InRange(device.GpuMemory.Free, 0, free - (64 << 20));
        Assert.Equal((free, total), device.GpuMemory);
        string message = Assert.Throws<DeviceException>(() => new Arena(device, "moments", total + (1L << 40))).Message;
        Assert.StartsWith("arena 'moments': ", message, StringComparison.Ordinal);
        Assert.Contains("CUDA_ERROR_OUT_OF_MEMORY (2)", message, StringComparison.Ordinal);
        Assert.Equal((free, total), device.GpuMemory);
    }

    [Fact]
    public void A_copy_from_pinned_memory_is_done_when_the_device_says_so()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Buffer<float> buffer = arena.Take<float>(3);
        using PinnedBuffer<float> up = new(device, 3), down = new(device, 3);
        Assert.Equal([0, 0, 0], down.Span.ToArray());
        up.Span.Fill(1);
        up.CopyTo(buffer);
        down.CopyFrom(buffer);
        if (device.IsStandIn)
        {
            // It runs nothing before somebody waits: until then the elements belong to the device.
            Assert.Equal([0, 0, 0], down.Span.ToArray());
            up.Span.Fill(2);
            device.Synchronize();
            Assert.Equal([2, 2, 2], down.Span.ToArray());
        }
        device.Synchronize();
        Assert.Equal(up.Span.ToArray(), down.Span.ToArray());
        Assert.Contains("3 elements, the device's has 2", Assert.Throws<ArgumentException>(() => up.CopyTo(arena.Take<float>(2))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Pinned_memory_works_on_the_CPU_and_is_counted()
    {
        Device device = Device.Cpu(1);
        using (Arena arena = new(device, "test", 64))
        using (PinnedBuffer<int> pinned = new(device, 2), none = new(device, 0))
        {
            Buffer<int> buffer = arena.Take<int>(2);
            (pinned.Span[0], pinned.Span[1]) = (3, 4);
            pinned.CopyTo(buffer);
            pinned.Span.Clear();
            pinned.CopyFrom(buffer);
            none.CopyTo(arena.Take<int>(0));
            Assert.Equal([3, 4], pinned.Span.ToArray());
            Assert.Equal(2, LiveObjects.Count(LiveObject.Pinned));
            Assert.Contains("3 of its arenas", Assert.Throws<DeviceException>(device.Dispose).Message, StringComparison.Ordinal);
            pinned.Dispose();
            Assert.Throws<ObjectDisposedException>(() => pinned.Span.Clear());
        }
        device.Dispose();
    }

    [Fact]
    public void An_event_is_a_point_in_the_work()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Tensor y = arena.Take(new Shape(3));
        using PinnedBuffer<float> pinned = new(device, 3);
        using CudaEvent start = new(device), end = new(device);
        device.Launch(Add, y, 1);
        device.Synchronize();
        start.Record();
        device.Launch(Add, y, 1);
        pinned.CopyFrom(new Buffer<float>(y.Address, 3, y.Kind));
        end.Record();
        start.Wait();
        // The work behind an event is not waited for.
        if (device.IsStandIn)
            Assert.Equal([0, 0, 0], pinned.Span.ToArray());
        end.Wait();
        Assert.Equal([2, 2, 2], pinned.Span.ToArray());
        Assert.True(start.IsDone && end.IsDone);
        Assert.InRange(end.MillisecondsSince(start), 0, 600_000);
        Assert.InRange(start.MillisecondsSince(end), -600_000, 0);

        device.Launch(Add, y, 1);
        end.Record();
        for (int i = 0; !end.IsDone; i++)
        {
            Assert.True(i < 60_000, "the event is never done");
            Thread.Sleep(1);
        }
        Assert.InRange(end.MillisecondsSince(start), 0, 600_000);
        Assert.Equal([3, 3, 3], device.ToArray(y));
    }

    [Fact]
    public void Time_is_measured_between_events_that_were_recorded()
    {
        using Device device = CudaHere.Open();
        using CudaEvent start = new(device), end = new(device);
        end.Record();
        device.Synchronize();
        CudaException e = Assert.Throws<CudaException>(() => end.MillisecondsSince(start));
        Assert.StartsWith("cuEventElapsedTime(", e.Message, StringComparison.Ordinal);
        Assert.Contains("CUDA_ERROR_INVALID_HANDLE (400)", e.Message, StringComparison.Ordinal);
    }
}
