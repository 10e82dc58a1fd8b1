using CudaGen.Kernels.Tests;
using CudaGen.Tests;

[assembly: AssemblyFixture(typeof(Announcement))]

namespace CudaGen.Kernels.Tests;

/// <summary>Says once what every row of the table runs on here, and what it does not: nothing is left out in silence.</summary>
public sealed class Announcement
{
    public Announcement()
    {
        Console.WriteLine($"each operation runs on: {string.Join("; ", OpTest.Implementations.Select(i => i.Name))}");
        Console.WriteLine($"products also run in: {string.Join("; ", OpTest.LowPrecisions.Select(i => i.Name))}");
        if (!TestCuda.IsHere)
            Console.WriteLine($"not run: kernel, library; {TestCuda.Where}");
        if (TestCuda.StandIn is not null || !TestCuda.IsHere)
            Console.WriteLine("not run: a GPU; there is none");
    }
}
