using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

/// <summary>Optimisers against numbers worked out by hand: the rows of the table only compare implementations.</summary>
public sealed class OptimiserTests
{
    private static float[] Steps(string implementation, float v0, float[] gradients,
        Action<Device, Tensor, Tensor, Tensor, Tensor, Buffer<ulong>> step, ulong done = 0)
    {
        using Device device = OpTest.Open(implementation);
        using Arena arena = new(device, "test", 1024);
        Tensor p = arena.Take(new Shape(1)), g = arena.Take(new Shape(1)), m = arena.Take(new Shape(1)), v = arena.Take(new Shape(1));
        Buffer<ulong> counter = arena.Take<ulong>(1);
        device.Upload(p, [1]);
        device.Upload(v, [v0]);
        List<float> path = [];
        foreach (float gradient in gradients)
        {
            device.Upload(counter, [done++]);
            device.Upload(g, [gradient]);
            step(device, p, g, m, v, counter);
            path.Add(device.Read(p));
        }
        return [.. path];
    }

    private static void RequireNear(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 2e-7);
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Adam_takes_the_steps_of_the_paper(string implementation)
    {
        // b1 = 1/2, b2 = 3/4. Step 1: m = 1/4, v = 1/16. Step 2: m = -3/8, v = 19/64.
        AdamOptions options = new(0.1f, 0.5f, 0.75f, 0.25f);
        double one = 1 - 0.1 * 0.5 / (0.5 + 0.25);
        double two = one + 0.1 * (0.375 / 0.75) / (Math.Sqrt(19 / 64.0 / (7 / 16.0)) + 0.25);
        RequireNear([one, two], Steps(implementation, 0, [0.5f, -1], (d, p, g, m, v, t) => Optimisers.Adam(d, p, g, m, v, t, options)));

        double hatOne = 1 - 0.1 * Math.Sqrt(1 / 4.0) / 0.5 * 0.25 / (0.25 + 0.25);
        double hatTwo = hatOne + 0.1 * Math.Sqrt(7 / 16.0) / 0.75 * 0.375 / (Math.Sqrt(19 / 64.0) + 0.25);
        AdamOptions hat = options with { EpsilonPlace = AdamEpsilon.Hat };
        RequireNear([hatOne, hatTwo], Steps(implementation, 0, [0.5f, -1], (d, p, g, m, v, t) => Optimisers.Adam(d, p, g, m, v, t, hat)));
        Assert.Equal(0.95, hatOne, 1e-15);
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void The_first_step_of_Adam_is_the_learning_rate(string implementation)
        => RequireNear([1 - 2e-4], Steps(implementation, 0, [1e-3f], (d, p, g, m, v, t) => Optimisers.Adam(d, p, g, m, v, t, new(2e-4f, 0.5f, 0.999f, 1e-10f))));

    /// <summary>From the first step to where the correction has vanished, and without a first moment: b1 = 0.</summary>
    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void The_bias_correction_follows_the_number_of_the_step(string implementation)
    {
        foreach (ulong done in (ulong[])[0, 1, 9, 100, 1000, 20000, 1UL << 33])
        {
            foreach (float beta1 in (float[])[0.9f, 0])
            {
                double t = done + 1.0, m = (1 - beta1) * 0.5, v = 0.999f * 0.0625 + (1 - 0.999f) * 0.25;
                double c1 = 1 - Math.Pow(beta1, t), c2 = 1 - Math.Pow(0.999f, t);
                AdamOptions options = new(0.1f, beta1, 0.999f, 0.01f);
                RequireNear([1 - 0.1 * m / c1 / (Math.Sqrt(v / c2) + 0.01)],
                    Steps(implementation, 0.0625f, [0.5f], (d, p, g, m, v, t) => Optimisers.Adam(d, p, g, m, v, t, options), done));
                RequireNear([1 - 0.1 * m * Math.Sqrt(c2) / c1 / (Math.Sqrt(v) + 0.01)], Steps(implementation, 0.0625f, [0.5f],
                    (d, p, g, m, v, t) => Optimisers.Adam(d, p, g, m, v, t, options with { EpsilonPlace = AdamEpsilon.Hat }), done));
            }
        }
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void RmsProp_has_epsilon_outside_or_inside_the_root(string implementation)
    {
        // a = 3/4: from v = 0, v = 1/16 and then 3/64 + 1/4; from v = 1, v = 13/16 and then 55/64.
        double one = 1 - 0.1 * 0.5 / (0.25 + 0.25), two = one + 0.1 / (Math.Sqrt(19 / 64.0) + 0.25);
        RmsPropOptions outside = new(0.1f, 0.75f, 0.25f);
        RequireNear([one, two], Steps(implementation, 0, [0.5f, -1], (d, p, g, _, v, _) => Optimisers.RmsProp(d, p, g, v, outside)));

        double insideOne = 1 - 0.1 * 0.5 / Math.Sqrt(13 / 16.0 + 0.25), insideTwo = insideOne + 0.1 / Math.Sqrt(55 / 64.0 + 0.25);
        RmsPropOptions inside = outside with { InsideRoot = true };
        RequireNear([insideOne, insideTwo], Steps(implementation, 1, [0.5f, -1], (d, p, g, _, v, _) => Optimisers.RmsProp(d, p, g, v, inside)));
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void Clip_keeps_what_is_inside_and_does_not_hide_NaN(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        using Arena arena = new(device, "test", 1024);
        Tensor p = arena.Take(new Shape(19)), g = arena.Take(new Shape(19)), v = arena.Take(new Shape(19));
        float[] values = [-2, -0.4f, 0.3f, 0.4f, 5, float.NaN, float.NegativeInfinity, float.PositiveInfinity, -0f, 0.40000004f, .. new float[9]];
        device.Upload(p, values);
        // Without a gradient nothing moves.
        Optimisers.RmsProp(device, p, g, v, new(1, Clip: 0.4f));
        Assert.Equal([-0.4f, -0.4f, 0.3f, 0.4f, 0.4f, float.NaN, -0.4f, 0.4f, -0f, 0.4f], device.ToArray(p)[..10]);
        Assert.Throws<ArgumentOutOfRangeException>(() => Optimisers.RmsProp(device, p, g, v, new(1, Clip: 0)));
    }

    [Theory, MemberData(nameof(OpTest.Names), MemberType = typeof(OpTest))]
    public void The_gaps_of_an_arena_stay_zero(string implementation)
    {
        using Device device = OpTest.Open(implementation);
        using Arena parameters = new(device, "p", 128), gradients = new(device, "g", 128), first = new(device, "m", 128), second = new(device, "v", 128);
        using Arena counter = new(device, "t", 64);
        foreach (Arena arena in (Arena[])[parameters, gradients, first, second])
        {
            RandomFill.Constant(device, arena.Take(new Shape(3)), 1);
            RandomFill.Constant(device, arena.Take(new Shape(5)), 1);
        }
        Buffer<ulong> step = counter.Take<ulong>(1);
        Optimisers.Adam(device, parameters.AsTensor(), gradients.AsTensor(), first.AsTensor(), second.AsTensor(), step, new(0.1f));
        Optimisers.RmsProp(device, parameters.AsTensor(), gradients.AsTensor(), second.AsTensor(), new(0.1f));
        foreach (Arena arena in (Arena[])[parameters, gradients, first, second])
        {
            float[] values = device.ToArray(arena.AsTensor());
            Assert.All(values[3..16], x => Assert.Equal(0, x));
            Assert.All(values[21..], x => Assert.Equal(0, x));
        }
    }
}
