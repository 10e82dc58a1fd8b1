namespace CudaGen.Training;

/// <summary>The range of one axis of a plot and its round tick values.</summary>
internal readonly record struct Axis(double Low, double High, double Step)
{
    /// <summary>
    /// The axis for data from <paramref name="low"/> to <paramref name="high"/>, both finite and perhaps equal, with
    /// about <paramref name="ticks"/> ticks and a margin as a fraction of the range.
    /// </summary>
    public static Axis For(double low, double high, int ticks, double margin)
    {
        double range = high - low;
        // Equal, or so close that ticks between them would not differ in float64.
        if (range <= 1e-9 * Math.Max(Math.Abs(low), Math.Abs(high)))
        {
            double half = low == 0 ? 1 : 0.1 * Math.Abs(low);
            (low, high, range) = (low - half, high + half, 2 * half);
        }
        else
        {
            (low, high) = (low - margin * range, high + margin * range);
        }
        double raw = range / ticks, power = Math.Pow(10, Math.Floor(Math.Log10(raw))), digit = raw / power;
        return new Axis(low, high, power * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10));
    }

    /// <summary>Where a value lies: 0 at the low end, 1 at the high end.</summary>
    public double Fraction(double value) => (value - Low) / (High - Low);

    public IEnumerable<double> Ticks()
    {
        for (double i = Math.Ceiling(Low / Step); i * Step <= High; i++)
            yield return i * Step;
    }

    /// <summary>A tick value in as many digits as the step needs: 0.25, 150, 20k, 3e-5.</summary>
    public string Label(double tick)
    {
        double largest = Math.Max(Math.Abs(Low), Math.Abs(High));
        if (Math.Abs(tick) < Step / 2)
            return "0";
        if (largest >= 1e9 || Step < 1e-4)
            return tick.ToString("0.##e0");
        (double unit, string suffix) = largest >= 1e7 ? (1e6, "M") : largest >= 1e4 ? (1e3, "k") : (1, "");
        int decimals = Math.Max(0, (int)-Math.Floor(Math.Log10(Step / unit) + 1e-9));
        return (tick / unit).ToString($"F{decimals}") + suffix;
    }
}
