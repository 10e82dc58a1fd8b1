namespace CudaGen.Runtime;

/// <summary>What <see cref="LiveObjects"/> counts.</summary>
public enum LiveObject
{
    Device,
    Arena,
    Plan,
    Graph,
    Event,
    Pinned,
}

/// <summary>
/// How many objects that must be disposed are alive in this process. There are no finalizers: what is not disposed
/// leaks, and a test that forgets one sees it here.
/// </summary>
public static class LiveObjects
{
    private static readonly int[] Counts = new int[Enum.GetValues<LiveObject>().Length];

    public static int Count(LiveObject kind) => Volatile.Read(ref Counts[(int)kind]);

    /// <summary>The sum over all kinds.</summary>
    public static int Total => Counts.Sum();

    /// <summary>Counts one more; for types that own native memory or handles.</summary>
    public static void Add(LiveObject kind) => Interlocked.Increment(ref Counts[(int)kind]);

    /// <summary>Counts one less.</summary>
    public static void Remove(LiveObject kind) => Interlocked.Decrement(ref Counts[(int)kind]);
}
