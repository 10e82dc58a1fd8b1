using System.Runtime.CompilerServices;

namespace CudaGen.Runtime;

/// <summary>
/// The extents of a tensor of rank 0 to 4, row-major: the last one is contiguous. Images are (N, H, W, C),
/// convolution weights (out, kh, kw, in), dense weights (out, in), a scalar has rank 0.
/// </summary>
public readonly record struct Shape
{
    private readonly int _d0, _d1, _d2, _d3;

    private Shape(int rank, int d0, int d1, int d2, int d3)
    {
        (Rank, _d0, _d1, _d2, _d3) = (rank, d0, d1, d2, d3);
        if (d0 < 0 || d1 < 0 || d2 < 0 || d3 < 0)
            throw new ShapeException($"a shape has no negative extent: {this}");
        // Four extents of 31 bits overflow a long.
        Int128 length = 1;
        for (int i = 0; i < rank; i++)
            length *= this[i];
        if (length > int.MaxValue)
            throw new ShapeException($"{this} has {length} elements; a tensor holds at most {int.MaxValue}");
        Length = (int)length;
    }

    /// <summary>The shape of a scalar: rank 0, one element.</summary>
    public static Shape Scalar { get; } = new(0, 1, 1, 1, 1);

    public Shape(int d0) : this(1, d0, 1, 1, 1) { }

    public Shape(int d0, int d1) : this(2, d0, d1, 1, 1) { }

    public Shape(int d0, int d1, int d2) : this(3, d0, d1, d2, 1) { }

    public Shape(int d0, int d1, int d2, int d3) : this(4, d0, d1, d2, d3) { }

    /// <summary>The shape with these extents, at most four of them.</summary>
    public static Shape Of(ReadOnlySpan<int> extents) => extents.Length switch
    {
        0 => Scalar,
        1 => new(extents[0]),
        2 => new(extents[0], extents[1]),
        3 => new(extents[0], extents[1], extents[2]),
        4 => new(extents[0], extents[1], extents[2], extents[3]),
        _ => throw new ShapeException($"{extents.Length} extents; a shape has at most 4"),
    };

    public int Rank { get; }

    /// <summary>The number of elements; 1 for a scalar.</summary>
    public int Length { get; }

    public int this[int axis] => (uint)axis >= (uint)Rank
        ? throw new ArgumentOutOfRangeException(nameof(axis), $"axis {axis} of a shape of rank {Rank}")
        : axis switch { 0 => _d0, 1 => _d1, 2 => _d2, _ => _d3 };

    /// <summary>The first extent, which is the batch; 1 for a scalar.</summary>
    public int Rows => Rank == 0 ? 1 : _d0;

    /// <summary>The elements of one row: Length / Rows, and 0 when there are no rows.</summary>
    public int RowLength => Rows == 0 ? 0 : Length / Rows;

    /// <summary>The last extent, which is the channels of an image; 1 for a scalar.</summary>
    public int Channels => Rank == 0 ? 1 : this[Rank - 1];

    /// <summary>The same shape with another first extent.</summary>
    public Shape WithRows(int rows) => Rank == 0
        ? throw new ShapeException("a scalar has no rows to change")
        : new(Rank, rows, _d1, _d2, _d3);

    public override string ToString() => Rank switch
    {
        0 => "[]",
        1 => $"[{_d0}]",
        2 => $"[{_d0}, {_d1}]",
        3 => $"[{_d0}, {_d1}, {_d2}]",
        _ => $"[{_d0}, {_d1}, {_d2}, {_d3}]",
    };

    /// <summary>Throws unless both tensors have the same shape.</summary>
    /// <exception cref="ShapeException">They differ; the message names both expressions and both shapes.</exception>
    public static void RequireEqual(Tensor a, Tensor b, [CallerArgumentExpression(nameof(a))] string nameA = "",
        [CallerArgumentExpression(nameof(b))] string nameB = "", [CallerMemberName] string caller = "")
        => Require(a, b.Shape, nameA, nameB, caller);

    /// <summary>Throws unless the tensor has this shape.</summary>
    /// <exception cref="ShapeException">It has another; the message holds both.</exception>
    public static void Require(Tensor a, Shape expected, [CallerArgumentExpression(nameof(a))] string nameA = "",
        [CallerArgumentExpression(nameof(expected))] string nameB = "", [CallerMemberName] string caller = "")
    {
        if (a.Shape != expected)
            throw new ShapeException($"{caller}: {nameA} is {a.Shape}, {nameB} asks for {expected}");
    }

    /// <summary>Throws unless the tensor has this many elements, in whatever shape.</summary>
    /// <exception cref="ShapeException">It has another number.</exception>
    public static void RequireLength(Tensor a, int length, [CallerArgumentExpression(nameof(a))] string nameA = "",
        [CallerArgumentExpression(nameof(length))] string nameB = "", [CallerMemberName] string caller = "")
    {
        if (a.Length != length)
            throw new ShapeException($"{caller}: {nameA} is {a.Shape}, {a.Length} elements; {nameB} asks for {length}");
    }
}
