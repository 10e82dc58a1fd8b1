using System.Diagnostics;
using CudaGen.Runtime;

namespace CudaGen.GpuCheck;

/// <summary>Runs checks in their order, several at once, none beyond its own time or that of all.</summary>
/// <param name="jobs">How many at once.</param>
/// <param name="budget">Time for all.</param>
/// <param name="patience">A check is given up after this many times what it takes on a GPU: more on stand-ins.</param>
/// <param name="done">Told of each, one at a time, as it ends.</param>
internal sealed class Schedule(int jobs, TimeSpan budget, int patience, Action<Check, Outcome, TimeSpan> done)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _one = new();

    internal async Task Run(IEnumerable<Check> checks)
    {
        List<Task> running = [];
        foreach (Check check in checks)
        {
            int others = check.Alone ? 0 : jobs - 1;
            while (running.Count > others)
                running.Remove(await Task.WhenAny(running).ConfigureAwait(false));
            Task task = Run(check);
            if (check.Alone)
                await task.ConfigureAwait(false);
            else
                running.Add(task);
        }
        await Task.WhenAll(running).ConfigureAwait(false);
    }

    private async Task Run(Check check)
    {
        TimeSpan start = _clock.Elapsed, left = budget - start, limit = TimeSpan.FromSeconds((double)patience * check.Seconds);
        Outcome outcome = left.TotalSeconds < check.Seconds
            ? Outcome.Skipped($"takes about {check.Seconds} s, of the budget {Math.Max(left.TotalSeconds, 0):F0} s are left")
            : await Within(limit < left ? limit : left, check, cutShort: left < limit).ConfigureAwait(false);
        lock (_one)
            done(check, outcome, _clock.Elapsed - start);
    }

    private static async Task<Outcome> Within(TimeSpan limit, Check check, bool cutShort)
    {
        using CancellationTokenSource timeout = new(limit);
        try
        {
            return await check.Run(timeout.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return cutShort ? Outcome.Skipped($"given up after {limit.TotalSeconds:F0} s, the last of the budget")
                : Outcome.Failed($"not done after {limit.TotalSeconds:F0} s");
        }
        catch (Exception e) when (e is CudaGenException or IOException or UnauthorizedAccessException)
        {
            return Outcome.Failed(e.Message.ReplaceLineEndings(" "));
        }
    }
}
