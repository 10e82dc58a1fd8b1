using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// What autoencoders and the VAE share: images in [0, 1], a code, and a decoder that can be used alone. One network, one loss, one
/// optimiser.
/// </summary>
public abstract class CodeModel(string kind, GeneratorSpec spec, OptimiserOptions options) : Model(kind)
{
    private Optimiser _optimiser = null!;

    /// <summary>The decoder.</summary>
    public override GeneratorSpec Spec { get; } = spec;

    /// <summary>Height and width of the square images.</summary>
    public int Image => Spec["image"];

    /// <summary>Length of the code.</summary>
    public int Latent => Spec.Latent;

    /// <summary>The encoder, whose output is the code or what the code is drawn from.</summary>
    protected Network Encoder { get; init; } = null!;

    /// <summary>The decoder, from code to images or their logits.</summary>
    protected Network Decoder { get; init; } = null!;

    /// <summary>The batch that the next <see cref="Forward"/> reads: (N, image, image, 1) in [0, 1].</summary>
    public Tensor Images { get; private set; }

    /// <summary>The code that the decoder reads, (N, latent).</summary>
    public Tensor Code { get; private protected set; }

    /// <summary>The code that stands for an image after <see cref="Encode"/>: without noise.</summary>
    public abstract Tensor MeanCode { get; }

    /// <summary>Reconstructions in [0, 1] after <see cref="Decode"/>, the shape of <see cref="Images"/>.</summary>
    public virtual Tensor Reconstructions => Decoder.Y;

    /// <summary>Whether an image is encoded as a distribution of codes.</summary>
    public virtual bool HasPosterior => false;

    /// <summary>
    /// The divergence of the posterior from N(0, I), summed over a number of rows of the batch that was encoded last, for
    /// each latent dimension; zeros if the model has no posterior.
    /// </summary>
    public virtual double[] DivergenceByDimension(int rows) => new double[Latent];

    protected sealed override void Build(Planner planner)
    {
        ArgumentNullException.ThrowIfNull(planner);
        Images = planner.Activation(new Shape(planner.Batch, Image, Image, 1));
        ParameterGroup group = planner.Group("");
        BuildNetworks(planner);
        planner.Scratch(Kernels.Losses.ScratchFloats(Decoder.Y.Shape));
        _optimiser = planner.Optimiser("adam", group, options);
    }

    /// <summary>Takes the tensors of both networks.</summary>
    protected abstract void BuildNetworks(Planner planner);

    protected override void RunStep(DataSet data)
    {
        ArgumentNullException.ThrowIfNull(data);
        Minibatch.Gather(Device, Images, ((ImageData)data).Pixels, StepCounter, Seed, 1f / 255, 0);
        DrawNoise();
        ZeroGradients();
        Forward();
        Backward();
        _optimiser.Update(Device);
    }

    /// <summary>The random numbers of a step.</summary>
    protected virtual void DrawNoise() { }

    /// <summary>Images to <see cref="MeanCode"/>.</summary>
    public virtual void Encode() => Encoder.Forward(Device);

    /// <summary><see cref="Code"/> to <see cref="Reconstructions"/>.</summary>
    public virtual void Decode() => Decoder.Forward(Device);

    /// <summary>Outputs and losses of the loaded batch, and the gradients of the losses with respect to the outputs.</summary>
    public abstract void Forward();

    /// <summary>Gradients of the parameters, added to what they were.</summary>
    public abstract void Backward();

    public void ZeroGradients() => Groups[0].ZeroGradients();

    /// <summary>Update and count the step, without touching data or noise: for steps on given inputs.</summary>
    public void UpdateAndAdvance()
    {
        _optimiser.Update(Device);
        CountStep();
    }
}
