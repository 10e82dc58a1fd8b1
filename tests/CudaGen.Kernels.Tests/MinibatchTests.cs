using System.Runtime.InteropServices;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

public sealed class MinibatchTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(10)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(1000)]
    [InlineData(1024)]
    [InlineData(1025)]
    [InlineData(60000)]
    public void Every_epoch_takes_every_image_once_in_an_order_of_its_own(int count)
    {
        foreach (ulong seed in (ulong[])[0, 1, ulong.MaxValue])
        {
            foreach (ulong epoch in (ulong[])[0, 1, 2, 1UL << 32])
            {
                bool[] seen = new bool[count];
                int inPlace = 0, asBefore = 0, asOther = 0;
                for (int i = 0; i < count; i++)
                {
                    ulong position = epoch * (ulong)count + (ulong)i;
                    int index = Minibatch.Index(position, count, seed);
                    Assert.InRange(index, 0, count - 1);
                    Assert.False(seen[index], $"image {index} came twice in epoch {epoch}");
                    seen[index] = true;
                    inPlace += index == i ? 1 : 0;
                    asBefore += index == Minibatch.Index(position + (ulong)count, count, seed) ? 1 : 0;
                    asOther += index == Minibatch.Index(position, count, seed + 7) ? 1 : 0;
                }
                // A random order has one fixed point on average; 12 or more of them come once in a billion orders.
                if (count >= 1000)
                    Assert.True(Math.Max(inPlace, Math.Max(asBefore, asOther)) < 12, $"{inPlace}, {asBefore}, {asOther} images stay");
            }
        }
    }

    [Fact]
    public void Every_image_comes_at_every_place()
    {
        // 10 images in 4000 epochs: each pair 400 times, chi^2 with 81 degrees of freedom.
        const int Count = 10, Epochs = 4000;
        int[,] table = new int[Count, Count];
        for (ulong p = 0; p < Count * Epochs; p++)
            table[p % Count, Minibatch.Index(p, Count, 5)]++;
        double chi = 0, expected = Epochs / (double)Count;
        foreach (int cell in table)
            chi += (cell - expected) * (cell - expected) / expected;
        Assert.InRange(chi, 81 - 5 * Math.Sqrt(162), 81 + 5 * Math.Sqrt(162));
    }

    [Fact]
    public void Large_counts_and_positions_stay_in_range()
    {
        foreach (ulong position in (ulong[])[0, 1, 1UL << 40, ulong.MaxValue - 1, ulong.MaxValue])
            Assert.InRange(Minibatch.Index(position, int.MaxValue, 3), 0, int.MaxValue - 1);
    }

    [Fact]
    public void Batches_that_do_not_divide_the_data_set_span_two_epochs()
    {
        const int Count = 10, Batch = 4;
        using Device device = Device.Cpu(2);
        using Arena arena = new(device, "test", 4096);
        Buffer<byte> images = arena.Take<byte>(Count * 3);
        for (int i = 0; i < images.Length; i++)
            images.Span[i] = (byte)(i / 3 * 10 + i % 3);
        Buffer<ulong> step = arena.Take<ulong>(1);
        Tensor x = arena.Take(new Shape(Batch, 3));
        List<int> order = [];
        for (ulong s = 0; s < 5; s++)
        {
            step.Span[0] = s;
            Minibatch.Gather(device, x, images, step, 99, 2, 1);
            for (int row = 0; row < Batch; row++)
            {
                int image = ((int)x.Span[row * 3] - 1) / 20;
                Assert.Equal([image * 20 + 1f, image * 20 + 3f, image * 20 + 5f], x.Rows(row, 1).Span.ToArray());
                order.Add(image);
            }
        }
        Assert.Equal(Enumerable.Range(0, Count), order[..10].Order());
        Assert.Equal(Enumerable.Range(0, Count), order[10..].Order());
        Assert.NotEqual(order[..10], order[10..]);
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Slices_are_exact_and_go_over_the_end(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        using Arena arena = new(device, "test", 4096);
        Buffer<byte> images = arena.Take<byte>(6);
        device.Upload<byte>(images, [0, 255, 1, 254, 2, 253]);
        Tensor x = arena.Take(new Shape(4, 1, 2, 1));
        Minibatch.Slice(device, x, images, 2, 0.5f, -1);
        Assert.Equal([0, 125.5f, -1, 126.5f, -0.5f, 126, 0, 125.5f], device.ToArray(x));
    }

    /// <summary>
    /// Whatever the number of images, over the end of an epoch, in a late epoch, and with factors that round: every device
    /// takes the same images and makes the same bits of them.
    /// </summary>
    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Every_device_gathers_the_same_bits(string implementation)
    {
        const ulong Seed = 1UL << 63 | 5;
        const float Scale = 2f / 255, Offset = -0.3f;
        using Device device = OpTest.Open(implementation);
        foreach (int count in (int[])[1, 2, 4, 5, 16, 17, 1000])
        {
            using Arena arena = new(device, "test", 65536);
            byte[] pixels = new byte[count];
            new Random(count).NextBytes(pixels);
            Buffer<byte> images = arena.Take<byte>(count);
            device.Upload(images, pixels);
            Buffer<ulong> step = arena.Take<ulong>(1);
            Tensor x = arena.Take(new Shape(7, 1));
            foreach (ulong s in (ulong[])[0, (ulong)count / 7, 1UL << 40])
            {
                device.Upload(step, [s]);
                Minibatch.Gather(device, x, images, step, Seed, Scale, Offset);
                Assert.Equal(Enumerable.Range(0, 7).Select(row => Scale * pixels[Minibatch.Index(s * 7 + (ulong)row, count, Seed)] + Offset),
                    device.ToArray(x));
            }
        }
    }

    /// <summary>More bytes than an int counts.</summary>
    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public unsafe void Data_sets_beyond_two_gigabytes_are_gathered(string implementation)
    {
        const int Row = 1 << 20, Count = 2100;
        const long Bytes = (long)Count * Row;
        const ulong Seed = 3;
        using Device device = OpTest.Open(implementation);
        if (device.IsStandIn)
            Assert.Skip("passes on the stand-in as well, which fills the two gigabytes for half a minute");
        // On the CPU all but the few rows that are written is memory that was asked for and never touched.
        void* untouched = device.Kind == DeviceKind.Cpu ? NativeMemory.AllocZeroed((nuint)Bytes + Arena.Alignment) : null;
        try
        {
            using Arena all = untouched == null ? new(device, "images", Bytes)
                : Arena.Wrap(device, "images", ((nint)untouched / Arena.Alignment + 1) * Arena.Alignment, Bytes);
            using Arena arena = new(device, "test", Arena.Alignment + 4L * Row);
            Buffer<byte> images = all.Take<byte>(Bytes);
            Buffer<ulong> step = arena.Take<ulong>(1);
            Tensor x = arena.Take(new Shape(1, Row));
            foreach (int image in (int[])[0, 2047, 2048, Count - 1])
            {
                device.Upload<byte>(images.Slice((long)image * Row, 2), [(byte)(image % 251 + 1), 7]);
                device.Upload<byte>(images.Slice((long)(image + 1) * Row - 1, 1), [9]);
                device.Upload(step, [(ulong)Enumerable.Range(0, Count).First(p => Minibatch.Index((ulong)p, Count, Seed) == image)]);
                Minibatch.Gather(device, x, images, step, Seed, 1, 0);
                Check();
                device.Clear(x);
                Minibatch.Slice(device, x, images, image, 1, 0);
                Check();

                void Check()
                {
                    float[] row = device.ToArray(x);
                    Assert.Equal([image % 251 + 1, 7, 0, 0, 9], [row[0], row[1], row[2], row[^2], row[^1]]);
                }
            }
        }
        finally
        {
            NativeMemory.Free(untouched);
        }
    }

    [Theory, InlineData(7), InlineData(0)]
    public void A_data_set_that_is_no_whole_number_of_rows_is_refused(int bytes)
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", 4096);
        Tensor x = arena.Take(new Shape(4, 2));
        Buffer<byte> images = arena.Take<byte>(bytes);
        Buffer<ulong> step = arena.Take<ulong>(1);
        foreach (ShapeException e in (ShapeException[])[
            Assert.Throws<ShapeException>(() => Minibatch.Gather(device, x, images, step, 1, 1, 0)),
            Assert.Throws<ShapeException>(() => Minibatch.Slice(device, x, images, 0, 1, 0))])
        {
            Assert.Contains($"{bytes} bytes", e.Message, StringComparison.Ordinal);
            Assert.Contains("[4, 2]", e.Message, StringComparison.Ordinal);
        }
    }
}
