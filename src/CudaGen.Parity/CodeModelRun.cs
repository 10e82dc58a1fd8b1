using CudaGen.Kernels;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>The convolutional autoencoder and VAE.</summary>
internal sealed class CodeModelRun
{
    private readonly Device _device;
    private readonly GoldenFile _golden;
    private readonly ConvSizes _sizes;
    private readonly string _net;
    private readonly int _batch;
    private readonly GoldenOptimiser _optimiser;
    private readonly Dictionary<string, (Layout Layout, float[] Values)> _parameters = [];
    private readonly Dictionary<string, ComputedTensor> _computed = [];

    public CodeModelRun(Device device, GoldenFile golden)
    {
        (_device, _golden) = (device, golden);
        _sizes = new(golden.Size("img"), golden.Size("latent"), golden.Size("c1"), golden.Size("c2"));
        try
        {
            _sizes.Check();
        }
        catch (InputException e)
        {
            throw golden.Wrong(e.Message);
        }
        _net = IsVae ? "vae" : "ae";
        _batch = golden.Count("batch");
        _optimiser = GoldenOptimiser.Read(golden, golden.Optimiser(_net));
        foreach ((string name, Layout layout) in Layouts())
            _parameters.Add(name, (layout, golden.Parameter(_net, name, layout)));
    }

    private bool IsVae => _golden.Architecture != "cae";

    private bool HasLogVariance => _golden.Architecture == "vae_logvar";

    private string SecondHead => HasLogVariance ? "logvar" : "stddev";

    /// <summary>The parameters by name, as PyTorch has them.</summary>
    private IEnumerable<(string Name, Layout Layout)> Layouts()
    {
        (int c1, int c2, int q, int latent) = (_sizes.Width1, _sizes.Width2, _sizes.Image / 4, _sizes.Latent);
        yield return ("conv1.weight", Layout.Images(c1, 1, 5, 5));
        yield return ("conv1.bias", Layout.Plain(c1));
        yield return ("conv2.weight", Layout.Images(c2, c1, 5, 5));
        yield return ("conv2.bias", Layout.Plain(c2));
        foreach (string head in IsVae ? ["w_mean", "w_" + SecondHead] : new[] { "latent" })
        {
            yield return (head + ".weight", Layout.DenseFromImages(latent, c2, q, q));
            yield return (head + ".bias", Layout.Plain(latent));
        }
        yield return ("z_matrix.weight", Layout.DenseToImages(c2, q, q, latent));
        yield return ("z_matrix.bias", Layout.BiasToImages(c2, q, q));
        yield return ("deconv1.weight", Layout.Images(c2, c1, 5, 5));
        yield return ("deconv1.bias", Layout.Plain(c1));
        yield return ("deconv2.weight", Layout.Images(c1, 1, 5, 5));
        yield return ("deconv2.bias", Layout.Plain(1));
    }

    private CodeModel Build()
    {
        AdamOptions adam = _optimiser.Adam;
        if (!IsVae)
            return new ConvAutoencoder(new(_sizes, adam));
        string recon = _golden.Choice("recon", "mean");
        Reconstruction reconstruction = recon switch
        {
            "mean" => Reconstruction.SquaredErrorMean,
            "sum" => Reconstruction.SquaredErrorSum,
            "bce" => Reconstruction.CrossEntropySum,
            _ => throw _golden.Wrong($"metadata 'config': found recon '{recon}', expected mean, sum or bce"),
        };
        return new ConvVae(new(_sizes, reconstruction, HasLogVariance ? PosteriorHead.LogVariance : PosteriorHead.StandardDeviation, adam));
    }

    public ParityReport Report()
    {
        Layout flat = Layout.Plain(_batch, new Shape(_sizes.Image, _sizes.Image).Length), code = Layout.Plain(_batch, _sizes.Latent);
        float[] images = _golden.Input("x", flat);
        float[] noise = IsVae ? _golden.Input("eps", code) : [];
        using CodeModel model = Build();
        model.Plan(_device, _batch, 0);
        foreach (Parameter parameter in model.Parameters)
        {
            float[] ours = new float[parameter.Value.Length];
            _parameters[parameter.Name].Layout.ToOurs(_parameters[parameter.Name].Values, ours);
            _device.Upload(parameter.Value, ours);
        }
        // One channel: H, W and C lie the same way in both layouts.
        _device.Upload(model.Images, images);
        if (model is ConvVae vae)
            _device.Upload(vae.Noise, noise);

        float[] trace = new float[_golden.Count("trace_iterations", 3)];
        for (int step = 0; step < trace.Length; step++)
        {
            model.Forward();
            if (step == 0)
                KeepOutputs(model, flat, code);
            model.ZeroGradients();
            model.Backward();
            if (step == 0)
                KeepParameters("grad", model, p => p.Gradient);
            model.UpdateAndAdvance();
            if (step == 0)
                KeepParameters("after1", model, p => p.Value);
            trace[step] = model.Losses[0];
        }
        Keep("trace.loss", Layout.Plain(trace.Length), trace);
        return new(_golden, _computed, [.. Comparison.All(_golden, _computed, new Dictionary<string, OptimiserSteps> { [_net] = new(_optimiser.StepSize) }),
            .. OptimiserAlone()]);
    }

    private void KeepOutputs(CodeModel model, Layout flat, Layout code)
    {
        Keep("loss." + _net, Layout.Plain(), model.Losses[..1]);
        for (int i = 1; i < model.LossNames.Count; i++)
            Keep("loss." + model.LossNames[i], Layout.Plain(), model.Losses.Slice(i, 1));
        // Training on logits leaves out the sigmoid of the last layer.
        model.Decode();
        Keep("out.y", flat, _device.ToArray(model.Reconstructions));
        Keep("out.z", code, _device.ToArray(model.Code));
        if (model is not ConvVae vae)
            return;
        float[] mean = new float[vae.Code.Length], second = new float[vae.Code.Length];
        for (int row = 0; row < _batch; row++)
        {
            ReadOnlySpan<float> heads = _device.ToArray(vae.Heads.Rows(row, 1));
            heads[.._sizes.Latent].CopyTo(mean.AsSpan(row * _sizes.Latent));
            heads[_sizes.Latent..].CopyTo(second.AsSpan(row * _sizes.Latent));
        }
        if (HasLogVariance)
            second = [.. second.Select(v => Math.Clamp(v, -Variational.MaxLogVariance, Variational.MaxLogVariance))];
        Keep("out.mean", code, mean);
        Keep("out." + SecondHead, code, second);
    }

    private void KeepParameters(string what, CodeModel model, Func<Parameter, Tensor> which)
    {
        foreach (Parameter parameter in model.Parameters)
            Keep($"{what}.{_net}.{parameter.Name}", _parameters[parameter.Name].Layout, _device.ToArray(which(parameter)));
    }

    private void Keep(string name, Layout layout, ReadOnlySpan<float> ours)
        => _computed.Add(name, new(layout.Extents, layout.ToTheirs(ours)));

    private IEnumerable<Check> OptimiserAlone()
        => _parameters.Select(p => _optimiser.Alone(_device, _net, p.Key, p.Value.Values, null)).OfType<Check>();
}
