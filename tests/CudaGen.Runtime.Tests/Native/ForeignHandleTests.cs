namespace CudaGen.Runtime.Tests;

/// <summary>What shares a context with other CUDA code of an application: here another device of this engine plays that part.</summary>
public sealed class ForeignHandleTests
{
    private static readonly Kernel Add = CudaHere.NewAdd();

    [Fact]
    public void A_device_of_handles_works_in_them_and_leaves_them()
    {
        using Device owner = CudaHere.Open();
        using Arena memory = new(owner, "owner's", 4096);
        Tensor theirs = memory.Take(new Shape(40));
        owner.Upload(theirs, Enumerable.Range(0, 40).Select(i => (float)i).ToArray());
        using (Device guest = Device.FromHandles(owner.ContextHandle, owner.StreamHandle))
        {
            Assert.Equal((owner.ContextHandle, owner.StreamHandle), (guest.ContextHandle, guest.StreamHandle));
            Assert.Equal(owner.Description, guest.Description);
            using (Arena wrapped = Arena.Wrap(guest, "wrapped", theirs.Address, 192))
            {
                Tensor ours = wrapped.Take(new Shape(40));
                Assert.Equal(theirs.Address, ours.Address);
                // One stream: what one gives it, the other finds done.
                guest.Launch(Add, ours, 1);
                owner.Launch(Add, theirs, 10);
                Assert.Equal(Enumerable.Range(0, 40).Select(i => i + 11f), guest.ToArray(ours));
                Assert.Throws<CudaGenException>(() => wrapped.Take(new Shape(40)));
            }
        }
        // Context, stream and memory are the owner's still.
        owner.Launch(Add, theirs, 100);
        Assert.Equal(Enumerable.Range(0, 40).Select(i => i + 111f), owner.ToArray(theirs));
    }

    [Fact]
    public void Without_a_stream_of_the_owner_it_has_its_own()
    {
        using Device owner = CudaHere.Open();
        using Device guest = Device.FromHandles(owner.ContextHandle);
        Assert.NotEqual(0, guest.StreamHandle);
        Assert.NotEqual(owner.StreamHandle, guest.StreamHandle);
        using Arena arena = new(guest, "guest's", 4096);
        Tensor y = arena.Take(new Shape(3));
        guest.Launch(Add, y, 1);
        Assert.Equal([1, 1, 1], guest.ToArray(y));
        guest.MakeCurrent();
        owner.MakeCurrent();
        owner.Synchronize();
    }

    [Fact]
    public void Handles_and_memory_that_cannot_be_are_refused()
    {
        using Device device = CudaHere.Open();
        Assert.Throws<ArgumentException>(() => Device.FromHandles(0));
        Assert.Throws<DeviceException>(() => Device.FromHandles(device.ContextHandle, 0, Implementation.Cpu));
        Assert.Throws<ArgumentException>(() => Arena.Wrap(device, "null", 0, 64));
        Assert.Throws<ArgumentException>(() => Arena.Wrap(device, "crooked", 0x1004, 64));
        Assert.Contains("device 'cuda': GPU 1000: the driver has ", Assert.Throws<DeviceException>(() => Device.Open("cuda:1000")).Message,
            StringComparison.Ordinal);
        Assert.Contains("a GPU has no implementation 'reference'",
            Assert.Throws<DeviceException>(() => Device.Open("cuda", 0, Implementation.Reference)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_CPU_has_no_handles()
    {
        using Device device = Device.Cpu(1);
        Assert.Equal((0, 0), (device.ContextHandle, device.StreamHandle));
        Assert.False(device.IsStandIn);
        Assert.Equal((0, 0), device.GpuMemory);
    }
}
