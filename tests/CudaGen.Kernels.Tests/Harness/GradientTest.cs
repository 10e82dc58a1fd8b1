namespace CudaGen.Kernels.Tests;

/// <summary>
/// A reference gradient against finite differences of the reference value, both in double: the first link of the chain
/// of trust. The value is sum dy y, with dy drawn at random, or a loss itself.
/// </summary>
internal sealed class GradientTest(string name)
{
    // Central differences of fourth order: an error of h^4 f^(5) / 30 and of 2e-16 f / h, both below 1e-10 here.
    private const double H = 1e-3, Tolerance = 1e-8;

    public string Name { get; } = name;

    /// <summary>What the value depends on; kinks stay further than 2 H away from every element.</summary>
    public required (string Name, double[] Values)[] Inputs { get; init; }

    /// <summary>y from the inputs, in their order.</summary>
    public required Func<double[][], double[]> Forward { get; init; }

    /// <summary>The gradient of each input from dy, into zeroed arrays.</summary>
    public required Action<double[][], double[], double[][]> Backward { get; init; }

    /// <summary>Set for a loss: y is one number and its gradient is asked for, so dy is 1.</summary>
    public bool IsLoss { get; init; }

    public override string ToString() => Name;

    public void Check()
    {
        double[][] x = [.. Inputs.Select(i => (double[])i.Values.Clone())];
        double[] y = Forward(x);
        double[] dy = IsLoss ? [1] : Sample.Doubles("dy", y.Length);
        if (IsLoss)
            Assert.Single(y);
        double[][] gradients = [.. x.Select(a => new double[a.Length])];
        Backward(x, dy, gradients);
        for (int k = 0; k < x.Length; k++)
        {
            Assert.True(x[k].AsSpan().SequenceEqual(Inputs[k].Values), $"{Name}: {Inputs[k].Name} was changed");
            double largest = gradients[k].Max(Math.Abs);
            for (int i = 0; i < x[k].Length; i++)
            {
                double numeric = (8 * (At(x, k, i, H, dy) - At(x, k, i, -H, dy)) - At(x, k, i, 2 * H, dy) + At(x, k, i, -2 * H, dy)) / (12 * H);
                double error = Math.Abs(numeric - gradients[k][i]), allowed = Tolerance * (1 + largest);
                if (!(error <= allowed))
                    Assert.Fail($"{Name}: d{Inputs[k].Name}[{i}] is {gradients[k][i]:R}, by finite differences {numeric:R}: "
                        + $"{error / allowed:P0} of the allowance");
            }
            // A gradient of zeros proves nothing.
            Assert.True(largest > 1e-3, $"{Name}: d{Inputs[k].Name} is zero everywhere");
        }
    }

    private double At(double[][] x, int k, int i, double step, double[] dy)
    {
        double kept = x[k][i];
        x[k][i] = kept + step;
        double[] y = Forward(x);
        x[k][i] = kept;
        double sum = 0;
        for (int j = 0; j < y.Length; j++)
            sum += dy[j] * y[j];
        return sum;
    }
}
