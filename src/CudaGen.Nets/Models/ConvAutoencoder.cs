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
        if (Latent < 1 || Width1 < 1 || Width2 < 1)
            throw new InputException($"sizes: found latent {Latent}, channels {Width1} and {Width2}, expected at least 1 each");
    }

    /// <summary>Height and width after both convolutions.</summary>
    public int Quarter => Image / 4;
}

/// <summary>The encoder up to its code: two 5x5 convolutions of stride 2 with ReLU.</summary>
internal sealed class ConvTrunk(ConvSizes sizes)
{
    private readonly ConvLayer _conv1 = new("conv1", sizes.Width1, 5, 2, Activation.Relu);
    private readonly ConvLayer _conv2 = new("conv2", sizes.Width2, 5, 2, Activation.Relu);

    public Tensor Plan(Planner planner, Tensor x) => _conv2.Plan(planner, _conv1.Plan(planner, x));

    /// <summary>Where the layer after writes its gradient.</summary>
    public Tensor DY => _conv2.DY;

    public void Forward(Device device)
    {
        _conv1.Forward(device);
        _conv2.Forward(device);
    }

    public void Backward(Device device)
    {
        _conv2.Backward(device, _conv1.DY);
        _conv1.Backward(device, null);
    }
}

/// <summary>The decoder: a dense layer, then two 5x5 transposed convolutions of stride 2.</summary>
internal sealed class ConvDecoder(ConvSizes sizes, Activation output)
{
    private readonly DenseLayer _dense = new("z_matrix", sizes.Quarter * sizes.Quarter * sizes.Width2, Activation.Relu);
    private readonly ConvTransposeLayer _deconv1 = new("deconv1", sizes.Width1, 5, 2, Activation.Relu);
    private readonly ConvTransposeLayer _deconv2 = new("deconv2", 1, 5, 2, output);

    public Tensor Y => _deconv2.Y;

    public Tensor DY => _deconv2.DY;

    public Tensor Plan(Planner planner, Tensor z)
        => _deconv2.Plan(planner, _deconv1.Plan(planner, Images(_dense.Plan(planner, z))));

    public void Forward(Device device)
    {
        _dense.Forward(device);
        _deconv1.Forward(device);
        _deconv2.Forward(device);
    }

    public void Backward(Device device, Tensor dz)
    {
        _deconv2.Backward(device, _deconv1.DY);
        _deconv1.Backward(device, Images(_dense.DY));
        _dense.Backward(device, dz);
    }

    private Tensor Images(Tensor t) => t.AsImages(sizes.Quarter, sizes.Quarter, sizes.Width2);
}

/// <summary>
/// What the convolutional autoencoder and VAE share with the programs that train them: images in [0, 1], a code, and a
/// decoder that can be used alone.
/// </summary>
public abstract class CodeModel(string kind, ConvSizes sizes) : Model(kind)
{
    public ConvSizes Sizes { get; } = sizes;

    /// <summary>The batch that the next <see cref="Model.Forward"/> reads: (N, image, image, 1) in [0, 1].</summary>
    public Tensor Images { get; private protected set; }

    /// <summary>The code that the decoder reads, (N, latent).</summary>
    public Tensor Code { get; private protected set; }

    /// <summary>The code that stands for an image after <see cref="Encode"/>: without noise.</summary>
    public abstract Tensor MeanCode { get; }

    /// <summary>Reconstructions in [0, 1] after <see cref="Decode"/>, the shape of <see cref="Images"/>.</summary>
    public abstract Tensor Reconstructions { get; }

    /// <summary>Images to <see cref="MeanCode"/>.</summary>
    public abstract void Encode();

    /// <summary><see cref="Code"/> to <see cref="Reconstructions"/>.</summary>
    public abstract void Decode();

    /// <summary>Whether an image is encoded as a distribution of codes.</summary>
    public virtual bool HasPosterior => false;

    /// <summary>
    /// The divergence of the posterior from N(0, I), summed over a number of rows of the batch that was encoded last, for
    /// each latent dimension; zeros if the model has no posterior.
    /// </summary>
    public virtual double[] DivergenceByDimension(int rows) => new double[Sizes.Latent];

    protected override void LoadBatch(ImageData data)
    {
        ArgumentNullException.ThrowIfNull(data);
        Minibatch.Gather(Device, Images, data.Pixels, StepCounter, Seed, 1f / 255, 0);
    }
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
/// Convolutional autoencoder: conv, conv, dense code | dense, transposed conv, transposed conv, sigmoid; mean squared
/// error over all pixels of the batch.
/// </summary>
public sealed class ConvAutoencoder : CodeModel
{
    private readonly ConvTrunk _trunk;
    private readonly DenseLayer _latent;
    private readonly ConvDecoder _decoder;

    /// <exception cref="InputException">A size is out of range.</exception>
    public ConvAutoencoder(ConvAutoencoderOptions options) : base("cae", (options ?? throw new ArgumentNullException(nameof(options))).Sizes)
    {
        Sizes.Check();
        Adam = options.Adam;
        _trunk = new ConvTrunk(Sizes);
        _latent = new DenseLayer("latent", Sizes.Latent, Activation.Linear);
        _decoder = new ConvDecoder(Sizes, Activation.Sigmoid);
    }

    public override IReadOnlyList<string> LossNames { get; } = ["loss"];

    protected override AdamOptions Adam { get; }

    public override Tensor MeanCode => _latent.Y;

    public override Tensor Reconstructions => _decoder.Y;

    protected override void Build(Planner planner)
    {
        Images = planner.Activation(new Shape(planner.Batch, Sizes.Image, Sizes.Image, 1));
        Code = _latent.Plan(planner, _trunk.Plan(planner, Images));
        planner.Scratch(Kernels.Losses.ScratchFloats(_decoder.Plan(planner, Code).Shape));
    }

    public override void Encode()
    {
        _trunk.Forward(Device);
        _latent.Forward(Device);
    }

    public override void Decode() => _decoder.Forward(Device);

    public override void Forward()
    {
        Encode();
        Decode();
        Kernels.Losses.MeanSquaredError(Device, Loss(0), _decoder.DY, _decoder.Y, Images, 1f / Images.Length);
    }

    public override void Backward()
    {
        _decoder.Backward(Device, _latent.DY);
        _latent.Backward(Device, _trunk.DY);
        _trunk.Backward(Device);
    }
}
