using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>How a discriminator halves its images.</summary>
public enum Downsampling
{
    MaxPool,
    AveragePool,

    /// <summary>The convolution before has stride 2 instead.</summary>
    Strided,
}

/// <summary>Sizes of the convolutional networks for digits.</summary>
/// <param name="Image">Height and width of the square images, a multiple of 4, at least 16.</param>
/// <param name="Latent">Length of a code.</param>
/// <param name="Discriminator1">Channels of its first convolution.</param>
/// <param name="Discriminator2">Channels of its second.</param>
/// <param name="DiscriminatorHidden">Units of its dense layer.</param>
/// <param name="GeneratorHidden">Units of its first dense layer.</param>
/// <param name="Generator1">Channels at a quarter of the resolution.</param>
/// <param name="Generator2">Channels at half of it.</param>
/// <param name="Downsampling">How the discriminator halves its images.</param>
public sealed record DcganSizes(int Image = 28, int Latent = 100, int Discriminator1 = 32, int Discriminator2 = 64, int DiscriminatorHidden = 1024,
    int GeneratorHidden = 1024, int Generator1 = 128, int Generator2 = 64, Downsampling Downsampling = Downsampling.MaxPool)
{
    /// <exception cref="InputException">A size is out of range.</exception>
    public GeneratorSpec Spec()
    {
        if (Image < 16 || Image % 4 != 0)
            throw new InputException($"image size: found {Image}, expected a multiple of 4, at least 16");
        SizeRange.Require("dcgan", ("discriminator1", Discriminator1), ("discriminator2", Discriminator2), ("hidden", DiscriminatorHidden));
        return GeneratorSpec.Of(Architectures.Dcgan, CodeDistribution.Uniform, OutputRange.Symmetric,
            ("image", Image), ("latent", Latent), ("fc", GeneratorHidden), ("width1", Generator1), ("width2", Generator2));
    }

    /// <summary>Two 5x5 convolutions without padding, each halved, and two dense layers.</summary>
    internal Layer[] Discriminator(float slope)
    {
        Activation leaky = Activation.LeakyRelu(slope);
        return
        [
            .. Halved("conv1", "pool1", Discriminator1),
            .. Halved("conv2", "pool2", Discriminator2),
            new DenseLayer("fc1", DiscriminatorHidden, leaky),
            new DenseLayer("logits", 1, Activation.Linear),
        ];

        Layer[] Halved(string conv, string pool, int filters) => Downsampling switch
        {
            Downsampling.Strided => [new ConvLayer(conv, filters, 5, 2, leaky) { Border = Border.Valid }],
            Downsampling.AveragePool => [new ConvLayer(conv, filters, 5, 1, leaky) { Border = Border.Valid }, new AveragePoolLayer(pool, 2)],
            _ => [new ConvLayer(conv, filters, 5, 1, leaky) { Border = Border.Valid }, new MaxPoolLayer(pool, 2)],
        };
    }
}

/// <summary>The DCGAN of the book chapter for 28x28 digits (after Radford et al. 2016).</summary>
public sealed class Dcgan(DcganSizes sizes, AdversarialOptions options, float slope = 0.2f) : BinaryGan("dcgan", options)
{
    /// <summary>The tutorial: Adam 1e-3 with beta1 0.5; its running statistics are never updated.</summary>
    public static Dcgan Tutorial(DcganSizes sizes, Tricks tricks) => Of(sizes, tricks, new(1e-3f, 0.5f, EpsilonPlace: AdamEpsilon.Hat), false);

    /// <summary>The same networks and rates, with running statistics.</summary>
    public static Dcgan Canonical(DcganSizes sizes, Tricks tricks) => Of(sizes, tricks, new(1e-3f, 0.5f), true);

    private static Dcgan Of(DcganSizes sizes, Tricks tricks, AdamOptions adam, bool statistics)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return new(sizes, new(sizes.Spec(), adam, adam) { RunningStatistics = statistics, Tricks = tricks });
    }

    protected override Layer[] DiscriminatorLayers() => sizes.Discriminator(slope);
}
