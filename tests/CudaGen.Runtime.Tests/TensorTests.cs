namespace CudaGen.Runtime.Tests;

public sealed class TensorTests
{
    [Fact]
    public void Rows_and_Reshape_look_at_the_same_memory()
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", 1024);
        Tensor t = arena.Take(new Shape(4, 3, 2));
        for (int i = 0; i < t.Length; i++)
            t.Span[i] = i;

        Tensor rows = t.Rows(1, 2);
        Assert.Equal(new Shape(2, 3, 2), rows.Shape);
        Assert.Equal([6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], rows.Span.ToArray());
        rows.Span[0] = -1;
        Assert.Equal(-1, t.Span[6]);

        Tensor flat = t.Reshape(new(24));
        Assert.Equal((t.Address, new Shape(24)), (flat.Address, flat.Shape));
        Assert.Equal(t, t.Rows(0, 4));
        Assert.Equal(0, t.Rows(4, 0).Length);
    }

    [Fact]
    public void Parts_of_a_buffer_look_at_the_same_memory()
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", 1024);
        Buffer<int> buffer = arena.Take<int>(6);
        device.Upload(buffer, [0, 1, 2, 3, 4, 5]);
        Assert.Equal([2, 3, 4], buffer.Slice(2, 3).Span.ToArray());
        Assert.Equal(0, buffer.Slice(6, 0).Length);
        foreach ((long offset, long length) in new[] { (4L, 3L), (-1, 1), (0, -1), (long.MaxValue, 1), (1, long.MaxValue) })
            Assert.Contains($"{length} elements from element {offset} of 6", Assert.Throws<ShapeException>(() => buffer.Slice(offset, length)).Message, StringComparison.Ordinal);
        // Longer than a span, though not in memory.
        Buffer<byte> large = new(64, 1L << 32);
        Assert.Contains("4294967296", Assert.Throws<DeviceException>(() => large.Span.Length).Message, StringComparison.Ordinal);
        Assert.Equal(64 + 3_000_000_000L, large.Slice(3_000_000_000, 1).Address);
    }

    [Fact]
    public void A_reshape_to_another_length_names_both_shapes()
    {
        string message = Assert.Throws<ShapeException>(() => new Tensor(64, new(2, 3)).Reshape(new(7))).Message;
        Assert.Equal("Reshape: [2, 3] has 6 elements, [7] has 7", message);
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(3, 2)]
    [InlineData(-1, 1)]
    [InlineData(1, -1)]
    [InlineData(int.MaxValue, 1)]
    [InlineData(1, int.MaxValue)]
    public void Rows_that_are_not_there_are_refused(int start, int count)
    {
        string message = Assert.Throws<ShapeException>(() => new Tensor(64, new(4, 3)).Rows(start, count)).Message;
        Assert.Equal($"Rows: {count} rows from {start} of [4, 3]", message);
    }

    [Fact]
    public void What_was_only_measured_has_no_elements_and_says_so()
    {
        Arena measure = Arena.Measure("test");
        Tensor t = measure.Take(new Shape(2, 3));
        Assert.Equal(0, t.Rows(1, 1).Address);
        Assert.Contains("[2, 3]", Assert.Throws<DeviceException>(() => t.Span.Length).Message, StringComparison.Ordinal);
        Buffer<ulong> buffer = measure.Take<ulong>(3);
        Assert.Throws<DeviceException>(() => buffer.Span.Length);
        Assert.Equal(0, measure.Take(new Shape(0, 3)).Span.Length);
    }
}
