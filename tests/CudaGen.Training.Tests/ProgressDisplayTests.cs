namespace CudaGen.Training.Tests;

public sealed class ProgressDisplayTests : IDisposable
{
    private sealed class Clock : TimeProvider
    {
        private long _now = 1;

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => _now;

        public void Advance(double seconds) => _now += (long)(1000 * seconds);
    }

    private readonly Clock _clock = new();
    private readonly StringWriter _output = new() { NewLine = "\n" };

    public void Dispose() => _output.Dispose();

    private ProgressDisplay Display(ProgressStyle style, int width = 200)
    {
        var display = new ProgressDisplay(_output, style, _clock, () => width);
        display.Begin(totalSteps: 1000, stepsPerEpoch: 100, imagesPerStep: 64);
        return display;
    }

    private string Taken()
    {
        string text = _output.ToString();
        _output.GetStringBuilder().Clear();
        return text;
    }

    [Fact]
    public void A_live_line_is_rewritten()
    {
        using ProgressDisplay display = Display(ProgressStyle.Live);
        _clock.Advance(1);
        display.Update(50, new Metric("loss", 0.25), new("kl", 12.3456));
        Assert.Equal("\repoch  1/10  [============>           ]  50%  loss 0.2500  kl 12.35  3200 images/s  eta 00:19\e[K", Taken());
        _clock.Advance(1);
        display.Update(100);
        Assert.StartsWith("\repoch  1/10  [========================] 100%", Taken(), StringComparison.Ordinal);
    }

    [Fact]
    public void Work_without_epochs_has_a_title()
    {
        using ProgressDisplay display = new(_output, ProgressStyle.Live, _clock, () => 200) { Title = "pictures" };
        display.Begin(totalSteps: 100, stepsPerEpoch: 100, imagesPerStep: 1);
        _clock.Advance(1);
        display.Update(50);
        Assert.StartsWith("\rpictures  [============>           ]  50%", Taken(), StringComparison.Ordinal);
    }

    [Fact]
    public void Updates_come_at_most_ten_times_a_second()
    {
        using ProgressDisplay display = Display(ProgressStyle.Live);
        for (int step = 1; step <= 1000; step++)
        {
            _clock.Advance(0.001);
            display.Update(step);
        }
        Assert.Equal(10, Taken().Count(c => c == '\r'));
    }

    [Fact]
    public void A_finished_epoch_leaves_a_line()
    {
        using ProgressDisplay display = Display(ProgressStyle.Live);
        _clock.Advance(10);
        display.Update(100);
        Taken();
        display.EndEpoch(100, new Metric("test.mse", 0.0123));
        Assert.Equal("\r\e[Kepoch  1/10  test.mse 0.0123  640.0 images/s  took 00:10\n", Taken());
        display.WriteLine("saved");
        Assert.Equal("saved\n", Taken());
    }

    [Theory, InlineData(60), InlineData(40), InlineData(20), InlineData(1), InlineData(0)]
    public void A_live_line_fits_the_terminal(int width)
    {
        using ProgressDisplay display = Display(ProgressStyle.LiveColour, width);
        _clock.Advance(1);
        display.Update(50, new Metric("loss", 0.25));
        string text = Taken().Replace("\e[36m", "", StringComparison.Ordinal).Replace("\e[0m", "", StringComparison.Ordinal);
        Assert.StartsWith("\r", text, StringComparison.Ordinal);
        Assert.EndsWith("\e[K", text, StringComparison.Ordinal);
        Assert.InRange(text.Length - "\r\e[K".Length, 0, Math.Max(0, width - 1));
    }

    [Fact]
    public void Plain_lines_have_no_control_characters()
    {
        using (ProgressDisplay display = Display(ProgressStyle.Plain))
        {
            for (int step = 1; step <= 120; step++)
            {
                _clock.Advance(0.1);
                display.Update(step, new Metric("loss", 1));
                if (step % 100 == 0)
                    display.EndEpoch(step, new Metric("loss", 0.5f));
            }
        }
        Assert.Equal(
            """
            epoch  1/10  step 50/100  50%  loss 1.000  640.0 images/s  eta 01:35
            epoch  1/10  step 100/100 100%  loss 1.000  640.0 images/s  eta 01:30
            epoch  1/10  loss 0.5000  640.0 images/s  took 00:10

            """, Taken());
    }

    [Fact]
    public void Speed_follows_what_happens_now_and_a_resumed_run_counts_its_own_steps()
    {
        var display = new ProgressDisplay(_output, ProgressStyle.Plain, _clock);
        display.Begin(totalSteps: 250, stepsPerEpoch: 100, imagesPerStep: 1, stepsDone: 200);
        _clock.Advance(10);
        display.Update(210);
        Assert.Equal("epoch 3/3  step 10/50  20%  1.000 images/s  eta 00:40\n", Taken());
        _clock.Advance(1000);
        display.Update(220);
        Assert.Contains("0.0100 images/s  eta 50:00", Taken(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, null, null, ProgressStyle.LiveColour)]
    [InlineData(false, "xterm", "", ProgressStyle.LiveColour)]
    [InlineData(false, "xterm", "1", ProgressStyle.Live)]
    [InlineData(false, "dumb", null, ProgressStyle.Plain)]
    [InlineData(true, "xterm", null, ProgressStyle.Plain)]
    public void The_style_follows_the_environment(bool plain, string? term, string? noColour, ProgressStyle expected) =>
        Assert.Equal(expected, ProgressDisplay.ChooseStyle(plain, name => name == "TERM" ? term : name == "NO_COLOR" ? noColour : null));

    [Theory]
    [InlineData(0, "0"), InlineData(0.00012345, "1.23e-4"), InlineData(0.5, "0.5000"), InlineData(-12.345, "-12.35")]
    [InlineData(123.45, "123.5"), InlineData(54321.9, "54322"), InlineData(1e9, "1.00e9"), InlineData(double.NaN, "NaN")]
    public void Numbers_take_about_four_digits(double value, string expected) => Assert.Equal(expected, ProgressDisplay.Number(value));

    [Theory, InlineData(59.4, "00:59"), InlineData(3599.9, "1:00:00"), InlineData(90061, "25:01:01")]
    public void Durations_are_short(double seconds, string expected) =>
        Assert.Equal(expected, ProgressDisplay.Duration(TimeSpan.FromSeconds(seconds)));
}
