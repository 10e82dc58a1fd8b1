using CudaGen.KernelCheck.Tests.Driver;

namespace CudaGen.KernelCheck.Tests.Libraries;

/// <summary>float32 numbers in device memory.</summary>
internal sealed unsafe class DeviceFloats : IDisposable
{
    private readonly int _length;

    /// <summary>Memory that nobody has written yet.</summary>
    public DeviceFloats(int length)
    {
        ulong address;
        Session.Check(Session.Api.cuMemAlloc_v2(&address, (nuint)(Math.Max(length, 1) * sizeof(float))));
        Address = (float*)address;
        _length = length;
    }

    public DeviceFloats(float[] values) : this(values.Length)
    {
        fixed (float* from = values)
            Session.Check(Session.Api.cuMemcpyHtoD_v2((ulong)Address, from, Bytes));
        // Other streams do not wait for a copy out of pageable memory, which may still be on its way.
        Session.Check(Session.Api.cuCtxSynchronize());
    }

    public float* Address { get; }

    public nuint Bytes => (nuint)(_length * sizeof(float));

    /// <summary>What is there once all work is done.</summary>
    public float[] Read()
    {
        float[] values = new float[_length];
        fixed (float* to = values)
            Session.Check(Session.Api.cuMemcpyDtoH_v2(to, (ulong)Address, Bytes));
        return values;
    }

    public void Dispose() => _ = Session.Api.cuMemFree_v2((ulong)Address);

    public static float[] Random(int seed, int length)
    {
        var random = new Random(seed);
        float[] values = new float[length];
        for (int i = 0; i < length; i++)
            values[i] = 2 * random.NextSingle() - 1;
        return values;
    }

    public static float[] NaN(int length)
    {
        float[] values = new float[length];
        Array.Fill(values, float.NaN);
        return values;
    }
}

internal static class Compare
{
    // float32 keeps 24 bits, and sums of 256 products are kept in float32 before they are added in double.
    private const double Tolerance = 2e-6;

    /// <param name="expected">In double.</param>
    /// <param name="magnitude">The sum of the absolute values of all that was added.</param>
    /// <param name="actual">In float.</param>
    /// <param name="what">Named when they differ.</param>
    public static void Near(double expected, double magnitude, float actual, string what)
    {
        if (!(Math.Abs(expected - actual) <= Tolerance * (magnitude + 1)))
            Assert.Fail($"{what}: found {actual}, expected {expected}");
    }
}
