using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>A generator against a discriminator: any of the adversarial models.</summary>
internal sealed class AdversarialRun
{
    /// <summary>What a file may be of.</summary>
    public static readonly string[] Architectures = ["gan", "cgan", "dcgan", "wgan", "wgan_gp", "cifar", "cs231n", "began", "toy2d"];

    private readonly Device _device;
    private readonly GoldenFile _golden;
    private readonly GoldenOptimiser _discriminatorOptimiser, _generatorOptimiser;
    private readonly int _rows;
    private readonly Dictionary<string, ComputedTensor> _computed = [];

    public AdversarialRun(Device device, GoldenFile golden)
    {
        (_device, _golden) = (device, golden);
        _discriminatorOptimiser = GoldenOptimiser.Read(golden, golden.Optimiser("d"));
        _generatorOptimiser = GoldenOptimiser.Read(golden, golden.Optimiser("g"));
        _rows = golden.Count("batch");
    }

    // A file of the CIFAR-10 GAN counts the real images, of which its model takes half as many as codes.
    private int Batch => _golden.Architecture == "cifar" ? 2 * _rows : _rows;

    private AdversarialModel Build()
    {
        AdversarialOptions Options(GeneratorSpec spec) => new(spec, Clipped(_discriminatorOptimiser.Options), _generatorOptimiser.Options)
        {
            DiscriminatorSteps = _golden.Hyper("n_critic", 1),
        };
        int Size(string key) => _golden.Size(key);
        IReadOnlyList<int> Sizes(string key) => _golden.Sizes(key);
        switch (_golden.Architecture)
        {
            case "gan" or "cgan":
                GanSizes gan = new(Size("img"), Size("latent"), _golden.Architecture == "cgan" ? Size("classes") : 0, Size("d_h1"), Size("d_h2"), Size("g_h1"),
                    Size("g_h2"));
                return new Gan(gan, Options(gan.Spec()));
            case "dcgan" or "wgan":
                DcganSizes dcgan = new(Size("img"), Size("latent"), Size("d_c1"), Size("d_c2"), Size("d_fc"), Size("g_fc"), Size("g_c1"), Size("g_c2"));
                return _golden.Architecture == "dcgan" ? new Dcgan(dcgan, Options(dcgan.Spec())) : new Wgan(dcgan, Options(dcgan.Spec()));
            case "cs231n":
                Cs231nSizes cs231n = new(Size("img"), Size("latent"), Size("d_c1"), Size("d_c2"), Size("d_fc"), _golden.Choice("bn", "seed") != "seed");
                return new Cs231nGan(cs231n, Options(cs231n.Spec()));
            case "cifar":
                CifarSizes cifar = new(8 * Size("base"), Size("colors"), Size("latent"), Sizes("d_ch"), Sizes("g_ch"));
                float drop = (float)_golden.Real("drop");
                return drop is >= 0 and < 1
                    ? new CifarGan(cifar, drop, Options(cifar.Spec()))
                    : throw _golden.Wrong($"metadata 'config': found drop {drop}, expected at least 0 and less than 1");
            case "wgan_gp":
                WganGpSizes critic = new(Size("img"), Size("colors"), Size("latent"), Sizes("d_ch"), Sizes("g_ch"));
                return new WganGp(critic, new((float)_golden.Real("gp_weight"), [.. _golden.Reals("slopes").Select(s => (float)s)]), Options(critic.Spec()));
            case "began":
                BeganSizes began = new(Size("img"), Size("colors"), Size("latent"), Size("n"), 3);
                return new Began(began, (float)_golden.Real("gamma"), (float)_golden.Real("lambda_k"), Options(began.Spec()));
            default:
                ToySizes toy = new(Size("dim"), Size("latent"), Size("d_h1"), Size("d_h2"));
                return new ToyGan(toy, Options(toy.Spec()));
        }
    }

    private OptimiserOptions Clipped(OptimiserOptions options) => _golden.Clip is { } clip && options.RmsProp is { } rmsProp ? rmsProp with { Clip = clip } : options;

    private AdversarialModel Plan()
    {
        AdversarialModel model;
        try
        {
            model = Build();
        }
        catch (InputException e) when (!e.Message.StartsWith(_golden.Path, StringComparison.Ordinal))
        {
            throw _golden.Wrong(e.Message);
        }
        try
        {
            model.Plan(_device, Batch, 0);
            ReadParameters(model);
            ReadInputs(model);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static Network NetworkOf(AdversarialModel model, ParameterGroup group) => group.Name == "d" ? model.Discriminator : model.Generator;

    private void ReadParameters(AdversarialModel model)
    {
        foreach (ParameterGroup group in model.Groups)
        {
            Network network = NetworkOf(model, group);
            Dictionary<string, Layout> layouts = NetworkLayouts.Of(network, group);
            foreach (NamedTensor tensor in group.Tensors())
                Upload(tensor.Tensor, layouts[tensor.Name], _golden.Parameter(group.Name, tensor.Name, layouts[tensor.Name]));
            foreach (BatchNormLayer norm in network.Layers.OfType<BatchNormLayer>())
            {
                (norm.Epsilon, norm.Momentum) = _golden.BatchNorm(group.Name, norm.Name);
                KeepAbsentScale(group, norm);
            }
        }
    }

    // The tutorial's batch norms have no scale; the file has ones in its place, which nothing moves.
    private void KeepAbsentScale(ParameterGroup group, BatchNormLayer norm)
    {
        if (norm.Learnt != BatchNormParameters.FrozenShift)
            return;
        string name = norm.Name + ".gamma";
        Layout layout = Layout.Plain(norm.X.Shape.Channels);
        float[] ones = _golden.Parameter(group.Name, name, layout);
        if (ones.Any(v => v != 1))
            throw _golden.Wrong($"'{name}': found a scale that is not 1, expected 1 where batch norms are those of the seed");
        _computed[$"after1.{group.Name}.{name}"] = new(layout.Extents, ones);
    }

    private bool IsFlat => _golden.Architecture is "gan" or "cgan" or "dcgan" or "wgan";

    private Layout Images(Tensor images)
    {
        Shape s = images.Shape;
        return s.Rank == 2 ? Layout.Plain(s[0], s[1]) : IsFlat ? Layout.Plain(s[0], s.RowLength) : Layout.Images(s[0], s[3], s[1], s[2]);
    }

    private void Upload(Tensor tensor, Layout layout, float[] theirs)
    {
        float[] ours = new float[tensor.Length];
        layout.ToOurs(theirs, ours);
        _device.Upload(tensor, ours);
    }

    private void UploadRows(string name, Tensor tensor)
    {
        Layout layout = tensor.Shape.Rank == 1 ? Layout.Plain(tensor.Length) : Layout.Plain(tensor.Shape[0], tensor.Shape.RowLength);
        Upload(tensor, layout, _golden.Input(name, layout));
    }

    private void ReadInputs(AdversarialModel model)
    {
        Upload(model.Real, Images(model.Real), _golden.Input("x", Images(model.Real)));
        if (model is CifarGan cifar)
        {
            (Tensor real, Tensor fake, Tensor judge) = cifar.Masks;
            UploadMask("mask_real", real);
            UploadMask("mask_fake", fake);
            UploadRows("z", cifar.HalfZ);
            return;
        }
        UploadRows("z", model.Z);
        if (model.Spec.Classes > 0)
        {
            UploadRows("y", model.Labels.Rows(0, Batch));
            model.ShareLabels();
        }
        if (model is WganGp penalty)
            UploadRows("alpha", penalty.Alpha);
        if (model is Began began)
            Upload(began.K, Layout.Plain(), _golden.Input("k", Layout.Plain()));
    }

    private void UploadMask(string name, Tensor mask)
    {
        Shape s = mask.Shape;
        Layout layout = Layout.DenseFromImages(s[0], s[3], s[1], s[2]);
        Upload(mask, layout, _golden.Input(name, layout));
    }

    public ParityReport Report()
    {
        using (AdversarialModel model = Plan())
            KeepOneStep(model);
        if (_golden.Expected.Any(t => t.Name.StartsWith("trace.", StringComparison.Ordinal)))
        {
            using AdversarialModel model = Plan();
            KeepTrace(model);
        }
        Dictionary<string, OptimiserSteps> steps = new() { ["d"] = new(_discriminatorOptimiser.StepSize), ["g"] = new(_generatorOptimiser.StepSize) };
        return new(_golden, _computed, [.. Comparison.All(_golden, _computed, steps), .. OptimisersAlone()]);
    }

    /// <summary>Outputs, losses and gradients of both networks from the initial parameters, then one update of each.</summary>
    private void KeepOneStep(AdversarialModel model)
    {
        ParameterGroup d = model.Groups.Single(g => g.Name == "d"), g = model.Groups.Single(g => g.Name == "g");
        if (g.Statistics.Count > 0)
        {
            model.Generator.Infer(_device);
            Keep("out.g_eval", model.Fake, Images(model.Fake));
        }
        Dictionary<string, Layout> layouts = NetworkLayouts.Of(model.Generator, g);
        model.ZeroDiscriminatorGradients();
        KeepDiscriminator(model, d);
        // The discriminator's pass is the one pass of the generator after which the file looks at its statistics.
        foreach (Statistic statistic in g.Statistics)
            Keep($"after1.g.{statistic.Name}", statistic.Value, layouts[statistic.Name]);
        KeepGradients("grad.d", model.Discriminator, d);

        if (model is CifarGan cifar)
            ReadJudgeInputs(cifar);
        model.ZeroGeneratorGradients();
        model.GeneratorLoss();
        Tensor generated = model.Generator.Y;
        Keep("grad_fake_input.g", model.Generator.DY, Images(generated));
        if (model is CifarGan)
            Keep("out.g_gan", generated, Images(generated));
        model.Generator.Backward(_device);
        KeepLoss("loss.g", model, "g_loss");
        KeepGradients("grad.g", model.Generator, g);

        model.UpdateDiscriminator();
        model.UpdateGenerator();
        foreach (ParameterGroup group in model.Groups)
        {
            layouts = NetworkLayouts.Of(NetworkOf(model, group), group);
            foreach (Parameter parameter in group.Parameters.Concat(group.Frozen))
                Keep($"after1.{group.Name}.{parameter.Name}", parameter.Value, layouts[parameter.Name]);
        }
    }

    private void KeepDiscriminator(AdversarialModel model, ParameterGroup d)
    {
        switch (model)
        {
            case CifarGan cifar:
                cifar.OnRealImages();
                KeepGradients("grad_real.d", model.Discriminator, d);
                cifar.OnGeneratedImages();
                KeepGradients("grad_fake.d", model.Discriminator, d);
                // The file's own gradient is the sum of the two, which the second pass has added to the first.
                foreach (Parameter p in d.Parameters)
                    Subtract($"grad_fake.d.{p.Name}", $"grad_real.d.{p.Name}");
                Keep("loss.d", [model.Losses[0] + model.Losses[1]]);
                break;
            case WganGp penalty:
                // lambda times the gradient of the penalty comes on top of that of the distance.
                penalty.DiscriminatorGradients(() => KeepGradients("grad_w.d", model.Discriminator, d));
                KeepGradients("grad_gp.d", model.Discriminator, d);
                foreach (Parameter p in d.Parameters)
                    Subtract($"grad_gp.d.{p.Name}", $"grad_w.d.{p.Name}", (float)_golden.Real("gp_weight"));
                Keep("out.gp_grad", penalty.Slope, Images(model.Fake));
                Keep("out.gp_norm", penalty.Norms, Layout.Plain(_rows));
                Keep("loss.d_wass", [-model.Losses[1]]);
                KeepLoss("loss.gp", model, "penalty");
                KeepLoss("loss.d", model, "d_loss");
                break;
            default:
                model.DiscriminatorGradients();
                KeepLoss("loss.d", model, "d_loss");
                break;
        }
        foreach (string part in new[] { "d_real", "d_fake", "l_real", "l_fake" })
        {
            if (model.LossNames.Contains(part))
                KeepLoss("loss." + part, model, part);
        }
        Keep("out.g", model.Fake, Images(model.Fake));
        Tensor scores = model.Discriminator.Y;
        foreach ((string name, int first) in new[] { ("out.d_real", 0), ("out.d_fake", _rows) })
        {
            Tensor rows = scores.Rows(first, _rows);
            Keep(name, rows, model is Began ? Images(rows) : Layout.Plain(_rows, rows.Shape.RowLength));
        }
        if (model is Began began)
        {
            // Not yet: the balance moves after the generator's update, whose gradient does not depend on it.
            float k = _device.Read(began.K);
            began.UpdateBalance();
            Keep("out.k_next", [_device.Read(began.K)]);
            KeepLoss("out.m_global", model, "m");
            _device.Upload(began.K, [k]);
        }
    }

    private void ReadJudgeInputs(CifarGan cifar)
    {
        UploadRows("z_gan", cifar.Z);
        UploadMask("mask_gan", cifar.Masks.Judge);
    }

    /// <summary>Some steps on the same inputs, by the schedule of the model.</summary>
    private void KeepTrace(AdversarialModel model)
    {
        Dictionary<string, List<float>> trace = [];
        for (int step = 0; step < _golden.Count("trace_iterations", 3); step++)
        {
            for (int i = 0; i < model.DiscriminatorSteps; i++)
            {
                if (model is CifarGan cifar)
                {
                    ReadInputs(model);
                    Update(cifar.OnRealImages, "d_real");
                    Update(cifar.OnGeneratedImages, "d_fake");
                    ReadJudgeInputs(cifar);
                    continue;
                }
                Update(model.DiscriminatorGradients, "d_loss");
                if (model is WganGp)
                    Add("gp", "penalty");
            }
            model.ZeroGeneratorGradients();
            model.GeneratorGradients();
            model.UpdateGenerator();
            Add("g_loss", "g_loss");
            if (model is Began began)
            {
                began.UpdateBalance();
                Add("k", "k");
                Add("m_global", "m");
            }
            model.EndStep();
        }
        foreach ((string name, List<float> values) in trace)
            _computed.Add("trace." + name, new([values.Count], [.. values]));

        void Update(Action gradients, string loss)
        {
            model.ZeroDiscriminatorGradients();
            gradients();
            model.UpdateDiscriminator();
            Add(loss, loss);
        }

        void Add(string name, string loss)
        {
            if (!trace.TryGetValue(name, out List<float>? values))
                trace.Add(name, values = []);
            values.Add(LossOf(model, loss));
        }
    }

    private static float LossOf(AdversarialModel model, string name) => model.Losses[model.LossNames.ToList().IndexOf(name)];

    private void KeepLoss(string name, AdversarialModel model, string loss) => Keep(name, [LossOf(model, loss)]);

    private void Keep(string name, float[] scalar) => _computed[name] = new([], scalar);

    private void Keep(string name, Tensor tensor, Layout layout) => _computed[name] = new(layout.Extents, layout.ToTheirs(_device.ToArray(tensor)));

    private void KeepGradients(string what, Network network, ParameterGroup group)
    {
        Dictionary<string, Layout> layouts = NetworkLayouts.Of(network, group);
        foreach (Parameter parameter in group.Parameters.Concat(group.Frozen))
            Keep($"{what}.{parameter.Name}", parameter.Gradient, layouts[parameter.Name]);
    }

    private void Subtract(string from, string what, float divisor = 1)
    {
        (ComputedTensor a, ComputedTensor b) = (_computed[from], _computed[what]);
        _computed[from] = a with { Values = [.. a.Values.Zip(b.Values, (x, y) => (x - y) / divisor)] };
    }

    private IEnumerable<Check> OptimisersAlone()
    {
        using AdversarialModel model = Plan();
        foreach (ParameterGroup group in model.Groups)
        {
            GoldenOptimiser optimiser = group.Name == "d" ? _discriminatorOptimiser : _generatorOptimiser;
            float? clip = group.Name == "d" ? _golden.Clip : null;
            Dictionary<string, Layout> layouts = NetworkLayouts.Of(NetworkOf(model, group), group);
            foreach (Parameter parameter in group.Parameters)
            {
                float[] initial = _golden.Parameter(group.Name, parameter.Name, layouts[parameter.Name]);
                if (optimiser.Alone(_device, group.Name, parameter.Name, initial, clip) is { } check)
                    yield return check;
            }
        }
    }
}
