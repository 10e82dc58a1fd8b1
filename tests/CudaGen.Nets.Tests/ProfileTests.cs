using CudaGen.KernelCheck;
using CudaGen.Kernels;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Nets.Tests;

/// <summary>What a profile tells of whole networks and training steps.</summary>
public sealed class ProfileTests
{
    private static List<ProfiledWork> Profile(Device device, Action work)
    {
        // Loads kernels and lets libraries choose.
        work();
        using DeviceProfile profile = new(device);
        device.Profile = profile;
        work();
        device.Profile = null;
        return [.. profile.Work];
    }

    /// <summary>
    /// Images 8x8x2, a convolution of 3 filters 3x3 to 8x8, a strided one of 4 filters 5x5 to 4x4, a dense layer to 10, a transposed
    /// convolution of 5 filters 4x4 from 4x4x4 to 8x8x5; forward, the gradients of all inputs but the first, and of all weights.
    /// </summary>
    [Theory, InlineData(Implementation.Kernel), InlineData(Implementation.Library)]
    public void Flops_are_those_counted_by_hand(Implementation implementation)
    {
        const int N = 7;
        const long Conv1 = 2L * N * 3 * 8 * 8 * 2 * 3 * 3, Conv2 = 2L * N * 4 * 4 * 4 * 3 * 5 * 5, Dense = 2L * N * 10 * 64;
        const long Transposed = 2L * N * 4 * 4 * 4 * 5 * 4 * 4;
        using Device device = TestCuda.Open(implementation);
        Network down = new(new ConvLayer("conv1", 3, 3, 1, Activation.Relu), new ConvLayer("conv2", 4, 5, 2, Activation.Relu),
            new DenseLayer("dense", 10, Activation.Linear));
        Network up = new(new ConvTransposeLayer("deconv", 5, 4, 2, Activation.Tanh));
        using Planner planner = Planner.Allocate(device, N, true, p =>
        {
            down.Plan(p, p.Activation(new(N, 8, 8, 2)));
            up.Plan(p, p.Activation(new(N, 4, 4, 4)));
        });
        planner.Initialise(1);
        device.Clear(down.DY);
        device.Clear(up.DY);
        device.Clear(down.X);
        device.Clear(up.X);
        long Flops(Network network) => Profile(device, () =>
        {
            network.Forward(device);
            network.Backward(device);
        }).Sum(w => w.Flops);
        Assert.Equal(2 * Conv1 + 3 * Conv2 + 3 * Dense, Flops(down));
        Assert.Equal(2 * Transposed, Flops(up));
    }

    [Theory]
    [InlineData(Implementation.Kernel, Precision.Fp32)]
    [InlineData(Implementation.Library, Precision.Fp32)]
    [InlineData(Implementation.Library, Precision.Bf16)]
    public void A_step_has_as_many_rows_as_launches(Implementation implementation, Precision precision)
    {
        StandInControl stand = TestCuda.RequireStandIn();
        string[] calls =
        [
            "cuLaunchKernel", "cuMemcpyDtoDAsync_v2", "cuMemsetD8Async", "cublasSgemm_v2", "cublasGemmEx",
            "cudnnConvolutionForward", "cudnnConvolutionBackwardData", "cudnnConvolutionBackwardFilter",
        ];
        foreach (string name in (string[])["dcgan, tricks", "wgan-gp", "began", "toy2d"])
        {
            using Device device = TestCuda.Open(implementation, precision);
            using Model model = SmallModels.Create(name);
            model.Plan(device, SmallModels.Batch, SmallModels.Seed);
            model.Eager = true;
            using DataSet data = SmallModels.Data(device, model);
            model.Step(data);
            device.Synchronize();
            using DeviceProfile profile = new(device);
            Dictionary<string, long> before = calls.ToDictionary(c => c, c => stand.CallCount(c));
            device.Profile = profile;
            model.Step(data);
            device.Profile = null;
            Assert.Equal(calls.Sum(c => stand.CallCount(c) - before[c]), profile.Work.Count);
            Assert.Equal(stand.CallCount("cuLaunchKernel") - before["cuLaunchKernel"],
                profile.Work.Count(w => !w.Name.StartsWith("cu", StringComparison.Ordinal)));
            Assert.All(profile.Work, w => Assert.True(w.Flops == 0 || w.Shape.Length > 0));
        }
    }
}
