namespace CudaGen.Runtime.Tests;

public sealed unsafe class DeviceTests
{
    [Fact]
    public void A_device_with_arenas_alive_is_not_closed()
    {
        Device device = Device.Cpu(2);
        Arena a = new(device, "a", 64), b = new(device, "b", 64);
        Assert.Contains("2 of its arenas", Assert.Throws<DeviceException>(device.Dispose).Message, StringComparison.Ordinal);
        a.Dispose();
        Assert.Contains("1 of its arenas", Assert.Throws<DeviceException>(device.Dispose).Message, StringComparison.Ordinal);
        // It still works after the refusal.
        device.ThrowIfDisposed();
        Assert.True(device.Scratch(1) != null);
        b.Dispose();
        device.Dispose();
        device.Dispose();
        Assert.Equal(0, LiveObjects.Total);
        Assert.Throws<ObjectDisposedException>(device.ThrowIfDisposed);
        Assert.Throws<ObjectDisposedException>(() => (nint)device.Scratch(1));
        Assert.Throws<ObjectDisposedException>(() => new Arena(device, "c", 64));
    }

    [Fact]
    public void Scratch_grows_only_for_more_than_it_has()
    {
        using Device device = Device.Cpu(1);
        Assert.Equal(0, device.ScratchGrowths);
        float* first = device.Scratch(1000);
        Assert.Equal(0, (nint)first % Arena.Alignment);
        first[999] = 1;
        Assert.True(first == device.Scratch(1000));
        Assert.True(first == device.Scratch(1));
        Assert.Equal(1, device.ScratchGrowths);
        device.Scratch(1001)[1000] = 1;
        Assert.Equal(2, device.ScratchGrowths);
    }

    [Fact]
    public void Threads_and_implementation_are_what_was_asked_for()
    {
        using Device one = Device.Cpu(1), three = Device.Cpu(3, Implementation.Reference), all = Device.Cpu();
        Assert.Equal((1, 3, Environment.ProcessorCount), (one.Workers.Count, three.Workers.Count, all.Workers.Count));
        Assert.False(one.IsReference);
        Assert.True(three.IsReference);
        Assert.Equal(DeviceKind.Cpu, one.Kind);
        Assert.StartsWith("cpu (1 thread, ", one.Description, StringComparison.Ordinal);
        Assert.EndsWith("-bit vectors)", one.Description, StringComparison.Ordinal);
        Assert.Equal("cpu (3 threads, reference loops)", three.Description);
        Assert.Equal(3, LiveObjects.Count(LiveObject.Device));
    }

    [Fact]
    public void Nothing_falls_back()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Device.Cpu(-1));
        Assert.Contains("'kernel'", Assert.Throws<DeviceException>(() => Device.Cpu(1, Implementation.Kernel)).Message, StringComparison.Ordinal);
        Assert.Contains("'library'", Assert.Throws<DeviceException>(() => Device.Cpu(1, Implementation.Library)).Message,
            StringComparison.Ordinal);
        Assert.Contains("'gpu'", Assert.Throws<DeviceException>(() => Device.Open("gpu")).Message, StringComparison.Ordinal);
        Assert.Equal(0, LiveObjects.Total);
        using Device device = Device.Open("cpu", 2, Implementation.Cpu);
        Assert.Equal((2, Implementation.Cpu), (device.Workers.Count, device.Implementation));
    }
}
