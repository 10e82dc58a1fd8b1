using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CudaGen.Bench;

/// <summary>The most multiply-adds that a processor can do: independent ones in registers, on all threads at once.</summary>
internal static class CpuPeak
{
    /// <summary>10^9 float32 operations a second, two in a fused multiply-add: the best millisecond of each thread, added up.</summary>
    public static double Gflops(int threads)
    {
        double[] rates = new double[threads];
        Thread[] workers = [.. Enumerable.Range(0, threads).Select(i => new Thread(() =>
        {
            for (int run = 0; run < 300; run++)
                rates[i] = Math.Max(rates[i], Multiply(300_000));
        }))];
        foreach (Thread worker in workers)
            worker.Start();
        foreach (Thread worker in workers)
            worker.Join();
        return rates.Sum();
    }

    // Twelve independent chains, apart from the clock: with a call in the method, the compiler would keep them in memory.
    private static double Multiply(int n)
    {
        long start = Stopwatch.GetTimestamp();
        _kept += Vector512.IsHardwareAccelerated ? Chain512(n) : Chain256(n);
        return 12.0 * (Vector512.IsHardwareAccelerated ? 16 : 8) * 2 * n / Stopwatch.GetElapsedTime(start).TotalSeconds * 1e-9;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chain512(int n)
    {
        Vector512<float> a = Vector512.Create(1.0f), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        Vector512<float> x = Vector512.Create(0.9999f), y = Vector512.Create(0.0001f);
        for (int s = 0; s < n; s++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y);
            b = Vector512.FusedMultiplyAdd(b, x, y);
            c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y);
            f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y);
            h = Vector512.FusedMultiplyAdd(h, x, y);
            i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y);
            k = Vector512.FusedMultiplyAdd(k, x, y);
            l = Vector512.FusedMultiplyAdd(l, x, y);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chain256(int n)
    {
        Vector256<float> a = Vector256.Create(1.0f), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        Vector256<float> x = Vector256.Create(0.9999f), y = Vector256.Create(0.0001f);
        for (int s = 0; s < n; s++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y);
            b = Vector256.FusedMultiplyAdd(b, x, y);
            c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y);
            e = Vector256.FusedMultiplyAdd(e, x, y);
            f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y);
            h = Vector256.FusedMultiplyAdd(h, x, y);
            i = Vector256.FusedMultiplyAdd(i, x, y);
            j = Vector256.FusedMultiplyAdd(j, x, y);
            k = Vector256.FusedMultiplyAdd(k, x, y);
            l = Vector256.FusedMultiplyAdd(l, x, y);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    private static float _kept;
}
