namespace CudaGen.GpuCheck;

/// <summary>How a check ended.</summary>
public enum Result
{
    Passed,
    Failed,
    Skipped,
}

/// <summary>What a check came to.</summary>
/// <param name="Result">Skipped is what could not be tried here; it is no failure.</param>
/// <param name="Detail">One line: what passed, what went wrong, why it was skipped.</param>
/// <param name="Output">Last lines of the program that failed.</param>
internal sealed record Outcome(Result Result, string Detail, params IReadOnlyList<string> Output)
{
    internal static Outcome Passed(string detail) => new(Result.Passed, detail);

    internal static Outcome Skipped(string why) => new(Result.Skipped, why);

    internal static Outcome Failed(string detail, params IReadOnlyList<string> output) => new(Result.Failed, detail, output);
}

/// <summary>One thing to find out about this machine.</summary>
/// <param name="Name">Its group and what of it: "parity kernel".</param>
/// <param name="Seconds">About what it takes on a data centre's GPU; with less than that left of the budget it is not begun.</param>
/// <param name="Alone">Whether nothing else may use the GPU meanwhile.</param>
/// <param name="Run">Does it; a cancelled token ends it with an <see cref="OperationCanceledException"/>.</param>
internal sealed record Check(string Name, int Seconds, bool Alone, Func<CancellationToken, Task<Outcome>> Run);
