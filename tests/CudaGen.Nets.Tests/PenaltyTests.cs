using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets.Tests;

/// <summary>Which layers a critic with a gradient penalty may have.</summary>
public sealed class PenaltyTests
{
    private static readonly Activation Leaky = Activation.LeakyRelu(0.2f);

    private static readonly Dictionary<string, Func<string, Layer>> Refused = new()
    {
        ["batch norm"] = name => new BatchNormLayer(name, 1e-3f, 0.1f, Activation.Linear),
        ["minibatch discrimination"] = name => new MinibatchDiscriminationLayer(name, 3, 2),
        ["max pool"] = name => new MaxPoolLayer(name, 2),
        ["conv 3x3, stride 1, elu"] = name => new ConvLayer(name, 3, 3, 1, Activation.Elu),
        ["dense, tanh"] = name => new DenseLayer(name, 3, Activation.Tanh),
    };

    private static readonly Dictionary<string, Func<string, Layer>> Taken = new()
    {
        ["leaky conv"] = name => new ConvLayer(name, 3, 3, 1, Leaky),
        ["linear dense"] = name => new DenseLayer(name, 3, Activation.Linear),
        ["average pool"] = name => new AveragePoolLayer(name, 2),
        ["dropout"] = name => new DropoutLayer(name, 0.5f),
        ["nearest"] = name => new NearestUpsampleLayer(name, 2),
        ["bilinear"] = name => new BilinearResizeLayer(name, 8),
    };

    public static TheoryData<string> RefusedNames => [.. Refused.Keys];

    public static TheoryData<string> TakenNames => [.. Taken.Keys];

    /// <summary>A critic with this layer in its middle.</summary>
    private static void Plan(Layer layer)
    {
        using Device device = Device.Cpu(1);
        Network critic = new(new ConvLayer("first", 3, 4, 2, Leaky), layer, new DenseLayer("last", 1, Activation.Linear));
        Planner.Measure(device, 4, true, planner =>
        {
            critic.Plan(planner, planner.Activation(new(4, 8, 8, 3)));
            critic.PlanTangent(planner);
        }).Dispose();
    }

    [Theory, MemberData(nameof(RefusedNames))]
    public void A_layer_without_a_second_derivative_is_refused_by_its_name(string what)
        => Files.Complains(() => Plan(Refused[what]("middle")), "'middle'", what.Split(',')[0], "no second derivative", "expected a critic of");

    [Theory, MemberData(nameof(TakenNames))]
    public void A_layer_that_is_linear_but_for_its_ReLUs_is_taken(string what) => Plan(Taken[what]("middle"));

    /// <summary>Before it has taken any memory.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_model_refuses_minibatch_discrimination(bool tutorial)
    {
        using Device device = Device.Cpu(1);
        WganGpSizes sizes = new(16, 3, 4, [4, 5], [5, 4]);
        Tricks tricks = new() { MinibatchDiscrimination = true };
        using WganGp model = tutorial ? WganGp.Tutorial(sizes, tricks) : WganGp.Canonical(sizes, tricks);
        int alive = LiveObjects.Total;
        Files.Complains(() => model.Plan(device, 4, 1), "'minibatch'", "no second derivative");
        Assert.Equal(alive, LiveObjects.Total);
    }
}
