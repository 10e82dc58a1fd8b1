using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Sizes of the networks of BEGAN.</summary>
/// <param name="Image">Height and width of the square images: Base doubled Scales - 1 times.</param>
/// <param name="Channels">Colours.</param>
/// <param name="Latent">Length of a code, of the generator and of the discriminator alike.</param>
/// <param name="Width">n of the paper: channels of all convolutions but the encoder's, which have n, 2n, 3n, ...</param>
/// <param name="Scales">Resolutions.</param>
public sealed record BeganSizes(int Image, int Channels, int Latent, int Width, int Scales)
{
    /// <summary>As many scales as go down to 8x8.</summary>
    public static BeganSizes For(int image, int channels, int latent = 64, int width = 32)
        => int.IsPow2(image) && image is >= 16 and <= 256
            ? new(image, channels, latent, width, int.Log2(image) - 2)
            : throw new InputException($"image size: found {image}, expected 16, 32, 64, 128 or 256");

    /// <summary>Height and width at the coarsest scale.</summary>
    public int Base => Image >> Scales - 1;

    /// <exception cref="InputException">A size is out of range.</exception>
    public GeneratorSpec Spec() => Scales is < 1 or > 8 || Base < 1 || Base << Scales - 1 != Image
        ? throw new InputException($"image size: found {Image} with {Scales} scales, expected a multiple of {1 << Math.Clamp(Scales - 1, 0, 8)}")
        : GeneratorSpec.Of(Architectures.Began, CodeDistribution.Uniform, OutputRange.Symmetric,
            ("image", Image), ("channels", Channels), ("latent", Latent), ("n", Width), ("base", Base), ("scales", Scales));
}

/// <summary>
/// Boundary equilibrium GAN (Berthelot et al. 2017, section 3.3): the discriminator is an autoencoder, L(v) = mean |v - D(v)|.
/// <code>
/// discriminator   L(x) - k L(G(z))
/// generator       L(G(z))
/// balance         k = clip(k + lambda (gamma L(x) - L(G(z))), 0, 1)
/// convergence     M = L(x) + |gamma L(x) - L(G(z))|
/// </code>
/// </summary>
public sealed class Began : AdversarialModel
{
    private const int Total = 0, OnReal = 1, OnFake = 2, OfGenerator = 3, Balance = 4, Convergence = 5;

    private readonly BeganSizes _sizes;
    private readonly float _gamma, _lambda;

    /// <param name="sizes">Sizes of the networks.</param>
    /// <param name="gamma">Wanted ratio of the losses of generated and real images, 0 to 1: the diversity.</param>
    /// <param name="lambda">Step size of k.</param>
    /// <param name="options">The numbers.</param>
    public Began(BeganSizes sizes, float gamma, float lambda, AdversarialOptions options) : base("began", options)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        (_sizes, _gamma, _lambda) = (sizes, gamma, lambda);
    }

    /// <summary>The reference program: Adam 8e-5 (its beta1 0.5 is never passed on), halved every 100,000 steps down to a quarter.</summary>
    public static Began Tutorial(BeganSizes sizes, Tricks tricks) => Of(sizes, tricks, new(8e-5f, EpsilonPlace: AdamEpsilon.Hat));

    /// <summary>The paper: Adam 1e-4, halved in the same way.</summary>
    public static Began Canonical(BeganSizes sizes, Tricks tricks) => Of(sizes, tricks, new(1e-4f));

    private static Began Of(BeganSizes sizes, Tricks tricks, AdamOptions adam)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        return new(sizes, 0.5f, 0.001f,
            new(sizes.Spec(), adam, adam) { FreshCodes = false, HalveEvery = 100_000, LeastRate = 0.25f, Tricks = tricks });
    }

    public override bool ScoresAreLogits => false;

    public override IReadOnlyList<string> LossNames { get; } = ["d_loss", "l_real", "l_fake", "g_loss", "k", "m"];

    /// <summary>The balance k, one element.</summary>
    public Tensor K { get; private set; }

    private float PerElement => 1f / Fake.Length;

    protected override Layer[] DiscriminatorLayers()
    {
        int n = _sizes.Width;
        List<Layer> layers = [Conv("e0", n, 1)];
        for (int i = 1; i <= _sizes.Scales; i++)
        {
            layers.Add(Conv($"e{i}a", n * i, 1));
            layers.Add(Conv($"e{i}b", n * i, 1));
            if (i < _sizes.Scales)
                layers.Add(Conv($"e{i}d", n * i, 2));
        }
        layers.Add(new DenseLayer("efc", _sizes.Latent, Activation.Linear));
        return [.. layers, .. Architectures.BeganDecoder("dec.", n, _sizes.Base, _sizes.Scales, _sizes.Channels)];

        static ConvLayer Conv(string name, int filters, int stride) => new(name, filters, 3, stride, Activation.Elu);
    }

    protected override void Build(Planner planner)
    {
        ArgumentNullException.ThrowIfNull(planner);
        if (Tricks.MinibatchDiscrimination)
            throw new InputException("minibatch discrimination: the discriminator of BEGAN is an autoencoder, expected a model whose discriminator gives scores");
        base.Build(planner);
        K = planner.State("k", 0);
    }

    protected override void RunStep(DataSet data)
    {
        base.RunStep(data);
        UpdateBalance();
    }

    public override void DiscriminatorGradients()
    {
        Generator.Forward(Device);
        ForwardDiscriminator();
        Kernels.Losses.MeanAbsoluteError(Device, Loss(OnReal), RealScoreGradients, RealScores, Real, PerElement);
        Kernels.Losses.MeanAbsoluteError(Device, Loss(OnFake), FakeScoreGradients, FakeScores, Fake, PerElement, -1, K);
        Arithmetic.Add(Device, Loss(Total), Loss(OnReal), Loss(OnFake), -1, K);
        BackwardDiscriminator();
    }

    // The image is on both sides of the error: once through the autoencoder, once as what it should give. The autoencoder's last layer is
    // linear, so its way back leaves Judge.DY as it is.
    public override void GeneratorLoss()
    {
        ForwardGenerator();
        Kernels.Losses.MeanAbsoluteError(Device, Loss(OfGenerator), Judge.DY, Judge.Y, Fake, PerElement);
        BackwardJudge();
        Arithmetic.Add(Device, Generator.DY, Generator.DY, Judge.DY, -1);
    }

    /// <summary>k and M from the losses of the discriminator's update.</summary>
    public void UpdateBalance()
    {
        Equilibrium.Update(Device, K, Loss(Balance), Loss(Convergence), Loss(OnReal), Loss(OnFake), _gamma, _lambda);
    }
}
