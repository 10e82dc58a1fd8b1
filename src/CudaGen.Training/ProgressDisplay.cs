using System.Text;

namespace CudaGen.Training;

/// <summary>How progress is shown.</summary>
public enum ProgressStyle
{
    /// <summary>A line every few seconds, without control characters: for files and simple terminals.</summary>
    Plain,

    /// <summary>One line that is written over and over.</summary>
    Live,

    /// <summary>The same with a coloured bar.</summary>
    LiveColour,
}

/// <summary>
/// Shows a person how far training is, how fast, and how long it will take. Losses live on the device and reading them
/// waits for it, so the loop asks <see cref="IsDue"/> first, which costs next to nothing.
/// </summary>
public sealed class ProgressDisplay : IDisposable
{
    private const int BarWidth = 24;
    private const string ClearToEnd = "\e[K", BarColour = "\e[36m", NoColour = "\e[0m";
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);

    private readonly TextWriter _output;
    private readonly ProgressStyle _style;
    private readonly TimeProvider _time;
    private readonly Func<int> _width;
    private readonly TimeSpan _interval;

    private long _totalSteps, _stepsPerEpoch, _measuredStep;
    private int _imagesPerStep;
    private long _shownAt, _measuredAt, _epochAt;
    private double _rate; // steps per second, smoothed
    private bool _lineOpen, _paused;

    /// <param name="output">Where to.</param>
    /// <param name="style">Plain or live.</param>
    /// <param name="time">The clock; the system's if null.</param>
    /// <param name="width">Columns of the terminal, asked at every update as windows change; 80 if null.</param>
    public ProgressDisplay(TextWriter output, ProgressStyle style, TimeProvider? time = null, Func<int>? width = null)
    {
        ArgumentNullException.ThrowIfNull(output);
        (_output, _style, _time, _width) = (output, style, time ?? TimeProvider.System, width ?? (() => 80));
        _interval = style == ProgressStyle.Plain ? PlainInterval : LiveInterval;
    }

    /// <summary>A display on standard output: plain if asked for, or where that is no terminal.</summary>
    /// <param name="plain">Whether it is asked for.</param>
    /// <param name="unit">See <see cref="Unit"/>.</param>
    /// <param name="title">See <see cref="Title"/>.</param>
    public static ProgressDisplay ForConsole(bool plain, string unit, string? title = null) => new(Console.Out,
        ChooseStyle(plain || Console.IsOutputRedirected, Environment.GetEnvironmentVariable), width: ConsoleWidth)
    { Unit = unit, Title = title };

    internal static ProgressStyle ChooseStyle(bool plain, Func<string, string?> environment) =>
        plain || environment("TERM") == "dumb" ? ProgressStyle.Plain
        : string.IsNullOrEmpty(environment("NO_COLOR")) ? ProgressStyle.LiveColour
        : ProgressStyle.Live;

    internal static int ConsoleWidth()
    {
        try
        {
            return Console.WindowWidth > 0 ? Console.WindowWidth : 80;
        }
        catch (IOException)
        {
            return 80;
        }
    }

    /// <summary>What a line starts with, for work that has no epochs.</summary>
    public string? Title { get; init; }

    /// <summary>What a step takes several of, for the speed.</summary>
    public string Unit { get; init; } = "images";

    /// <summary>
    /// Whether it is time for <see cref="Update"/>: ten times a second live, every five seconds plain.
    /// </summary>
    public bool IsDue => _time.GetElapsedTime(_shownAt) >= _interval;

    /// <summary>Starts the clock.</summary>
    /// <param name="totalSteps">Steps of the whole run.</param>
    /// <param name="stepsPerEpoch">Steps of one epoch; the last one may end early.</param>
    /// <param name="imagesPerStep">Images that one step learns from.</param>
    /// <param name="stepsDone">Steps that an earlier process did.</param>
    public void Begin(long totalSteps, long stepsPerEpoch, int imagesPerStep, long stepsDone = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(totalSteps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(stepsPerEpoch, 1);
        (_totalSteps, _stepsPerEpoch, _imagesPerStep) = (totalSteps, stepsPerEpoch, imagesPerStep);
        (_measuredStep, _rate) = (stepsDone, 0);
        _shownAt = _measuredAt = _epochAt = _time.GetTimestamp();
    }

    /// <summary>Shows the state after <paramref name="step"/> steps, unless the last update was just now.</summary>
    /// <param name="step">Steps done since the run began, counted from 1.</param>
    /// <param name="values">What else to show; at most a few, with short names.</param>
    public void Update(long step, params ReadOnlySpan<Metric> values)
    {
        if (!IsDue)
            return;
        Measure(step);
        _shownAt = _measuredAt;
        (long epoch, long inEpoch, long ofEpoch) = Locate(step);
        double done = Math.Clamp((double)inEpoch / ofEpoch, 0, 1);
        string tail = $" {Math.Floor(100 * done),3}%{Values(values)}{Speed()}{Remaining(step)}";
        if (_style == ProgressStyle.Plain)
            _output.WriteLine($"{Head(epoch)}  step {inEpoch}/{ofEpoch}{tail}");
        else
            ShowLine(Head(epoch), done, tail);
        _output.Flush();
    }

    /// <summary>Stops the clock of the speed until <see cref="EndEpoch"/>: what follows is not training.</summary>
    public void Pause(long step)
    {
        Measure(step);
        _paused = true;
    }

    /// <summary>Leaves a line about the epoch that ended with <paramref name="step"/>.</summary>
    public void EndEpoch(long step, params ReadOnlySpan<Metric> values)
    {
        if (_paused)
            _measuredAt = _time.GetTimestamp();
        else
            Measure(step);
        _paused = false;
        string took = Duration(_time.GetElapsedTime(_epochAt));
        _epochAt = _measuredAt;
        WriteLine($"{Head(Locate(step).Epoch)}{Values(values)}{Speed()}  took {took}");
    }

    /// <summary>Writes a line that stays, above the live one.</summary>
    public void WriteLine(string text)
    {
        CloseLine();
        _output.WriteLine(text);
        _output.Flush();
    }

    /// <summary>Takes the live line away.</summary>
    public void Dispose()
    {
        CloseLine();
        _output.Flush();
    }

    private void CloseLine()
    {
        if (_lineOpen)
            _output.Write($"\r{ClearToEnd}");
        _lineOpen = false;
    }

    private void ShowLine(string head, double done, string tail)
    {
        // The last column stays free: some terminals wrap when it is written.
        int room = Math.Max(0, _width() - 1), bar = Math.Clamp(room - head.Length - tail.Length - 4, 0, BarWidth);
        var line = new StringBuilder("\r");
        if (bar < 4)
        {
            string text = $"{head} {tail}";
            line.Append(text.AsSpan(0, Math.Min(text.Length, room)));
        }
        else
        {
            int full = (int)(bar * done);
            bool colour = _style == ProgressStyle.LiveColour;
            line.Append($"{head}  {(colour ? BarColour : "")}[{new string('=', full)}{(full < bar ? ">" : "")}"
                + $"{new string(' ', Math.Max(0, bar - full - 1))}]{(colour ? NoColour : "")}{tail}");
        }
        _output.Write(line.Append(ClearToEnd));
        _lineOpen = true;
    }

    // An average over about the last five seconds: steady to read, and over the slow first steps soon.
    private void Measure(long step)
    {
        long now = _time.GetTimestamp();
        double seconds = _time.GetElapsedTime(_measuredAt, now).TotalSeconds;
        if (seconds <= 0)
            return;
        double rate = (step - _measuredStep) / seconds;
        _rate = _rate == 0 ? rate : _rate + (rate - _rate) * (1 - Math.Exp(-seconds / 5));
        (_measuredStep, _measuredAt) = (step, now);
    }

    private (long Epoch, long InEpoch, long OfEpoch) Locate(long step)
    {
        long epoch = Math.Max(0, step - 1) / _stepsPerEpoch, before = epoch * _stepsPerEpoch;
        return (epoch + 1, step - before, Math.Min(_stepsPerEpoch, _totalSteps - before));
    }

    private string Head(long epoch)
    {
        if (Title is not null)
            return Title;
        string epochs = $"{(_totalSteps + _stepsPerEpoch - 1) / _stepsPerEpoch}";
        return $"epoch {epoch.ToString().PadLeft(epochs.Length)}/{epochs}";
    }

    private string Speed() => _rate > 0 ? $"  {Number(_rate * _imagesPerStep)} {Unit}/s" : "";

    private string Remaining(long step) => _rate > 0
        ? $"  eta {Duration(TimeSpan.FromSeconds(Math.Min((_totalSteps - step) / _rate, 1e9)))}"
        : "";

    private static string Values(ReadOnlySpan<Metric> values)
    {
        var text = new StringBuilder();
        foreach (Metric metric in values)
            text.Append($"  {metric.Key} {Number(metric.Value)}");
        return text.ToString();
    }

    // About four digits, so that columns do not jump.
    internal static string Number(double value) => Math.Abs(value) switch
    {
        0 => "0",
        >= 1e7 or < 1e-3 => value.ToString("0.00e0"),
        >= 1000 => value.ToString("F0"),
        >= 100 => value.ToString("F1"),
        >= 10 => value.ToString("F2"),
        >= 1 => value.ToString("F3"),
        >= 1e-3 => value.ToString("F4"),
        _ => value.ToString(),
    };

    internal static string Duration(TimeSpan time)
    {
        long seconds = (long)Math.Round(time.TotalSeconds);
        return seconds < 3600
            ? $"{seconds / 60:D2}:{seconds % 60:D2}"
            : $"{seconds / 3600}:{seconds / 60 % 60:D2}:{seconds % 60:D2}";
    }
}
