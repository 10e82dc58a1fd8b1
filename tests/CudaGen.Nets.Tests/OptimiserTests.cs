using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets.Tests;

/// <summary>On a CPU an optimiser takes large weights one by one; together that is one update of all parameters.</summary>
public sealed class OptimiserTests
{
    private static readonly AdamOptions Adam = new(1e-3f, 0.5f);
    private static readonly RmsPropOptions RmsProp = new(1e-3f, Clip: 1e-3f);

    // Large ones at the start, side by side, behind small ones, and none.
    private static readonly int[][] Lengths =
        [[Dense.MinSplitLength, 7], [Dense.MinSplitLength + 1, Dense.MinSplitLength, 3], [5, 400, Dense.MinSplitLength + 9], [33, 2]];

    public static TheoryData<int, bool> Cases => new(Enumerable.Range(0, Lengths.Length).SelectMany(i => new[] { (i, true), (i, false) }));

    private static void Fill(Tensor tensor, int salt, float least)
    {
        for (int i = 0; i < tensor.Length; i++)
            tensor.Span[i] = least + (float)((i * 7919L + salt) % 2003) * 1e-6f;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Parts_of_an_update_are_one_update(int lengths, bool adam)
    {
        using Device device = Device.Cpu(2);
        ParameterGroup group = null!;
        Optimiser optimiser = null!;
        using Planner plan = Planner.Allocate(device, 1, true, planner =>
        {
            group = planner.Group("");
            for (int i = 0; i < Lengths[lengths].Length; i++)
                planner.Parameter($"p{i}", new(Lengths[lengths][i]));
            optimiser = planner.Optimiser("optimiser", group, adam ? Adam : RmsProp);
        });
        int length = group.Value.Length;
        using Arena arena = new(device, "copies", 4L * sizeof(float) * (length + Arena.Alignment));
        Tensor[] all = [group.Value, group.Gradient, optimiser.Second, .. adam ? [optimiser.First] : Array.Empty<Tensor>()];
        Tensor[] copies = Array.ConvertAll(all, _ => arena.Take(new(length)));
        for (int i = 0; i < all.Length; i++)
        {
            // Only second moments are positive.
            Fill(all[i], i, i == 2 ? 0 : -1e-3f);
            all[i].Span.CopyTo(copies[i].Span);
        }
        foreach (Parameter parameter in group.OfLayers)
            parameter.AddsGradient();
        if (adam)
            Optimisers.Adam(device, copies[0], copies[1], copies[3], copies[2], optimiser.Updates, Adam with { LearningRate = 0.5f * Adam.LearningRate });
        else
            Optimisers.RmsProp(device, copies[0], copies[1], copies[2], RmsProp with { LearningRate = 0.5f * RmsProp.LearningRate });

        optimiser.Update(device, 0.5f);

        for (int i = 0; i < all.Length; i++)
            Assert.Equal(copies[i].Span, all[i].Span);
        Assert.Equal(adam ? 1ul : 0, optimiser.Updates.Span[0]);
    }
}
