using System.Runtime.CompilerServices;

namespace CudaGen.Runtime;

/// <summary>
/// One argument of a kernel launch: the bytes of a plain value, and how many. <see cref="Device.Launch"/> compares their
/// number with the kernel's parameter, which <c>cuLaunchKernel</c> itself cannot do.
/// </summary>
public readonly struct KernelArgument
{
    private readonly ulong _bits;

    private readonly int _elements;

    private KernelArgument(ulong bits, int size, int elements = 0) => (_bits, Size, _elements) = (bits, size, elements);

    /// <summary>Bytes of the value.</summary>
    public int Size { get; }

    /// <summary>Bytes of the tensor that the value points to; 0 where it is no tensor.</summary>
    internal long TensorBytes => (long)_elements * sizeof(float);

    /// <summary>A value of up to 8 bytes.</summary>
    public static KernelArgument Of<T>(T value) where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() > sizeof(ulong))
            throw new ArgumentException($"a kernel argument has at most 8 bytes; {typeof(T).Name} has {Unsafe.SizeOf<T>()}");
        ulong bits = 0;
        Unsafe.WriteUnaligned(ref Unsafe.As<ulong, byte>(ref bits), value);
        return new(bits, Unsafe.SizeOf<T>());
    }

    public static implicit operator KernelArgument(int value) => new((uint)value, sizeof(int));

    public static implicit operator KernelArgument(uint value) => new(value, sizeof(uint));

    public static implicit operator KernelArgument(long value) => new((ulong)value, sizeof(long));

    public static implicit operator KernelArgument(ulong value) => new(value, sizeof(ulong));

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value), sizeof(float));

    public static implicit operator KernelArgument(double value) => new(BitConverter.DoubleToUInt64Bits(value), sizeof(double));

    /// <summary>A pointer.</summary>
    public static implicit operator KernelArgument(nint value) => new((ulong)value, sizeof(ulong));

    /// <summary>The pointer of a tensor.</summary>
    public static implicit operator KernelArgument(Tensor value) => new((ulong)value.Address, sizeof(ulong), value.Length);

    /// <summary>The pointer of a tensor, or a null pointer.</summary>
    public static implicit operator KernelArgument(Tensor? value) => value is { } tensor ? tensor : (nint)0;
}
