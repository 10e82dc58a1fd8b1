using System.Reflection;
using System.Text.RegularExpressions;
using CudaGen.Kernels.Cuda;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Kernels.Tests;

/// <summary>
/// Every kernel of <c>kernels/</c> in one short run on one device, for checkers that see what a kernel does with memory: the stand-ins,
/// and compute-sanitizer on a GPU.
/// </summary>
public sealed partial class KernelCoverageTests
{
    [Fact]
    public void Every_kernel_runs_in_bare_memory()
    {
        using Device device = TestCuda.Open(Implementation.Kernel);
        foreach (OpTest row in OpTests.Table.Values)
            row.LaunchBare(device);
        PadRoundAndBack(device);
        CountAndAdvance(device);
        device.Synchronize();
        string[] names = [.. Names()], never = [.. names.Except(device.Cuda!.LaunchedKernels)];
        Assert.True(names.Length >= 75 && never.Length == 0, $"{never.Length} of {names.Length} kernels were never launched: {string.Join(", ", never)}");
        Console.WriteLine($"launched all {names.Length} kernels of kernels/");
    }

    // These serve cuDNN and cuBLAS, whose own kernels are not what is checked.
    private static void PadRoundAndBack(Device device)
    {
        Padding padding = new(2, 1, 1, 3);
        Shape image = new(2, 5, 3, 7), padded = new(2, 8, 7, 7);
        using GuardedMemory memory = new(device, bare: true);
        Tensor Unset(string name, Shape shape) => memory.Place(name, shape, Sample.Nothing(shape.Length), 0, Role.Output);
        Tensor x = memory.Place("x", image, Sample.Floats("x", image.Length), 0), around = Unset("padded", padded), back = Unset("back", image);
        device.LaunchOver(new(KernelFiles.Convolution, "convolution_pad"), padded.Length, around, x, padded.Length, image[1], image[2], image[3],
            padded[1], padded[2], padding.Top, padding.Left);
        device.LaunchOver(new(KernelFiles.Convolution, "convolution_crop"), image.Length, back, around, image.Length, image[1], image[2], image[3],
            padded[1], padded[2], padding.Top, padding.Left);
        Assert.Equal(device.ToArray(x), device.ToArray(back));

        nint rounded = Unset("rounded", new Shape(Bfloat16.ScratchFloats(image.Length))).Address;
        nint roundedAround = Unset("rounded padded", new Shape(Bfloat16.ScratchFloats(padded.Length))).Address;
        Tensor widened = Unset("widened", image), cropped = Unset("cropped", image);
        Bfloat16.Round(device, rounded, x);
        Bfloat16.Widen(device, widened, rounded, null, default);
        Bfloat16.Pad(device, roundedAround, padded, x, padding);
        Bfloat16.Crop(device, cropped, roundedAround, padded, padding, null, default);
        Assert.Equal(device.ToArray(widened), device.ToArray(cropped));
        Bfloat16.Add(device, widened, rounded);
        Assert.Equal(device.ToArray(cropped).Select(v => 2 * v), device.ToArray(widened));
    }

    // No rows of the table, as they overwrite nothing that a reference computes.
    private static void CountAndAdvance(Device device)
    {
        using GuardedMemory memory = new(device, bare: true);
        Buffer<ulong> step = memory.Place<ulong>("step", [6]);
        Tensor ring = memory.Place("ring", new Shape(4, 2), new float[8], 0), losses = memory.Place("losses", new Shape(2), [1, 2], 0);
        StepState.Count(device, step);
        StepState.Advance(device, step, ring, losses);
        Assert.Equal(8UL, device.Read(step));
        Assert.Equal([0, 0, 0, 0, 0, 0, 1, 2], device.ToArray(ring));
    }

    private static IEnumerable<string> Names()
    {
        Assembly kernels = typeof(KernelFiles).Assembly;
        foreach (string file in kernels.GetManifestResourceNames().Where(n => n.EndsWith(".cu", StringComparison.Ordinal)))
        {
            using StreamReader reader = new(kernels.GetManifestResourceStream(file)!);
            foreach (Match kernel in EntryPoint().Matches(reader.ReadToEnd()))
                yield return kernel.Groups[1].Value;
        }
    }

    [GeneratedRegex(@"__global__ void\s+(?:__launch_bounds__\(\w+\)\s+)?(\w+)\(")]
    private static partial Regex EntryPoint();
}
