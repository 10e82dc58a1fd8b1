using CudaGen.Runtime;

namespace CudaGen.Nets;

/// <summary>A tensor and its name in a file. Either float32 of any shape, or one uint64 counter.</summary>
public readonly record struct NamedTensor
{
    public NamedTensor(string name, Tensor tensor) => (Name, Tensor, IsCounter) = (name, tensor, false);

    public NamedTensor(string name, Buffer<ulong> counter) => (Name, Counter, IsCounter) = (name, counter, true);

    public string Name { get; }

    public Tensor Tensor { get; }

    public Buffer<ulong> Counter { get; }

    public bool IsCounter { get; }

    internal NamedTensor WithPrefix(string prefix) => IsCounter ? new(prefix + Name, Counter) : new(prefix + Name, Tensor);
}
