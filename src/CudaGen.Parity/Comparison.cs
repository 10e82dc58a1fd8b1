namespace CudaGen.Parity;

/// <summary>Steps of an optimiser.</summary>
/// <param name="Size">The most that one step moves a parameter.</param>
/// <param name="Count">How many.</param>
public readonly record struct OptimiserSteps(double Size, int Count = 1);

/// <summary>
/// The rules by which a computed tensor agrees with an expected one. dev is what float32 costs PyTorch itself in that
/// tensor (its largest difference from float64), mx the largest expected magnitude.
/// <code>
/// outputs, losses, gradients      50 dev + 1e-5 mx
/// gradients that are really zero  the larger of 50 dev and 1e-6 of the largest gradient entry of the net
/// traced losses                   50 dev + 1e-4 mx
/// parameters after one step       where |gradient| > 100 dev + 1e-5 mx of the gradient: 2 % of a step + 1e-6 |ref|;
///                                 elsewhere two steps, as Adam and RMSprop turn the sign of round-off into a whole step
/// optimiser alone                 1e-7 |ref| + 1e-4 of a step, and as much again for every further step
/// </code>
/// At full width a ReLU among a million may switch within round-off. Gradients, and they alone, that miss the rule there
/// may differ by 1e-3 mx; the check says so. Of tensors that are stored as samples the sum, the norm and the largest
/// magnitude are compared as well, with what the rule for the entries allows them.
/// </summary>
public static class Comparison
{
    private const double Loose = 1e-3;

    /// <summary>Compares everything that a file expects.</summary>
    /// <param name="golden">The file.</param>
    /// <param name="computed">What was computed, by the names of the file without "expected.".</param>
    /// <param name="steps">The optimiser of each net, and, by name of the tensor, what optimisers alone gave.</param>
    public static IEnumerable<Check> All(GoldenFile golden, IReadOnlyDictionary<string, ComputedTensor> computed,
        IReadOnlyDictionary<string, OptimiserSteps> steps)
    {
        ArgumentNullException.ThrowIfNull(golden);
        ArgumentNullException.ThrowIfNull(computed);
        ArgumentNullException.ThrowIfNull(steps);
        foreach (ExpectedTensor expected in golden.Expected)
        {
            if (Obstacle(golden, expected, computed) is { } obstacle)
            {
                yield return obstacle;
                continue;
            }
            ComputedTensor found = computed[expected.Name];
            Check check = Entries(expected, found, Allowance(golden, expected, computed, steps, 0));
            if (!check.Passed && golden.IsFull && HasKinks(expected.Name))
                check = Entries(expected, found, Allowance(golden, expected, computed, steps, Loose)) with { Note = "with the loose rule for full widths" };
            yield return check;
        }
    }

    /// <summary>Compares values with an allowance for each place of the tensor.</summary>
    public static Check Entries(ExpectedTensor expected, ComputedTensor found, Func<int, double> allowance)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(found);
        ArgumentNullException.ThrowIfNull(allowance);
        (double worst, string note) = (0, "");
        for (int i = 0; i < expected.Values.Length; i++)
        {
            int at = expected.IndexOf(i);
            double share = Share(found.Values[at], expected.Values[i], allowance(at));
            if (double.IsNaN(share))
                return new(expected.Name, double.PositiveInfinity, $"not a number at {at}: found {found.Values[at]}, expected {expected.Values[i]}");
            worst = Math.Max(worst, share);
        }
        if (expected.Statistics is { } statistics)
        {
            (double share, string which) = Statistics(statistics, found.Values, allowance);
            if (!(share <= worst))
                (worst, note) = (double.IsNaN(share) ? double.PositiveInfinity : share, which);
        }
        return new(expected.Name, worst, note);
    }

    /// <summary>|found - expected| / allowance; not a number where either is not.</summary>
    internal static double Share(double found, double expected, double allowance)
    {
        double difference = Math.Abs(found - expected);
        return difference == 0 ? 0 : difference / allowance;
    }

    /// <summary>Sum, norm and largest magnitude of a whole tensor: the share of the worst, and its name.</summary>
    private static (double Share, string Which) Statistics(float[] expected, float[] found, Func<int, double> allowance)
    {
        double sum = 0, squares = 0, largest = 0, sumAllowed = 0, squaresAllowed = 0, largestAllowed = 0;
        for (int i = 0; i < found.Length; i++)
        {
            double value = found[i], allowed = allowance(i);
            (sum, squares, largest) = (sum + value, squares + value * value, Math.Max(largest, Math.Abs(value)));
            (sumAllowed, squaresAllowed, largestAllowed) = (sumAllowed + allowed, squaresAllowed + allowed * allowed, Math.Max(largestAllowed, allowed));
        }
        // The expected ones were rounded to float32.
        double Rounding(int i) => 1e-7 * Math.Abs(expected[i]);
        (double, string)[] shares =
        [
            (Share(sum, expected[0], sumAllowed + Rounding(0)), "sum"),
            (Share(Math.Sqrt(squares), expected[1], Math.Sqrt(squaresAllowed) + Rounding(1)), "norm"),
            (Share(largest, expected[2], largestAllowed + Rounding(2)), "largest magnitude"),
        ];
        // NaN counts as the worst.
        return shares.MaxBy(s => double.IsNaN(s.Item1) ? double.PositiveInfinity : s.Item1);
    }

    private static Check? Obstacle(GoldenFile golden, ExpectedTensor expected, IReadOnlyDictionary<string, ComputedTensor> computed)
    {
        if (!computed.TryGetValue(expected.Name, out ComputedTensor? found))
            return new(expected.Name, double.PositiveInfinity, "not computed");
        if (expected.Extents is { } extents && !extents.SequenceEqual(found.Extents))
        {
            return new(expected.Name, double.PositiveInfinity,
                $"computed [{string.Join(", ", found.Extents)}], expected [{string.Join(", ", extents)}]");
        }
        if (expected.Indices is { } indices && indices.Any(i => i < 0 || i >= found.Values.Length))
            throw golden.Wrong($"'sample_idx.{expected.Name}': found an index outside of [{string.Join(", ", found.Extents)}]");
        return null;
    }

    /// <summary>Gradients change by leaps where a ReLU switches; outputs and losses do not.</summary>
    private static bool HasKinks(string name) => name.StartsWith("grad", StringComparison.Ordinal) || name.StartsWith("after1.", StringComparison.Ordinal);

    /// <summary>What is allowed at each place of a tensor; <paramref name="loose"/> is the additional part of mx of gradients.</summary>
    private static Func<int, double> Allowance(GoldenFile golden, ExpectedTensor expected, IReadOnlyDictionary<string, ComputedTensor> computed,
        IReadOnlyDictionary<string, OptimiserSteps> steps, double loose)
    {
        string[] parts = expected.Name.Split('.', 3);
        if (parts is ["after1", string net, string parameter] && !parameter.Contains("running_", StringComparison.Ordinal))
            return AfterOneStep(golden, computed, $"grad.{net}.{parameter}", computed[expected.Name].Values, steps[net].Size, loose);
        if (steps.TryGetValue(expected.Name, out OptimiserSteps alone))
            return OptimiserAlone(computed[expected.Name].Values, alone);
        double dev = 50 * golden.Deviation(expected.Name);
        double entry = golden.IsZeroGradient(expected.Name)
            ? Math.Max(dev, 1e-6 * LargestGradient(golden, parts[1]))
            : dev + (parts[0] == "trace" ? 1e-4 : 1e-5) * expected.Largest;
        entry = Math.Max(entry, loose * expected.Largest);
        return _ => entry;
    }

    private static double LargestGradient(GoldenFile golden, string net)
        => golden.Expected.Where(t => t.Name.StartsWith($"grad.{net}.", StringComparison.Ordinal))
            .Select(t => t.Largest).DefaultIfEmpty().Max();

    /// <summary>The rule of an optimiser that was given its gradients.</summary>
    internal static Func<int, double> OptimiserAlone(float[] after, OptimiserSteps steps)
        => at => steps.Count * (1e-7 * Math.Abs(after[at]) + 1e-4 * steps.Size);

    /// <summary>
    /// The end-to-end rule of a step. Where the file has no gradient for a place, as of tensors of which it stores
    /// samples, the computed one, which is compared elsewhere, tells how sure the sign of the step is.
    /// </summary>
    private static Func<int, double> AfterOneStep(GoldenFile golden, IReadOnlyDictionary<string, ComputedTensor> computed, string name, float[] after,
        double step, double loose)
    {
        if (golden.Find(name) is not { } expected || !computed.TryGetValue(name, out ComputedTensor? found) || found.Values.Length != after.Length
            || golden.IsZeroGradient(name))
            return at => 2 * step + 1e-7 * Math.Abs(after[at]);
        float[] gradient = [.. found.Values];
        for (int i = 0; i < expected.Values.Length; i++)
        {
            if (expected.IndexOf(i) is int at && at >= 0 && at < gradient.Length)
                gradient[at] = expected.Values[i];
        }
        double sure = Math.Max(100 * golden.Deviation(name) + 1e-5 * expected.Largest, loose * expected.Largest);
        // Two whole steps, and the rounding of the parameter to float32.
        return at => Math.Abs(gradient[at]) > sure
            ? 0.02 * step + 1e-6 * Math.Abs(after[at])
            : 2 * step + 1e-7 * Math.Abs(after[at]);
    }
}
