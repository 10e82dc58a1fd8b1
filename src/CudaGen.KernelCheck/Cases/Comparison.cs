using System.Globalization;

namespace CudaGen.KernelCheck;

/// <summary>Compares a buffer after a launch with what was expected in it.</summary>
internal static class Comparison
{
    /// <summary>The largest difference of finite numbers, and a finding when one is beyond its allowance.</summary>
    public static (double MaxError, string? Finding) Compare(CaseArgument argument, ReadOnlySpan<byte> actual, ReadOnlySpan<byte> expected)
    {
        ElementType type = argument.Type;
        int count = argument.Length * type.Lanes, wrong = 0, worst = -1;
        double maxError = 0, worstShare = 0;
        for (int i = 0; i < count; i++)
        {
            double a = type.Value(actual, i), e = type.Value(expected, i), difference = Math.Abs(a - e);
            double allowed = Allowed(argument, e);
            // Infinities and NaN have no difference; they agree or they do not. Neither have 64-bit integers beyond 2^53.
            bool same = SameBits(type, actual, expected, i) || a == e && type.IsFloat || double.IsNaN(a) && double.IsNaN(e);
            if (!same && double.IsFinite(difference))
                maxError = Math.Max(maxError, difference);
            if (same || (difference <= allowed && allowed > 0 && double.IsFinite(allowed)))
                continue;
            wrong++;
            // Where nothing is allowed, the largest difference is the worst.
            double share = double.IsFinite(difference) ? difference / Math.Max(allowed, 1e-300) : double.PositiveInfinity;
            if (worst < 0 || share > worstShare)
                (worst, worstShare) = (i, share);
        }
        return (maxError, worst < 0 ? null : Describe(argument, actual, expected, worst, wrong, count));
    }

    /// <summary>A finding when an input is not what it was.</summary>
    public static string? Unchanged(CaseArgument argument, ReadOnlySpan<byte> actual)
    {
        int at = actual.CommonPrefixLength(argument.Content) / argument.Type.ScalarSize;
        ElementType type = argument.Type;
        return at >= argument.Length * type.Lanes
            ? null : $"{Element(argument, at)} was changed from {type.Text(argument.Content, at)} to {type.Text(actual, at)}, and is an input";
    }

    private static double Allowed(CaseArgument argument, double expected) =>
        argument.AbsoluteTolerance + argument.RelativeTolerance * Math.Abs(expected);

    private static string Describe(CaseArgument argument, ReadOnlySpan<byte> actual, ReadOnlySpan<byte> expected, int i, int wrong, int count)
    {
        ElementType type = argument.Type;
        double difference = Math.Abs(type.Value(actual, i) - type.Value(expected, i)), allowed = Allowed(argument, type.Value(expected, i));
        string allowance = type.IsFloat && double.IsFinite(difference)
            ? string.Create(CultureInfo.InvariantCulture, $", difference {difference:g3}, allowed {allowed:g3}") : "";
        string others = wrong == 1 ? $"the others of {count} agree" : $"{wrong} of {count} differ, this one most";
        // Fresh memory is all ones, which as a float is NaN.
        string unwritten = argument.Role == Role.Output && actual.Slice(i * type.ScalarSize, type.ScalarSize).IndexOfAnyExcept((byte)0xFF) < 0
            ? ", as in memory that nobody wrote" : "";
        return $"{Element(argument, i)} is {type.Text(actual, i)}, expected {type.Text(expected, i)}{unwritten}{allowance}; {others}";
    }

    private static string Element(CaseArgument argument, int i) => argument.Type.Lanes == 1
        ? $"{argument.Name}[{i}]"
        : $"{argument.Name}[{i / argument.Type.Lanes}].{"xyzw"[i % argument.Type.Lanes]}";

    private static bool SameBits(ElementType type, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, int i)
    {
        int size = type.ScalarSize;
        return a.Slice(i * size, size).SequenceEqual(b.Slice(i * size, size));
    }
}
