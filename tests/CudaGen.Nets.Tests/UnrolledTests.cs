using System.Text.Json;
using CudaGen.Kernels;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Nets.Tests;

/// <summary>
/// The gradient through updates of the discriminator against finite differences of a loss in double, which knows no derivative of an
/// optimiser: it makes the updates and looks at what comes out.
/// </summary>
public sealed class UnrolledTests
{
    private const int Batch = 6;

    // The cases: updates ahead, steps of training before, and the model.
    private static readonly Dictionary<string, (int Ahead, int Before, Func<Tricks, ToyGan> Create)> Cases = new()
    {
        ["1 update, corrected epsilon"] = (1, 3, t => ToyGan.Canonical(new(), t)),
        ["3 updates, epsilon hat"] = (3, 12, t => ToyGan.Tutorial(new(), t)),
        ["5 updates, as for the ring"] = (5, 4, t => ToyGan.Ring(new(2, 3, 9, 7, 6), t, AdamEpsilon.Corrected)),
        ["10 updates, epsilon hat"] = (10, 20, t => Fast(new(2, 4, 5, 6, 4), t, AdamEpsilon.Hat)),
        // Adam's first update hardly depends on the size of the gradient, the second does.
        ["3 updates, from the first step on"] = (3, 0, t => Fast(new(2, 3, 4, 4, 4), t, AdamEpsilon.Corrected)),
    };

    private static ToyGan Fast(ToySizes sizes, Tricks tricks, AdamEpsilon epsilon)
    {
        AdamOptions adam = new(0.01f, 0.5f, EpsilonPlace: epsilon);
        return new(sizes, new(sizes.Spec(), adam, adam) { FreshCodes = false, Tricks = tricks });
    }

    public static TheoryData<string> Names => [.. Cases.Keys];

    private static IEnumerable<Func<Device>> Devices =>
    [
        () => Device.Cpu(1, Implementation.Reference), () => Device.Cpu(2),
        .. TestCuda.IsHere ? new Func<Device>[] { () => TestCuda.Open(Implementation.Kernel), () => TestCuda.Open(Implementation.Library) } : [],
    ];

    [Theory, MemberData(nameof(Names))]
    public void The_gradient_goes_through_every_update(string name)
    {
        (int ahead, int before, Func<Tricks, ToyGan> create) = Cases[name];
        foreach (Func<Device> open in Devices)
        {
            using Device device = open();
            using ToyGan model = create(new() { Unroll = ahead });
            model.Plan(device, Batch, 11);
            using DataSet data = SmallModels.Data(device, model);
            for (int i = 0; i < Math.Max(before, 1); i++)
                model.Step(data);
            if (before == 0)
                Restart(device, model);
            Oracle oracle = new(device, model, ahead);
            float[] parameters = [.. model.Groups[0].Parameters.SelectMany(p => device.ToArray(p.Value))];

            model.Generator.Forward(device);
            oracle.Fake = Array.ConvertAll(device.ToArray(model.Fake), x => (double)x);
            model.GeneratorLoss();
            float[] toPoints = device.ToArray(model.Generator.DY);
            float[] toParameters = [.. model.Groups[0].Parameters.SelectMany(p => device.ToArray(p.Gradient))];
            Assert.Equal(parameters, model.Groups[0].Parameters.SelectMany(p => device.ToArray(p.Value)));
            Assert.Equal(oracle.Loss(), model.Losses[3], 2e-6);

            Compare(toPoints, oracle.Slopes(oracle.Fake), "points");
            Compare(toParameters, oracle.Slopes(oracle.Parameters), "parameters");
            // What the updates add is no small part of it: leaving it out would show.
            oracle.Frozen = true;
            double[] frozen = oracle.Slopes(oracle.Fake);
            double norm = Math.Sqrt(toPoints.Sum(g => (double)g * g)), added = Math.Sqrt(toPoints.Zip(frozen).Sum(g => Math.Pow(g.First - g.Second, 2)));
            TestContext.Current.TestOutputHelper?.WriteLine($"the updates are {added / norm:P1} of the gradient");
            Assert.True(added > 1e-3 * norm, $"the updates are {added / norm:E1} of the gradient");
        }
    }

    /// <summary>The same against PyTorch's automatic differentiation (tests/golden/unrolled/make_unrolled.py).</summary>
    [Fact]
    public void The_gradient_is_that_of_automatic_differentiation()
    {
        SafeTensors file = SafeTensors.Read(Path.Combine(Files.Golden, "unrolled", "unrolled-7.safetensors"));
        foreach (JsonProperty c in JsonDocument.Parse(file.Metadata["cases"]).RootElement.EnumerateObject())
        {
            float Number(string name) => c.Value.GetProperty(name).GetSingle();
            AdamOptions adam = new(Number("rate"), Number("beta1"), Number("beta2"), Number("epsilon"),
                c.Value.GetProperty("hat").GetBoolean() ? AdamEpsilon.Hat : AdamEpsilon.Corrected);
            ToySizes sizes = new(2, 2, 9, 7);
            foreach (Func<Device> open in Devices)
            {
                using Device device = open();
                using ToyGan model = new(sizes, new(sizes.Spec(), adam, adam) { FreshCodes = false, Tricks = new() { Unroll = (int)Number("ahead") } });
                model.Plan(device, Batch, 1);
                foreach ((string prefix, string place) in new[] { ("param.d.", ""), ("optimiser.d.m.", "m_"), ("optimiser.d.v.", "v_") })
                {
                    foreach (Parameter p in model.Groups[0].Parameters)
                        device.Upload(model.State().Single(t => t.Name == prefix + p.Name).Tensor, Stored(place + ShortName(p)));
                }
                device.Upload(model.State().Single(t => t.Name == "optimiser.d.updates").Counter, [c.Value.GetProperty("updates").GetUInt64()]);
                device.Upload(model.Real, Stored("real"));
                // No codes were drawn: the generated points are what stands here.
                device.Upload(model.Fake, Stored("fake"));
                model.GeneratorLoss();
                Assert.Equal(Stored("expected.loss")[0], model.Losses[3], 2e-6);
                Compare(device.ToArray(model.Generator.DY), Expected("fake"), $"{c.Name}, points");
                foreach (Parameter p in model.Groups[0].Parameters)
                    Compare(device.ToArray(p.Gradient), Expected(ShortName(p)), $"{c.Name}, {p.Name}");
            }

            float[] Stored(string name) => file.Tensors[$"{c.Name}.{name}"].Floats.ToArray();
            double[] Expected(string name) => Array.ConvertAll(Stored("expected.g_" + name), x => (double)x);
        }

        // fc1.weight is w1.
        static string ShortName(Parameter p) => $"{p.Name[p.Name.IndexOf('.', StringComparison.Ordinal) + 1]}{p.Name[2]}";
    }

    private static void Compare(float[] found, double[] expected, string what)
    {
        double largest = expected.Max(Math.Abs), worst = found.Zip(expected).Max(g => Math.Abs(g.First - g.Second)) / largest;
        TestContext.Current.TestOutputHelper?.WriteLine($"{what}: off by {worst:E1} of the largest, {largest:E1}");
        Assert.True(worst < 1e-5, $"{what}: off by {worst:E1} of the largest, {largest:E1}");
    }

    // Moments and counts as before the first step; data, codes and parameters are those of the second.
    private static void Restart(Device device, Model model)
    {
        foreach (NamedTensor t in model.State().Where(t => t.Name.StartsWith("optimiser.", StringComparison.Ordinal)))
        {
            if (t.IsCounter)
                device.Upload(t.Counter, [0UL]);
            else
                device.Upload(t.Tensor, new float[t.Tensor.Length]);
        }
    }

    [Fact]
    public void Looking_ahead_does_not_change_the_discriminators_own_update()
    {
        using Device device = Device.Cpu(1);
        using ToyGan plain = ToyGan.Canonical(new(), new()), unrolled = ToyGan.Canonical(new(), new() { Unroll = 4 });
        plain.Plan(device, Batch, 3);
        unrolled.Plan(device, Batch, 3);
        using DataSet data = SmallModels.Data(device, plain);
        plain.Step(data);
        unrolled.Step(data);
        Assert.Equal(Of(plain, "param.d.", "optimiser.d."), Of(unrolled, "param.d.", "optimiser.d."));
        Assert.Equal(plain.Losses[..3].ToArray(), unrolled.Losses[..3].ToArray());
        Assert.NotEqual(Of(plain, "param.g."), Of(unrolled, "param.g."));

        static float[] Of(Model model, params string[] prefixes) => [.. model.State()
            .Where(t => !t.IsCounter && prefixes.Any(p => t.Name.StartsWith(p, StringComparison.Ordinal))).SelectMany(t => model.Device.ToArray(t.Tensor))];
    }

    [Fact]
    public void A_discriminator_that_is_not_dense_is_refused_by_the_name_of_its_layer()
    {
        using Device device = Device.Cpu(1);
        using ToyGan model = ToyGan.Canonical(new(), new() { Unroll = 2, MinibatchDiscrimination = true });
        Files.Complains(() => model.Describe(device, Batch), "'minibatch'", "no Hessian", "expected");
    }

    /// <summary>The loss of the generator after some updates of the discriminator, all in double and with first derivatives only.</summary>
    private sealed class Oracle
    {
        private readonly int _ahead;
        private readonly int[] _widths;
        private readonly double[] _real, _first, _second;
        private readonly ulong _updates;
        private readonly AdamOptions _adam;
        private double[]? _ended;

        public Oracle(Device device, ToyGan model, int ahead)
        {
            _ahead = ahead;
            var d = model.Discriminator;
            _widths = [d.X.Shape.RowLength, .. d.Layers.Select(l => l.Y.Shape.RowLength)];
            _real = Doubles(device.ToArray(model.Real));
            Parameters = Doubles([.. model.Groups[0].Parameters.SelectMany(p => device.ToArray(p.Value))]);
            _first = Moments("optimiser.d.m.");
            _second = Moments("optimiser.d.v.");
            _updates = device.Read(model.State().Single(t => t.Name == "optimiser.d.updates").Counter);
            _adam = model.DiscriminatorOptions;

            double[] Moments(string prefix) => Doubles([.. model.Groups[0].Parameters
                .SelectMany(p => device.ToArray(model.State().Single(t => t.Name == prefix + p.Name).Tensor))]);
        }

        public double[] Parameters { get; }

        public double[] Fake { get; set; } = [];

        /// <summary>Whether the discriminator stays what the updates once made of it.</summary>
        public bool Frozen { get; set; }

        private static double[] Doubles(float[] values) => Array.ConvertAll(values, v => (double)v);

        /// <summary>Central differences of fourth order.</summary>
        public double[] Slopes(double[] of)
        {
            const double H = 1e-5;
            _ended = Frozen ? Ended() : null;
            double[] slopes = new double[of.Length];
            for (int i = 0; i < of.Length; i++)
            {
                double kept = of[i];
                slopes[i] = (8 * (At(H) - At(-H)) - At(2 * H) + At(-2 * H)) / (12 * H);
                of[i] = kept;

                double At(double step)
                {
                    of[i] = kept + step;
                    return Loss();
                }
            }
            return slopes;
        }

        public double Loss()
        {
            double[] w = _ended ?? Ended();
            return -LossOf(w, _real, target: 1, null) - LossOf(w, Fake, target: 0, null);
        }

        private double[] Ended()
        {
            double[] w = (double[])Parameters.Clone(), m = (double[])_first.Clone(), v = (double[])_second.Clone();
            for (int k = 0; k < _ahead; k++)
            {
                double[] g = new double[w.Length];
                LossOf(w, _real, target: 1, g);
                LossOf(w, Fake, target: 0, g);
                double t = _updates + (ulong)k + 1, b1 = _adam.Beta1, b2 = _adam.Beta2, c1 = 1 - Math.Pow(b1, t), c2 = Math.Sqrt(1 - Math.Pow(b2, t));
                for (int i = 0; i < w.Length; i++)
                {
                    m[i] = b1 * m[i] + (1 - b1) * g[i];
                    v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
                    w[i] -= _adam.EpsilonPlace == AdamEpsilon.Hat
                        ? _adam.LearningRate * c2 / c1 * m[i] / (Math.Sqrt(v[i]) + _adam.Epsilon)
                        : _adam.LearningRate * (m[i] / c1) / (Math.Sqrt(v[i]) / c2 + _adam.Epsilon);
                }
            }
            return w;
        }

        // Mean cross-entropy of tanh layers with two logits against one class; adds the gradient of w.
        private double LossOf(double[] w, double[] x, int target, double[]? gradient)
        {
            int rows = x.Length / 2, layers = _widths.Length - 1;
            double loss = 0;
            for (int row = 0; row < rows; row++)
            {
                double[][] h = [x[(2 * row)..(2 * row + 2)], .. Enumerable.Range(1, layers).Select(l => new double[_widths[l]])];
                int[] start = new int[layers];
                for (int l = 0, at = 0; l < layers; l++)
                {
                    start[l] = at;
                    at += _widths[l + 1] * (_widths[l] + 1);
                    for (int j = 0; j < _widths[l + 1]; j++)
                    {
                        double a = w[start[l] + _widths[l + 1] * _widths[l] + j];
                        for (int i = 0; i < _widths[l]; i++)
                            a += w[start[l] + j * _widths[l] + i] * h[l][i];
                        h[l + 1][j] = l == layers - 1 ? a : Math.Tanh(a);
                    }
                }
                double[] o = h[layers];
                double other = 1 / (1 + Math.Exp(o[target] - o[1 - target]));
                loss -= Math.Log(1 - other) / rows;
                if (gradient is null)
                    continue;
                double[] e = new double[2];
                (e[target], e[1 - target]) = (-other / rows, other / rows);
                for (int l = layers - 1; l >= 0; l--)
                {
                    double[] below = new double[_widths[l]];
                    for (int j = 0; j < _widths[l + 1]; j++)
                    {
                        gradient[start[l] + _widths[l + 1] * _widths[l] + j] += e[j];
                        for (int i = 0; i < _widths[l]; i++)
                        {
                            gradient[start[l] + j * _widths[l] + i] += e[j] * h[l][i];
                            below[i] += e[j] * w[start[l] + j * _widths[l] + i] * (1 - h[l][i] * h[l][i]);
                        }
                    }
                    e = below;
                }
            }
            return loss;
        }
    }
}
