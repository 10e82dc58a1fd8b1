using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

internal static class ConvolutionRows
{
    // Of both factors, and of what cuDNN gives.
    private const int Roundings = 3;

    /// <summary>Shapes that bite. Each name says what is special.</summary>
    public static IEnumerable<(string Name, ConvolutionShape Shape)> Shapes =>
    [
        ("one channel", New(1, 5, 7, 1, 1, 3, 3, 1, new(1, 1, 1, 1))),
        ("odd, stride 2", New(2, 7, 5, 3, 8, 3, 3, 2, new(0, 1, 0, 1))),
        ("5x5 asymmetric", New(9, 8, 11, 1, 16, 5, 5, 2, new(1, 2, 1, 2))),
        ("17 to 3 channels", New(2, 9, 5, 17, 3, 5, 5, 2, new(2, 2, 2, 2))),
        ("4x4 stride 2", New(2, 7, 9, 8, 17, 4, 4, 2, new(1, 1, 1, 1))),
        ("one row", New(1, 1, 13, 16, 33, 1, 3, 1, new(0, 0, 1, 1))),
        ("one column", New(1, 13, 1, 3, 16, 3, 1, 2, new(1, 1, 0, 0))),
        ("one pixel", New(2, 1, 1, 5, 7, 1, 1, 1, default)),
        ("33 to 1 channel", New(2, 8, 7, 33, 1, 4, 4, 1, default)),
        ("3 filters, uneven padding", New(2, 6, 7, 17, 3, 3, 5, 1, new(2, 0, 1, 3))),
        ("3 filters, more padding than kernel", New(2, 5, 4, 9, 3, 3, 3, 1, new(3, 1, 0, 3))),
        ("image to one pixel", New(9, 4, 4, 6, 1, 4, 4, 1, default)),
        ("kernel below stride", New(2, 11, 10, 3, 33, 2, 3, 3, new(1, 0, 2, 1))),
        ("1x1 stride 2", New(2, 11, 13, 16, 16, 1, 1, 2, default)),
        ("1x1 stride 3", New(1, 10, 10, 8, 3, 1, 1, 3, default)),
        ("1x1 few channels", New(1, 5, 3, 8, 2, 1, 1, 1, default)),
        ("5x2 top and right", New(2, 7, 6, 33, 17, 5, 2, 1, new(4, 0, 0, 1))),
        ("3x5 bottom and left", New(2, 6, 7, 3, 3, 3, 5, 2, new(0, 3, 4, 0))),
        ("kernels in the padding", New(2, 4, 5, 8, 8, 3, 3, 1, new(4, 4, 4, 4))),
        ("kernels in the padding, few channels", New(2, 4, 5, 3, 2, 3, 3, 2, new(5, 4, 6, 3))),
        ("kernel larger than image", New(2, 3, 3, 17, 33, 5, 5, 3, new(2, 2, 2, 2))),
        ("rows left over", New(3, 12, 9, 8, 16, 3, 2, 3, new(0, 0, 0, 0))),
        ("5x3 stride 3", New(9, 13, 11, 1, 8, 5, 3, 3, new(2, 1, 1, 0))),
        ("2x4", New(1, 6, 9, 4, 5, 2, 4, 2, new(0, 0, 1, 1))),
        ("49 filters", New(1, 5, 6, 9, 49, 3, 3, 1, new(1, 1, 1, 1))),
        ("65 channels", New(1, 4, 3, 65, 20, 3, 3, 1, new(1, 1, 1, 1))),
        ("batch 20", New(20, 6, 5, 16, 16, 3, 3, 1, new(1, 1, 1, 1))),
        ("a layer of a GAN", New(5, 14, 14, 32, 48, 5, 5, 2, new(1, 2, 1, 2))),
        .. Winograd,
    ];

    /// <summary>Shapes that the CPU path computes by Winograd's filtering.</summary>
    public static IEnumerable<(string Name, ConvolutionShape Shape)> Winograd =>
    [
        ("tiles", New(1, 8, 6, 16, 16, 3, 3, 1, new(1, 1, 1, 1))),
        ("tiles, odd", New(3, 7, 9, 16, 32, 3, 3, 1, new(1, 1, 1, 1))),
        ("tiles, odd one way", New(2, 9, 8, 48, 16, 3, 3, 1, new(1, 1, 1, 1))),
        ("tiles, no padding", New(2, 12, 10, 16, 32, 3, 3, 1, default)),
        ("tiles, top and right", New(2, 9, 11, 32, 16, 3, 3, 1, new(2, 0, 0, 1))),
        ("tiles, bottom and left", New(2, 12, 9, 16, 16, 3, 3, 1, new(0, 2, 1, 0))),
        ("tiles, more padding than kernel", New(1, 12, 14, 16, 16, 3, 3, 1, new(3, 0, 4, 1))),
        ("tiles, uneven panels", New(1, 6, 8, 80, 112, 3, 3, 1, new(1, 1, 1, 1))),
        ("tiles of four images in a task", New(19, 4, 4, 16, 32, 3, 3, 1, new(1, 1, 1, 1))),
        ("tiles in parts", New(10, 16, 14, 16, 16, 3, 3, 1, new(1, 1, 1, 1))),
        ("phases", New(1, 8, 16, 16, 32, 4, 4, 2, new(1, 1, 1, 1))),
        ("phases, odd one way", New(3, 18, 16, 32, 16, 4, 4, 2, new(1, 1, 1, 1))),
        ("phases, odd", New(1, 18, 18, 16, 16, 4, 4, 2, new(1, 1, 1, 1))),
        ("phases, no padding", New(1, 34, 36, 16, 16, 4, 4, 2, default)),
        ("phases, top and right", New(2, 16, 16, 48, 16, 4, 4, 2, new(2, 0, 0, 2))),
        ("phases, bottom and left", New(2, 16, 8, 16, 48, 4, 4, 2, new(0, 2, 2, 0))),
        ("phases, uneven panels", New(1, 8, 8, 80, 112, 4, 4, 2, new(1, 1, 1, 1))),
        ("phases of many images", New(35, 8, 8, 16, 16, 4, 4, 2, new(1, 1, 1, 1))),
        ("phases in groups", New(2, 16, 8, 128, 64, 4, 4, 2, new(1, 1, 1, 1))),
    ];

    private static readonly Activation[] Kinds =
        [default, Activation.Relu, Activation.LeakyRelu(0.2f), Activation.Elu, Activation.Tanh, Activation.Sigmoid];

    private static ConvolutionShape New(int n, int h, int w, int c, int k, int r, int s, int stride, Padding padding)
        => new(new(n, h, w, c), new(k, r, s, c), stride, padding);

    public static IEnumerable<OpTest> Ops
    {
        get
        {
            int number = 0;
            foreach ((string name, ConvolutionShape shape) in Shapes)
            {
                // Every activation comes with few and with many channels; two rows of three have a bias.
                yield return Forward(name, shape, Kinds[number % 6], number % 3 != 1);
                yield return BackwardData(name, shape, Kinds[(number + 3) % 6], number % 3 != 2);
                yield return BackwardFilter(name, shape);
                yield return BackwardFilter(name, shape, add: false);
                number++;
            }
            foreach (Activation activation in Kinds)
            {
                yield return Forward($"{activation}", New(2, 5, 3, 5, 19, 3, 3, 1, new(1, 0, 0, 2)), activation, true);
                yield return Forward($"{activation}, 2 filters", New(2, 5, 3, 17, 2, 3, 3, 1, new(1, 0, 0, 2)), activation, true);
                yield return Forward($"{activation}, tiles", New(2, 7, 6, 16, 32, 3, 3, 1, new(1, 1, 1, 1)), activation, true);
                yield return BackwardData($"{activation}, tiles", New(2, 7, 6, 16, 32, 3, 3, 1, new(1, 1, 1, 1)), activation, true);
                yield return BackwardData($"{activation}", New(2, 6, 5, 19, 5, 4, 4, 2, new(1, 1, 1, 1)), activation, true);
                yield return BackwardData($"{activation}, 3 channels", New(2, 6, 5, 3, 17, 4, 4, 2, new(1, 1, 1, 1)), activation, true);
            }
        }
    }

    private static OpTest Forward(string name, ConvolutionShape shape, Activation activation, bool bias)
    {
        Shape k = new(shape.W[0]);
        return new($"convolution forward, {name}")
        {
            Arguments = [In("x", shape.X), In("w", shape.W), .. bias ? [In("b", k)] : Array.Empty<Argument>(), Out("y", shape.Y)],
            Plan = device => new ConvolutionPlan(device, shape),
            Run = t => Convolution.Forward(t.Device, t.Plan<ConvolutionPlan>(), t["y"], t["x"], t["w"], t.Optional("b"), activation),
            Oracle = a => Reference(a, activation),
            Magnitude = a =>
            {
                Reference(a, default);
                AddPartners(shape, a["y"], shape.Y, 1);
            },
            Bfloat16Roundings = Roundings,
        };

        void Reference(Arrays a, Activation f)
        {
            Convolution.ReferenceForward<double>(shape, a["y"], a["x"], a["w"]);
            BiasActivation.ReferenceForward<double>(a["y"], a.Optional("b"), k.Length, f);
        }
    }

    private static OpTest BackwardData(string name, ConvolutionShape shape, Activation activation, bool bias)
    {
        Shape c = new(shape.W[3]);
        return new($"convolution backward data, {name}")
        {
            Arguments = [In("dy", shape.Y), In("w", shape.W), .. bias ? [In("b", c)] : Array.Empty<Argument>(), Out("dx", shape.X)],
            Plan = device => new ConvolutionPlan(device, shape),
            Run = t => Convolution.BackwardData(t.Device, t.Plan<ConvolutionPlan>(), t["dx"], t["dy"], t["w"], t.Optional("b"), activation),
            Oracle = a => Reference(a, activation),
            Magnitude = a =>
            {
                Reference(a, default);
                AddPartners(shape, a["dx"], shape.X, shape.Stride);
            },
            Bfloat16Roundings = Roundings,
        };

        void Reference(Arrays a, Activation f)
        {
            Convolution.ReferenceBackwardData<double>(shape, a["dx"], a["dy"], a["w"]);
            BiasActivation.ReferenceForward<double>(a["dx"], a.Optional("b"), c.Length, f);
        }
    }

    private static OpTest BackwardFilter(string name, ConvolutionShape shape, bool add = true)
        => new($"convolution backward filter{(add ? "" : ", overwritten")}, {name}")
        {
            Arguments = [In("dy", shape.Y), In("x", shape.X), add ? Updated("dw", shape.W) : Out("dw", shape.W)],
            Plan = device => new ConvolutionPlan(device, shape),
            Run = t => Convolution.BackwardFilter(t.Device, t.Plan<ConvolutionPlan>(), t["dw"], t["dy"], t["x"], add),
            Oracle = a => ReferenceBackwardFilter(a, shape, add),
            Magnitude = a =>
            {
                ReferenceBackwardFilter(a, shape, add);
                AddPartners(shape, a["dw"], shape.W, shape.Stride);
            },
            Bfloat16Roundings = Roundings,
        };

    private static void ReferenceBackwardFilter(Arrays a, ConvolutionShape shape, bool add)
    {
        if (!add)
            Array.Clear(a["dw"]);
        Convolution.ReferenceBackwardFilter<double>(shape, a["dw"], a["dy"], a["x"]);
    }

    // F(2x2, 2x2) makes d0 g0 + d1 g1 as (d0 - d1) g0 + d1 (g0 + g1), and the other output of the tile, d1 g0 + d2 g1, from d1 (g0 + g1) too:
    // along each axis, terms of an element's partner in its tile come in twice, with either sign, and so do their roundings. Partners lie
    // `step` apart in images (N, H, W, C) or kernels (K, R, S, C).
    private static void AddPartners(ConvolutionShape convolution, double[] magnitude, Shape images, int step)
    {
        if (convolution.Stride != 2 || !Cpu.Winograd.Pays(convolution))
            return;
        (int height, int width, int channels) = (images[1], images[2], images[3]);
        Add(width * channels, height);
        Add(channels, width);

        void Add(int pixel, int extent)
        {
            double[] own = [.. magnitude];
            for (int i = 0; i < magnitude.Length; i++)
            {
                int at = i / pixel % extent, partner = (at / step ^ 1) * step + at % step;
                // A partner beyond the image is not made; its terms are counted as many as the element's.
                magnitude[i] += 2 * own[partner < extent ? i + (partner - at) * pixel : i];
            }
        }
    }

    public static IEnumerable<GradientTest> Gradients
    {
        get
        {
            foreach ((string name, ConvolutionShape shape) in Shapes.Where(x => x.Shape.Flops < 4000))
                yield return Gradient(name, shape);
            yield return Gradient("3x5, stride 2, asymmetric", New(2, 4, 5, 2, 3, 3, 5, 2, new(0, 3, 2, 1)));
            yield return Gradient("2x3, stride 3", New(1, 7, 5, 2, 2, 2, 3, 3, new(1, 0, 2, 1)));
            // The transposed convolution reads (N, P, Q, K): its forward pass is backward data, its backward data the
            // forward pass, and its filter gradient the same with x and dy in each other's place.
            yield return Transposed("4x4, stride 2", New(2, 6, 4, 3, 2, 4, 4, 2, new(1, 1, 1, 1)));
            yield return Transposed("5x5, stride 2", New(1, 6, 4, 2, 2, 5, 5, 2, new(1, 2, 1, 2)));
            yield return Transposed("4x4, from one pixel", New(2, 4, 4, 2, 3, 4, 4, 1, default));
            yield return Transposed("2x1, stride 3", New(1, 5, 4, 2, 3, 2, 1, 3, default));
        }
    }

    private static GradientTest Gradient(string name, ConvolutionShape g) => new($"convolution, {name}")
    {
        Inputs = [("x", Sample.Doubles("x", g.X.Length)), ("w", Sample.Doubles("w", g.W.Length)), ("b", Sample.Doubles("b", g.W[0]))],
        Forward = v =>
        {
            double[] y = new double[g.Y.Length];
            Convolution.ReferenceForward<double>(g, y, v[0], v[1]);
            BiasActivation.ReferenceForward<double>(y, v[2], g.W[0], default);
            return y;
        },
        Backward = (v, dy, d) =>
        {
            Convolution.ReferenceBackwardData<double>(g, d[0], dy, v[1]);
            Convolution.ReferenceBackwardFilter<double>(g, d[1], dy, v[0]);
            BiasActivation.ReferenceBackward<double>((double[])dy.Clone(), dy, dy, d[2], g.W[0], default);
        },
    };

    private static GradientTest Transposed(string name, ConvolutionShape g) => new($"transposed convolution, {name}")
    {
        Inputs = [("x", Sample.Doubles("x", g.Y.Length)), ("w", Sample.Doubles("w", g.W.Length)), ("b", Sample.Doubles("b", g.W[3]))],
        Forward = v =>
        {
            double[] y = new double[g.X.Length];
            Convolution.ReferenceBackwardData<double>(g, y, v[0], v[1]);
            BiasActivation.ReferenceForward<double>(y, v[2], g.W[3], default);
            return y;
        },
        Backward = (v, dy, d) =>
        {
            Convolution.ReferenceForward<double>(g, d[0], dy, v[1]);
            Convolution.ReferenceBackwardFilter<double>(g, d[1], v[0], dy);
            BiasActivation.ReferenceBackward<double>((double[])dy.Clone(), dy, dy, d[2], g.W[3], default);
        },
    };
}
