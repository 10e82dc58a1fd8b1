using System.Diagnostics;

namespace CudaGen.Bench.Cuda;

/// <summary>The seconds that a run may take: nothing is begun after them, and a GPU that hangs does not hold the process.</summary>
internal sealed class Budget : IDisposable
{
    // What a measurement that is under way may take longer.
    private const int Grace = 60;

    private readonly long _begin = Stopwatch.GetTimestamp();
    private readonly TimeSpan _limit;
    private readonly Timer? _watchdog;

    public Budget(int? seconds)
    {
        _limit = seconds is { } s ? TimeSpan.FromSeconds(s) : TimeSpan.MaxValue;
        if (seconds is null)
            return;
        _watchdog = new Timer(_ =>
        {
            Console.Error.WriteLine($"error: --budget: {seconds} s and {Grace} more have passed and a measurement does not end; the file has what was measured");
            // Not Environment.Exit: on the way out the driver would wait for the GPU.
            using Process self = Process.GetCurrentProcess();
            self.Kill();
        }, null, _limit + TimeSpan.FromSeconds(Grace), Timeout.InfiniteTimeSpan);
    }

    public TimeSpan Left => _limit == TimeSpan.MaxValue ? TimeSpan.MaxValue : _limit - Stopwatch.GetElapsedTime(_begin);

    public bool IsOver => Left <= TimeSpan.Zero;

    public void Dispose() => _watchdog?.Dispose();
}
