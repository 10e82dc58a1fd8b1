namespace CudaGen.Runtime.Tests;

public sealed class DeviceProfileTests
{
    private static readonly Kernel Add = CudaHere.NewAdd();

    private static void Work(Device device, Tensor y, Tensor copy, Tensor cleared)
    {
        device.Launch(Add, y, 1);
        device.Copy(copy, y);
        device.Clear(cleared);
    }

    [Fact]
    public void Every_launch_copy_and_fill_is_seen_once_with_the_bytes_of_its_tensors()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Tensor y = arena.Take(new Shape(40)), copy = arena.Take(new Shape(40)), cleared = arena.Take(new Shape(3));
        Work(device, y, copy, cleared);
        using DeviceProfile profile = new(device);
        Assert.False(profile.HasBegun);
        for (int i = 0; i < 2; i++)
        {
            profile.Clear();
            device.Profile = profile;
            Work(device, y, copy, cleared);
            device.Profile = null;
            Work(device, y, copy, cleared);
            Assert.Equal(
                [new("add", "", 160, 0), new("cuMemcpyDtoDAsync_v2", "", 320, 0), new ProfiledWork("cuMemsetD8Async", "", 12, 0)], profile.Work);
            double[] times = profile.Microseconds();
            Assert.True(profile.HasBegun);
            Assert.Equal(3, times.Length);
            Assert.All(times, t => Assert.InRange(t, 0, 60e6));
        }
    }

    [Fact]
    public void What_a_graph_records_or_replays_is_not_seen()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Tensor y = arena.Take(new Shape(40)), copy = arena.Take(new Shape(40)), cleared = arena.Take(new Shape(3));
        Work(device, y, copy, cleared);
        using DeviceProfile profile = new(device);
        device.Profile = profile;
        using CudaGraph graph = device.Capture(() => Work(device, y, copy, cleared));
        graph.Launch();
        Assert.Empty(profile.Work);
        Assert.Equal(3, graph.Nodes);
        Work(device, y, copy, cleared);
        Assert.Equal(3, profile.Work.Count);
    }

    [Fact]
    public void Without_a_profile_a_launch_allocates_nothing()
    {
        using Device device = CudaHere.Open();
        using Arena arena = new(device, "test", 4096);
        Tensor y = arena.Take(new Shape(40)), copy = arena.Take(new Shape(40)), cleared = arena.Take(new Shape(3));
        using (DeviceProfile profile = new(device))
        {
            device.Profile = profile;
            Work(device, y, copy, cleared);
            device.Profile = null;
        }
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
            Work(device, y, copy, cleared);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void A_CPU_has_no_profile()
    {
        using Device cpu = Device.Cpu(1);
        Assert.Null(cpu.Profile);
        using DeviceProfile profile = new(cpu);
        Assert.Throws<DeviceException>(() => cpu.Profile = profile);
    }
}
