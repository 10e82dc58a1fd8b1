using System.Runtime.CompilerServices;
using CudaGen.Kernels.Cpu;
using CudaGen.Runtime;

namespace CudaGen.Kernels;

/// <summary>
/// Constant and random fills. Element i depends on (seed, stream, step, i) alone, see <see cref="Philox"/>: not on the
/// batch size, the thread or the device. The step is read from device memory, so a recorded step draws new numbers each
/// time it is replayed.
/// </summary>
public static unsafe class RandomFill
{
    private static readonly Kernel ConstantKernel = new(KernelFiles.Random, "fill_constant");
    private static readonly Kernel UniformKernel = new(KernelFiles.Random, "fill_uniform");
    private static readonly Kernel NormalKernel = new(KernelFiles.Random, "fill_normal");

    /// <summary>Every element becomes <paramref name="value"/>.</summary>
    public static void Constant(Device device, Tensor y, float value)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Kind == DeviceKind.Cuda)
            device.LaunchOver(ConstantKernel, y.Length, y, y.Length, value);
        else if (device.IsReference)
            y.Span.Fill(value);
        else
            Maps.Run(device, y.Length, new ConstantMap((float*)y.Address, value));
    }

    private readonly struct ConstantMap(float* y, float value) : IMap
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TVec At<TSimd, TVec>(int i, Lanes lanes)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            lanes.Store<TSimd, TVec>(y + i, TSimd.Set(value));
            return TSimd.Set(0);
        }
    }

    /// <summary>y[i] uniform in [low, high); where the range is small against its ends, rounding may give high.</summary>
    public static void Uniform(Device device, Tensor y, ulong seed, uint stream, Buffer<ulong> step, float low, float high)
    {
        ArgumentNullException.ThrowIfNull(device);
        Fill(device, y, seed, stream, step, low, high - low, false);
    }

    /// <summary>
    /// y[i] from N(mean, sigma^2): Box and Muller's pair r cos, r sin from two words, r = sqrt(-2 ln u) with u in (0, 1].
    /// </summary>
    public static void Normal(Device device, Tensor y, ulong seed, uint stream, Buffer<ulong> step, float mean = 0, float sigma = 1)
    {
        ArgumentNullException.ThrowIfNull(device);
        Fill(device, y, seed, stream, step, mean, sigma, true);
    }

    private static void Fill(Device device, Tensor y, ulong seed, uint stream, Buffer<ulong> step, float offset, float scale, bool normal)
    {
        if (device.Kind == DeviceKind.Cuda)
        {
            // A thread makes the four elements of a block of Philox.
            device.LaunchOver(normal ? NormalKernel : UniformKernel, (int)(((long)y.Length + 3) / 4), y, step, y.Length, seed, stream, offset, scale);
            return;
        }
        Job job = new((float*)y.Address, y.Length, seed, stream, step.Span[0], offset, scale, normal);
        Dispatch.Run(device, job.Chunks, ref job);
    }

    private readonly struct Job(float* y, int n, ulong seed, uint stream, ulong step, float offset, float scale, bool normal) : IChunk
    {
        private const int Length = 128;

        public int Chunks => (n + Length - 1) / Length;

        public void Run<TSimd, TVec>(int chunk)
            where TSimd : struct, ISimd<TVec>
            where TVec : struct
        {
            float* four = stackalloc float[4];
            for (int i = chunk * Length; i < Math.Min(n, (chunk + 1) * Length); i += 4)
            {
                (uint a, uint b, uint c, uint d) = Philox.Words(seed, stream, step, (uint)(i / 4));
                if (normal)
                {
                    (four[0], four[1]) = Pair(a, b);
                    (four[2], four[3]) = Pair(c, d);
                }
                else
                    (four[0], four[1], four[2], four[3]) = (Philox.Unit(a), Philox.Unit(b), Philox.Unit(c), Philox.Unit(d));
                for (int j = 0; j < Math.Min(4, n - i); j++)
                    y[i + j] = offset + scale * four[j];
            }
        }

        private static (float, float) Pair(uint a, uint b)
        {
            float r = MathF.Sqrt(-2 * MathF.Log(1 - Philox.Unit(a)));
            (float sin, float cos) = float.SinCosPi(2 * Philox.Unit(b));
            return (r * cos, r * sin);
        }
    }
}
