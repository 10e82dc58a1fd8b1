using System.Diagnostics;
using System.Runtime.InteropServices;

namespace CudaGen.Runtime;

/// <summary>
/// A fork-join pool for loops of ten microseconds to a few milliseconds. A job is cut into chunks that are claimed one
/// by one, so a thread that the system takes away delays one chunk and not its whole share; the caller works too and
/// waits for finished chunks, not for workers. Nothing is allocated per job.
/// </summary>
/// <remarks>
/// The caller takes chunks from the front and the workers from the back. Loops over the same tensors, step after step, so give a
/// thread the parts that its cache already holds. Which thread computes a chunk in the middle is a matter of luck. Callers therefore
/// make every chunk write its own results and cut jobs by their shape alone, never by <see cref="Count"/>: then the results are the same bits for any number of threads.
/// </remarks>
public sealed unsafe class Workers : IDisposable
{
    // How long an idle worker spins before it blocks: longer than the serial gaps inside a training step, short enough
    // that a processor it does not use is soon free for a thread that waits.
    private static readonly long SpinTicks = Stopwatch.Frequency / 20000;

    // How long the caller spins for chunks that other threads hold.
    private static readonly long WaitTicks = Stopwatch.Frequency / 20000;

    // How long a worker computes before it gives way. A time slice is a few milliseconds.
    private static readonly long YieldTicks = Stopwatch.Frequency / 1000;

    // Chunks of a job, which fit in 24 bits.
    private const int Most = (1 << 24) - 1;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _wake = new(0), _finished = new(0);
    private Lines _lines;
    private int _sleepers, _callerSleeps;
    private bool _stop;

    [ThreadStatic]
    private static int _current;

    private delegate*<void*, int, void> _body;
    private void* _context;
    private int _first, _total;
    private Exception? _failure;

    // The two words that all threads write, each alone on its pair of cache lines.
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Lines
    {
        // job number << 48 | first chunk that nobody has claimed << 24 | end of those chunks
        [FieldOffset(128)]
        public ulong Open;

        [FieldOffset(256)]
        public int Finished;
    }

    /// <summary>Starts <paramref name="count"/> - 1 background threads.</summary>
    public Workers(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Count = count;
        _threads = new Thread[count - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int number = i + 1;
            _threads[i] = new Thread(() => Work(number)) { IsBackground = true, Name = $"CudaGen worker {number}" };
            _threads[i].Start();
        }
    }

    /// <summary>Threads that compute, the caller included.</summary>
    public int Count { get; }

    /// <summary>Within a chunk, the thread that runs it, in [0, <see cref="Count"/>), for memory that a thread uses from chunk to chunk.</summary>
    public static int Current => _current;

    /// <summary>
    /// Calls <paramref name="body"/>(context, i) once for each i in [0, chunks), in any order and on any thread, and
    /// returns when all are done. An exception of a chunk is thrown again here.
    /// </summary>
    public void Run(int chunks, delegate*<void*, int, void> body, void* context)
    {
        if (chunks <= 0)
            return;
        if (_threads.Length == 0 || chunks == 1)
        {
            for (int i = 0; i < chunks; i++)
                body(context, i);
            return;
        }
        _body = body;
        _context = context;
        for (long first = 0; first < chunks; first += Most)
            RunPart((int)first, (int)Math.Min(Most, chunks - first));
    }

    private void RunPart(int first, int chunks)
    {
        _first = first;
        _total = chunks;
        _lines.Finished = 0;
        Interlocked.Exchange(ref _lines.Open, ((Volatile.Read(ref _lines.Open) >> 48) + 1) << 48 | (uint)chunks);
        if (Volatile.Read(ref _sleepers) is > 0 and int sleepers)
            _wake.Release(sleepers);

        while (TryClaim(fromFront: true, out int chunk))
            Execute(chunk);
        if (Volatile.Read(ref _lines.Finished) != chunks)
            Wait(chunks);
        if (_failure is not null)
        {
            Exception failure = _failure;
            _failure = null;
            throw new CudaGenException($"a worker failed: {failure.Message}", failure);
        }
    }

    // A chunk is still on another thread. If it does not come back soon, that thread was taken off its processor; then
    // this one has to sleep, for only a processor with nothing to do is given a thread that waits for another.
    private void Wait(int chunks)
    {
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _lines.Finished) != chunks)
        {
            if (Stopwatch.GetTimestamp() - start < WaitTicks)
            {
                Thread.SpinWait(8);
                continue;
            }
            Interlocked.Exchange(ref _callerSleeps, 1);
            if (Volatile.Read(ref _lines.Finished) != chunks)
                _finished.Wait();
            Volatile.Write(ref _callerSleeps, 0);
        }
    }

    private static bool IsOpen(ulong open) => (open >> 24 & Most) < (open & Most);

    private bool TryClaim(bool fromFront, out int chunk)
    {
        ulong open = Volatile.Read(ref _lines.Open);
        while (IsOpen(open))
        {
            ulong seen = Interlocked.CompareExchange(ref _lines.Open, fromFront ? open + (1 << 24) : open - 1, open);
            if (seen == open)
            {
                // From here until Finished is counted the job cannot end, so its fields are stable.
                chunk = _first + (int)(fromFront ? open >> 24 & Most : (open & Most) - 1);
                return true;
            }
            open = seen;
        }
        chunk = 0;
        return false;
    }

    private void Execute(int chunk)
    {
        try
        {
            _body(_context, chunk);
        }
        catch (Exception e)
        {
            _failure ??= e;
        }
        // Read before the count: with the last chunk the job is over, and the caller may start another.
        int total = _total;
        // Whoever counts the last chunk sees a caller that sleeps, or that caller sees the count. A needless release only
        // makes a later wait look again.
        if (Interlocked.Increment(ref _lines.Finished) == total && Volatile.Read(ref _callerSleeps) != 0)
            _finished.Release();
    }

    private void Work(int number)
    {
        _current = number;
        long idleSince = Stopwatch.GetTimestamp(), gaveWay = idleSince;
        while (!Volatile.Read(ref _stop))
        {
            if (TryClaim(fromFront: false, out int chunk))
            {
                Execute(chunk);
                idleSince = Stopwatch.GetTimestamp();
                // Other programs want processors too. A thread that gives way between two chunks keeps nobody waiting; one
                // that is interrupted within a chunk keeps the caller waiting for a whole time slice.
                if (idleSince - gaveWay > YieldTicks)
                {
                    Thread.Yield();
                    gaveWay = Stopwatch.GetTimestamp();
                }
            }
            else if (Stopwatch.GetTimestamp() - idleSince < SpinTicks)
            {
                Thread.SpinWait(8);
            }
            else
            {
                Interlocked.Increment(ref _sleepers);
                // Run publishes the job before it looks for sleepers, and this looks for a job after it became one, so
                // one of the two sees the other.
                if (!IsOpen(Volatile.Read(ref _lines.Open)) && !Volatile.Read(ref _stop))
                    _wake.Wait();
                Interlocked.Decrement(ref _sleepers);
                idleSince = Stopwatch.GetTimestamp();
            }
        }
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        Volatile.Write(ref _stop, true);
        _wake.Release(Math.Max(1, _threads.Length));
        foreach (Thread thread in _threads)
            thread.Join();
        _wake.Dispose();
        _finished.Dispose();
    }
}
