using System.Runtime.InteropServices;
using static System.StringComparison;

namespace CudaGen.KernelCheck.Tests;

public sealed class ComparisonTests
{
    private static CaseArgument Argument<T>(string type, T[] content, double atol = 0, double rtol = 0) where T : unmanaged => new()
    {
        Name = "y",
        Type = ElementType.Find(type)!,
        IsPointer = true,
        Length = content.Length / ElementType.Find(type)!.Lanes,
        Role = Role.Output,
        Content = Bytes(content),
        AbsoluteTolerance = atol,
        RelativeTolerance = rtol,
    };

    private static byte[] Bytes<T>(T[] numbers) where T : unmanaged => MemoryMarshal.AsBytes<T>(numbers).ToArray();

    private static (double MaxError, string? Finding) Compare<T>(string type, T[] actual, T[] expected, double atol = 0, double rtol = 0)
        where T : unmanaged =>
        Comparison.Compare(Argument(type, expected, atol, rtol), Bytes(actual), Bytes(expected));

    [Fact]
    public void The_allowance_is_absolute_plus_relative()
    {
        Assert.Equal((0.5, null), Compare<float>("float", [1.5f, -9.5f], [1, -10], atol: 0.25, rtol: 0.25));
        (double error, string? finding) = Compare<float>("float", [1, 3.5f, 2.5f], [1, 2, 2], atol: 0.25, rtol: 0.25);
        Assert.Equal(1.5, error);
        Assert.Equal("y[1] is 3.5, expected 2, difference 1.5, allowed 0.75; the others of 3 agree", finding);
    }

    [Fact]
    public void The_worst_of_several_is_named()
    {
        (_, string? finding) = Compare<float>("float4", [0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 4, 4, 5, 9, 7]);
        Assert.Equal("y[1].z is 6, expected 9, difference 3, allowed 0; 2 of 8 differ, this one most", finding);
    }

    [Fact]
    public void Numbers_without_a_difference_agree_with_their_like_alone()
    {
        float inf = float.PositiveInfinity;
        Assert.Equal((0.0, null), Compare<float>("float", [float.NaN, inf, -inf, 0f], [-float.NaN, inf, -inf, -0f]));
        Assert.StartsWith("y[0] is NaN, expected 1", Compare<float>("float", [float.NaN], [1], atol: 100).Finding, Ordinal);
        Assert.StartsWith("y[0] is 1, expected NaN", Compare<float>("float", [1], [float.NaN], atol: 100).Finding, Ordinal);
        Assert.StartsWith("y[0] is -Infinity, expected Infinity", Compare<float>("float", [-inf], [inf], atol: 100, rtol: 1).Finding, Ordinal);
        Assert.StartsWith("y[0] is 1, expected Infinity", Compare<float>("float", [1], [inf], atol: 100, rtol: 1).Finding, Ordinal);
    }

    [Fact]
    public void Memory_that_was_not_written_is_called_so()
    {
        float unset = BitConverter.UInt32BitsToSingle(0xFFFFFFFF);
        Assert.Contains("as in memory that nobody wrote", Compare<float>("float", [unset], [1]).Finding, Ordinal);
        Assert.DoesNotContain("nobody wrote", Compare<float>("float", [2], [1]).Finding, Ordinal);
    }

    [Fact]
    public void Large_integers_are_compared_in_full()
    {
        Assert.Equal("y[0] is 9007199254740993, expected 9007199254740992; the others of 1 agree",
            Compare<long>("long long", [9007199254740993], [9007199254740992]).Finding);
        Assert.Null(Compare<byte>("unsigned char", [200, 7], [201, 7], atol: 1).Finding);
    }

    [Fact]
    public void An_input_that_changed_is_found()
    {
        CaseArgument input = Argument<int>("int", [1, 2, 3]);
        Assert.Null(Comparison.Unchanged(input, Bytes<int>([1, 2, 3])));
        Assert.Equal("y[1] was changed from 2 to 258, and is an input", Comparison.Unchanged(input, Bytes<int>([1, 258, 3])));
    }
}
