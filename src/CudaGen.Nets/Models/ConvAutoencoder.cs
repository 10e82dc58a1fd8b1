using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Sizes of the convolutional autoencoders.</summary>
/// <param name="Image">Height and width of the square images, a multiple of 4.</param>
/// <param name="Latent">Length of the code.</param>
/// <param name="Width1">Channels at half the resolution.</param>
/// <param name="Width2">Channels at a quarter of it.</param>
public sealed record ConvSizes(int Image = 28, int Latent = 20, int Width1 = 16, int Width2 = 32)
{
    /// <exception cref="InputException">A size is out of range.</exception>
    public void Check()
    {
        if (Image < 4 || Image % 4 != 0)
            throw new InputException($"image size: found {Image}, expected a multiple of 4");
        SizeRange.Require("sizes", ("image", Image), ("latent", Latent), ("width1", Width1), ("width2", Width2));
    }

    /// <summary>The decoder of these sizes.</summary>
    internal GeneratorSpec Decoder()
    {
        Check();
        return GeneratorSpec.Of(Architectures.ConvDecoder, CodeDistribution.Normal, OutputRange.Unit,
            ("image", Image), ("latent", Latent), ("width1", Width1), ("width2", Width2));
    }

    /// <summary>The encoder up to its code: two 5x5 convolutions of stride 2 with ReLU.</summary>
    internal Layer[] Trunk() =>
        [new ConvLayer("conv1", Width1, 5, 2, Activation.Relu), new ConvLayer("conv2", Width2, 5, 2, Activation.Relu)];
}

/// <summary>The numbers of a convolutional autoencoder.</summary>
public sealed record ConvAutoencoderOptions(ConvSizes Sizes, AdamOptions Adam)
{
    /// <summary>The tutorial: Adam 1e-4 with TensorFlow's epsilon.</summary>
    public static ConvAutoencoderOptions Seed(ConvSizes sizes) => new(sizes, new(1e-4f, EpsilonPlace: AdamEpsilon.Hat));

    /// <summary>The same network with Adam's own learning rate, 1e-3.</summary>
    public static ConvAutoencoderOptions Canonical(ConvSizes sizes) => new(sizes, new(1e-3f));
}

/// <summary>
/// An encoder to a code and a decoder back; mean squared error over all pixels of the batch (Hinton and Salakhutdinov 2006).
/// </summary>
public abstract class DeterministicAutoencoder(string kind, GeneratorSpec spec, AdamOptions adam) : CodeModel(kind, spec, adam)
{
    public override IReadOnlyList<string> LossNames { get; } = ["loss"];

    public override Tensor MeanCode => Encoder.Y;

    protected override void BuildNetworks(Planner planner)
    {
        Code = Encoder.Plan(planner, Images);
        Decoder.Plan(planner, Code, Encoder.DY);
    }

    public override void Forward()
    {
        Encode();
        Decode();
        Kernels.Losses.MeanSquaredError(Device, Loss(0), Decoder.DY, Decoder.Y, Images, 1f / Images.Length);
    }

    public override void Backward()
    {
        Decoder.Backward(Device);
        Encoder.Backward(Device);
    }
}

/// <summary>Convolutional autoencoder: conv, conv, dense code | dense, transposed conv, transposed conv, sigmoid.</summary>
public sealed class ConvAutoencoder : DeterministicAutoencoder
{
    /// <exception cref="InputException">A size is out of range.</exception>
    public ConvAutoencoder(ConvAutoencoderOptions options)
        : base("cae", (options ?? throw new ArgumentNullException(nameof(options))).Sizes.Decoder(), options.Adam)
    {
        Encoder = new([.. options.Sizes.Trunk(), new DenseLayer("latent", Latent, Activation.Linear)]);
        Decoder = Spec.Build();
    }
}
