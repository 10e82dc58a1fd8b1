using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Sizes of the fully connected networks.</summary>
/// <param name="Image">Height and width of the square images.</param>
/// <param name="Latent">Length of a code.</param>
/// <param name="Classes">Classes that an image can be asked of, at most 256; 0 for none.</param>
/// <param name="Discriminator1">Units of its first hidden layer.</param>
/// <param name="Discriminator2">Units of its second.</param>
/// <param name="Generator1">Units of its first hidden layer.</param>
/// <param name="Generator2">Units of its second.</param>
public sealed record GanSizes(int Image = 28, int Latent = 100, int Classes = 0, int Discriminator1 = 256, int Discriminator2 = 256,
    int Generator1 = 1024, int Generator2 = 1024)
{
    /// <exception cref="InputException">A size is out of range.</exception>
    public GeneratorSpec Spec()
    {
        SizeRange.Require("gan", ("discriminator1", Discriminator1), ("discriminator2", Discriminator2));
        return GeneratorSpec.Of(Architectures.Mlp, CodeDistribution.Uniform, OutputRange.Symmetric,
            ("image", Image), ("latent", Latent), ("classes", Classes), ("hidden1", Generator1), ("hidden2", Generator2));
    }
}

/// <summary>
/// The fully connected GAN of the book chapter, and, where <see cref="GanSizes.Classes"/> is not 0, the conditional one (Mirza and
/// Osindero 2014): the one-hot label is appended to image and code.
/// </summary>
public sealed class Gan(GanSizes sizes, AdversarialOptions options)
    : BinaryGan((sizes ?? throw new ArgumentNullException(nameof(sizes))).Classes == 0 ? "gan" : "cgan", options)
{
    /// <summary>The tutorial: leaky ReLU 0.2, Adam 1e-3 with beta1 0.5, TensorFlow's epsilon.</summary>
    public static Gan Tutorial(GanSizes sizes, Tricks tricks) => Of(sizes, tricks, new(1e-3f, 0.5f, EpsilonPlace: AdamEpsilon.Hat));

    /// <summary>The same networks and rates, with Adam as in its paper.</summary>
    public static Gan Canonical(GanSizes sizes, Tricks tricks) => Of(sizes, tricks, new(1e-3f, 0.5f));

    private static Gan Of(GanSizes sizes, Tricks tricks, AdamOptions adam)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return new(sizes, new(sizes.Spec(), adam, adam) { Tricks = tricks });
    }

    protected override Layer[] DiscriminatorLayers()
    {
        Activation leaky = Activation.LeakyRelu(0.2f);
        Layer[] layers =
        [
            new DenseLayer("fc1", sizes.Discriminator1, leaky),
            new DenseLayer("fc2", sizes.Discriminator2, leaky),
            new DenseLayer("logits", 1, Activation.Linear),
        ];
        return sizes.Classes == 0 ? layers : [new LabelLayer("labels", Labels), .. layers];
    }
}
