using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>The generators by the names that stand in files. A reader who looks for the layers of a model finds them here.</summary>
public static class Architectures
{
    public const string ConvDecoder = "conv-decoder", Mlp = "mlp", Dcgan = "dcgan", Cs231n = "cs231n", Cifar = "cifar", WganGp = "wgan-gp",
        Began = "began", Toy = "toy";

    private static readonly Activation Leaky = Activation.LeakyRelu(0.2f);

    /// <summary>The layers of a generator.</summary>
    /// <param name="spec">Which one.</param>
    /// <param name="labels">(N, classes), one-hot, where there are classes.</param>
    /// <param name="logits">Whether to leave out the activation at the end.</param>
    /// <exception cref="InputException">The architecture is unknown, or a size is missing or out of range.</exception>
    public static Network Generator(GeneratorSpec spec, Tensor labels, bool logits)
    {
        ArgumentNullException.ThrowIfNull(spec);
        spec.CheckSizes();
        Activation output = logits || spec.Range == OutputRange.Points ? Activation.Linear
            : spec.Architecture == Began ? Activation.Linear
            : spec.Range == OutputRange.Unit ? Activation.Sigmoid : Activation.Tanh;
        return new(spec.Architecture switch
        {
            ConvDecoder => ConvDecoderLayers(spec, output),
            Mlp => MlpLayers(spec, labels, output),
            Dcgan => DcganLayers(spec, output),
            Cs231n => Cs231nLayers(spec, output),
            Cifar => CifarLayers(spec, output),
            WganGp => WganGpLayers(spec, output),
            Began => BeganDecoder("", spec["n"], spec["base"], spec["scales"], spec["channels"]),
            Toy => ToyLayers(spec),
            _ => throw new InputException($"architecture: found '{spec.Architecture}', expected one of "
                + string.Join(", ", ConvDecoder, Mlp, Dcgan, Cs231n, Cifar, WganGp, Began, Toy)),
        });
    }

    private static Layer[] ConvDecoderLayers(GeneratorSpec s, Activation output)
    {
        int quarter = s["image"] / 4;
        return
        [
            new DenseLayer("z_matrix", Product(quarter, quarter, s["width2"]), Activation.Relu),
            new ReshapeLayer("images", quarter, quarter, s["width2"]),
            new ConvTransposeLayer("deconv1", s["width1"], 5, 2, Activation.Relu),
            new ConvTransposeLayer("deconv2", 1, 5, 2, output),
        ];
    }

    private static Layer[] MlpLayers(GeneratorSpec s, Tensor labels, Activation output)
    {
        int size = s["image"];
        Layer[] layers =
        [
            new DenseLayer("fc1", s["hidden1"], Activation.Relu),
            new DenseLayer("fc2", s["hidden2"], Activation.Relu),
            new DenseLayer("img", Product(size, size), output),
            new ReshapeLayer("images", size, size, 1),
        ];
        return s.Classes == 0 ? layers : [new LabelLayer("labels", labels), .. layers];
    }

    // Batch norm behind the ReLU, as the tutorial has it.
    private static Layer[] DcganLayers(GeneratorSpec s, Activation output)
    {
        int quarter = s["image"] / 4;
        List<Layer> layers =
        [
            new DenseLayer("fc1", s["fc"], Activation.Relu),
            Norm("bn1"),
            new DenseLayer("fc2", Product(quarter, quarter, s["width1"]), Activation.Relu),
            Norm("bn2"),
            new ReshapeLayer("images", quarter, quarter, s["width1"]),
            new ConvTransposeLayer("deconv1", s["width2"], 4, 2, Activation.Relu),
            Norm("bn3"),
            new ConvTransposeLayer("deconv2", 1, 4, 2, output),
        ];
        return [.. layers];

        // Keras' momentum 0.99 counts what is kept.
        static BatchNormLayer Norm(string name) => new(name, 1e-3f, 0.01f, Activation.Linear);
    }

    private static Layer[] Cs231nLayers(GeneratorSpec s, Activation output)
    {
        int size = 2 * s["image"];
        Initialiser start = Initialiser.TruncatedNormal(0.02f);
        return
        [
            new DenseLayer("fc1", Product(size, size), Activation.Linear) { Weights = start, Biases = start },
            new ReshapeLayer("images", size, size, 1),
            Norm("bn1"),
            Conv("conv2", s["latent"] / 2, 3, Activation.Linear),
            Norm("bn2"),
            new BilinearResizeLayer("resize2", size),
            Conv("conv3", s["latent"] / 4, 3, Activation.Linear),
            Norm("bn3"),
            new BilinearResizeLayer("resize3", size),
            Conv("conv4", 1, 1, output),
        ];

        ConvLayer Conv(string name, int filters, int kernel, Activation activation)
            => new(name, filters, kernel, 2, activation) { Weights = start, Biases = start };
        BatchNormLayer Norm(string name)
            => new(name, 1e-5f, 0.001f, Activation.Relu)
            {
                Learnt = s["affine"] == 1 ? BatchNormParameters.Affine : BatchNormParameters.FrozenShift,
            };
    }

    private static Layer[] CifarLayers(GeneratorSpec s, Activation output)
    {
        int size = s["image"] / 8;
        return
        [
            new DenseLayer("fc", Product(size, size, s["width0"]), Leaky),
            new ReshapeLayer("images", size, size, s["width0"]),
            new ConvTransposeLayer("deconv1", s["width1"], 4, 2, Leaky),
            new ConvTransposeLayer("deconv2", s["width2"], 4, 2, Leaky),
            new ConvTransposeLayer("deconv3", s["width3"], 4, 2, Leaky),
            new ConvLayer("conv4", s["channels"], 3, 1, output),
        ];
    }

    private static Layer[] WganGpLayers(GeneratorSpec s, Activation output)
    {
        List<Layer> layers = [new ReshapeLayer("z", 1, 1, s["latent"])];
        int levels = WganGpSizes.LevelsOf(s["image"]);
        for (int i = 1; i <= levels; i++)
        {
            layers.Add(new ConvTransposeLayer($"deconv{i}", s[$"width{i}"], 4, i == 1 ? 1 : 2, Activation.Linear)
            {
                Border = i == 1 ? Border.Valid : Border.Same,
                HasBias = false,
            });
            // Keras' momentum 0.9 counts what is kept.
            layers.Add(new BatchNormLayer($"bn{i}", 1e-3f, 0.1f, Leaky));
        }
        layers.Add(new ConvTransposeLayer($"deconv{levels + 1}", s["channels"], 4, 2, output));
        return [.. layers];
    }

    /// <summary>
    /// The decoder of BEGAN (Berthelot et al. 2017, figure 1): a dense layer, then two convolutions at every scale with the
    /// image doubled between, then one to colours.
    /// </summary>
    internal static Layer[] BeganDecoder(string prefix, int n, int size, int scales, int channels)
    {
        List<Layer> layers =
        [
            new DenseLayer(prefix + "fc", Product(size, size, n), Activation.Linear),
            new ReshapeLayer(prefix + "images", size, size, n),
        ];
        for (int i = 1; i <= scales; i++)
        {
            if (i > 1)
                layers.Add(new NearestUpsampleLayer($"{prefix}up{i}", 2));
            layers.Add(new ConvLayer($"{prefix}c{i}a", n, 3, 1, Activation.Elu));
            layers.Add(new ConvLayer($"{prefix}c{i}b", n, 3, 1, Activation.Elu));
        }
        layers.Add(new ConvLayer(prefix + "out", channels, 3, 1, Activation.Linear));
        return [.. layers];
    }

    // The tutorial's generator is one dense layer; the one for the ring of Gaussians has two hidden ones.
    private static Layer[] ToyLayers(GeneratorSpec s)
    {
        if (s["hidden"] == 0)
            return [new DenseLayer("fc", s["dimensions"], Activation.Linear) { Weights = Initialiser.Normal(0.02f) }];
        Initialiser start = Initialiser.Orthogonal(1.4f);
        return
        [
            new DenseLayer("fc1", s["hidden"], Activation.Tanh) { Weights = start },
            new DenseLayer("fc2", s["hidden"], Activation.Tanh) { Weights = start },
            new DenseLayer("fc3", s["dimensions"], Activation.Linear) { Weights = start },
        ];
    }

    private static int Product(params ReadOnlySpan<int> extents) => Shape.Of(extents).Length;
}
