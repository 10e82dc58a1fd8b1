namespace CudaGen.Runtime.Tests;

public sealed class ShapeTests
{
    [Fact]
    public void A_scalar_has_one_element_and_no_extents()
    {
        Shape s = Shape.Scalar;
        Assert.Equal((0, 1, 1, 1, 1), (s.Rank, s.Length, s.Rows, s.RowLength, s.Channels));
        Assert.Equal("[]", s.ToString());
        Assert.Throws<ArgumentOutOfRangeException>(() => s[0]);
        Assert.Throws<ShapeException>(() => s.WithRows(2));
    }

    [Theory]
    [InlineData(new[] { 7 }, 7, 7, 1, 7, "[7]")]
    [InlineData(new[] { 2, 3 }, 6, 2, 3, 3, "[2, 3]")]
    [InlineData(new[] { 2, 3, 5 }, 30, 2, 15, 5, "[2, 3, 5]")]
    [InlineData(new[] { 2, 3, 5, 7 }, 210, 2, 105, 7, "[2, 3, 5, 7]")]
    [InlineData(new[] { 0, 3 }, 0, 0, 0, 3, "[0, 3]")]
    public void Extents_make_length_rows_and_channels(int[] extents, int length, int rows, int rowLength, int channels, string text)
    {
        Shape s = Shape.Of(extents);
        Assert.Equal((extents.Length, length, rows, rowLength, channels), (s.Rank, s.Length, s.Rows, s.RowLength, s.Channels));
        for (int i = 0; i < extents.Length; i++)
            Assert.Equal(extents[i], s[i]);
        Assert.Throws<ArgumentOutOfRangeException>(() => s[extents.Length]);
        Assert.Throws<ArgumentOutOfRangeException>(() => s[-1]);
        Assert.Equal(text, s.ToString());
    }

    [Fact]
    public void Shapes_are_equal_when_rank_and_extents_are()
    {
        Assert.Equal(new Shape(2, 3), Shape.Of([2, 3]));
        Assert.NotEqual(new Shape(2, 3), new Shape(3, 2));
        Assert.NotEqual(new Shape(6), new Shape(6, 1));
        Assert.NotEqual(new Shape(1), Shape.Scalar);
    }

    [Fact]
    public void WithRows_changes_the_first_extent_only() => Assert.Equal(new Shape(9, 3, 5, 7), new Shape(2, 3, 5, 7).WithRows(9));

    [Fact]
    public void What_is_no_shape_is_refused()
    {
        Assert.Contains("[2, -3]", Assert.Throws<ShapeException>(() => new Shape(2, -3)).Message, StringComparison.Ordinal);
        Assert.Contains("5 extents", Assert.Throws<ShapeException>(() => Shape.Of([1, 1, 1, 1, 1])).Message, StringComparison.Ordinal);
        Assert.Contains("[65536, 32768] has 2147483648", Assert.Throws<ShapeException>(() => new Shape(65536, 32768)).Message,
            StringComparison.Ordinal);
        Assert.Equal(int.MaxValue, new Shape(int.MaxValue, 1).Length);
    }

    [Fact]
    public void Too_many_elements_for_64_bits_are_refused_as_well()
        => Assert.Throws<ShapeException>(() => new Shape(1 << 30, 1 << 30, 1 << 30, 1 << 30));

    [Fact]
    public void Requirements_name_the_operation_both_expressions_and_both_shapes()
    {
        Tensor left = new(0, new(2, 3)), right = new(0, new(3, 2));
        Assert.Equal($"{nameof(Requirements_name_the_operation_both_expressions_and_both_shapes)}: left is [2, 3], right asks for [3, 2]",
            Assert.Throws<ShapeException>(() => Shape.RequireEqual(left, right)).Message);
        Assert.Equal("Dense: left is [2, 3], w asks for [6]",
            Assert.Throws<ShapeException>(() => Shape.Require(left, new(6), "left", "w", "Dense")).Message);
        Assert.Equal("Dense: left is [2, 3], 6 elements; n asks for 5",
            Assert.Throws<ShapeException>(() => Shape.RequireLength(left, 5, "left", "n", "Dense")).Message);
        Shape.RequireEqual(left, left);
        Shape.Require(left, new(2, 3));
        Shape.RequireLength(left, 6);
    }
}
