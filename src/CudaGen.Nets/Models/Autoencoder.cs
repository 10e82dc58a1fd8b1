using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Sizes of the fully connected autoencoder.</summary>
/// <param name="Image">Height and width of the square images.</param>
/// <param name="Latent">Length of the code.</param>
/// <param name="Hidden1">Units next to the image.</param>
/// <param name="Hidden2">Units next to the code.</param>
public sealed record AutoencoderSizes(int Image = 28, int Latent = 20, int Hidden1 = 256, int Hidden2 = 128)
{
    /// <exception cref="InputException">A size is out of range.</exception>
    internal GeneratorSpec Decoder() => GeneratorSpec.Of(Architectures.Mlp, CodeDistribution.Normal, OutputRange.Unit,
        ("image", Image), ("latent", Latent), ("hidden1", Hidden2), ("hidden2", Hidden1));
}

/// <summary>Fully connected autoencoder: two hidden layers on either side of a linear code, sigmoid at the end.</summary>
public sealed class Autoencoder : DeterministicAutoencoder
{
    /// <exception cref="InputException">A size is out of range.</exception>
    public Autoencoder(AutoencoderSizes sizes, AdamOptions adam)
        : base("ae", (sizes ?? throw new ArgumentNullException(nameof(sizes))).Decoder(), adam)
    {
        Encoder = new(
            new DenseLayer("enc1", sizes.Hidden1, Activation.Relu),
            new DenseLayer("enc2", sizes.Hidden2, Activation.Relu),
            new DenseLayer("latent", Latent, Activation.Linear));
        Decoder = Spec.Build();
    }
}
