namespace CudaGen.KernelCheck;

/// <summary>Extents of a grid or of a block.</summary>
public readonly record struct Extent(int X, int Y, int Z)
{
    public override string ToString() => Z != 1 ? $"{X}x{Y}x{Z}" : Y != 1 ? $"{X}x{Y}" : $"{X}";
}

/// <summary>What a kernel does with a buffer.</summary>
public enum Role
{
    Input,  // must not change
    Output, // starts unset and is written wholly
    InOut,
}

/// <summary>Where the pointer of an argument points.</summary>
public enum Place
{
    Device,
    Null,
    Host, // ordinary memory of this process, which no kernel may touch
}

/// <summary>An argument of a launch: a value, or a pointer with a buffer behind it.</summary>
public sealed record CaseArgument
{
    public required string Name { get; init; }

    /// <summary>Type of the value, or of what the pointer points to.</summary>
    public required ElementType Type { get; init; }

    public bool IsPointer { get; init; }

    /// <summary>Elements of the buffer; 1 for a value.</summary>
    public int Length { get; init; } = 1;

    public Role Role { get; init; }

    public Place Place { get; init; }

    /// <summary>Bytes by which the buffer starts after an aligned address.</summary>
    public int Offset { get; init; }

    /// <summary>The value, or what is in the buffer before the launch; null where it is left unset.</summary>
    public byte[]? Content { get; init; }

    /// <summary>What is in the buffer afterwards; null where nobody said.</summary>
    public byte[]? Expected { get; init; }

    /// <summary>Allowance of a difference: |d| &lt;= AbsoluteTolerance + RelativeTolerance |expected|.</summary>
    public double AbsoluteTolerance { get; init; }

    public double RelativeTolerance { get; init; }

    /// <summary>Bytes of the buffer.</summary>
    public int Size => Length * Type.Size;
}

/// <summary>One launch of a kernel, with its arguments and what must come out.</summary>
public sealed record KernelCase
{
    /// <summary>The file that holds the case, and its number in there, from 0.</summary>
    public required string CaseFile { get; init; }

    public required int Index { get; init; }

    /// <summary>Tells apart the cases of one kernel.</summary>
    public required string Name { get; init; }

    public required string Kernel { get; init; }

    /// <summary>Full path of the .cu file if the case names it.</summary>
    public string? SourceFile { get; init; }

    public required Extent Grid { get; init; }

    public required Extent Block { get; init; }

    /// <summary>Bytes of dynamic shared memory.</summary>
    public int Shared { get; init; }

    public required IReadOnlyList<CaseArgument> Arguments { get; init; }

    /// <summary>Full path of a C# program that computes what is expected; null if there is none.</summary>
    public string? Reference { get; init; }

    /// <summary>Where the reference has left what it computed; null before it ran.</summary>
    public string? ExpectedFolder { get; init; }

    /// <summary>For a bug that was planted: text that a finding must hold.</summary>
    public string? Expect { get; init; }

    /// <summary>The launch as a person writes it.</summary>
    public string Launch => Shared == 0 ? $"<<<{Grid}, {Block}>>>" : $"<<<{Grid}, {Block}, {Shared}>>>";
}
