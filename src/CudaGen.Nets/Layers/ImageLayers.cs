using CudaGen.Kernels;
using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>Rows of numbers as images (N, height, width, channels). No memory moves, as images are NHWC throughout.</summary>
public sealed class ReshapeLayer(string name, int height, int width, int channels) : Layer(name, Activation.Linear)
{
    public override string What => "as images";

    public override bool HasTangent => true;

    protected override Shape Prepare(Planner planner, Shape x) => new(x.Rows, height, width, channels);

    private protected override (Tensor Y, Tensor DY) Outputs(Planner planner, Shape shape, Tensor? y)
        => (X.Reshape(shape), DX.Length == 0 ? planner.Gradient(shape) : DX.Reshape(shape));

    public override void Forward(Device device) { }

    public override void BackwardInput(Device device, Tensor? dx, bool parameters) { }

    internal override void Tangent(Device device, Tensor scratch) { }
}

/// <summary>The largest element of each window of size x size pixels.</summary>
public sealed class MaxPoolLayer(string name, int size) : Layer(name, Activation.Linear)
{
    private PoolingShape _shape = null!;

    public override string What => $"max pool {size}x{size}";

    protected override Shape Prepare(Planner planner, Shape x) => new PoolingShape(x, size, size).Y;

    private protected override void Bind(Planner planner) => _shape = new(X.Shape, size, size);

    public override void Forward(Device device) => MaxPool.Forward(device, _shape, Y, X);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        if (dx is { } target)
            MaxPool.Backward(device, _shape, target, DY, X);
    }
}

/// <summary>The mean of each window of size x size pixels.</summary>
public sealed class AveragePoolLayer(string name, int size) : Layer(name, Activation.Linear)
{
    private PoolingShape _shape = null!;

    public override string What => $"average pool {size}x{size}";

    public override bool HasTangent => true;

    protected override Shape Prepare(Planner planner, Shape x) => new PoolingShape(x, size, size).Y;

    private protected override void Bind(Planner planner) => _shape = new(X.Shape, size, size);

    public override void Forward(Device device) => AveragePool.Forward(device, _shape, Y, X);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        if (dx is { } target)
            AveragePool.Backward(device, _shape, target, DY);
    }

    internal override void Tangent(Device device, Tensor scratch) => Forward(device);
}

/// <summary>Each pixel becomes scale x scale equal ones.</summary>
public sealed class NearestUpsampleLayer(string name, int scale) : Layer(name, Activation.Linear)
{
    public override string What => $"nearest, {scale}x";

    public override bool HasTangent => true;

    protected override Shape Prepare(Planner planner, Shape x) => new(x[0], x[1] * scale, x[2] * scale, x[3]);

    public override void Forward(Device device) => NearestUpsample.Forward(device, Y, X, scale);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        if (dx is { } target)
            NearestUpsample.Backward(device, target, DY, scale);
    }

    internal override void Tangent(Device device, Tensor scratch) => Forward(device);
}

/// <summary>TensorFlow 1's bilinear resize without aligned corners, to size x size pixels.</summary>
public sealed class BilinearResizeLayer(string name, int size) : Layer(name, Activation.Linear)
{
    public override string What => $"bilinear, to {size}x{size}";

    public override bool HasTangent => true;

    protected override Shape Prepare(Planner planner, Shape x) => new(x[0], size, size, x[3]);

    public override void Forward(Device device) => BilinearResize.Forward(device, Y, X);

    public override void BackwardInput(Device device, Tensor? dx, bool parameters)
    {
        if (dx is { } target)
            BilinearResize.Backward(device, target, DY);
    }

    internal override void Tangent(Device device, Tensor scratch) => Forward(device);
}
