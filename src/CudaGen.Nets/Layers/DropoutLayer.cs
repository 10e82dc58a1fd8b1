using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>
/// y = x mask / (1 - drop) in training, y = x in use (Srivastava et al. 2014). The mask stays until <see cref="Draw"/>, so the two
/// directions of a pass see the same one.
/// </summary>
/// <param name="name">Name of the layer.</param>
/// <param name="drop">Probability of a zero, from 0 to below 1.</param>
public sealed class DropoutLayer(string name, float drop) : Layer(name, Activation.Linear)
{
    /// <summary>0 or 1 for each element of x.</summary>
    public Tensor Mask { get; private set; }

    public override string What => $"dropout {drop}";

    public override bool HasTangent => true;

    protected override Shape Prepare(Planner planner, Shape x)
    {
        Mask = planner.Training ? planner.Activation(x) : default;
        return x;
    }

    private protected override void TakeRows(int first, int count) => Mask = Mask.Rows(first, count);

    public override void Draw(Device device, ulong seed, uint stream, Buffer<ulong> counter) => Dropout.Mask(device, Mask, seed, stream, counter, drop);

    public override void Forward(Device device) => Dropout.Apply(device, Y, X, Mask, drop);

    public override void Infer(Device device) => Arithmetic.Scale(device, Y, X, 1);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        if (dx is { } target)
            Dropout.Apply(device, target, DY, Mask, drop);
    }

    internal override void Tangent(Device device, Tensor scratch) => Forward(device);
}
