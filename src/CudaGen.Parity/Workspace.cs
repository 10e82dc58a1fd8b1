using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>Tensors of any shapes that come one by one and are freed together.</summary>
internal sealed class Workspace(Device device) : IDisposable
{
    private readonly List<Arena> _arenas = [];

    public Device Device { get; } = device;

    public Tensor Take(Shape shape) => NewArena((long)shape.Length * sizeof(float)).Take(shape);

    public Buffer<ulong> Counter() => NewArena(sizeof(ulong)).Take<ulong>(1);

    public Tensor Of(Shape shape, ReadOnlySpan<float> values)
    {
        Tensor tensor = Take(shape);
        Device.Upload(tensor, values);
        return tensor;
    }

    private Arena NewArena(long bytes)
    {
        _arenas.Add(new Arena(Device, "parity", bytes));
        return _arenas[^1];
    }

    public void Dispose() => _arenas.ForEach(a => a.Dispose());
}
