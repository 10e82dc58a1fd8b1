using CudaGen.KernelCheck;
using CudaGen.Kernels.Cuda;
using CudaGen.Kernels.Tests.Ops;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Kernels.Tests;

public sealed class ConvolutionTests
{
    public static TheoryData<string> Names => [.. ConvolutionRows.Shapes.Select(x => x.Name)];

    private static ConvolutionShape ByName(string name) => ConvolutionRows.Shapes.Single(x => x.Name == name).Shape;

    /// <summary>The forward reference against another way to say the same: pad for real, then slide.</summary>
    [Theory, MemberData(nameof(Names))]
    public void The_reference_is_a_sliding_window_over_a_padded_image(string name)
    {
        ConvolutionShape g = ByName(name);
        double[] x = Sample.Doubles("x", g.X.Length), w = Sample.Doubles("w", g.W.Length), y = new double[g.Y.Length];
        Convolution.ReferenceForward<double>(g, y, x, w);
        Padding pad = g.Padding;
        (int height, int width, int channels) = (g.X[1] + pad.Top + pad.Bottom, g.X[2] + pad.Left + pad.Right, g.X[3]);
        int i = 0;
        for (int n = 0; n < g.X[0]; n++)
        {
            double[,,] padded = new double[height, width, channels];
            for (int h = 0; h < g.X[1]; h++)
                for (int v = 0; v < g.X[2]; v++)
                    for (int c = 0; c < channels; c++)
                        padded[h + pad.Top, v + pad.Left, c] = x[((n * g.X[1] + h) * g.X[2] + v) * channels + c];
            for (int top = 0; top + g.W[1] <= height; top += g.Stride)
            {
                for (int left = 0; left + g.W[2] <= width; left += g.Stride)
                {
                    for (int k = 0; k < g.W[0]; k++, i++)
                    {
                        double sum = 0;
                        for (int r = 0; r < g.W[1]; r++)
                            for (int s = 0; s < g.W[2]; s++)
                                for (int c = 0; c < channels; c++)
                                    sum += padded[top + r, left + s, c] * w[((k * g.W[1] + r) * g.W[2] + s) * channels + c];
                        Assert.Equal(sum, y[i], 1e-12);
                    }
                }
            }
        }
        Assert.Equal(y.Length, i);
    }

    /// <summary>So that the rows of the table whose names say so compare Winograd's filtering, and the others what it does not cover.</summary>
    [Fact]
    public void Winograd_is_taken_for_large_images_and_whole_vectors()
    {
        string[] winograd = [.. ConvolutionRows.Winograd.Select(x => x.Name)];
        Assert.All(ConvolutionRows.Shapes, x => Assert.Equal(winograd.Contains(x.Name) || x.Name == "batch 20", Cpu.Winograd.Pays(x.Shape)));
        Assert.True(Pays(1, 8, 32, 3, 1, 1));
        Assert.True(Pays(1000, 8, 32, 3, 1, 1));
        Assert.False(Pays(1, 5, 32, 3, 1, 1));
        Assert.False(Pays(1, 8, 31, 3, 1, 1));
        Assert.False(Pays(1, 8, 32, 3, 2, 1));
        Assert.False(Pays(1, 8, 32, 5, 1, 2));
        Assert.False(Pays(1, 0, 32, 3, 1, 2));
        Assert.True(Pays(1, 8, 32, 4, 2, 1));
        Assert.True(Pays(1000, 8, 32, 4, 2, 1));
        Assert.False(Pays(1, 4, 32, 4, 2, 1));
        Assert.False(Pays(1, 19, 32, 4, 2, 1));
        Assert.False(Pays(1, 16, 32, 4, 1, 1));
        Assert.False(Pays(1, 0, 32, 4, 2, 2));

        static bool Pays(int n, int size, int channels, int kernel, int stride, int padding)
            => Cpu.Winograd.Pays(new(new(n, size, size, channels), new(32, kernel, kernel, channels), stride, new(padding, padding, padding, padding)));
    }

    [Theory, InlineData("tiles, odd"), InlineData("phases, odd one way"), InlineData("batch 20"), InlineData("17 to 3 channels"), InlineData("a layer of a GAN")]
    public void An_image_has_the_same_bits_in_any_batch(string name)
    {
        ConvolutionShape all = ByName(name), one = new(new(1, all.X[1], all.X[2], all.X[3]), all.W, all.Stride, all.Padding);
        using Device device = Device.Cpu(2);
        using ConvolutionPlan plan = new(device, all), alone = new(device, one);
        using Arena arena = new(device, "test", 4L * (all.X.Length + all.W.Length + all.Y.Length + one.X.Length + one.Y.Length) + 5 * Arena.Alignment);
        Tensor x = arena.Take(all.X), w = arena.Take(all.W), y = arena.Take(all.Y), dx = arena.Take(one.X), z = arena.Take(one.Y);
        device.Upload(x, Sample.Floats("x", x.Length));
        device.Upload(w, Sample.Floats("w", w.Length));
        Convolution.Forward(device, plan, y, x, w, null, Activation.Elu);
        for (int i = 0; i < all.X[0]; i++)
        {
            Convolution.Forward(device, alone, z, x.Rows(i, 1), w, null, Activation.Elu);
            Assert.Equal(z.Length, device.ToArray(z).AsSpan().CommonPrefixLength(device.ToArray(y.Rows(i, 1)), BitComparer.Instance));
        }
        Convolution.BackwardData(device, plan, x, y, w);
        for (int i = 0; i < all.X[0]; i++)
        {
            Convolution.BackwardData(device, alone, dx, y.Rows(i, 1), w);
            Assert.Equal(dx.Length, device.ToArray(dx).AsSpan().CommonPrefixLength(device.ToArray(x.Rows(i, 1)), BitComparer.Instance));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void The_scratch_memory_that_a_plan_asks_for_is_enough(string name)
    {
        ConvolutionShape g = ByName(name);
        foreach ((string implementation, Func<Device> open) in OpTest.Implementations.Concat(OpTest.LowPrecisions))
        {
            using Device device = open();
            using ConvolutionPlan plan = new(device, g);
            using Arena arena = new(device, "test", 4L * (g.X.Length + g.W.Length + g.Y.Length + g.X[3] + g.W[0]) + 5 * Arena.Alignment);
            Tensor x = arena.Take(g.X), w = arena.Take(g.W), y = arena.Take(g.Y), b = arena.Take(new Shape(g.W[0])), c = arena.Take(new Shape(g.X[3]));
            device.ReserveScratch(plan.ScratchFloats);
            int before = device.ScratchGrowths;
            Convolution.Forward(device, plan, y, x, w, b, Activation.Relu);
            Convolution.BackwardData(device, plan, x, y, w, c, Activation.Tanh);
            Convolution.BackwardFilter(device, plan, w, y, x);
            Assert.True(before == device.ScratchGrowths, implementation);
        }
    }

    [Theory, InlineData(1, 1, 1), InlineData(2, 3, 5), InlineData(100, 7, 50), InlineData(3, 300, 2), InlineData(64, 33, 129)]
    public void The_scratch_memory_that_a_dense_layer_asks_for_is_enough(int n, int o, int i)
    {
        foreach ((string implementation, Func<Device> open) in OpTest.Implementations.Concat(OpTest.LowPrecisions))
        {
            using Device device = open();
            using Arena arena = new(device, "test", 4L * (n * i + n * o + o * i) + 4 * Arena.Alignment);
            Tensor x = arena.Take(new Shape(n, i)), w = arena.Take(new Shape(o, i)), y = arena.Take(new Shape(n, o));
            device.ReserveScratch(Dense.ScratchFloats(device, n, w.Shape));
            int before = device.ScratchGrowths;
            Dense.Forward(device, y, x, w, null, Activation.Relu);
            Dense.BackwardData(device, x, y, w);
            Dense.BackwardWeights(device, w, y, x);
            Assert.True(before == device.ScratchGrowths, implementation);
        }
    }

    /// <summary>What TensorFlow does: out = ceil(n / s), the odd zero after.</summary>
    [Theory]
    [InlineData(28, 5, 2, 1, 2, 14)]
    [InlineData(27, 5, 2, 2, 2, 14)]
    [InlineData(32, 3, 2, 0, 1, 16)]
    [InlineData(3, 3, 2, 1, 1, 2)]
    [InlineData(8, 4, 2, 1, 1, 4)]
    [InlineData(9, 1, 2, 0, 0, 5)]
    [InlineData(7, 5, 1, 2, 2, 7)]
    [InlineData(7, 4, 1, 1, 2, 7)]
    [InlineData(10, 2, 3, 0, 1, 4)]
    [InlineData(1, 5, 2, 2, 2, 1)]
    public void Same_padding_is_that_of_TensorFlow(int n, int kernel, int stride, int before, int after, int outputs)
    {
        Assert.Equal((before, after), Padding.Same(n, kernel, stride));
        ConvolutionShape shape = ConvolutionShape.Same(new(1, n, 5, 2), new(3, kernel, 1, 2), stride);
        Assert.Equal((outputs, before, after), (shape.Y[1], shape.Padding.Top, shape.Padding.Bottom));
    }

    [Fact]
    public void A_transposed_convolution_multiplies_the_extents_by_the_stride()
    {
        ConvolutionShape shape = ConvolutionShape.SameTransposed(new(2, 7, 5, 6), new(6, 5, 5, 3), 2);
        Assert.Equal((new Shape(2, 14, 10, 3), new Shape(2, 7, 5, 6), new Padding(1, 2, 1, 2)), (shape.X, shape.Y, shape.Padding));
    }

    [Fact]
    public void What_is_no_convolution_is_refused_with_its_shapes()
    {
        Refused("[2, 5, 5, 3]", "[4, 3, 3, 2]", () => new(new(2, 5, 5, 3), new(4, 3, 3, 2), 1, default));
        Refused("[2, 5, 15]", "[4, 3, 3, 3]", () => new(new(2, 5, 15), new(4, 3, 3, 3), 1, default));
        Refused("[2, 5, 5, 3]", "[4, 27]", () => ConvolutionShape.Same(new(2, 5, 5, 3), new(4, 27), 1));
        Refused("[2, 5, 5, 3]", "[4, 6, 3, 3]", () => new(new(2, 5, 5, 3), new(4, 6, 3, 3), 1, default));
        Refused("[2, 5, 5, 3]", "[0, 3, 3, 3]", () => new(new(2, 5, 5, 3), new(0, 3, 3, 3), 1, default));
        Refused("[2, 5, 5, 3]", "[4, 3, 3, 3]", () => ConvolutionShape.SameTransposed(new(2, 5, 5, 3), new(4, 3, 3, 3), 1));
        Assert.Throws<ShapeException>(() => new ConvolutionShape(new(2, 5, 5, 3), new(4, 3, 3, 3), 1, new(-1, 1, 0, 0)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ConvolutionShape(new(2, 5, 5, 3), new(4, 3, 3, 3), 0, default));
    }

    private static void Refused(string first, string second, Func<ConvolutionShape> make)
    {
        string message = Assert.Throws<ShapeException>(() => make()).Message;
        Assert.Contains(first, message, StringComparison.Ordinal);
        Assert.Contains(second, message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(OpTest.NamesInAllPrecisions), MemberType = typeof(OpTest))]
    public void A_batch_of_nothing_changes_no_gradient(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        ConvolutionShape g = new(new(0, 5, 5, 3), new(4, 3, 3, 3), 1, default);
        using ConvolutionPlan plan = new(device, g);
        using Arena arena = new(device, "test", 4096);
        Tensor x = arena.Take(g.X), w = arena.Take(g.W), y = arena.Take(g.Y);
        Fill(device, w, 2);
        unsafe
        {
            Fill(device, new((nint)device.Scratch(1000), new Shape(1000), device.Kind), float.NaN);
        }
        Convolution.Forward(device, plan, y, x, w, null, default);
        Convolution.BackwardData(device, plan, x, y, w);
        Convolution.BackwardFilter(device, plan, w, y, x);
        Assert.All(device.ToArray(w), v => Assert.Equal(2, v));
    }

    /// <summary>No pixel of x, but pixels of y, in the padding alone; and inputs of no length.</summary>
    [Theory, MemberData(nameof(OpTest.NamesInAllPrecisions), MemberType = typeof(OpTest))]
    public void From_nothing_comes_the_bias(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        ConvolutionShape g = new(new(2, 0, 5, 3), new(4, 3, 3, 3), 1, new(2, 2, 0, 0));
        using ConvolutionPlan plan = new(device, g);
        using Arena arena = new(device, "test", 8192);
        Tensor x = arena.Take(g.X), w = arena.Take(g.W), y = arena.Take(g.Y), bias = arena.Take(new Shape(4));
        Fill(device, w, 2);
        Fill(device, bias, 3);
        Fill(device, y, float.NaN);
        Convolution.Forward(device, plan, y, x, w, bias, default);
        Assert.All(device.ToArray(y), v => Assert.Equal(3, v));
        Convolution.BackwardData(device, plan, x, y, w);
        Convolution.BackwardFilter(device, plan, w, y, x);
        Assert.All(device.ToArray(w), v => Assert.Equal(2, v));
        Tensor rows = arena.Take(new Shape(3, 4)), nothing = arena.Take(new Shape(3, 0)), weights = arena.Take(new Shape(4, 0));
        Fill(device, rows, float.NaN);
        Dense.Forward(device, rows, nothing, weights, bias, default);
        Assert.All(device.ToArray(rows), v => Assert.Equal(3, v));
    }

    [Theory]
    [InlineData("cudnnGetConvolutionForwardAlgorithm_v7", "forward")]
    [InlineData("cudnnGetConvolutionBackwardDataAlgorithm_v7", "backward data")]
    [InlineData("cudnnGetConvolutionBackwardFilterAlgorithm_v7", "backward filter")]
    public void What_cuDNN_cannot_do_is_an_error_or_with_auto_the_kernels_and_a_note(string function, string pass)
    {
        const int NotSupported = 3000;
        StandInControl standIn = TestCuda.RequireStandIn();
        ConvolutionShape g = ByName("5x5 asymmetric");
        string message = $" has no {pass} pass in fp32 and in a fixed order for x {g.X}, weights {g.W}";
        using (Device library = TestCuda.Open(Implementation.Library))
        {
            standIn.Fail(function, 1, NotSupported);
            Assert.Contains(message, Assert.Throws<NoAlgorithmException>(() => new ConvolutionPlan(library, g)).Message, StringComparison.Ordinal);
        }
        using Device auto = TestCuda.Open();
        for (int planned = 0; planned < 2; planned++)
        {
            standIn.Fail(function, 1, NotSupported);
            using ConvolutionPlan plan = new(auto, g);
            Assert.IsType<KernelConvolution>(plan.Cuda);
            Assert.Contains(message, Assert.Single(auto.Notes), StringComparison.Ordinal);
        }
        standIn.FailNothing();
        standIn.Clear();
        using ConvolutionPlan other = new(auto, g);
        Assert.IsType<CudnnConvolution>(other.Cuda);
    }

    /// <summary>All passes in one graph: nothing in them waits or allocates, and a replay gives the bits of the calls.</summary>
    [Theory]
    [InlineData(Implementation.Kernel, Precision.Fp32)]
    [InlineData(Implementation.Library, Precision.Fp32)]
    [InlineData(Implementation.Library, Precision.Tf32)]
    [InlineData(Implementation.Library, Precision.Bf16)]
    public void The_passes_are_recorded_in_a_graph(Implementation implementation, Precision precision)
    {
        using Device device = TestCuda.Open(implementation, precision);
        ConvolutionShape g = ByName("5x5 asymmetric");
        using ConvolutionPlan plan = new(device, g);
        using Arena arena = new(device, "test", 1 << 20);
        Tensor x = arena.Take(g.X), w = arena.Take(g.W), b = arena.Take(new Shape(g.W[0])), y = arena.Take(g.Y), dx = arena.Take(g.X),
            dw = arena.Take(g.W), dense = arena.Take(new Shape(300, g.Y.RowLength)), z = arena.Take(new Shape(g.Y.Rows, 300)),
            dy = arena.Take(g.Y), ddense = arena.Take(dense.Shape);
        foreach (Tensor input in (Tensor[])[x, w, b, dense])
            device.Upload(input, Sample.Floats("graph", input.Length));
        device.ReserveScratch(Math.Max(plan.ScratchFloats, Dense.ScratchFloats(device, z.Shape.Rows, dense.Shape)));
        float[][] called = Results(Run);
        using CudaGraph graph = device.Capture(Run);
        float[][] replayed = Results(graph.Launch);
        for (int i = 0; i < called.Length; i++)
            Assert.Equal(called[i].Length, called[i].AsSpan().CommonPrefixLength(replayed[i], BitComparer.Instance));

        void Run()
        {
            Convolution.Forward(device, plan, y, x, w, b, Activation.Elu);
            Dense.Forward(device, z, y, dense, null, Activation.Tanh);
            Dense.BackwardWeights(device, ddense, z, y);
            Dense.BackwardData(device, dy, z, dense);
            Convolution.BackwardFilter(device, plan, dw, dy, x);
            Convolution.BackwardData(device, plan, dx, dy, w);
        }

        float[][] Results(Action run)
        {
            Tensor[] outputs = [y, z, dy, dx, dw, ddense];
            foreach (Tensor output in outputs)
                Fill(device, output, 0.5f);
            run();
            return [.. outputs.Select(device.ToArray)];
        }
    }

    private static void Fill(Device device, Tensor tensor, float value)
    {
        float[] values = new float[tensor.Length];
        Array.Fill(values, value);
        device.Upload(tensor, values);
    }

    [Fact]
    public void Heads_that_are_no_pair_are_refused()
    {
        using Device device = Device.Cpu(1);
        using Arena arena = new(device, "test", 4096);
        Tensor heads = arena.Take(new Shape(2, 5)), loss = arena.Take(Shape.Scalar);
        string message = Assert.Throws<ShapeException>(() => Variational.Divergence(device, loss, null, heads, PosteriorHead.LogVariance, 1)).Message;
        Assert.Contains("[2, 5]", message, StringComparison.Ordinal);
    }
}
