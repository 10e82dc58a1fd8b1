using System.Text.RegularExpressions;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Kernels.Tests;

/// <summary>
/// One row of the table of operations: an operation, its tensors, and the result in double precision. The harness runs
/// it with every implementation of this machine (<see cref="Implementations"/>), in walled memory, and compares.
/// </summary>
internal sealed partial class OpTest(string name)
{
    public string Name { get; } = name;

    public required Argument[] Arguments { get; init; }

    /// <summary>What the operation needs prepared, if anything.</summary>
    public Func<Device, IDisposable>? Plan { get; init; }

    /// <summary>Calls the public entry point.</summary>
    public required Action<Tensors> Run { get; init; }

    /// <summary>The reference in double, on arrays that hold the values of the arguments.</summary>
    public required Action<Arrays> Oracle { get; init; }

    /// <summary>
    /// How large the terms are that a result is summed from: the sum of their absolute values, computed from absolute
    /// values into zeroed outputs. An error is judged against this plus the result itself, so cancellation does not
    /// count against an implementation, and a missing term does. Without it only the result itself counts.
    /// </summary>
    public Action<Arrays>? Magnitude { get; init; }

    /// <summary>
    /// Set for a sum of products that cuBLAS or cuDNN computes: how many roundings to bfloat16 each of its terms meets with that
    /// precision. The row then also runs in TF32 and in bfloat16.
    /// </summary>
    public int Bfloat16Roundings { get; init; }

    /// <summary>A data set and a step number, for operations that read them.</summary>
    public byte[] Images { get; init; } = [];

    public ulong Step { get; init; }

    /// <summary>Arguments that may have any shape.</summary>
    public string[] AnyShape { get; init; } = [];

    /// <summary>The implementations that this machine can run, each on a device of its own.</summary>
    public static IEnumerable<(string Name, Func<Device> Open)> Implementations =>
    [
        ("reference", () => Device.Cpu(1, Implementation.Reference)),
        ("cpu, 1 thread", () => Device.Cpu(1)),
        ("cpu, 2 threads", () => Device.Cpu(2)),
        ("cpu, 3 threads", () => Device.Cpu(3)),
        .. CudaImplementations,
    ];

    /// <summary>The libraries in precisions below float32.</summary>
    public static IEnumerable<(string Name, Func<Device> Open)> LowPrecisions => TestCuda.IsHere
        ?
        [
            ($"tf32 on {TestCuda.Where}", () => Device.Open("cuda", 0, Implementation.Library, Precision.Tf32)),
            ($"bf16 on {TestCuda.Where}", () => Device.Open("cuda", 0, Implementation.Library, Precision.Bf16)),
        ]
        : [];

    /// <summary>Their names, for tests that ask for a device of each.</summary>
    public static TheoryData<string> Names => [.. Implementations.Select(i => i.Name)];

    /// <summary>The same, for tests that multiply.</summary>
    public static TheoryData<string> NamesInAllPrecisions => [.. Implementations.Concat(LowPrecisions).Select(i => i.Name)];

    public static Device Open(string implementation) => Implementations.Concat(LowPrecisions).First(i => i.Name == implementation).Open();

    // The kernels a second time on a grid that is smaller than the data: the same bits are expected.
    private static IEnumerable<(string Name, Func<Device> Open)> CudaImplementations => TestCuda.IsHere
        ?
        [
            ($"kernel on {TestCuda.Where}", () => Device.Open("cuda", 0, Implementation.Kernel)),
            ($"kernel on {TestCuda.Where}, 2 blocks", () => WithBlocks(Device.Open("cuda", 0, Implementation.Kernel), 2)),
            ($"library on {TestCuda.Where}", () => Device.Open("cuda", 0, Implementation.Library)),
        ]
        : [];

    private static Device WithBlocks(Device device, int blocks)
    {
        device.BlockLimit = blocks;
        return device;
    }

    public override string ToString() => Name;

    /// <summary>Compares every implementation with the double reference and the threaded runs with each other.</summary>
    public void Check()
    {
        Arrays expected = new(Arguments, x => x), magnitude = new(Arguments, Math.Abs);
        foreach (Argument a in Arguments.Where(a => a.Role == Role.Output))
            Array.Clear(magnitude[a.Name]);
        (expected.Images, expected.Step) = (Images, Step);
        (magnitude.Images, magnitude.Step) = (Images, Step);
        Oracle(expected);
        if (Magnitude is null)
            magnitude = new Arrays(Arguments, _ => 0);
        else
            Magnitude(magnitude);

        Dictionary<string, Dictionary<string, float[]>> first = [];
        // Of each result, how far the last implementation in float32, which is the library, was off.
        Dictionary<string, double> errors = [];
        int number = 0;
        foreach ((string implementation, Func<Device> open) in Bfloat16Roundings == 0 ? Implementations : Implementations.Concat(LowPrecisions))
        {
            using Device device = open();
            // Each implementation of a family meets another alignment of its tensors: the CPU path and the kernels whole vectors first.
            Dictionary<string, float[]> results = RunOn(device, implementation, number++ switch { 0 => 2, 1 or 4 => 0, 2 => 1, _ => 3 });
            foreach (Argument a in Arguments.Where(a => a.Role != Role.Input))
            {
                double error = Compare(implementation, device.Precision, a, results[a.Name], expected[a.Name], magnitude[a.Name]);
                if (device.Precision == Precision.Fp32)
                    errors[a.Name] = error;
                // A GPU's libraries may find float32 faster where a product is small; the stand-ins do as they are told. A product of nothing is exact.
                else if (TestCuda.StandIn is not null && Arguments.All(x => x.Shape.Length > 0) && error <= 8 * errors[a.Name])
                    Assert.Fail($"{Name}, {implementation}: {a.Name} is off by {error:E1} and by {errors[a.Name]:E1} in float32: the precision is not in effect");
            }
            if (device.IsReference)
                continue;
            // Bits are equal within a family: however many threads or blocks.
            string family = implementation.Split(' ', ',')[0];
            first.TryAdd(family, results);
            foreach ((string output, float[] values) in results)
            {
                float[] expectedBits = first[family][output];
                int differs = values.AsSpan().CommonPrefixLength(expectedBits, BitComparer.Instance);
                if (differs < values.Length)
                    Assert.Fail($"{Name}, {implementation}: {output}[{differs}] is {values[differs]:R}, with the first of its kind {expectedBits[differs]:R}");
            }
        }
    }

    private Dictionary<string, float[]> RunOn(Device device, string implementation, int offset)
    {
        using GuardedMemory memory = new(device);
        using IDisposable? plan = Plan?.Invoke(device);
        Tensors tensors = NewTensors(device, plan, memory, offset, null, default);
        Poison(device);
        Run(tensors);
        device.Synchronize();
        if (memory.Complaint() is { } complaint)
            Assert.Fail($"{Name}, {implementation}: {complaint}");
        Dictionary<string, float[]> results = [];
        foreach (Argument a in Arguments)
        {
            ReadOnlySpan<float> now = device.ToArray(tensors[a.Name]);
            int changed = now.CommonPrefixLength(a.Values, BitComparer.Instance);
            if (a.Role != Role.Input)
                results.Add(a.Name, now.ToArray());
            else if (changed < a.Values.Length)
                Assert.Fail($"{Name}, {implementation}: the input {a.Name}[{changed}] changed from {a.Values[changed]:R} to {now[changed]:R}");
        }
        if (!device.IsReference)
        {
            int growths = device.ScratchGrowths;
            long before = GC.GetAllocatedBytesForCurrentThread();
            Run(tensors);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (allocated != 0 || device.ScratchGrowths != growths)
                Assert.Fail($"{Name}, {implementation}: the second call allocated {allocated} bytes and scratch {device.ScratchGrowths - growths} times");
        }
        return results;
    }

    /// <summary>
    /// Launches it in bare memory, aligned for vectors and not, and looks at no result: what is wrong shows to a checker below.
    /// </summary>
    public void LaunchBare(Device device)
    {
        foreach (int offset in (int[])[0, 1])
        {
            using GuardedMemory memory = new(device, bare: true);
            using IDisposable? plan = Plan?.Invoke(device);
            Run(NewTensors(device, plan, memory, offset, null, default));
        }
    }

    private Tensors NewTensors(Device device, IDisposable? plan, GuardedMemory memory, int offset, string? changed, Shape shape)
    {
        var placed = new (string, Tensor)[Arguments.Length];
        for (int i = 0; i < placed.Length; i++)
        {
            Argument a = Arguments[i];
            placed[i] = (a.Name, a.Name == changed ? memory.Place(a.Name, shape, Sample.Floats("wrong", shape.Length), offset)
                : memory.Place(a.Name, a.Shape, a.Values, offset, a.Role));
        }
        return new(device, plan, placed)
        {
            Images = memory.Place<byte>("images", Images),
            Step = memory.Place<ulong>("step", [Step]),
        };
    }

    // Scratch memory is not initialised; whoever counts on zeros in it shall see NaN.
    private static unsafe void Poison(Device device)
    {
        const int Floats = 1 << 18;
        float[] poison = new float[Floats];
        Array.Fill(poison, float.NaN);
        device.Upload(new Tensor((nint)device.Scratch(Floats), new Shape(Floats), device.Kind), poison);
    }

    /// <summary>
    /// How far a sum of products may be off with a precision, relative to the sum of their absolute values: each rounding multiplies a
    /// term by at most 1 + u. Activations do not enlarge it: no slope is above 1.
    /// </summary>
    private double PrecisionError(Precision precision)
    {
        // NVIDIA does not say whether TF32 is rounded or cut off; the stand-in rounds.
        double tf32 = TestCuda.StandIn is null ? 1.0 / 1024 : 1.0 / 2048;
        return precision switch
        {
            Precision.Tf32 => Math.Pow(1 + tf32, 2) - 1,
            Precision.Bf16 => Math.Pow(1 + 1.0 / 256, Bfloat16Roundings) - 1,
            _ => 0,
        };
    }

    /// <summary>Returns the largest error.</summary>
    private double Compare(string implementation, Precision precision, Argument a, float[] actual, double[] expected, double[] magnitude)
    {
        int worst = -1, beyond = 0;
        double worstShare = -1, largest = 0, precisionError = PrecisionError(precision);
        for (int i = 0; i < actual.Length; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]);
            double allowed = a.Allowance * (magnitude[i] + Math.Abs(expected[i])) + precisionError * magnitude[i];
            largest = Math.Max(largest, error);
            double share = double.IsNaN(expected[i]) || double.IsInfinity(expected[i])
                ? (expected[i].Equals(actual[i]) ? 0 : double.PositiveInfinity)
                : error == 0 ? 0
                : double.IsNaN(error) ? double.PositiveInfinity
                : error / allowed;
            if (share > 1)
                beyond++;
            if (share > worstShare)
                (worst, worstShare) = (i, share);
        }
        if (worst < 0)
            return 0;
        string report = $"{Name}, {implementation}: {a.Name}[{worst}] of {a.Shape} is {actual[worst]:R}, expected {expected[worst]:R}: "
            + $"{worstShare:P0} of the allowance, {beyond} elements beyond it";
        TestContext.Current.TestOutputHelper?.WriteLine(report);
        if (beyond > 0)
            Assert.Fail(report);
        return largest;
    }

    /// <summary>Gives each tensor in turn a wrong shape: the call must say so, with both shapes, before it writes anything.</summary>
    public void CheckShapes()
    {
        foreach (Argument a in Arguments.Where(a => !AnyShape.Contains(a.Name)))
        {
            foreach (Shape wrong in Wrong(a.Shape))
            {
                foreach ((string implementation, Func<Device> open) in Implementations.Take(2))
                    CheckRefused(implementation, open, a, wrong);
            }
        }
    }

    private static IEnumerable<Shape> Wrong(Shape shape)
    {
        // One channel more, one row more: no tensor of a row fits both.
        int[] extents = [.. Enumerable.Range(0, shape.Rank).Select(i => shape[i])];
        if (extents.Length == 0)
            return [new Shape(2)];
        int[] wider = [.. extents], longer = [.. extents];
        wider[^1]++;
        longer[0]++;
        return [Shape.Of(wider), Shape.Of(longer)];
    }

    private void CheckRefused(string implementation, Func<Device> open, Argument a, Shape wrong)
    {
        using Device device = open();
        using GuardedMemory memory = new(device);
        using IDisposable? plan = Plan?.Invoke(device);
        Tensors tensors = NewTensors(device, plan, memory, 0, a.Name, wrong);
        string where = $"{Name}, {implementation}: {a.Name} {wrong} instead of {a.Shape}";
        try
        {
            Run(tensors);
        }
        catch (ShapeException e)
        {
            if (!e.Message.Contains(wrong.ToString(), StringComparison.Ordinal) || ShapeText().Count(e.Message) < 2)
                Assert.Fail($"{where}: the message does not hold both shapes: {e.Message}");
            foreach (Argument other in Arguments.Where(o => o.Name != a.Name))
            {
                if (device.ToArray(tensors[other.Name]).AsSpan().CommonPrefixLength(other.Values, BitComparer.Instance) != other.Values.Length)
                    Assert.Fail($"{where}: refused, but {other.Name} was written before");
            }
            return;
        }
        Assert.Fail($"{where}: not refused");
    }

    // A shape, or the number of elements that was expected.
    [GeneratedRegex(@"\[[\d, ]*\]|asks for \d+")]
    private static partial Regex ShapeText();
}

/// <summary>The tensors of a row on a device.</summary>
internal sealed class Tensors(Device device, IDisposable? plan, (string Name, Tensor Tensor)[] placed)
{
    public Device Device => device;

    public Buffer<byte> Images { get; init; }

    public Buffer<ulong> Step { get; init; }

    public T Plan<T>() where T : IDisposable => (T)plan!;

    /// <exception cref="KeyNotFoundException">The row has no such tensor.</exception>
    public Tensor this[string name] => Optional(name) ?? throw new KeyNotFoundException(name);

    /// <summary>The tensor, or null when the row goes without.</summary>
    public Tensor? Optional(string name)
    {
        foreach ((string Name, Tensor Tensor) p in placed)
        {
            if (p.Name == name)
                return p.Tensor;
        }
        return null;
    }
}

/// <summary>The values of a row in double precision.</summary>
internal sealed class Arrays(Argument[] arguments, Func<double, double> map)
{
    private readonly Dictionary<string, double[]> _arrays
        = arguments.ToDictionary(a => a.Name, a => Array.ConvertAll(a.Values, x => map(x)));

    public byte[] Images { get; set; } = [];

    public ulong Step { get; set; }

    public double[] this[string name] => _arrays[name];

    /// <summary>The values, or nothing when the row goes without.</summary>
    public double[] Optional(string name) => _arrays.GetValueOrDefault(name, []);
}

/// <summary>Floats are equal when their bits are: NaN equals itself, 0 is not -0.</summary>
internal sealed class BitComparer : IEqualityComparer<float>
{
    public static readonly BitComparer Instance = new();

    public bool Equals(float x, float y) => BitConverter.SingleToInt32Bits(x) == BitConverter.SingleToInt32Bits(y);

    public int GetHashCode(float x) => BitConverter.SingleToInt32Bits(x);
}
