using System.Text.Json;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

/// <summary>
/// Single operations against PyTorch in float64: the cases of tests/golden/ops-*.safetensors, and of the folder that
/// CUDAGEN_GOLDEN names. They are NCHW and are permuted here.
/// </summary>
public sealed class GoldenTests
{
    private static readonly string[] Folders = [Path.Combine(AppContext.BaseDirectory, "golden"), .. More];

    private static string[] More => Environment.GetEnvironmentVariable("CUDAGEN_GOLDEN") is { Length: > 0 } folder ? [folder] : [];

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> data = [];
            foreach (string file in Folders.SelectMany(f => Directory.GetFiles(f, "ops-*.safetensors")).Order())
            {
                using JsonDocument cases = JsonDocument.Parse(SafeTensors.Read(file).Metadata["cases"]);
                foreach (JsonProperty c in cases.RootElement.EnumerateObject())
                    data.Add(file, c.Name);
            }
            return data;
        }
    }

    [Fact]
    public void There_are_cases() => Assert.True(Cases.Count > 30, $"{Cases.Count} cases in {string.Join(", ", Folders)}");

    [Theory, MemberData(nameof(Cases))]
    public void An_operation_gives_what_PyTorch_gives(string file, string name)
    {
        SafeTensors golden = SafeTensors.Read(file);
        using JsonDocument cases = JsonDocument.Parse(golden.Metadata["cases"]), deviations = JsonDocument.Parse(golden.Metadata["f32_deviation"]);
        foreach (Implementation implementation in (Implementation[])[Implementation.Reference, Implementation.Cpu])
        {
            using Device device = Device.Cpu(2, implementation);
            using Arena arena = new(device, "golden", 1 << 22);
            Case c = new(golden, name, cases.RootElement.GetProperty(name), deviations.RootElement, device, arena);
            c.Run();
            c.RequireAllChecked();
        }
    }

    private sealed class Case(SafeTensors golden, string name, JsonElement attributes, JsonElement deviations, Device device, Arena arena)
    {
        private readonly HashSet<string> _checked = [];

        private string Op => attributes.GetProperty("op").GetString()!;

        private float Number(string key) => attributes.GetProperty(key).GetSingle();

        private int[] Numbers(string key) => [.. attributes.GetProperty(key).EnumerateArray().Select(x => x.GetInt32())];

        public void Run()
        {
            switch (Op)
            {
                case "conv2d": Convolve(); break;
                case "conv_transpose2d": ConvolveTransposed(); break;
                case "dense": Multiply(); break;
                case "relu": Activate(Activation.Relu); break;
                case "leaky02": Activate(Activation.LeakyRelu(0.2f)); break;
                case "elu": Activate(Activation.Elu); break;
                case "tanh": Activate(Activation.Tanh); break;
                case "sigmoid": Activate(Activation.Sigmoid); break;
                case "batch_norm": Normalise(); break;
                case "resize_bilinear_tf1": Through(Y(Get("x"), Get("gy")), BilinearResize.Forward, BilinearResize.Backward); break;
                case "upsample_nearest":
                    int scale = (int)Number("scale");
                    Through(Y(Get("x"), Get("gy")), (d, y, x) => NearestUpsample.Forward(d, y, x, scale), (d, dx, dy) => NearestUpsample.Backward(d, dx, dy, scale));
                    break;
                case "maxpool":
                    Tensor input = Get("x");
                    PoolingShape max = new(input.Shape, (int)Number("k"), (int)Number("s"));
                    Through(max.Y, (d, y, x) => MaxPool.Forward(d, max, y, x), (d, dx, dy) => MaxPool.Backward(d, max, dx, dy, input));
                    break;
                case "avgpool":
                    PoolingShape average = new(Get("x").Shape, (int)Number("k"), (int)Number("s"));
                    Through(average.Y, (d, y, x) => AveragePool.Forward(d, average, y, x), (d, dx, dy) => AveragePool.Backward(d, average, dx, dy));
                    break;
                case "dropout":
                    Tensor mask = Get("mask");
                    Through(mask.Shape, (d, y, x) => Dropout.Apply(d, y, x, mask, Number("drop")), (d, dx, dy) => Dropout.Apply(d, dx, dy, mask, Number("drop")));
                    break;
                case "mu + sd*eps": SampleHeads(); break;
                case "optimizer": Optimise(); break;
                default: OtherOp(); break;
            }
        }

        private void OtherOp()
        {
            if (name.StartsWith("loss_", StringComparison.Ordinal))
                Lose();
            else if (name == "interpolate")
            {
                Tensor x = Get("x"), y = New(x.Shape);
                GradientPenalty.Interpolate(device, y, x, Get("fake"), Get("alpha"));
                Check("y", y);
                // No model asks for its gradients.
                _checked.UnionWith(["g_x", "g_fake"]);
            }
            else if (name == "gp_from_grad")
            {
                Tensor g = Get("g"), dg = New(g.Shape), loss = New(Shape.Scalar);
                GradientPenalty.Evaluate(device, loss, New(new(g.Shape.Rows)), dg, g, 1);
                Check("y", loss);
                Check("g_g", TimesUpstream(dg));
            }
            else
                Assert.Fail($"{name}: no test for '{Op}'");
        }

        private static Shape Y(Tensor x, Tensor gy) => new(x.Shape[0], gy.Shape[1], gy.Shape[2], x.Shape[3]);

        private void Through(Shape shape, Action<Device, Tensor, Tensor> forward, Action<Device, Tensor, Tensor> backward)
        {
            Tensor x = Get("x"), y = New(shape), dx = New(x.Shape);
            forward(device, y, x);
            backward(device, dx, Get("gy"));
            Check("y", y);
            Check("g_x", dx);
        }

        private void Activate(Activation f)
        {
            Tensor x = Get("x"), y = New(x.Shape), dx = New(x.Shape);
            BiasActivation.Apply(device, y, x, f);
            BiasActivation.Backward(device, dx, Get("gy"), y, null, f);
            Check("y", y);
            Check("g_x", dx);
        }

        private Padding Pads(string key)
        {
            int[] p = Numbers(key);
            return new(p[0], p[1], p[2], p[3]);
        }

        private void Convolve()
        {
            Tensor x = Get("x"), w = Get("w"), gy = Get("gy"), b = Get("b");
            ConvolutionShape shape = new(x.Shape, w.Shape, (int)Number("stride"), Pads("pads_tblr"));
            using ConvolutionPlan plan = new(device, shape);
            Tensor y = New(shape.Y), dx = New(x.Shape), dw = New(w.Shape), db = New(b.Shape);
            Convolution.Forward(device, plan, y, x, w, b, default);
            Convolution.BackwardData(device, plan, dx, gy, w);
            Convolution.BackwardFilter(device, plan, dw, gy, x);
            BiasActivation.Backward(device, gy, gy, y, db, default);
            Check(("y", y), ("g_x", dx), ("g_w", dw), ("g_b", db));
        }

        private void ConvolveTransposed()
        {
            Tensor x = Get("x"), w = Get("w"), gy = Get("gy"), b = Get("b");
            int[] size = Numbers("out_hw");
            ConvolutionShape shape = new(new(x.Shape[0], size[0], size[1], w.Shape[3]), w.Shape, (int)Number("stride"), Pads("crop_tblr"));
            Assert.Equal(x.Shape, shape.Y);
            using ConvolutionPlan plan = new(device, shape);
            Tensor y = New(shape.X), dx = New(x.Shape), dw = New(w.Shape), db = New(b.Shape);
            Convolution.BackwardData(device, plan, y, x, w, b);
            Convolution.Forward(device, plan, dx, gy, w, null, default);
            Convolution.BackwardFilter(device, plan, dw, x, gy);
            BiasActivation.Backward(device, gy, gy, y, db, default);
            Check(("y", y), ("g_x", dx), ("g_w", dw), ("g_b", db));
        }

        private void Multiply()
        {
            Tensor x = Get("x"), w = Get("w"), gy = Get("gy"), b = Get("b");
            Tensor y = New(gy.Shape), dx = New(x.Shape), dw = New(w.Shape), db = New(b.Shape);
            Dense.Forward(device, y, x, w, b, default);
            Dense.BackwardData(device, dx, gy, w);
            Dense.BackwardWeights(device, dw, gy, x);
            BiasActivation.Backward(device, gy, gy, y, db, default);
            Check(("y", y), ("g_x", dx), ("g_w", dw), ("g_b", db));
        }

        private void Normalise()
        {
            Tensor x = Get("x"), gamma = Get("gamma"), beta = Get("beta"), mean = Get("running_mean"), variance = Get("running_var"), y = New(x.Shape);
            if (!attributes.GetProperty("training").GetBoolean())
            {
                BatchNorm.ForwardInference(device, y, x, mean, variance, gamma, beta, Number("eps"));
                Check("y", y);
                // Nobody trains through running statistics.
                _checked.UnionWith(["g_x", "g_gamma", "g_beta"]);
                return;
            }
            Tensor batchMean = New(gamma.Shape), rstd = New(gamma.Shape), dx = New(x.Shape), dgamma = New(gamma.Shape), dbeta = New(gamma.Shape);
            BatchNorm.ForwardTraining(device, y, batchMean, rstd, mean, variance, x, gamma, beta, Number("eps"), Number("momentum_torch"));
            BatchNorm.Backward(device, dx, dgamma, dbeta, Get("gy"), x, y, batchMean, rstd, gamma);
            Check(("y", y), ("running_mean", mean), ("running_var", variance), ("g_x", dx), ("g_gamma", dgamma), ("g_beta", dbeta));
        }

        private void Lose()
        {
            Tensor loss = New(Shape.Scalar);
            if (name.StartsWith("loss_kl", StringComparison.Ordinal))
            {
                string second = name == "loss_kl" ? "sd" : "logvar";
                Tensor heads = Heads("mu", second), dheads = New(heads.Shape);
                Variational.Divergence(device, loss, dheads, heads, second == "sd" ? PosteriorHead.StandardDeviation : PosteriorHead.LogVariance, 1f / heads.Shape.Rows);
                Check("y", loss);
                CheckHeads(TimesUpstream(dheads), "g_mu", $"g_{second}");
                return;
            }
            Tensor x = Get("x"), dx = New(x.Shape);
            switch (name)
            {
                case "loss_mse": Losses.MeanSquaredError(device, loss, dx, x, Get("t"), 1f / x.Length); break;
                case "loss_l1": Losses.MeanAbsoluteError(device, loss, dx, x, Get("t"), 1f / x.Length); break;
                case "loss_softmax_ce_class1": Losses.SoftmaxCrossEntropy(device, loss, dx, x, 1, 1f / x.Shape.Rows); break;
                case "loss_bce_logits_targets": Losses.BinaryCrossEntropy(device, loss, dx, x, Get("t"), 1f / x.Shape.Rows); break;
                default: Losses.BinaryCrossEntropy(device, loss, dx, x, name.EndsWith("zeros", StringComparison.Ordinal) ? 0 : 1, 1f / x.Length); break;
            }
            Check("y", loss);
            Check("g_x", TimesUpstream(dx));
            if (golden.Tensors.ContainsKey($"{name}.expected.g_t"))
            {
                foreach (ref float v in dx.Span)
                    v = -v;
                Check("g_t", dx);
            }
        }

        // The files have a gradient of the loss itself; ours is 1.
        private Tensor TimesUpstream(Tensor dx)
        {
            float upstream = Get("gy").Span[0];
            foreach (ref float v in dx.Span)
                v *= upstream;
            return dx;
        }

        private Tensor Heads(string first, string second)
        {
            Tensor a = Get(first), b = Get(second), heads = New(new(a.Shape.Rows, 2 * a.Shape.RowLength));
            for (int n = 0; n < a.Shape.Rows; n++)
            {
                a.Rows(n, 1).Span.CopyTo(heads.Rows(n, 1).Span);
                b.Rows(n, 1).Span.CopyTo(heads.Rows(n, 1).Span[a.Shape.RowLength..]);
            }
            return heads;
        }

        private void CheckHeads(Tensor dheads, string first, string second)
        {
            int latent = dheads.Shape.RowLength / 2;
            Tensor a = New(new(dheads.Shape.Rows, latent)), b = New(new(dheads.Shape.Rows, latent));
            for (int n = 0; n < dheads.Shape.Rows; n++)
            {
                dheads.Rows(n, 1).Span[..latent].CopyTo(a.Rows(n, 1).Span);
                dheads.Rows(n, 1).Span[latent..].CopyTo(b.Rows(n, 1).Span);
            }
            Check(first, a);
            Check(second, b);
        }

        private void SampleHeads()
        {
            Tensor heads = Heads("mu", "sd"), eps = Get("eps"), z = New(eps.Shape), dheads = New(heads.Shape);
            Variational.SampleForward(device, z, heads, eps, PosteriorHead.StandardDeviation);
            Variational.SampleBackward(device, dheads, Get("gy"), heads, eps, PosteriorHead.StandardDeviation);
            Check("y", z);
            CheckHeads(dheads, "g_mu", "g_sd");
            // eps is drawn, not learned.
            _checked.Add("g_eps");
        }

        private void Optimise()
        {
            Tensor p = Get("p0"), m = New(p.Shape), v = New(p.Shape);
            Buffer<ulong> step = arena.Take<ulong>(1);
            for (int i = 1; i <= 3; i++, step.Span[0]++)
            {
                float rate = Number("lr");
                Tensor g = Get($"g{i}");
                if (attributes.GetProperty("algo").GetString() == "adam")
                    Optimisers.Adam(device, p, g, m, v, step, new(rate, Number("beta1"), Number("beta2"), Number("eps")));
                else
                {
                    RmsPropOptions options = new(rate, Number("alpha"), Number("eps"));
                    bool clips = attributes.GetProperty("clip").ValueKind == JsonValueKind.Number;
                    Optimisers.RmsProp(device, p, g, v, clips ? options with { Clip = Number("clip") } : options);
                    rate *= 10;
                }
                Compare($"p{i}", p, (expected, _) => i * (1e-7 * Math.Abs(expected) + 1e-4 * rate));
            }
        }

        // An NCHW image or a weight becomes NHWC; anything else stays.
        private Tensor Get(string tensor)
        {
            StoredTensor stored = golden.Tensors[$"{name}.{tensor}"];
            int[] e = stored.Extents;
            Tensor t = New(e.Length == 4 ? new Shape(e[0], e[2], e[3], e[1]) : Shape.Of(e));
            stored.Floats.CopyTo(t.Span);
            if (e.Length == 4)
            {
                for (int i = 0; i < t.Length; i++)
                    t.Span[Permuted(i, e)] = stored.Floats[i];
            }
            return t;
        }

        private static int Permuted(int i, int[] e)
        {
            (int rest, int w) = Math.DivRem(i, e[3]);
            (rest, int h) = Math.DivRem(rest, e[2]);
            (int n, int c) = Math.DivRem(rest, e[1]);
            return ((n * e[2] + h) * e[3] + w) * e[1] + c;
        }

        private Tensor New(Shape shape) => arena.Take(shape);

        private void Check(params (string Name, Tensor Actual)[] results)
        {
            foreach ((string result, Tensor actual) in results)
                Check(result, actual);
        }

        // The rule of the files: 50 times what float32 PyTorch is off by, and 1e-5 of the largest element.
        private void Check(string result, Tensor actual)
        {
            double deviation = deviations.GetProperty($"{name}.expected.{result}").GetProperty("abs").GetDouble();
            Compare(result, actual, (_, largest) => 50 * deviation + 1e-5 * largest);
        }

        private void Compare(string result, Tensor actual, Func<double, double, double> allowance)
        {
            StoredTensor stored = golden.Tensors[$"{name}.expected.{result}"];
            Assert.True(_checked.Add(result), $"{name}: {result} was checked twice");
            Assert.Equal(stored.Length, actual.Length);
            double largest = stored.Floats.ToArray().Max(Math.Abs);
            for (int i = 0; i < actual.Length; i++)
            {
                float expected = stored.Floats[i], found = actual.Span[stored.Extents.Length == 4 ? Permuted(i, stored.Extents) : i];
                double allowed = allowance(expected, largest);
                if (!(Math.Abs((double)found - expected) <= allowed))
                    Assert.Fail($"{name}, {device.Implementation}: {result}[{i}] of {stored.ShapeText} is {found:R}, expected {expected:R} +- {allowed:R}");
            }
        }

        public void RequireAllChecked()
        {
            string prefix = $"{name}.expected.";
            Assert.Equal(golden.Tensors.Keys.Where(k => k.StartsWith(prefix, StringComparison.Ordinal)).Select(k => k[prefix.Length..]).Order(), _checked.Order());
        }
    }
}
