using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Noise that goes to zero in the course of training, by the number of the step in device memory:
/// <code>
/// add       y = x + s n, n from N(0, 1) as <see cref="RandomFill.Normal"/> draws it       y may be x
/// labels    t = 1 - target with probability s, else target
/// s = amount (1 - step / anneal), 0 from there on; with an anneal of 0 always amount
/// </code>
/// </summary>
public static unsafe class AnnealedNoise
{
    private static readonly Kernel AddKernel = new(KernelFiles.Noise, "noise_add");
    private static readonly Kernel LabelsKernel = new(KernelFiles.Noise, "noise_labels");

    /// <summary>y = x + s n; y may be x.</summary>
    /// <exception cref="ShapeException">y and x differ.</exception>
    public static void Add(Device device, Tensor y, Tensor x, float sigma, ulong annealSteps, ulong seed, uint stream, Buffer<ulong> step)
    {
        ArgumentNullException.ThrowIfNull(device);
        Shape.RequireEqual(y, x);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(AddKernel, (int)((y.Length + 3L) / 4), y, x, step, y.Length, sigma, annealSteps, seed, stream);
            return;
        }
        AddJob job = new((float*)y.Address, (float*)x.Address, y.Length, Annealed(sigma, step.Span[0], annealSteps), seed, stream, step.Span[0]);
        Dispatch.Run(device, job.Chunks, ref job);
    }

    /// <summary>Targets of a discriminator, some of them flipped.</summary>
    /// <param name="device">The device.</param>
    /// <param name="t">Any shape, overwritten.</param>
    /// <param name="target">0 to 1.</param>
    /// <param name="flip">Probability of 1 - target at the beginning.</param>
    /// <param name="annealSteps">Steps until that is 0; 0 for never.</param>
    /// <param name="seed">Key of all random numbers.</param>
    /// <param name="stream">Which of them.</param>
    /// <param name="step">The number of the step.</param>
    public static void Labels(Device device, Tensor t, float target, float flip, ulong annealSteps, ulong seed, uint stream, Buffer<ulong> step)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Kind == DeviceKind.Cuda)
        {
            device.LaunchOver(LabelsKernel, (int)((t.Length + 3L) / 4), t, step, t.Length, target, flip, annealSteps, seed, stream);
            return;
        }
        float probability = Annealed(flip, step.Span[0], annealSteps);
        for (int i = 0; i < t.Length; i++)
        {
            (uint a, uint b, uint c, uint d) = Philox.Words(seed, stream, step.Span[0], (uint)i / 4);
            uint word = (i % 4) switch { 0 => a, 1 => b, 2 => c, _ => d };
            t.Span[i] = Philox.Unit(word) < probability ? 1 - target : target;
        }
    }

    internal static float Annealed(float amount, ulong step, ulong anneal)
        => anneal == 0 ? amount : step >= anneal ? 0 : amount * ((float)(anneal - step) / anneal);

    // A chunk is a whole number of blocks of Philox.
    private readonly struct AddJob(float* y, float* x, int n, float s, ulong seed, uint stream, ulong step) : IChunk
    {
        private const int Length = 1024;

        public int Chunks => (n + Length - 1) / Length;

        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            float* noise = stackalloc float[4];
            for (int i = chunk * Length; i < Math.Min(n, (chunk + 1) * Length); i += 4)
            {
                (uint a, uint b, uint c, uint d) = Philox.Words(seed, stream, step, (uint)i / 4);
                (noise[0], noise[1]) = Philox.NormalPair(a, b);
                (noise[2], noise[3]) = Philox.NormalPair(c, d);
                for (int j = 0; j < Math.Min(4, n - i); j++)
                    y[i + j] = x[i + j] + s * noise[j];
            }
        }
    }
}
