using System.Diagnostics;
using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>How long a device takes: whatever is timed is waited for.</summary>
internal static class CudaClock
{
    /// <summary>
    /// Milliseconds of a call, from blocks of so many calls between two waits for the device, for about so many seconds but at least
    /// three blocks.
    /// </summary>
    public static void Blocks(Device device, Action call, int calls, double seconds, Times times)
    {
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < 3 || Stopwatch.GetElapsedTime(begin).TotalSeconds < seconds; i++)
        {
            device.Synchronize();
            long start = Stopwatch.GetTimestamp();
            for (int j = 0; j < calls; j++)
                call();
            device.Synchronize();
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds / calls);
        }
    }

    /// <summary>Milliseconds of each of so many calls between events, by the device's own clock, all given without a wait.</summary>
    public static void Events(Device device, Action call, int calls, Times times)
    {
        CudaEvent[] events = [.. Enumerable.Range(0, calls + 1).Select(_ => new CudaEvent(device))];
        events[0].Record();
        for (int i = 1; i <= calls; i++)
        {
            call();
            events[i].Record();
        }
        device.Synchronize();
        for (int i = 1; i <= calls; i++)
            times.Add(events[i].MillisecondsSince(events[i - 1]));
        foreach (CudaEvent e in events)
            e.Dispose();
    }
}
