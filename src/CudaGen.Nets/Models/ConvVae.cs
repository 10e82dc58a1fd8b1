using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>What a VAE's decoder is penalised for.</summary>
public enum Reconstruction
{
    /// <summary>Binary cross-entropy summed over pixels, mean over the batch: ln p(x|z) of a Bernoulli decoder.</summary>
    CrossEntropySum,

    /// <summary>Squared error summed over pixels, mean over the batch.</summary>
    SquaredErrorSum,

    /// <summary>Squared error averaged over pixels as well: the divergence then outweighs it 784 times over.</summary>
    SquaredErrorMean,
}

/// <summary>The numbers of a convolutional VAE.</summary>
/// <param name="Sizes">Sizes of the network.</param>
/// <param name="Reconstruction">First term of the loss.</param>
/// <param name="Head">What the second head of the encoder means.</param>
/// <param name="Adam">The optimiser.</param>
/// <param name="LogEpsilon">Added to sigma^2 inside the logarithm of the divergence; for the standard-deviation head.</param>
public sealed record ConvVaeOptions(ConvSizes Sizes, Reconstruction Reconstruction, PosteriorHead Head, AdamOptions Adam, float LogEpsilon = 0)
{
    /// <summary>
    /// The tutorial: squared error averaged over pixels, a linear standard deviation, Adam 1e-4. Its posterior collapses,
    /// see docs/models.md.
    /// </summary>
    public static ConvVaeOptions Seed(ConvSizes sizes)
        => new(sizes, Reconstruction.SquaredErrorMean, PosteriorHead.StandardDeviation, new(1e-4f, EpsilonPlace: AdamEpsilon.Hat), 1e-8f);

    /// <summary>The evidence lower bound of Kingma and Welling 2014: cross-entropy summed over pixels, log variance, Adam 1e-3.</summary>
    public static ConvVaeOptions Canonical(ConvSizes sizes)
        => new(sizes, Reconstruction.CrossEntropySum, PosteriorHead.LogVariance, new(1e-3f));
}

/// <summary>
/// Convolutional variational autoencoder (Kingma and Welling, "Auto-Encoding Variational Bayes", 2014): the network of
/// <see cref="ConvAutoencoder"/> with two heads for the posterior N(mean, sigma^2) of the code.
/// </summary>
public sealed class ConvVae : CodeModel
{
    private const uint NoiseStream = 0x00E5;

    private readonly ConvVaeOptions _options;
    private Tensor _dz, _mean, _images;

    /// <exception cref="InputException">A size is out of range.</exception>
    public ConvVae(ConvVaeOptions options)
        : base("vae", (options ?? throw new ArgumentNullException(nameof(options))).Sizes.Decoder(), options.Adam)
    {
        _options = options;
        string second = options.Head == PosteriorHead.LogVariance ? "w_logvar" : "w_stddev";
        Encoder = new([.. options.Sizes.Trunk(), new DenseLayer("heads", Latent, Activation.Linear, "w_mean", second)]);
        // The cross-entropy takes logits, so its decoder ends without the sigmoid.
        Decoder = Spec.Build(logits: UsesLogits);
    }

    private bool UsesLogits => _options.Reconstruction == Reconstruction.CrossEntropySum;

    public override IReadOnlyList<string> LossNames { get; } = ["loss", "rec", "kl"];

    /// <summary>The noise of the sample, (N, latent).</summary>
    public Tensor Noise { get; private set; }

    /// <summary>Mean and second head side by side, (N, 2 latent).</summary>
    public Tensor Heads => Encoder.Y;

    /// <summary>The posterior mean, valid after <see cref="Encode"/>.</summary>
    public override Tensor MeanCode => _mean;

    public override Tensor Reconstructions => UsesLogits ? _images : Decoder.Y;

    protected override void BuildNetworks(Planner planner)
    {
        Shape code = new(planner.Batch, Latent);
        (Noise, Code, _mean) = (planner.Activation(code), planner.Activation(code), planner.Activation(code));
        _dz = planner.Gradient(code);
        Encoder.Plan(planner, Images);
        Decoder.Plan(planner, Code, _dz);
        planner.Scratch(Variational.ScratchFloats(Heads.Shape));
        if (UsesLogits)
            _images = planner.Activation(Decoder.Y.Shape);
    }

    protected override void DrawNoise() => RandomFill.Normal(Device, Noise, Seed, NoiseStream, StepCounter);

    public override void Encode()
    {
        Encoder.Forward(Device);
        Variational.Mean(Device, _mean, Heads);
    }

    public override void Decode()
    {
        Decoder.Forward(Device);
        if (UsesLogits)
            BiasActivation.Apply(Device, _images, Decoder.Y, Activation.Sigmoid);
    }

    public override bool HasPosterior => true;

    public override double[] DivergenceByDimension(int rows)
        => Variational.DivergenceByDimension(Device, Heads.Rows(0, rows), _options.Head, _options.LogEpsilon);

    public override void Forward()
    {
        Encoder.Forward(Device);
        Variational.SampleForward(Device, Code, Heads, Noise, _options.Head);
        Decoder.Forward(Device);

        float perImage = 1f / Batch;
        if (UsesLogits)
            Kernels.Losses.BinaryCrossEntropy(Device, Loss(1), Decoder.DY, Decoder.Y, Images, perImage);
        else
        {
            float scale = _options.Reconstruction == Reconstruction.SquaredErrorSum ? perImage : 1f / Images.Length;
            Kernels.Losses.MeanSquaredError(Device, Loss(1), Decoder.DY, Decoder.Y, Images, scale);
        }
        Variational.Divergence(Device, Loss(2), Encoder.DY, Heads, _options.Head, perImage, _options.LogEpsilon);
        Arithmetic.Add(Device, Loss(0), Loss(1), Loss(2));
    }

    public override void Backward()
    {
        Decoder.Backward(Device);
        Variational.SampleBackward(Device, Encoder.DY, _dz, Heads, Noise, _options.Head);
        Encoder.Backward(Device);
    }
}
