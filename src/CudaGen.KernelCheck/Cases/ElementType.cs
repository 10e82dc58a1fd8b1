using System.Globalization;
using System.Runtime.InteropServices;

namespace CudaGen.KernelCheck;

/// <summary>The kinds of numbers that kernels work on.</summary>
public enum Scalar
{
    F32,
    F64,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
}

/// <summary>The type of a kernel's argument, or of what its argument points to.</summary>
/// <param name="Name">As CUDA C++ writes it.</param>
/// <param name="Scalar">The numbers that it is made of.</param>
/// <param name="Lanes">How many: 4 for float4.</param>
public sealed record ElementType(string Name, Scalar Scalar, int Lanes)
{
    private static readonly Dictionary<string, ElementType> ByName = MakeNames();

    /// <summary>Bytes of one number.</summary>
    public int ScalarSize => Scalar switch
    {
        Scalar.I8 or Scalar.U8 => 1,
        Scalar.I16 or Scalar.U16 => 2,
        Scalar.F32 or Scalar.I32 or Scalar.U32 => 4,
        _ => 8,
    };

    /// <summary>Bytes of one element. Vectors of three have no padding, as in CUDA.</summary>
    public int Size => ScalarSize * Lanes;

    public bool IsFloat => Scalar is Scalar.F32 or Scalar.F64;

    /// <summary>Of all types but the vectors.</summary>
    public static IEnumerable<string> Names => ByName.Keys.Where(n => !char.IsAsciiDigit(n[^1]));

    public static ElementType? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>Number i of an array of bytes. Exact for all but the largest 64-bit integers, which <see cref="Text"/> shows in full.</summary>
    public double Value(ReadOnlySpan<byte> bytes, int i)
    {
        ReadOnlySpan<byte> at = bytes[(i * ScalarSize)..];
        return Scalar switch
        {
            Scalar.F32 => MemoryMarshal.Read<float>(at),
            Scalar.F64 => MemoryMarshal.Read<double>(at),
            Scalar.U64 => MemoryMarshal.Read<ulong>(at),
            _ => Integer(at),
        };
    }

    /// <summary>Number i, as a person reads it.</summary>
    public string Text(ReadOnlySpan<byte> bytes, int i)
    {
        ReadOnlySpan<byte> at = bytes[(i * ScalarSize)..];
        return Scalar switch
        {
            Scalar.F32 => MemoryMarshal.Read<float>(at).ToString(CultureInfo.InvariantCulture),
            Scalar.F64 => MemoryMarshal.Read<double>(at).ToString(CultureInfo.InvariantCulture),
            Scalar.U64 => MemoryMarshal.Read<ulong>(at).ToString(CultureInfo.InvariantCulture),
            _ => Integer(at).ToString(CultureInfo.InvariantCulture),
        };
    }

    /// <summary>Writes a number; false if the type cannot hold it.</summary>
    public bool Write(Span<byte> at, double value)
    {
        if (Scalar == Scalar.F32)
            MemoryMarshal.Write(at, (float)value);
        else if (Scalar == Scalar.F64)
            MemoryMarshal.Write(at, value);
        else
            return value == Math.Floor(value) && Math.Abs(value) < 1e28 && Write(at, (decimal)value);
        return true;
    }

    /// <summary>Writes a whole number; false if the type cannot hold it.</summary>
    public bool Write(Span<byte> at, decimal value)
    {
        (decimal low, decimal high) = Range();
        if (IsFloat)
            return Write(at, (double)value);
        if (value < low || value > high || value != decimal.Truncate(value))
            return false;
        Span<byte> bytes = stackalloc byte[8];
        if (value < 0)
            MemoryMarshal.Write(bytes, (long)value);
        else
            MemoryMarshal.Write(bytes, (ulong)value);
        bytes[..ScalarSize].CopyTo(at);
        return true;
    }

    private long Integer(ReadOnlySpan<byte> at) => Scalar switch
    {
        Scalar.I8 => (sbyte)at[0],
        Scalar.U8 => at[0],
        Scalar.I16 => MemoryMarshal.Read<short>(at),
        Scalar.U16 => MemoryMarshal.Read<ushort>(at),
        Scalar.I32 => MemoryMarshal.Read<int>(at),
        Scalar.U32 => MemoryMarshal.Read<uint>(at),
        _ => MemoryMarshal.Read<long>(at),
    };

    private (decimal Low, decimal High) Range() => Scalar switch
    {
        Scalar.I8 => (sbyte.MinValue, sbyte.MaxValue),
        Scalar.U8 => (0, byte.MaxValue),
        Scalar.I16 => (short.MinValue, short.MaxValue),
        Scalar.U16 => (0, ushort.MaxValue),
        Scalar.I32 => (int.MinValue, int.MaxValue),
        Scalar.U32 => (0, uint.MaxValue),
        Scalar.U64 => (0, ulong.MaxValue),
        _ => (long.MinValue, long.MaxValue),
    };

    private static Dictionary<string, ElementType> MakeNames()
    {
        // CUDA's vector types are named after the short form of their numbers.
        (Scalar Scalar, string Vector, string[] Names)[] scalars =
        [
            (Scalar.F32, "float", ["float"]),
            (Scalar.F64, "double", ["double"]),
            (Scalar.I8, "char", ["char", "signed char"]),
            (Scalar.U8, "uchar", ["unsigned char", "bool"]),
            (Scalar.I16, "short", ["short"]),
            (Scalar.U16, "ushort", ["unsigned short"]),
            (Scalar.I32, "int", ["int"]),
            (Scalar.U32, "uint", ["unsigned", "unsigned int"]),
            (Scalar.I64, "longlong", ["long long", "long"]),
            (Scalar.U64, "ulonglong", ["unsigned long long", "unsigned long", "size_t"]),
        ];
        Dictionary<string, ElementType> types = [];
        foreach ((Scalar scalar, string vector, string[] names) in scalars)
        {
            foreach (string name in names)
                types[name] = new ElementType(name, scalar, 1);
            for (int lanes = 1; lanes <= 4; lanes++)
                types[$"{vector}{lanes}"] = new ElementType($"{vector}{lanes}", scalar, lanes);
        }
        return types;
    }
}
