namespace CudaGen.Runtime.Tests;

public sealed unsafe class ArenaTests
{
    private static void Carve(Arena arena, List<nint> addresses)
    {
        addresses.Add(arena.Take(new Shape(3, 5)).Address);
        addresses.Add(arena.Take(Shape.Scalar).Address);
        addresses.Add(arena.Take<ulong>(1).Address);
        addresses.Add(arena.Take<byte>(65).Address);
        addresses.Add(arena.Take(new Shape(0)).Address);
        addresses.Add(arena.Take(new Shape(16)).Address);
    }

    [Fact]
    public void What_was_measured_fits_exactly()
    {
        Arena measure = Arena.Measure("test");
        Assert.True(measure.IsMeasure);
        Carve(measure, []);
        Assert.Equal(64 + 64 + 64 + 128 + 0 + 64, measure.Used);

        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", measure.Used);
        Assert.False(arena.IsMeasure);
        List<nint> addresses = [];
        Carve(arena, addresses);
        Assert.Equal(arena.Capacity, arena.Used);
        Assert.All(addresses, a => Assert.Equal(0, a % Arena.Alignment));
        Assert.Equal([64, 64, 64, 128, 0], addresses.Zip(addresses.Skip(1), (a, b) => (int)(b - a)));
    }

    [Fact]
    public void A_full_arena_says_what_was_asked_for_and_what_is_left()
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "parameters", 192);
        arena.Take(new Shape(17));
        string message = Assert.Throws<CudaGenException>(() => arena.Take(new Shape(17))).Message;
        Assert.Equal("arena 'parameters' is full: 128 bytes asked for, 64 of 192 left", message);
        Assert.Equal(128, arena.Used);
        arena.Take(new Shape(16));
        Assert.Equal(192, arena.Used);
        Assert.Throws<CudaGenException>(() => arena.Take<byte>(1));
    }

    [Fact]
    public void Memory_is_zero_and_readable_beyond_the_last_tensor()
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", 4096);
        Tensor all = arena.Take(new Shape(1024));
        foreach (float value in new ReadOnlySpan<float>((void*)all.Address, 1024 + Arena.Slack / sizeof(float)))
            Assert.Equal(0, BitConverter.SingleToInt32Bits(value));
        Assert.True(Arena.Slack >= 64, "a vector of 512 bits must fit");
    }

    [Fact]
    public void As_one_tensor_an_arena_covers_all_tensors_and_gaps()
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", 4096);
        Tensor a = arena.Take(new Shape(3)), b = arena.Take(new Shape(5));
        Tensor all = arena.AsTensor();
        Assert.Equal((a.Address, new Shape(32)), (all.Address, all.Shape));
        b.Span[0] = 7;
        Assert.Equal(7, all.Span[16]);
    }

    [Fact]
    public void A_disposed_arena_gives_nothing_and_counts_once()
    {
        using Device device = Device.Cpu(1);
        Arena arena = new(device, "test", 64);
        Assert.Equal(1, LiveObjects.Count(LiveObject.Arena));
        arena.Dispose();
        arena.Dispose();
        Assert.Equal(0, LiveObjects.Count(LiveObject.Arena));
        Assert.Throws<ObjectDisposedException>(() => arena.Take(new Shape(1)));
    }

    [Fact]
    public void Memory_that_is_not_to_be_had_is_an_error_with_a_name_and_leaves_nothing_behind()
    {
        using Device device = Device.Cpu(1);
        string message = Assert.Throws<DeviceException>(() => new Arena(device, "moments", long.MaxValue / 2)).Message;
        Assert.Contains("'moments'", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Arena(device, "moments", -1));
        Assert.Equal(0, LiveObjects.Count(LiveObject.Arena));
    }
}
