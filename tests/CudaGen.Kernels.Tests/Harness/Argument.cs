using CudaGen.Runtime;

namespace CudaGen.Kernels.Tests;

/// <summary>What an operation does with a tensor.</summary>
internal enum Role
{
    /// <summary>Reads it; not a bit of it may change.</summary>
    Input,

    /// <summary>Overwrites it; it holds NaN before the call.</summary>
    Output,

    /// <summary>Reads and writes it.</summary>
    Updated,
}

/// <summary>One tensor of a row in the table of operations.</summary>
/// <param name="Name">Its name in the row.</param>
/// <param name="Role">What the operation does with it.</param>
/// <param name="Shape">Its extents.</param>
/// <param name="Values">What it holds before the call.</param>
/// <param name="Allowance">
/// How far a result may be off, relative to its magnitude (<see cref="OpTest.Magnitude"/>) and its value.
/// </param>
internal sealed record Argument(string Name, Role Role, Shape Shape, float[] Values, double Allowance)
{
    /// <summary>
    /// 5 roundings of float32 (2^-24 each). A sum of n products is off by about one 2^-24 of the sum of their absolute
    /// values, in whatever order it is taken, when signs are mixed: no factor sqrt(n) is needed.
    /// </summary>
    public const double Roundings5 = 3e-7;

    public static Argument In(string name, Shape shape, float low = -1, float high = 1)
        => new(name, Role.Input, shape, Sample.Floats(name, shape.Length, low, high), 0);

    public static Argument In(string name, Shape shape, float[] values) => new(name, Role.Input, shape, values, 0);

    public static Argument Out(string name, Shape shape, double allowance = Roundings5)
        => new(name, Role.Output, shape, Sample.Nothing(shape.Length), allowance);

    public static Argument Updated(string name, Shape shape, float low = -1, float high = 1, double allowance = Roundings5)
        => new(name, Role.Updated, shape, Sample.Floats(name, shape.Length, low, high), allowance);

    /// <summary>
    /// One sum of n terms of the same sign, where the roundings of a running sum add up: about 0.2 sqrt(n) 2^-24, three
    /// times that allowed. Whoever sums keeps no running sum of more than 2048 floats.
    /// </summary>
    public static Argument OutSum(string name, int n)
        => Out(name, Shape.Scalar, Math.Max(Roundings5, 3.6e-8 * Math.Sqrt(Math.Min(n, 2048))));
}

/// <summary>Test data: the same numbers in every run.</summary>
internal static class Sample
{
    /// <summary>
    /// n numbers of mixed sign in [low, high], none within 5 % of zero, where activations and losses have their kinks.
    /// </summary>
    public static float[] Floats(string seed, int n, float low = -1, float high = 1)
    {
        Random random = Seeded(seed + n);
        float[] values = new float[n];
        float gap = 0.05f * Math.Max(Math.Abs(low), Math.Abs(high));
        for (int i = 0; i < n; i++)
        {
            do
                values[i] = low + (high - low) * random.NextSingle();
            while (Math.Abs(values[i]) < gap);
        }
        return values;
    }

    public static double[] Doubles(string seed, int n, double low = -1, double high = 1)
        => Array.ConvertAll(Floats(seed, n, (float)low, (float)high), x => (double)x);

    public static float[] Nothing(int n)
    {
        float[] values = new float[n];
        Array.Fill(values, float.NaN);
        return values;
    }

    private static Random Seeded(string text)
    {
        uint hash = 2166136261;
        foreach (char c in text)
            hash = (hash ^ c) * 16777619;
        return new Random((int)hash);
    }
}
