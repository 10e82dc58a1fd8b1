using System.Text.Json;
using CudaGen.Kernels;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>Single operations: each case is an operation by name, its inputs and attributes.</summary>
public static class OpsRun
{
    private static readonly Dictionary<string, Action<OpsCase>> Operations = new()
    {
        ["conv2d"] = Convolve,
        ["conv_transpose2d"] = ConvolveTransposed,
        ["dense"] = Multiply,
        ["batch_norm"] = Normalise,
        ["maxpool"] = MaxPooling,
        ["avgpool"] = AveragePooling,
        ["resize_bilinear_tf1"] = Resize,
        ["upsample_nearest"] = Upsample,
        ["dropout"] = DropOut,
        ["relu"] = c => Activate(c, Activation.Relu),
        ["leaky02"] = c => Activate(c, Activation.LeakyRelu(0.2f)),
        ["elu"] = c => Activate(c, Activation.Elu),
        ["tanh"] = c => Activate(c, Activation.Tanh),
        ["sigmoid"] = c => Activate(c, Activation.Sigmoid),
        ["mean sigmoid_cross_entropy_with_logits, labels 1"] = c => CrossEntropy(c, 1),
        ["labels 1; must not overflow"] = c => CrossEntropy(c, 1),
        ["mean sigmoid_cross_entropy_with_logits, labels 0"] = c => CrossEntropy(c, 0),
        ["batch mean of sum sigmoid_cross_entropy_with_logits, labels t"] = CrossEntropyWithTargets,
        ["mean softmax cross entropy, class 1 of 2"] = c => SoftmaxCrossEntropy(c, 1),
        ["mean over all elements (x-t)^2"] = c => Difference(c, Losses.MeanSquaredError),
        ["mean over all elements |x-t|"] = c => Difference(c, (device, loss, dx, x, t, scale) => Losses.MeanAbsoluteError(device, loss, dx, x, t, scale)),
        ["batch mean of 0.5*sum(mu^2+s^2-log(s^2)-1)"] = c => Divergence(c, PosteriorHead.StandardDeviation, "sd"),
        ["batch mean of -0.5*sum(1+logvar-mu^2-exp(logvar))"] = c => Divergence(c, PosteriorHead.LogVariance, "logvar"),
        ["mu + sd*eps"] = Reparameterise,
        ["x + alpha*(fake-x), alpha per sample"] = Interpolate,
        ["mean((||g||_2-1)^2), g per sample"] = PenaliseNorms,
        ["optimizer"] = Optimise,
    };

    /// <summary>Runs every case whose operation is known; the others stay "not computed".</summary>
    /// <exception cref="InputException">A case contradicts itself.</exception>
    public static ParityReport Run(Device device, GoldenFile golden)
    {
        ArgumentNullException.ThrowIfNull(golden);
        Dictionary<string, ComputedTensor> computed = [];
        Dictionary<string, OptimiserSteps> steps = [];
        foreach ((string name, JsonElement attributes) in golden.Cases)
        {
            using var work = new Workspace(device);
            var one = new OpsCase(work, golden, name, attributes, computed, steps);
            if (!Operations.TryGetValue(one.Text("op"), out Action<OpsCase>? operation))
                continue;
            try
            {
                operation(one);
            }
            catch (Exception e) when (e is ShapeException or ArgumentException or ArithmeticException)
            {
                throw new InputException($"{golden.Path}: case '{name}': {e.Message.ReplaceLineEndings(" ")}", e);
            }
        }
        return new(golden, computed, [.. Comparison.All(golden, computed, steps)]);
    }

    private static void Convolve(OpsCase c)
    {
        Tensor x = c.Input("x"), w = c.Input("w"), b = c.Input("b"), dy = c.Input("gy");
        using ConvolutionPlan plan = new(c.Device, new(x.Shape, w.Shape, c.Integer("stride"), c.Sides("pads_tblr")));
        Tensor y = c.New(plan.Shape.Y), dx = c.New(x.Shape), dw = c.New(w.Shape), db = c.New(b.Shape);
        Convolution.Forward(c.Device, plan, y, x, w, b, Activation.Linear);
        c.Result("y", y);
        BiasActivation.Backward(c.Device, dy, dy, y, db, Activation.Linear);
        Convolution.BackwardFilter(c.Device, plan, dw, dy, x);
        Convolution.BackwardData(c.Device, plan, dx, dy, w);
        c.Result("g_x", dx);
        c.Result("g_w", dw);
        c.Result("g_b", db);
    }

    private static void ConvolveTransposed(OpsCase c)
    {
        Tensor x = c.Input("x", 4), w = c.Input("w", 4), b = c.Input("b"), dy = c.Input("gy");
        int[] size = c.Integers("out_hw", 2);
        Shape output = new(x.Shape.Rows, size[0], size[1], w.Shape.Channels);
        using ConvolutionPlan plan = new(c.Device, new(output, w.Shape, c.Integer("stride"), c.Sides("crop_tblr")));
        Tensor y = c.New(output), dx = c.New(x.Shape), dw = c.New(w.Shape), db = c.New(b.Shape);
        Convolution.BackwardData(c.Device, plan, y, x, w, b, Activation.Linear);
        c.Result("y", y);
        BiasActivation.Backward(c.Device, dy, dy, y, db, Activation.Linear);
        Convolution.BackwardFilter(c.Device, plan, dw, x, dy);
        Convolution.Forward(c.Device, plan, dx, dy, w, null, Activation.Linear);
        c.Result("g_x", dx);
        c.Result("g_w", dw);
        c.Result("g_b", db);
    }

    private static void Multiply(OpsCase c)
    {
        Tensor x = c.Input("x"), w = c.Input("w"), b = c.Input("b"), dy = c.Input("gy");
        Tensor y = c.New(dy.Shape), dx = c.New(x.Shape), dw = c.New(w.Shape), db = c.New(b.Shape);
        Dense.Forward(c.Device, y, x, w, b, Activation.Linear);
        c.Result("y", y);
        BiasActivation.Backward(c.Device, dy, dy, y, db, Activation.Linear);
        Dense.BackwardWeights(c.Device, dw, dy, x);
        Dense.BackwardData(c.Device, dx, dy, w);
        c.Result("g_x", dx);
        c.Result("g_w", dw);
        c.Result("g_b", db);
    }

    private static void Activate(OpsCase c, Activation activation)
    {
        Tensor x = c.Input("x"), dy = c.Input("gy"), y = c.New(x.Shape), dx = c.New(x.Shape);
        BiasActivation.Apply(c.Device, y, x, activation);
        BiasActivation.Backward(c.Device, dx, dy, y, null, activation);
        c.Result("y", y);
        c.Result("g_x", dx);
    }

    private static void CrossEntropy(OpsCase c, float target)
    {
        Tensor x = c.Input("x"), loss = c.New(Shape.Scalar), dx = c.New(x.Shape);
        Losses.BinaryCrossEntropy(c.Device, loss, dx, x, target, 1f / x.Length);
        c.Result("y", loss);
        c.Result("g_x", dx, c.Upstream);
    }

    private static void CrossEntropyWithTargets(OpsCase c)
    {
        Tensor x = c.Input("x"), loss = c.New(Shape.Scalar), dx = c.New(x.Shape);
        Losses.BinaryCrossEntropy(c.Device, loss, dx, x, c.Input("t"), 1f / x.Shape.Rows);
        c.Result("y", loss);
        c.Result("g_x", dx, c.Upstream);
    }

    private static void SoftmaxCrossEntropy(OpsCase c, int target)
    {
        Tensor x = c.Input("x"), loss = c.New(Shape.Scalar), dx = c.New(x.Shape);
        Losses.SoftmaxCrossEntropy(c.Device, loss, dx, x, target, 1f / x.Shape.Rows);
        c.Result("y", loss);
        c.Result("g_x", dx, c.Upstream);
    }

    private static void Difference(OpsCase c, Action<Device, Tensor, Tensor?, Tensor, Tensor, float> error)
    {
        Tensor x = c.Input("x"), t = c.Input("t"), loss = c.New(Shape.Scalar), dx = c.New(x.Shape);
        error(c.Device, loss, dx, x, t, 1f / x.Length);
        c.Result("y", loss);
        c.Result("g_x", dx, c.Upstream);
        // The error is the same with x and t exchanged.
        error(c.Device, loss, dx, t, x, 1f / x.Length);
        c.Result("g_t", dx, c.Upstream);
    }

    private static void Divergence(OpsCase c, PosteriorHead head, string second)
    {
        Tensor heads = c.SideBySide(c.Input("mu"), c.Input(second)), dheads = c.New(heads.Shape), loss = c.New(Shape.Scalar);
        Variational.Divergence(c.Device, loss, dheads, heads, head, 1f / heads.Shape.Rows);
        c.Result("y", loss);
        c.Halves("g_mu", "g_" + second, dheads, c.Upstream);
    }

    private static void Reparameterise(OpsCase c)
    {
        Tensor mean = c.Input("mu"), sigma = c.Input("sd"), eps = c.Input("eps"), dz = c.Input("gy");
        Tensor heads = c.SideBySide(mean, sigma), dheads = c.New(heads.Shape), z = c.New(mean.Shape);
        Variational.SampleForward(c.Device, z, heads, eps, PosteriorHead.StandardDeviation);
        c.Result("y", z);
        Variational.SampleBackward(c.Device, dheads, dz, heads, eps, PosteriorHead.StandardDeviation);
        c.Halves("g_mu", "g_sd", dheads);
        // Training never asks for the gradient of the noise, sigma * dz: the sample of noise dz around 0.
        Variational.SampleForward(c.Device, z, c.SideBySide(c.New(mean.Shape), sigma), dz, PosteriorHead.StandardDeviation);
        c.Result("g_eps", z);
    }

    private static void Interpolate(OpsCase c)
    {
        Tensor x = c.Input("x"), fake = c.Input("fake"), alpha = c.Input("alpha"), dy = c.Input("gy"), y = c.New(x.Shape);
        GradientPenalty.Interpolate(c.Device, y, x, fake, alpha);
        c.Result("y", y);
        // Training never asks for these gradients; as y is linear, they are y of dy in the place of x or fake and 0 in the other.
        Tensor zero = c.New(x.Shape);
        GradientPenalty.Interpolate(c.Device, y, dy, zero, alpha);
        c.Result("g_x", y);
        GradientPenalty.Interpolate(c.Device, y, zero, dy, alpha);
        c.Result("g_fake", y);
    }

    private static void PenaliseNorms(OpsCase c)
    {
        Tensor g = c.Input("g"), loss = c.New(Shape.Scalar), norms = c.New(new Shape(g.Shape.Rows)), dg = c.New(g.Shape);
        GradientPenalty.Evaluate(c.Device, loss, norms, dg, g, 1);
        c.Result("y", loss);
        c.Result("g_g", dg, c.Upstream);
    }

    private static void Normalise(OpsCase c)
    {
        Tensor x = c.Input("x"), gamma = c.Input("gamma"), beta = c.Input("beta"), dy = c.Input("gy");
        Tensor runningMean = c.Input("running_mean"), runningVariance = c.Input("running_var");
        Tensor y = c.New(x.Shape), dx = c.New(x.Shape), mean = c.New(gamma.Shape), rstd = c.New(gamma.Shape);
        Tensor dgamma = c.New(gamma.Shape), dbeta = c.New(gamma.Shape);
        float epsilon = c.Number("eps");
        if (c.Flag("training"))
        {
            BatchNorm.ForwardTraining(c.Device, y, mean, rstd, runningMean, runningVariance, x, gamma, beta, epsilon, c.Number("momentum_torch"));
            BatchNorm.Backward(c.Device, dx, dgamma, dbeta, dy, x, y, mean, rstd, gamma);
            c.Result("running_mean", runningMean);
            c.Result("running_var", runningVariance);
        }
        else
        {
            BatchNorm.ForwardInference(c.Device, y, x, runningMean, runningVariance, gamma, beta, epsilon);
            // Nothing is trained through inference. gamma and beta have the gradients of training, with the running
            // statistics; that of x is y of dy without the two offsets.
            c.Device.Copy(mean, runningMean);
            c.Device.Upload(rstd, Array.ConvertAll(c.Device.ToArray(runningVariance), v => 1 / MathF.Sqrt(v + epsilon)));
            BatchNorm.Backward(c.Device, dx, dgamma, dbeta, dy, x, y, mean, rstd, gamma);
            BatchNorm.ForwardInference(c.Device, dx, dy, c.New(gamma.Shape), runningVariance, gamma, c.New(gamma.Shape), epsilon);
        }
        c.Result("y", y);
        c.Result("g_x", dx);
        c.Result("g_gamma", dgamma);
        c.Result("g_beta", dbeta);
    }

    private static void MaxPooling(OpsCase c)
    {
        Tensor x = c.Input("x"), dx = c.New(x.Shape);
        PoolingShape shape = new(x.Shape, c.Integer("k"), c.Integer("s"));
        Tensor y = c.New(shape.Y);
        MaxPool.Forward(c.Device, shape, y, x);
        MaxPool.Backward(c.Device, shape, dx, c.Input("gy"), x);
        c.Result("y", y);
        c.Result("g_x", dx);
    }

    private static void AveragePooling(OpsCase c)
    {
        Tensor x = c.Input("x"), dx = c.New(x.Shape);
        PoolingShape shape = new(x.Shape, c.Integer("k"), c.Integer("s"));
        Tensor y = c.New(shape.Y);
        AveragePool.Forward(c.Device, shape, y, x);
        AveragePool.Backward(c.Device, shape, dx, c.Input("gy"));
        c.Result("y", y);
        c.Result("g_x", dx);
    }

    private static void Resize(OpsCase c)
    {
        Tensor x = c.Input("x", 4), dx = c.New(x.Shape);
        int[] size = c.Integers("out_hw", 2);
        Tensor y = c.New(new Shape(x.Shape.Rows, size[0], size[1], x.Shape.Channels));
        BilinearResize.Forward(c.Device, y, x);
        BilinearResize.Backward(c.Device, dx, c.Input("gy", y.Shape));
        c.Result("y", y);
        c.Result("g_x", dx);
    }

    private static void Upsample(OpsCase c)
    {
        Tensor x = c.Input("x", 4), dx = c.New(x.Shape);
        int scale = c.Integer("scale");
        Tensor y = c.New(new Shape(x.Shape[0], scale * x.Shape[1], scale * x.Shape[2], x.Shape[3]));
        NearestUpsample.Forward(c.Device, y, x, scale);
        NearestUpsample.Backward(c.Device, dx, c.Input("gy", y.Shape), scale);
        c.Result("y", y);
        c.Result("g_x", dx);
    }

    private static void DropOut(OpsCase c)
    {
        Tensor x = c.Input("x"), mask = c.Input("mask"), y = c.New(x.Shape), dx = c.New(x.Shape);
        float drop = c.Number("drop");
        Dropout.Apply(c.Device, y, x, mask, drop);
        Dropout.Apply(c.Device, dx, c.Input("gy"), mask, drop);
        c.Result("y", y);
        c.Result("g_x", dx);
    }

    private static void Optimise(OpsCase c)
    {
        GoldenOptimiser optimiser = c.Optimiser();
        Tensor p = c.Input("p0");
        float[][] gradients = [.. Enumerable.Range(1, 3).Select(i => c.Device.ToArray(c.Input("g" + i, p.Shape)))];
        optimiser.Run(c.Device, p, gradients, c.OptionalNumber("clip"), step => c.Stepped("p" + step, p, new(optimiser.StepSize, step)));
    }
}

/// <summary>One case of a file of operations: its tensors in our layout, its attributes, and where results go.</summary>
internal sealed class OpsCase(Workspace work, GoldenFile golden, string name, JsonElement attributes, Dictionary<string, ComputedTensor> computed,
    Dictionary<string, OptimiserSteps> steps)
{
    public Device Device => work.Device;

    /// <summary>The upstream gradient of a scalar.</summary>
    public float Upstream => Device.Read(Input("gy", Shape.Scalar));

    public Tensor New(Shape shape) => work.Take(shape);

    /// <summary>An input of any shape; four extents are N, H, W, C or weights.</summary>
    public Tensor Input(string key)
    {
        StoredTensor stored = golden.Stored($"{name}.{key}");
        int[] e = stored.Extents;
        float[] ours = new float[stored.Length];
        Layout.OfRank(e).ToOurs(stored.Floats, ours);
        return work.Of(Shape.Of(e.Length == 4 ? [e[0], e[2], e[3], e[1]] : e), ours);
    }

    /// <summary>An input of a certain rank.</summary>
    public Tensor Input(string key, int rank)
    {
        Tensor tensor = Input(key);
        return tensor.Shape.Rank == rank ? tensor : throw Wrong($"found {key} {tensor.Shape}, expected {rank} extents");
    }

    /// <summary>An input of a certain shape.</summary>
    public Tensor Input(string key, Shape shape)
    {
        Tensor tensor = Input(key);
        return tensor.Shape == shape ? tensor : throw Wrong($"found {key} {tensor.Shape}, expected {shape}");
    }

    /// <summary>Two tensors (N, L) as the heads (N, 2L) of an encoder.</summary>
    public Tensor SideBySide(Tensor a, Tensor b)
    {
        Shape.RequireEqual(a, b);
        (int rows, int width) = (a.Shape.Rows, a.Shape.RowLength);
        Tensor both = New(new Shape(rows, 2 * width));
        for (int row = 0; row < rows; row++)
        {
            Device.Copy(both.Slice(2 * row * width, new Shape(width)), a.Slice(row * width, new Shape(width)));
            Device.Copy(both.Slice((2 * row + 1) * width, new Shape(width)), b.Slice(row * width, new Shape(width)));
        }
        return both;
    }

    /// <summary>Keeps both halves of the heads (N, 2L) as results (N, L).</summary>
    public void Halves(string first, string second, Tensor heads, float factor = 1)
    {
        (int rows, int width) = (heads.Shape.Rows, heads.Shape.RowLength / 2);
        Tensor a = New(new Shape(rows, width)), b = New(new Shape(rows, width));
        for (int row = 0; row < rows; row++)
        {
            Device.Copy(a.Slice(row * width, new Shape(width)), heads.Slice(2 * row * width, new Shape(width)));
            Device.Copy(b.Slice(row * width, new Shape(width)), heads.Slice((2 * row + 1) * width, new Shape(width)));
        }
        Result(first, a, factor);
        Result(second, b, factor);
    }

    /// <summary>Keeps a result, times the upstream gradient where the operation knows none.</summary>
    public void Result(string key, Tensor ours, float factor = 1)
    {
        Shape s = ours.Shape;
        Layout layout = s.Rank == 4 ? Layout.Images(s[0], s[3], s[1], s[2]) : Layout.Plain([.. Enumerable.Range(0, s.Rank).Select(i => s[i])]);
        float[] theirs = layout.ToTheirs(Device.ToArray(ours));
        for (int i = 0; i < theirs.Length; i++)
            theirs[i] *= factor;
        computed.Add($"{name}.{key}", new(layout.Extents, theirs));
    }

    /// <summary>Keeps parameters after steps of an optimiser.</summary>
    public void Stepped(string key, Tensor parameters, OptimiserSteps done)
    {
        Result(key, parameters);
        steps.Add($"{name}.{key}", done);
    }

    public GoldenOptimiser Optimiser() => GoldenOptimiser.Read(golden, attributes);

    public string Text(string key) => Attribute(key, JsonValueKind.String).GetString()!;

    public int Integer(string key) => Attribute(key, JsonValueKind.Number).TryGetInt32(out int value)
        ? value
        : throw Wrong($"found {key} {Attribute(key, JsonValueKind.Number)}, expected a whole number");

    public float Number(string key) => (float)Attribute(key, JsonValueKind.Number).GetDouble();

    public bool Flag(string key) => attributes.TryGetProperty(key, out JsonElement value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False
        ? value.GetBoolean()
        : throw Wrong($"found no true or false '{key}'");

    public float? OptionalNumber(string key) => attributes.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number
        ? (float)value.GetDouble()
        : null;

    public int[] Integers(string key, int count)
    {
        JsonElement[] all = [.. Attribute(key, JsonValueKind.Array).EnumerateArray()];
        if (all.Length != count || all.Any(e => e.ValueKind != JsonValueKind.Number || !e.TryGetInt32(out _)))
            throw Wrong($"found {key} {Attribute(key, JsonValueKind.Array)}, expected {count} whole numbers");
        return [.. all.Select(e => e.GetInt32())];
    }

    /// <summary>Padding or crop: top, bottom, left, right.</summary>
    public Padding Sides(string key)
    {
        int[] sides = Integers(key, 4);
        return new(sides[0], sides[1], sides[2], sides[3]);
    }

    private JsonElement Attribute(string key, JsonValueKind kind)
        => attributes.ValueKind == JsonValueKind.Object && attributes.TryGetProperty(key, out JsonElement value) && value.ValueKind == kind
        ? value
        : throw Wrong($"found no {kind.ToString().ToLowerInvariant()} '{key}'");

    private InputException Wrong(string what) => golden.Wrong($"case '{name}': {what}");
}
