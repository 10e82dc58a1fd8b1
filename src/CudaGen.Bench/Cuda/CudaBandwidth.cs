using System.Text.Json.Nodes;
using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Bench.Cuda;

/// <summary>
/// The operations that hardly compute, on tensors that no cache holds: 256 MiB, where the largest L2 has 60 MB. Bytes are what any
/// implementation moves at the least.
/// </summary>
internal sealed class CudaBandwidth(CudaSettings settings, Ceilings ceilings, Device device)
{
    private const int Channels = 64, Classes = 10;

    /// <summary>An operation, and how many floats it reads and writes.</summary>
    private sealed record Operation(string Name, double Floats, Action Run);

    /// <summary>Times them one after the other.</summary>
    /// <param name="take">Takes the row of one.</param>
    /// <param name="goes">Whether there is time for another one.</param>
    public void Measure(Action<JsonObject> take, Func<bool> goes)
    {
        int n = settings.Large;
        using var arena = new Arena(device, "bandwidth", 5L * n * sizeof(float) + (2L * n / Channels + 16 * Channels) * sizeof(float) + 64 * Arena.Alignment);
        Console.WriteLine();
        Console.WriteLine($"{$"memory-bound operation, tensors of {n} floats",-52} {"ms",8} {"best",8} {"MB",8} {"GB/s",8} {"copy",5}");
        foreach (Operation operation in Operations(arena, n))
        {
            if (!goes())
                return;
            for (int i = 0; i < (settings.Quick ? 1 : 3); i++)
                operation.Run();
            Times times = new(operation.Name);
            CudaClock.Events(device, operation.Run, settings.Quick ? 2 : 15, times);
            double bytes = operation.Floats * sizeof(float), rate = bytes / times.Median * 1000;
            Console.WriteLine($"{operation.Name,-52} {times.Median,8:F3} {times.Best,8:F3} {bytes * 1e-6,8:F1} {rate * 1e-9,8:F0} {CudaBench.Share(rate / ceilings.CopyBytes),5}");
            take(new JsonObject
            {
                ["operation"] = operation.Name,
                ["ms_median"] = Json.Number(times.Median),
                ["ms_best"] = Json.Number(times.Best),
                ["bytes_at_least"] = bytes,
                ["copy_share"] = Json.Number(rate / ceilings.CopyBytes),
            });
        }
    }

    private IEnumerable<Operation> Operations(Arena arena, int n)
    {
        // Images of side x side pixels; a is large, as are b to e, and q is a quarter of one.
        int side = settings.Quick ? 8 : 64, images = n / (side * side * Channels);
        Shape image = new(images, side, side, Channels), half = new(images, side / 2, side / 2, Channels);
        Tensor a = arena.Take(image), b = arena.Take(image), c = arena.Take(image), d = arena.Take(image), e = arena.Take(image);
        Tensor q = e.Slice(0, half);
        Tensor[] perChannel = [.. Enumerable.Range(0, 8).Select(_ => arena.Take(new Shape(Channels)))];
        (Tensor mean, Tensor rstd, Tensor runningMean, Tensor runningVariance, Tensor gamma, Tensor beta, Tensor dgamma, Tensor dbeta) =
            (perChannel[0], perChannel[1], perChannel[2], perChannel[3], perChannel[4], perChannel[5], perChannel[6], perChannel[7]);
        Tensor scalar = arena.Take(Shape.Scalar), alpha = arena.Take(new Shape(images)), labels = arena.Take(new Shape(n / Channels / Classes, Classes));
        Buffer<ulong> step = arena.Take<ulong>(1);
        device.Upload(step, [0UL]);
        foreach (Tensor tensor in (Tensor[])[a, b, c, d, e, alpha, labels, .. perChannel])
            RandomFill.Uniform(device, tensor, 1, 1, step, 0.1f, 0.9f);
        Activation leaky = Activation.LeakyRelu(0.2f);
        PoolingShape pool = new(image, 2, 2);
        Shape flat = new(n / Channels / Classes, Channels * Classes - Classes), joined = new(flat.Rows, Channels * Classes);
        Shape heads = new(n / Channels, Channels), latent = new(n / Channels, Channels / 2);
        device.ReserveScratch(new[]
        {
            BatchNorm.ScratchFloats(image), BiasActivation.ScratchFloats(image), Losses.ScratchFloats(image), Variational.ScratchFloats(heads),
        }.Max());
        Buffer<byte> bytes = new(b.Address, n, b.Kind);

        yield return new("copy (driver)", 2.0 * n, () => device.Copy(b, a));
        yield return new("fill (driver)", n, () => device.Clear(b));
        yield return new("constant", n, () => RandomFill.Constant(device, b, 0.5f));
        yield return new("uniform numbers", n, () => RandomFill.Uniform(device, b, 1, 2, step, 0.1f, 0.9f));
        yield return new("normal numbers", n, () => RandomFill.Normal(device, c, 1, 2, step));
        yield return new("scale", 2.0 * n, () => Arithmetic.Scale(device, b, a, 0.5f));
        yield return new("add", 3.0 * n, () => Arithmetic.Add(device, c, a, b));
        yield return new("moving average", 3.0 * n, () => Arithmetic.Average(device, c, a, 0.9f, step));
        yield return new("activation", 2.0 * n, () => BiasActivation.Apply(device, b, a, leaky));
        yield return new("bias, activation, in place", 2.0 * n, () => BiasActivation.Forward(device, b, beta, leaky));
        yield return new("bias, tanh, in place", 2.0 * n, () => BiasActivation.Forward(device, b, beta, Activation.Tanh));
        yield return new("activation backward", 3.0 * n, () => BiasActivation.Backward(device, c, a, b, null, leaky));
        yield return new("bias, activation backward, in place", 3.0 * n, () => BiasActivation.Backward(device, c, c, a, dbeta, leaky));
        yield return new("activation backward, tangent", 5.0 * n, () => BiasActivation.BackwardTangent(device, e, a, b, c, d, Activation.Tanh));
        // Statistics come before the first result, so x is read twice; backwards, two sums do.
        yield return new("batch norm, activation", 3.0 * n,
            () => BatchNorm.ForwardTraining(device, b, mean, rstd, runningMean, runningVariance, a, gamma, beta, 1e-3f, 0.01f, leaky));
        yield return new("batch norm in use, activation", 2.0 * n,
            () => BatchNorm.ForwardInference(device, b, a, runningMean, runningVariance, gamma, beta, 1e-3f, leaky));
        yield return new("batch norm, activation backward", 7.0 * n, () => BatchNorm.Backward(device, d, dgamma, dbeta, c, a, b, mean, rstd, gamma, leaky));
        yield return new("batch norm backward", 5.0 * n, () => BatchNorm.Backward(device, d, dgamma, dbeta, c, a, b, mean, rstd, gamma));
        yield return new("max pool 2x2", 1.25 * n, () => MaxPool.Forward(device, pool, q, a));
        yield return new("max pool 2x2 backward", 2.25 * n, () => MaxPool.Backward(device, pool, b, q, a));
        yield return new("average pool 2x2", 1.25 * n, () => AveragePool.Forward(device, pool, q, a));
        yield return new("average pool 2x2 backward", 1.25 * n, () => AveragePool.Backward(device, pool, b, q));
        yield return new("nearest 2x", 1.25 * n, () => NearestUpsample.Forward(device, b, q, 2));
        yield return new("nearest 2x backward", 1.25 * n, () => NearestUpsample.Backward(device, q, b, 2));
        yield return new("bilinear 2x", 1.25 * n, () => BilinearResize.Forward(device, b, q));
        yield return new("bilinear 2x backward", 1.25 * n, () => BilinearResize.Backward(device, q, b));
        yield return new("dropout mask", n, () => Dropout.Mask(device, b, 1, 3, step, 0.3f));
        yield return new("dropout", 3.0 * n, () => Dropout.Apply(device, c, a, b, 0.3f));
        yield return new("noise", 2.0 * n, () => AnnealedNoise.Add(device, c, a, 0.1f, 0, 1, 4, step));
        yield return new("concatenate", 2.0 * joined.Length, () => Concat.Forward(device, b.Slice(0, joined), a.Slice(0, flat), labels));
        yield return new("concatenate backward", 2.0 * joined.Length, () => Concat.Backward(device, a.Slice(0, flat), labels, b.Slice(0, joined)));
        yield return new("gather a minibatch of bytes", 1.25 * n, () => Minibatch.Gather(device, a, bytes, step, 1, 1f / 255, 0.1f));
        yield return new("sum", n, () => Reduce.Sum(device, scalar, a));
        yield return new("squared error", 3.0 * n, () => Losses.MeanSquaredError(device, scalar, c, a, d, 1f / n));
        yield return new("absolute error", 3.0 * n, () => Losses.MeanAbsoluteError(device, scalar, c, a, d, 1f / n));
        yield return new("binary cross-entropy", 2.0 * n, () => Losses.BinaryCrossEntropy(device, scalar, c, a, 1, 1f / n));
        yield return new("mean", 2.0 * n, () => Losses.Mean(device, scalar, c, a, 1f / n));
        yield return new("interpolate, penalty", 3.0 * n, () => GradientPenalty.Interpolate(device, c, a, d, alpha));
        yield return new("sample of a posterior", 2.0 * n,
            () => Variational.SampleForward(device, b.Slice(0, latent), a.Reshape(heads), c.Slice(0, latent), PosteriorHead.LogVariance));
        yield return new("sample of a posterior backward", 4.0 * n,
            () => Variational.SampleBackward(device, d.Reshape(heads), b.Slice(0, latent), a.Reshape(heads), c.Slice(0, latent), PosteriorHead.LogVariance));
        yield return new("divergence", 2.0 * n, () => Variational.Divergence(device, scalar, d.Reshape(heads), a.Reshape(heads), PosteriorHead.LogVariance, 1f / n));
        yield return new("Adam", 7.0 * n, () => Optimisers.Adam(device, a, b, c, d, step, new(1e-6f)));
        yield return new("RMSProp", 5.0 * n, () => Optimisers.RmsProp(device, a, b, d, new(1e-6f)));
    }
}
