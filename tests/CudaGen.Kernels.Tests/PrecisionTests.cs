using CudaGen.Kernels.Cuda;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Kernels.Tests;

/// <summary>What is left of a factor in each precision, and the ways to bfloat16 and back.</summary>
public sealed unsafe class PrecisionTests
{
    // 1 + 2^-7, the next of 1 in bfloat16; half as far, which is a tie; a quarter; the next of 1 in TF32; a quarter of that.
    private const float Next = 1 + 1f / 128, Tie = 1 + 1f / 256, Below = 1 + 1f / 512, NextTf32 = 1 + 1f / 1024, BelowTf32 = 1 + 1f / 4096;

    /// <summary>Exact in every pass: one product with 1, so the result is the factor itself.</summary>
    [Theory]
    [InlineData(Precision.Fp32, BelowTf32, BelowTf32)]
    [InlineData(Precision.Tf32, BelowTf32, 1)]
    [InlineData(Precision.Tf32, NextTf32, NextTf32)]
    [InlineData(Precision.Tf32, Below, Below)]
    [InlineData(Precision.Bf16, Below, 1)]
    [InlineData(Precision.Bf16, Tie, 1)]
    [InlineData(Precision.Bf16, Next, Next)]
    [InlineData(Precision.Bf16, Next + 1f / 256, 1 + 1f / 64)] // a tie again, of which the even one is above
    [InlineData(Precision.Bf16, -Below, -1)]
    public void A_factor_keeps_the_bits_of_its_precision(Precision precision, float factor, float kept)
    {
        using Device device = TestCuda.Open(Implementation.Library, precision);
        Assert.SkipWhen(precision == Precision.Tf32 && TestCuda.StandIn is null, "a GPU's libraries may find float32 faster where a product is small");
        using Arena arena = new(device, "test", 4096);
        ConvolutionShape g = new(new(1, 1, 1, 1), new(1, 1, 1, 1), 1, default);
        using ConvolutionPlan plan = new(device, g);
        Tensor one = arena.Take(g.X), value = arena.Take(g.X), result = arena.Take(g.X), sum = arena.Take(g.X);
        device.Upload(one, [1f]);
        device.Upload(value, [factor]);
        Is(kept, () => Convolution.Forward(device, plan, result, value, one, null, default));
        Is(kept, () => Convolution.Forward(device, plan, result, one, value, null, default));
        Is(kept, () => Convolution.BackwardData(device, plan, result, value, one));
        Is(kept, () => Convolution.BackwardFilter(device, plan, result, one, value));
        Tensor a = value.Reshape(new(1, 1)), b = one.Reshape(new(1, 1)), c = result.Reshape(new(1, 1));
        Is(kept, () => Dense.Forward(device, c, a, b, null, default));
        Is(kept, () => Dense.BackwardData(device, c, b, a));
        Is(kept, () => Dense.BackwardWeights(device, c, a, b));
        // A gradient is added to in float32, whatever was multiplied.
        device.Upload(result, [BelowTf32]);
        Convolution.BackwardFilter(device, plan, result, one, one);
        Dense.BackwardWeights(device, c, b, b);
        Assert.Equal(2 + BelowTf32, device.ToArray(result)[0]);

        void Is(float expected, Action run)
        {
            device.Upload(result, [0f]);
            run();
            Assert.Equal(expected, device.ToArray(result)[0]);
        }
    }

    /// <summary>Bias, activation and everything that is no product stay float32.</summary>
    [Theory, InlineData(Precision.Tf32), InlineData(Precision.Bf16)]
    public void A_bias_keeps_all_its_bits(Precision precision)
    {
        using Device device = TestCuda.Open(Implementation.Library, precision);
        using Arena arena = new(device, "test", 4096);
        ConvolutionShape g = new(new(1, 2, 2, 1), new(1, 2, 2, 1), 2, new(0, 1, 0, 1));
        using ConvolutionPlan plan = new(device, g);
        Tensor x = arena.Take(g.X), w = arena.Take(g.W), y = arena.Take(g.Y), bias = arena.Take(new Shape(1));
        device.Upload(x, [1f, 0, 0, 0]);
        device.Upload(w, [1f, 0, 0, 0]);
        device.Upload(bias, [BelowTf32]);
        Convolution.Forward(device, plan, y, x, w, bias, Activation.Relu);
        Assert.Equal(1 + BelowTf32, device.ToArray(y)[0]);
        Convolution.BackwardData(device, plan, x, y, w, bias, Activation.Relu);
        Assert.Equal([2 + BelowTf32, BelowTf32, BelowTf32, BelowTf32], device.ToArray(x));
        Dense.Forward(device, y.Reshape(new(1, 1)), w.Reshape(new(1, 4)), w.Reshape(new(1, 4)), bias, default);
        Assert.Equal(1 + BelowTf32, device.ToArray(y)[0]);
    }

    /// <summary>Every upper half of a float32, with lower halves around the middle, from and to any alignment.</summary>
    [Theory, InlineData(0), InlineData(1), InlineData(3)]
    public void Rounding_takes_the_nearest_and_of_two_the_even_one(int offset)
    {
        uint[] lower = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
        float[] values = [.. Enumerable.Range(0, 1 << 16).SelectMany(upper => lower, (upper, l) => BitConverter.UInt32BitsToSingle((uint)upper << 16 | l))];
        // No multiple of 4, so that the last is not part of a vector.
        values = values[..^(offset + 1)];
        using Device device = TestCuda.Open(Implementation.Library, Precision.Bf16);
        using GuardedMemory memory = new(device);
        Tensor x = memory.Place("x", new(values.Length), values, offset);
        Buffer<ushort> y = memory.Place<ushort>("y", new ushort[values.Length]);
        Bfloat16.Round(device, y.Address, x);
        ushort[] rounded = new ushort[values.Length];
        device.Download(y, rounded);
        Assert.Null(memory.Complaint());
        for (int i = 0; i < values.Length; i++)
        {
            if (Nearest(values[i]) != rounded[i])
                Assert.Fail($"{values[i]:R} ({BitConverter.SingleToUInt32Bits(values[i]):x8}) became {rounded[i]:x4}, expected {Nearest(values[i]):x4}");
        }
        using Arena arena = new(device, "test", 4 * values.Length + Arena.Alignment);
        Tensor back = arena.Take(x.Shape);
        Bfloat16.Widen(device, back, y.Address, null, default);
        Assert.Equal(rounded.Select(Wide), device.ToArray(back));
    }

    /// <summary>Of the bfloat16 below and above in magnitude the nearer, in double; beyond the largest by half a step, infinity.</summary>
    private static ushort Nearest(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        ushort below = (ushort)(bits >> 16);
        if (float.IsNaN(value))
            return (ushort)(below | 0x40);
        if (float.IsInfinity(value))
            return below;
        double low = Math.Abs((double)Wide(below)), high = (below & 0x7fff) == 0x7f7f ? Math.Pow(2, 128) : Math.Abs((double)Wide((ushort)(below + 1)));
        double middle = (low + high) / 2, magnitude = Math.Abs((double)value);
        return magnitude > middle || (magnitude == middle && below % 2 == 1) ? (ushort)(below + 1) : below;
    }

    private static float Wide(ushort upper) => BitConverter.UInt32BitsToSingle((uint)upper << 16);
}
