using System.Diagnostics;
using System.Runtime.InteropServices;

namespace CudaGen.Runtime.Tests;

public sealed unsafe class WorkersTests
{
    private const int MaxChunks = 5000;

    /// <summary>How often each chunk ran, and by how many threads the job was in work at once.</summary>
    private struct Tally
    {
        public fixed int Runs[MaxChunks + 1];
        public int Spin;
    }

    private static void Count(void* context, int chunk)
    {
        Tally* tally = (Tally*)context;
        // Outside of the job is counted in the last place.
        Interlocked.Increment(ref tally->Runs[(uint)chunk < MaxChunks ? chunk : MaxChunks]);
        if (tally->Spin > 0)
            Thread.SpinWait(tally->Spin);
    }

    private static void RequireOnce(Workers workers, Tally* tally, int chunks)
    {
        new Span<int>(tally->Runs, MaxChunks + 1).Clear();
        workers.Run(chunks, &Count, tally);
        for (int i = 0; i <= MaxChunks; i++)
        {
            int expected = i < chunks ? 1 : 0;
            if (tally->Runs[i] != expected)
                Assert.Fail($"{workers.Count} threads, {chunks} chunks: chunk {i} ran {tally->Runs[i]} times, expected {expected}");
        }
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public void Every_chunk_runs_exactly_once(int threads)
    {
        using Workers workers = new(threads);
        Assert.Equal(threads, workers.Count);
        Tally* tally = (Tally*)NativeMemory.AllocZeroed((nuint)sizeof(Tally));
        try
        {
            for (int spin = 0; spin <= 200; spin += 200)
            {
                tally->Spin = spin;
                foreach (int chunks in (int[])[-1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 64, 100, 257, 1000])
                {
                    for (int repeat = 0; repeat < 5; repeat++)
                        RequireOnce(workers, tally, chunks);
                }
            }
            tally->Spin = 0;
            RequireOnce(workers, tally, MaxChunks);
            // Jobs on each other's heels: a worker that comes late must not take a chunk of the next job twice.
            for (int i = 0; i < 3000; i++)
                RequireOnceQuick(workers, tally, 2 + i % 5);
        }
        finally
        {
            NativeMemory.Free(tally);
        }
    }

    private static void RequireOnceQuick(Workers workers, Tally* tally, int chunks)
    {
        new Span<int>(tally->Runs, 8).Clear();
        workers.Run(chunks, &Count, tally);
        for (int i = 0; i < 8; i++)
            Assert.Equal(i < chunks ? 1 : 0, tally->Runs[i]);
    }

    [Theory, InlineData(2), InlineData(4)]
    public void Workers_that_fell_asleep_wake_up_again(int threads)
    {
        using Workers workers = new(threads);
        Tally* tally = (Tally*)NativeMemory.AllocZeroed((nuint)sizeof(Tally));
        try
        {
            // Longer and shorter than a worker spins before it blocks, and about as long.
            foreach (int microseconds in (int[])[100, 180, 200, 220, 300, 5000, 20000])
            {
                for (int repeat = 0; repeat < 5; repeat++)
                {
                    long until = Stopwatch.GetTimestamp() + microseconds * Stopwatch.Frequency / 1_000_000;
                    if (microseconds >= 1000)
                        Thread.Sleep(microseconds / 1000);
                    while (Stopwatch.GetTimestamp() < until)
                        Thread.SpinWait(4);
                    RequireOnce(workers, tally, 64);
                }
            }
        }
        finally
        {
            NativeMemory.Free(tally);
        }
    }

    private struct Meeting
    {
        public int Arrived;
        public long Deadline;
    }

    private static void Meet(void* context, int chunk)
    {
        Meeting* meeting = (Meeting*)context;
        Interlocked.Increment(ref meeting->Arrived);
        while (Volatile.Read(ref meeting->Arrived) < 2 && Stopwatch.GetTimestamp() < meeting->Deadline)
            Thread.Yield();
    }

    [Fact]
    public void Two_chunks_are_in_work_at_once()
    {
        using Workers workers = new(2);
        Thread.Sleep(5); // the worker sleeps by now and has to be woken
        Meeting meeting = new() { Deadline = Stopwatch.GetTimestamp() + 20 * Stopwatch.Frequency };
        long start = Stopwatch.GetTimestamp();
        workers.Run(2, &Meet, &meeting);
        Assert.Equal(2, meeting.Arrived);
        Assert.True(Stopwatch.GetElapsedTime(start).TotalSeconds < 15, "one chunk waited for the other until it gave up");
    }

    private static void FailAt7(void* context, int chunk)
    {
        Interlocked.Increment(ref *(int*)context);
        if (chunk == 7)
            throw new InvalidOperationException("chunk seven");
    }

    [Theory, InlineData(2), InlineData(3), InlineData(4)]
    public void The_exception_of_a_chunk_comes_back_and_the_workers_live_on(int threads)
    {
        using Workers workers = new(threads);
        for (int repeat = 0; repeat < 3; repeat++)
        {
            CudaGenException e = Assert.IsType<CudaGenException>(FailureOf(workers, out int runs));
            Assert.Contains("chunk seven", e.Message, StringComparison.Ordinal);
            Assert.IsType<InvalidOperationException>(e.InnerException);
            Assert.Equal(20, runs);
        }
        int after = 0;
        workers.Run(5, &FailAt7, &after);
        Assert.Equal(5, after);
    }

    [Fact]
    public void The_exception_of_a_chunk_comes_back_from_one_thread_too()
    {
        using Workers workers = new(1);
        Assert.Contains("chunk seven", FailureOf(workers, out _)?.Message, StringComparison.Ordinal);
    }

    private static Exception? FailureOf(Workers workers, out int runs)
    {
        int count = 0;
        try
        {
            workers.Run(20, &FailAt7, &count);
            return null;
        }
        catch (Exception e) when (e is CudaGenException or InvalidOperationException)
        {
            return e;
        }
        finally
        {
            runs = count;
        }
    }

    [Theory, InlineData(1), InlineData(2), InlineData(4)]
    public void A_job_allocates_nothing(int threads)
    {
        using Workers workers = new(threads);
        Tally* tally = (Tally*)NativeMemory.AllocZeroed((nuint)sizeof(Tally));
        try
        {
            workers.Run(64, &Count, tally);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 200; i++)
                workers.Run(64, &Count, tally);
            Thread.Sleep(2);
            for (int i = 0; i < 200; i++)
                workers.Run(64, &Count, tally);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        finally
        {
            NativeMemory.Free(tally);
        }
    }

    [Fact]
    public void No_threads_are_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => new Workers(0));

    [Fact]
    public void Dispose_ends_sleeping_and_spinning_threads()
    {
        for (int i = 0; i < 20; i++)
        {
            Workers workers = new(4);
            if (i % 2 == 0)
                Thread.Sleep(1);
            workers.Dispose();
        }
    }
}
