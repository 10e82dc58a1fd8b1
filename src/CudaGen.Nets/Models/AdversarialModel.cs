using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>What the literature recommends when the two networks do not keep each other in balance. All off by default.</summary>
public sealed record Tricks
{
    /// <summary>Deviation of normal noise on all that the discriminator sees (Arjovsky and Bottou 2017).</summary>
    public float InstanceNoise { get; init; }

    /// <summary>Probability with which the discriminator is told the opposite.</summary>
    public float LabelFlip { get; init; }

    /// <summary>What a real image is called, 0.9 for one-sided smoothing (Salimans et al. 2016, section 3.4).</summary>
    public float RealTarget { get; init; } = 1;

    /// <summary>Steps over which both noises go to zero; 0 to keep them.</summary>
    public ulong AnnealSteps { get; init; }

    /// <summary>Probability of a zero behind every hidden layer of the generator in training.</summary>
    public float GeneratorDropout { get; init; }

    /// <summary>Whether the discriminator compares the images of a batch (Salimans et al. 2016, section 3.2).</summary>
    public bool MinibatchDiscrimination { get; init; }

    /// <summary>Updates of the generator in a step.</summary>
    public int GeneratorSteps { get; init; } = 1;

    /// <summary>
    /// Updates of the discriminator that an update of the generator looks ahead (Metz et al. 2017), 0 for none. For <see cref="ToyGan"/> alone: it
    /// takes second derivatives of the discriminator.
    /// </summary>
    public int Unroll { get; init; }

    /// <summary>
    /// Share that a moving average of the generator keeps in a step, such as 0.999, and less in the first steps; 0 for no average.
    /// </summary>
    public float Average { get; init; }
}

/// <summary>The numbers of an adversarial model.</summary>
/// <param name="Spec">The generator.</param>
/// <param name="Discriminator">Optimiser of the discriminator or critic.</param>
/// <param name="Generator">Optimiser of the generator.</param>
public sealed record AdversarialOptions(GeneratorSpec Spec, OptimiserOptions Discriminator, OptimiserOptions Generator)
{
    /// <summary>Updates of the discriminator in a step.</summary>
    public int DiscriminatorSteps { get; init; } = 1;

    /// <summary>Whether each of them takes new images.</summary>
    public bool FreshImages { get; init; } = true;

    /// <summary>Whether the generator's update draws codes of its own, rather than those of the discriminator's.</summary>
    public bool FreshCodes { get; init; } = true;

    /// <summary>Whether batch norms keep running statistics. Where not, they are taken from the trained generator when it is saved.</summary>
    public bool RunningStatistics { get; init; } = true;

    /// <summary>Steps after which both learning rates are halved, again and again; 0 for never.</summary>
    public ulong HalveEvery { get; init; }

    /// <summary>The least share of the learning rate that is left.</summary>
    public float LeastRate { get; init; }

    public Tricks Tricks { get; init; } = new();
}

/// <summary>
/// A generator against a discriminator (Goodfellow et al. 2014). A step is a number of updates of the discriminator on real and
/// generated images, then one or more of the generator.
/// </summary>
/// <remarks>
/// Real and generated images are two halves of one batch, into whose second half the generator writes, so the discriminator passes
/// over both at once; only one that couples the rows of a batch sees the halves one after the other. In the generator's update the
/// discriminator runs on the second half of its own memory.
/// </remarks>
public abstract class AdversarialModel : Model
{
    private readonly AdversarialOptions _options;
    private Network[] _halves = [];
    private Tensor _average;

    protected AdversarialModel(string kind, AdversarialOptions options) : base(kind)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
    }

    /// <summary>The generator.</summary>
    public override GeneratorSpec Spec => _options.Spec;

    public override int ImagesPerStep => Batch * (_options.FreshImages ? _options.DiscriminatorSteps : 1);

    /// <summary>The options.</summary>
    protected AdversarialOptions Options => _options;

    protected Tricks Tricks => _options.Tricks;

    /// <summary>Whether a score above 0, or above that of the other class, says "real".</summary>
    public virtual bool ScoresAreLogits => true;

    /// <summary>Updates of the discriminator in a step.</summary>
    public int DiscriminatorSteps => _options.DiscriminatorSteps;

    /// <summary>The discriminator on the whole batch: real images, then generated ones.</summary>
    public Network Discriminator { get; protected set; } = null!;

    /// <summary>The generator, from <see cref="Z"/> to <see cref="Fake"/>.</summary>
    public Network Generator { get; protected set; } = null!;

    /// <summary>The discriminator on generated images alone, with a place for their gradient: the way back to the generator.</summary>
    public Network Judge { get; protected set; } = null!;

    /// <summary>Codes, (N, latent).</summary>
    public Tensor Z { get; protected set; }

    /// <summary>Real images, then generated ones.</summary>
    public Tensor Pair { get; protected set; }

    /// <summary>Real images, the first part of <see cref="Pair"/>.</summary>
    public Tensor Real { get; protected set; }

    /// <summary>Generated images, the second part.</summary>
    public Tensor Fake { get; protected set; }

    /// <summary>One-hot labels (N, classes) of both halves, where there are classes.</summary>
    public Tensor Labels { get; private set; }

    private protected ParameterGroup DiscriminatorGroup { get; set; } = null!;

    private protected ParameterGroup GeneratorGroup { get; set; } = null!;

    private protected Optimiser DiscriminatorOptimiser { get; set; } = null!;

    private protected Optimiser GeneratorOptimiser { get; set; } = null!;

    /// <summary>What the discriminator says of real images, and the gradient of that.</summary>
    private protected Tensor RealScores => Discriminator.Y.Rows(0, Batch);

    private protected Tensor RealScoreGradients => Discriminator.DY.Rows(0, Batch);

    /// <summary>What it says of generated ones.</summary>
    private protected Tensor FakeScores => Discriminator.Y.Rows(Batch, Batch);

    private protected Tensor FakeScoreGradients => Discriminator.DY.Rows(Batch, Batch);

    /// <summary>Whether the discriminator is differentiated twice.</summary>
    private protected virtual bool NeedsTangents => false;

    /// <summary>The layers of the discriminator.</summary>
    protected abstract Layer[] DiscriminatorLayers();

    protected override void Build(Planner planner)
    {
        ArgumentNullException.ThrowIfNull(planner);
        int n = planner.Batch;
        TakeBatch(planner, n, n, 0);
        PlanNetworks(planner, Fake);
        Judge = Discriminator.Rows(planner, n, n, Generator.DY);
        _halves = Discriminator.CouplesRows ? [Discriminator.Rows(planner, 0, n), Discriminator.Rows(planner, n, n)] : [Discriminator];
        TakeOptimisers(planner);
    }

    /// <summary>Takes room for so many real and generated images, and as many rows behind them.</summary>
    private protected void TakeBatch(Planner planner, int real, int fake, int more)
    {
        Pair = planner.Activation(Spec.Batch(real + fake + more));
        (Real, Fake) = (Pair.Rows(0, real), Pair.Rows(real, fake));
        if (Spec.Classes > 0)
            Labels = planner.Activation(new(real + fake + more, Spec.Classes));
        // Behind the images, so that the codes of any images are the rows of the same numbers.
        Z = planner.Activation(new(planner.Batch, Spec.Latent));
    }

    private protected void PlanNetworks(Planner planner, Tensor generated)
    {
        DiscriminatorGroup = planner.Group("d");
        Discriminator = new(WithMinibatchLayer(DiscriminatorLayers()));
        if (NeedsTangents)
            Discriminator.RequireTangents();
        Discriminator.Plan(planner, Tricks.InstanceNoise > 0 ? planner.Activation(Pair.Shape) : Pair);
        GeneratorGroup = planner.Group("g");
        Tensor labels = Labels.Length == 0 ? default : Labels.Rows(0, planner.Batch);
        Generator = new(WithDropout(Spec.Build(labels).Layers));
        Generator.Plan(planner, Z, default, generated);
        foreach (BatchNormLayer norm in Generator.Layers.OfType<BatchNormLayer>().Where(_ => !_options.RunningStatistics))
            norm.Momentum = 0;
    }

    private protected void TakeOptimisers(Planner planner)
    {
        planner.Scratch(Math.Max(Kernels.Losses.ScratchFloats(Discriminator.Y.Shape), Reduce.ScratchFloats(Discriminator.Y.Length)));
        DiscriminatorOptimiser = planner.Optimiser("optimiser.d", DiscriminatorGroup, _options.Discriminator);
        GeneratorOptimiser = planner.Optimiser("optimiser.g", GeneratorGroup, _options.Generator);
        if (Tricks.Average > 0)
            _average = planner.Average("average", GeneratorGroup);
    }

    private Layer[] WithMinibatchLayer(Layer[] layers) => Tricks.MinibatchDiscrimination
        ? [.. layers[..^1], new MinibatchDiscriminationLayer("minibatch", 50, 5), layers[^1]]
        : layers;

    private Layer[] WithDropout(IReadOnlyList<Layer> layers)
    {
        if (Tricks.GeneratorDropout == 0)
            return [.. layers];
        List<Layer> all = [];
        Layer output = layers.Last(l => l is not ReshapeLayer);
        foreach (Layer layer in layers)
        {
            all.Add(layer);
            if (layer != output && layer.Activation.Kind != ActivationKind.Linear)
                all.Add(new DropoutLayer($"dropout.{layer.Name}", Tricks.GeneratorDropout));
        }
        return [.. all];
    }

    /// <summary>The parameters of the generator that are worth keeping: averaged ones, where they are averaged.</summary>
    internal IEnumerable<NamedTensor> GeneratorTensors()
        => GeneratorGroup.Tensors().Select(t => _average.Length > 0 && GeneratorGroup.Parameters.Find(p => p.Name == t.Name) is { } parameter
            ? new NamedTensor(t.Name, GeneratorGroup.In(_average, parameter)) : t);

    /// <summary>Whether the statistics of the generator's batch norms belong to <see cref="GeneratorTensors"/>.</summary>
    internal bool HasStatistics => _options.RunningStatistics && _average.Length == 0;

    protected override int Phase => _options.HalveEvery == 0 ? 0 : (int)(Steps / _options.HalveEvery);

    private float Rate => _options.HalveEvery == 0 ? 1 : Math.Max(MathF.Pow(0.5f, Steps / _options.HalveEvery), _options.LeastRate);

    protected override void RunStep(DataSet data)
    {
        for (int i = 0; i < _options.DiscriminatorSteps; i++)
        {
            if (i == 0 || _options.FreshImages)
                LoadReal(data, i);
            DrawForDiscriminator(i);
            DiscriminatorStep();
        }
        for (int i = 0; i < Tricks.GeneratorSteps; i++)
        {
            DrawForGenerator(_options.DiscriminatorSteps + i);
            GeneratorStep();
        }
        UpdateAverage();
    }

    private protected void UpdateAverage()
    {
        if (Tricks.Average > 0)
            Arithmetic.Average(Device, _average, GeneratorGroup.Value, Tricks.Average, StepCounter);
    }

    /// <summary>The next real images, in the range of the generator's, and their labels.</summary>
    private protected void LoadReal(DataSet data, int batch)
    {
        int batches = _options.FreshImages ? _options.DiscriminatorSteps : 1;
        if (data is PointData points)
        {
            Minibatch.Gather(Device, Real, points.Points, StepCounter, Seed, batches, batch);
            return;
        }
        var images = (ImageData)data;
        (float scale, float offset) = Spec.Range == OutputRange.Symmetric ? (2f / 255, -1f) : (1f / 255, 0f);
        Minibatch.Gather(Device, Real, images.Pixels, StepCounter, Seed, scale, offset, batches, batch);
        if (Spec.Classes > 0)
        {
            // Generated images take the labels of the real ones.
            Minibatch.GatherLabels(Device, Labels.Rows(0, 2 * Batch), images.Labels, StepCounter, Seed, batches, batch, copies: 2);
        }
    }

    /// <summary>Copies the labels of the real images to the generated ones.</summary>
    public void ShareLabels() => Device.Copy(Labels.Rows(Batch, Batch), Labels.Rows(0, Batch));

    /// <summary>The random numbers of an update of the discriminator.</summary>
    /// <param name="pass">Its number within the step.</param>
    private protected virtual void DrawForDiscriminator(int pass)
    {
        DrawCodes(Z, pass);
        Generator.Draw(Device, Seed, Stream(pass, Purpose.GeneratorDropout), StepCounter);
        Discriminator.Draw(Device, Seed, Stream(pass, Purpose.Dropout), StepCounter);
        _pass = pass;
    }

    /// <summary>The random numbers of an update of the generator.</summary>
    /// <param name="pass">Its number within the step, after those of the discriminator.</param>
    private protected virtual void DrawForGenerator(int pass)
    {
        if (_options.FreshCodes)
        {
            DrawCodes(Z, pass);
            Generator.Draw(Device, Seed, Stream(pass, Purpose.GeneratorDropout), StepCounter);
        }
        Judge.Draw(Device, Seed, Stream(pass, Purpose.Dropout), StepCounter);
        _pass = pass;
    }

    // Which streams the noise of this update takes.
    private int _pass;

    /// <summary>What random numbers are for; each has 256 streams of its own in an update.</summary>
    private protected enum Purpose
    {
        Codes,
        Dropout,
        GeneratorDropout,
        Noise,
        RealLabels,
        FakeLabels,
        Interpolation,

        /// <summary>On generated images that are no rows of the same tensor as the real ones.</summary>
        FakeNoise,
    }

    private protected static uint Stream(int pass, Purpose purpose) => 0x0A00_0000u | (uint)pass << 12 | (uint)purpose << 8;

    private protected void DrawCodes(Tensor z, int pass)
    {
        if (Spec.Codes == CodeDistribution.Uniform)
            RandomFill.Uniform(Device, z, Seed, Stream(pass, Purpose.Codes), StepCounter, -1, 1);
        else
            RandomFill.Normal(Device, z, Seed, Stream(pass, Purpose.Codes), StepCounter);
    }

    private void DiscriminatorStep()
    {
        ZeroDiscriminatorGradients();
        DiscriminatorGradients();
        UpdateDiscriminator();
    }

    private void GeneratorStep()
    {
        ZeroGeneratorGradients();
        GeneratorGradients();
        UpdateGenerator();
    }

    /// <summary>From <see cref="Real"/> and <see cref="Z"/>: the losses of the discriminator and the gradients of its parameters, added.</summary>
    public abstract void DiscriminatorGradients();

    /// <summary>From <see cref="Z"/>: the loss of the generator and its gradient with respect to the images, which is the generator's DY.</summary>
    public abstract void GeneratorLoss();

    /// <summary>From <see cref="Z"/>: the loss of the generator and the gradients of its parameters, added.</summary>
    public void GeneratorGradients()
    {
        GeneratorLoss();
        Generator.Backward(Device);
    }

    public void ZeroDiscriminatorGradients() => DiscriminatorGroup.ZeroGradients();

    public void ZeroGeneratorGradients() => GeneratorGroup.ZeroGradients();

    public void UpdateDiscriminator() => DiscriminatorOptimiser.Update(Device, Rate);

    public void UpdateGenerator() => GeneratorOptimiser.Update(Device, Rate);

    /// <summary>Counts a step that was made of the calls above.</summary>
    public void EndStep() => CountStep();

    /// <summary>Scores of real and generated images.</summary>
    private protected void ForwardDiscriminator()
    {
        AddInstanceNoise(Discriminator.X, Pair);
        foreach (Network half in _halves)
            half.Forward(Device);
    }

    /// <summary>From the gradients of the scores to those of the parameters.</summary>
    private protected void BackwardDiscriminator()
    {
        foreach (Network half in _halves)
            half.Backward(Device);
    }

    /// <summary>Generated images and their scores.</summary>
    private protected void ForwardGenerator()
    {
        Generate();
        AddInstanceNoise(Judge.X, Fake);
        Judge.Forward(Device);
    }

    /// <summary>Generated images, for an update of the generator.</summary>
    private protected void Generate()
    {
        // With the codes of before and no update since, the images of before are still there.
        if (_options.FreshCodes || _pass > _options.DiscriminatorSteps)
            Generator.Forward(Device);
    }

    /// <summary>From the gradients of those scores to those of the images.</summary>
    private protected void BackwardJudge() => Judge.BackwardInput(Device, parameters: false);

    private protected void AddInstanceNoise(Tensor seen, Tensor images, Purpose purpose = Purpose.Noise)
    {
        if (Tricks.InstanceNoise > 0)
            AnnealedNoise.Add(Device, seen, images, Tricks.InstanceNoise, Tricks.AnnealSteps, Seed, Stream(_pass, purpose), StepCounter);
    }

    /// <summary>Fills the targets of real or generated images with some of them flipped.</summary>
    private protected void DrawTargets(Tensor targets, float target, bool real)
        => AnnealedNoise.Labels(Device, targets, target, Tricks.LabelFlip, Tricks.AnnealSteps, Seed,
            Stream(_pass, real ? Purpose.RealLabels : Purpose.FakeLabels), StepCounter);
}
