using CudaGen.Runtime;
using static CudaGen.Kernels.Tests.Argument;

namespace CudaGen.Kernels.Tests.Ops;

/// <summary>What the adversarial models need around their networks.</summary>
internal static class AdversarialRows
{
    private const ulong Seed = 0x0123456789ABCDEF;
    private const uint Stream = 0xABCD;

    private static IEnumerable<Shape> Shapes => [Shape.Scalar, new(0, 3), new(7, 1), new(2, 3, 5, 3), new(17), new(9, 1025), new(3, 64, 64, 3)];

    public static IEnumerable<OpTest> Ops =>
    [
        .. Shapes.SelectMany(Elements),
        .. new[] { (1, 1, 1), (7, 3, 2), (5, 784, 10), (33, 1, 100), (3, 0, 5), (300, 40, 17) }.SelectMany(s => Concats(s.Item1, s.Item2, s.Item3)),
        Balance("inside", 0.3f, 0.7f, 0.2f), Balance("at 0", 0.01f, 0.1f, 0.9f), Balance("at 1", 0.999f, 0.9f, 0.1f),
        .. new[] { (1, 1, 1), (2, 3, 2), (7, 5, 4), (33, 50, 5), (128, 3, 16), (3, 0, 2) }.SelectMany(s => Discriminations(s.Item1, s.Item2, s.Item3)),
        .. new[] { (1, 1, 3), (7, 10, 20), (64, 10, 50), (300, 3, 7) }.SelectMany(s => Minibatches(s.Item1, s.Item2, s.Item3)),
        .. new ulong[] { 0, 4, 5, 6, 100 }.SelectMany(Noises),
    ];

    private static IEnumerable<OpTest> Elements(Shape shape)
    {
        yield return new($"mean loss, {shape}")
        {
            Arguments = [In("x", shape), OutSum("loss", shape.Length), Out("dx", shape, 0)],
            Run = t => Losses.Mean(t.Device, t["loss"], t["dx"], t["x"], -0.5f),
            Oracle = a => a["loss"][0] = Losses.ReferenceMean<double>(a["dx"], a["x"], -0.5f),
            Magnitude = a => a["loss"][0] = 0.5 * a["x"].Sum(),
        };
        yield return new($"mean loss, {shape}, value only")
        {
            Arguments = [In("x", shape), OutSum("loss", shape.Length)],
            AnyShape = ["x"],
            Run = t => Losses.Mean(t.Device, t["loss"], null, t["x"], 2),
            Oracle = a => a["loss"][0] = Losses.ReferenceMean<double>(default, a["x"], 2),
            Magnitude = a => a["loss"][0] = 2 * a["x"].Sum(),
        };
        yield return new($"add, {shape}")
        {
            Arguments = [In("a", shape), In("b", shape), Out("y", shape)],
            Run = t => Arithmetic.Add(t.Device, t["y"], t["a"], t["b"]),
            Oracle = a => Arithmetic.ReferenceAdd<double>(a["y"], a["a"], a["b"], 1),
            Magnitude = a => Arithmetic.ReferenceAdd<double>(a["y"], a["a"], a["b"], 1),
        };
        yield return new($"add in place, {shape}")
        {
            Arguments = [Updated("y", shape), In("b", shape), In("s", Shape.Scalar)],
            Run = t => Arithmetic.Add(t.Device, t["y"], t["y"], t["b"], -0.7f, t["s"]),
            Oracle = a => Arithmetic.ReferenceAdd<double>(a["y"], (double[])a["y"].Clone(), a["b"], -0.7f * a["s"][0]),
            Magnitude = a => Arithmetic.ReferenceAdd<double>(a["y"], (double[])a["y"].Clone(), a["b"], 0.7f * a["s"][0]),
        };
        yield return new($"scale, {shape}")
        {
            Arguments = [In("x", shape), In("s", Shape.Scalar), Out("y", shape)],
            Run = t => Arithmetic.Scale(t.Device, t["y"], t["x"], -0.7f, t["s"]),
            Oracle = a => Arithmetic.ReferenceScale<double>(a["y"], a["x"], -0.7f * a["s"][0]),
        };
        yield return new($"scale in place, {shape}, no scalar")
        {
            Arguments = [Updated("y", shape)],
            AnyShape = ["y"],
            Run = t => Arithmetic.Scale(t.Device, t["y"], t["y"], 3),
            Oracle = a => Arithmetic.ReferenceScale<double>(a["y"], (double[])a["y"].Clone(), 3),
        };
        foreach (ulong step in new ulong[] { 0, 7, 1000 })
        {
            yield return new($"average, {shape}, step {step}")
            {
                Arguments = [Updated("average", shape), In("x", shape)],
                Step = step,
                Run = t => Arithmetic.Average(t.Device, t["average"], t["x"], 0.9f, t.Step),
                Oracle = a => Arithmetic.ReferenceAverage<double>(a["average"], a["x"], 0.9f, a.Step),
                Magnitude = a => Arithmetic.ReferenceAverage<double>(a["average"], a["x"], 0.9f, a.Step),
            };
        }
        yield return new($"tangent behind a leaky ReLU, {shape}")
        {
            // dx over y: the tangent takes the place of the output whose sign it needs.
            Arguments = [Updated("y", shape), In("dy", shape)],
            Run = t => BiasActivation.Backward(t.Device, t["y"], t["dy"], t["y"], null, Activation.LeakyRelu(0.3f)),
            Oracle = a =>
            {
                for (int i = 0; i < a["y"].Length; i++)
                    a["y"][i] = a["dy"][i] * (a["y"][i] > 0 ? 1 : 0.3f);
            },
        };
    }

    private static IEnumerable<OpTest> Concats(int rows, int first, int second)
    {
        Shape a = new(rows, first), b = new(rows, second), y = new(rows, first + second);
        yield return new($"concat, {a} and {b}")
        {
            Arguments = [In("a", a), In("b", b), Out("y", y, 0)],
            Run = t => Concat.Forward(t.Device, t["y"], t["a"], t["b"]),
            Oracle = v => Concat.ReferenceForward<double>(v["y"], v["a"], v["b"], first, second),
        };
        yield return new($"split, {a} and {b}")
        {
            Arguments = [In("dy", y), Out("da", a, 0), Out("db", b, 0)],
            Run = t => Concat.Backward(t.Device, t["da"], t["db"], t["dy"]),
            Oracle = v => Concat.ReferenceBackward<double>(v["da"], v["db"], v["dy"], first, second),
        };
        foreach (bool isFirst in new[] { true, false })
        {
            yield return new($"split, {a} and {b}, {(isFirst ? "first" : "second")} only")
            {
                Arguments = [In("dy", y), Out("part", isFirst ? a : b, 0)],
                AnyShape = ["part", "dy"],
                Run = t => Concat.Backward(t.Device, isFirst ? t["part"] : null, isFirst ? null : t["part"], t["dy"]),
                Oracle = v => Concat.ReferenceBackward<double>(isFirst ? v["part"] : default, isFirst ? default : v["part"], v["dy"], first, second),
            };
        }
    }

    private static OpTest Balance(string name, float k, float real, float fake) => new($"balance, {name}")
    {
        Arguments = [new("k", Role.Updated, Shape.Scalar, [k], Roundings5), In("real", Shape.Scalar, [real]), In("fake", Shape.Scalar, [fake]), Out("kept", Shape.Scalar), Out("measure", Shape.Scalar)],
        Run = t => Equilibrium.Update(t.Device, t["k"], t["kept"], t["measure"], t["real"], t["fake"], 0.5f, 0.1f),
        Oracle = a =>
        {
            double difference = 0.5 * a["real"][0] - a["fake"][0];
            a["k"][0] = a["kept"][0] = Math.Clamp(a["k"][0] + 0.1f * difference, 0, 1);
            a["measure"][0] = a["real"][0] + Math.Abs(difference);
        },
        Magnitude = a => (a["k"][0], a["kept"][0], a["measure"][0]) = (1, 1, 1),
    };

    private static IEnumerable<OpTest> Discriminations(int rows, int kernels, int dimensions)
    {
        Shape m = new(rows, kernels, dimensions), o = new(rows, kernels);
        // exp of a sum of differences: an error of the exponent by its own roundings.
        double allowance = Roundings5 * (2 + dimensions);
        yield return new($"minibatch discrimination, {m}")
        {
            Arguments = [In("m", m), Out("o", o, allowance)],
            AnyShape = ["m"],
            Run = t => MinibatchDiscrimination.Forward(t.Device, t["o"], t["m"]),
            Oracle = a => MinibatchDiscrimination.ReferenceForward<double>(a["o"], a["m"], rows, kernels, dimensions),
        };
        yield return new($"minibatch discrimination backward, {m}")
        {
            Arguments = [In("m", m), In("do", o), Out("dm", m, allowance)],
            Run = t => MinibatchDiscrimination.Backward(t.Device, t["dm"], t["do"], t["m"]),
            Oracle = a => MinibatchDiscrimination.ReferenceBackward<double>(a["dm"], a["do"], a["m"], rows, kernels, dimensions),
            // Up to one from each of the other rows, twice.
            Magnitude = a => Array.Fill(a["dm"], 2 * rows),
        };
    }

    private static IEnumerable<OpTest> Minibatches(int rows, int length, int count)
    {
        const ulong Step = 5;
        const int Batches = 3, Batch = 2;
        int Index(int row) => Minibatch.Index((Step * Batches + Batch) * (ulong)rows + (ulong)row, count, Seed);
        byte[] bytes = [.. Enumerable.Range(0, count * length).Select(i => (byte)(i * 37 % 256))], labels = [.. Enumerable.Range(0, count).Select(i => (byte)(i % length))];
        yield return new($"gather, batch {Batch} of {Batches}, {rows} of {count} x {length}")
        {
            Arguments = [Out("x", new(rows, length), 0)],
            AnyShape = ["x"],
            Images = bytes,
            Step = Step,
            Run = t => Minibatch.Gather(t.Device, t["x"], t.Images, t.Step, Seed, 1 / 128f, -1, Batches, Batch),
            Oracle = a => EachRow(rows, length, (row, i) => a["x"][row * length + i] = bytes[Index(row) * length + i] / 128.0 - 1),
        };
        yield return new($"gather labels, {rows} of {count}, {length} classes")
        {
            Arguments = [Out("y", new(rows, length), 0)],
            AnyShape = ["y"],
            Images = labels,
            Step = Step,
            Run = t => Minibatch.GatherLabels(t.Device, t["y"], t.Images, t.Step, Seed, Batches, Batch),
            Oracle = a => EachRow(rows, length, (row, i) => a["y"][row * length + i] = labels[Index(row)] == i ? 1 : 0),
        };
        yield return new($"gather labels three times, {rows} of {count}, {length} classes")
        {
            Arguments = [Out("y", new(3 * rows, length), 0)],
            AnyShape = ["y"],
            Images = labels,
            Step = Step,
            Run = t => Minibatch.GatherLabels(t.Device, t["y"], t.Images, t.Step, Seed, Batches, Batch, copies: 3),
            Oracle = a => EachRow(3 * rows, length, (row, i) => a["y"][row * length + i] = labels[Index(row % rows)] == i ? 1 : 0),
        };
        yield return new($"gather points, {rows} of {count} x {length}")
        {
            Arguments = [In("points", new(count, length)), Out("x", new(rows, length), 0)],
            AnyShape = ["x", "points"],
            Step = Step,
            Run = t => Minibatch.Gather(t.Device, t["x"], t["points"], t.Step, Seed, Batches, Batch),
            Oracle = a => EachRow(rows, length, (row, i) => a["x"][row * length + i] = a["points"][Index(row) * length + i]),
        };
    }

    private static void EachRow(int rows, int length, Action<int, int> set)
    {
        for (int row = 0; row < rows; row++)
        {
            for (int i = 0; i < length; i++)
                set(row, i);
        }
    }

    // At step 5: never annealed, over already, at the very end, nearly over, hardly begun.
    private static IEnumerable<OpTest> Noises(ulong anneal)
    {
        const ulong Step = 5;
        double left = anneal == 0 ? 1 : Math.Max(0, 1 - (double)Step / anneal);
        Shape shape = new(7, 613);
        yield return new($"noise, anneal {anneal}")
        {
            Arguments = [In("x", shape), Out("y", shape)],
            Step = Step,
            Run = t => AnnealedNoise.Add(t.Device, t["y"], t["x"], 0.4f, anneal, Seed, Stream, t.Step),
            Oracle = a => Each(a["y"], (i, words) =>
            {
                double u = Philox.Unit(words[i % 4 & 2]), v = Philox.Unit(words[i % 4 | 1]), r = Math.Sqrt(-2 * Math.Log(1 - u));
                return a["x"][i] + 0.4f * left * r * (i % 2 == 0 ? Math.Cos(2 * Math.PI * v) : Math.Sin(2 * Math.PI * v));
            }),
            Magnitude = a => Array.Fill(a["y"], 6 * 0.4),
        };
        yield return new($"noise in place, anneal {anneal}")
        {
            Arguments = [Updated("y", new(5))],
            AnyShape = ["y"],
            Step = Step,
            Run = t => AnnealedNoise.Add(t.Device, t["y"], t["y"], 0, anneal, Seed, Stream, t.Step),
            Oracle = _ => { },
        };
        yield return new($"labels, anneal {anneal}")
        {
            Arguments = [Out("t", shape)],
            AnyShape = ["t"],
            Step = Step,
            Run = t => AnnealedNoise.Labels(t.Device, t["t"], 0.9f, 0.3f, anneal, Seed, Stream, t.Step),
            Oracle = a => Each(a["t"], (i, words) => Philox.Unit(words[i % 4]) < AnnealedNoise.Annealed(0.3f, Step, anneal) ? 1 - 0.9f : 0.9f),
        };
    }

    private static void Each(double[] y, Func<int, uint[], double> value)
    {
        for (int i = 0; i < y.Length; i++)
        {
            (uint a, uint b, uint c, uint d) = Philox.Words(Seed, Stream, 5, (uint)i / 4);
            y[i] = value(i, [a, b, c, d]);
        }
    }

    public static IEnumerable<GradientTest> Gradients =>
    [
        new("mean loss")
        {
            Inputs = [("x", Sample.Doubles("x", 24))],
            Forward = v => [Losses.ReferenceMean<double>(default, v[0], 0.3f)],
            Backward = (v, _, d) => Losses.ReferenceMean<double>(d[0], v[0], 0.3f),
            IsLoss = true,
        },
        new("concat")
        {
            Inputs = [("a", Sample.Doubles("a", 4 * 3)), ("b", Sample.Doubles("b", 4 * 2))],
            Forward = v =>
            {
                double[] y = new double[20];
                Concat.ReferenceForward<double>(y, v[0], v[1], 3, 2);
                return y;
            },
            Backward = (_, dy, d) => Concat.ReferenceBackward<double>(d[0], d[1], dy, 3, 2),
        },
        new("minibatch discrimination")
        {
            // Numbers that are far enough from each other: |m_i - m_j| has a kink where they meet.
            Inputs = [("m", [.. Enumerable.Range(0, 4 * 3 * 2).Select(i => 0.11 * (i * 7 % 24) - 1.2)])],
            Forward = v =>
            {
                double[] o = new double[12];
                MinibatchDiscrimination.ReferenceForward<double>(o, v[0], 4, 3, 2);
                return o;
            },
            Backward = (v, dy, d) => MinibatchDiscrimination.ReferenceBackward<double>(d[0], dy, v[0], 4, 3, 2),
        },
    ];
}
