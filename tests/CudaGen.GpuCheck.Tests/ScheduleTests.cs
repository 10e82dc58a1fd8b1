using System.Collections.Concurrent;
using CudaGen.Runtime;

namespace CudaGen.GpuCheck.Tests;

public sealed class ScheduleTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);

    private static Check Of(string name, Func<CancellationToken, Task<Outcome>> run, int seconds = 1, bool alone = false) => new(name, seconds, alone, run);

    private static Check Passing(string name, int seconds = 1) => Of(name, _ => Task.FromResult(Outcome.Passed("")), seconds);

    private static async Task<List<(string Name, Outcome Outcome)>> Run(int jobs, TimeSpan budget, int patience, params Check[] checks)
    {
        List<(string, Outcome)> outcomes = [];
        await new Schedule(jobs, budget, patience, (check, outcome, _) => outcomes.Add((check.Name, outcome))).Run(checks);
        return outcomes;
    }

    [Fact]
    public async Task Checks_run_in_order_and_one_that_is_alone_meets_no_other()
    {
        int running = 0;
        ConcurrentBag<int> together = [];
        Check Counting(string name, bool alone) => Of(name, async cancelled =>
        {
            int now = Interlocked.Increment(ref running);
            if (alone)
                Assert.Equal(1, now);
            together.Add(now);
            await Task.Delay(20, cancelled);
            Assert.Equal(alone ? 0 : Volatile.Read(ref running) - 1, Interlocked.Decrement(ref running));
            return Outcome.Passed("");
        }, 60, alone);
        Assert.Equal(["a", "b", "c", "d"], (await Run(1, Long, 10, [.. "abcd".Select(n => Counting($"{n}", false))])).Select(o => o.Name));
        Assert.All(together, n => Assert.Equal(1, n));
        together.Clear();
        List<(string Name, Outcome Outcome)> all = await Run(3, Long, 10, [.. "abcdefgh".Select(n => Counting($"{n}", n == 'e'))]);
        Assert.Equal(8, all.Count);
        Assert.All(all, o => Assert.Equal(Result.Passed, o.Outcome.Result));
        Assert.All(together, n => Assert.InRange(n, 1, 3));
    }

    [Fact]
    public async Task What_does_not_fit_the_budget_is_skipped_and_says_so()
    {
        List<(string Name, Outcome Outcome)> all = await Run(1, TimeSpan.FromSeconds(20), 10, Passing("long", 60), Passing("short", 5));
        Assert.Equal([Result.Skipped, Result.Passed], all.Select(o => o.Outcome.Result));
        Assert.Matches("^takes about 60 s, of the budget (19|20) s are left$", all[0].Outcome.Detail);
        Check endless = Of("endless", async cancelled =>
        {
            await Task.Delay(Timeout.Infinite, cancelled);
            return Outcome.Passed("");
        });
        Outcome cut = Assert.Single(await Run(1, TimeSpan.FromSeconds(1.2), 10, endless)).Outcome;
        Assert.Equal((Result.Skipped, "given up after 1 s, the last of the budget"), (cut.Result, cut.Detail));
        Outcome late = Assert.Single(await Run(1, Long, 1, endless)).Outcome;
        Assert.Equal((Result.Failed, "not done after 1 s"), (late.Result, late.Detail));
    }

    [Fact]
    public async Task An_error_is_a_failure_and_the_rest_goes_on()
    {
        List<(string Name, Outcome Outcome)> all = await Run(1, Long, 10, Of("wrong", _ => throw new InputException("two\nlines")), Passing("right"));
        Assert.Equal([(Result.Failed, "two lines"), (Result.Passed, "")], all.Select(o => (o.Outcome.Result, o.Outcome.Detail)));
    }
}
