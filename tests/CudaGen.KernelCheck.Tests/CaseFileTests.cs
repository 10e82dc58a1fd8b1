using System.Runtime.InteropServices;
using CudaGen.Runtime;
using static System.StringComparison;

namespace CudaGen.KernelCheck.Tests;

public sealed class CaseFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private IReadOnlyList<KernelCase> Read(string json)
    {
        File.WriteAllText(_folder["c.json"], json);
        return CaseFile.Read(_folder["c.json"]);
    }

    private CaseArgument ReadArgument(string json) =>
        Assert.Single(Assert.Single(Read($$"""{"kernel": "k", "grid": 1, "block": 1, "arguments": [{{json}}]}""")).Arguments);

    private static T[] Numbers<T>(byte[]? bytes) where T : unmanaged => MemoryMarshal.Cast<byte, T>(bytes).ToArray();

    [Fact]
    public void Reads_a_whole_case()
    {
        File.WriteAllText(_folder["k.cu"], "");
        KernelCase kernelCase = Assert.Single(Read("""
            // a comment
            {"name": "small", "kernel": "saxpy", "file": "k.cu", "grid": [4, 2], "block": 256, "shared": 64, "expect": "race",
             "arguments": [
               {"type": "float* __restrict__", "name": "y", "values": [1, 2], "expected": [3, "nan"], "atol": 0.5, "rtol": 0},
               {"type": "const float *", "name": "x", "length": 2, "fill": {"constant": 7}},
               {"type": "unsigned long long", "value": 18446744073709551615},
             ]}
            """));
        Assert.Equal(("small", "saxpy", 64, "race", 0), (kernelCase.Name, kernelCase.Kernel, kernelCase.Shared, kernelCase.Expect, kernelCase.Index));
        Assert.Equal((new Extent(4, 2, 1), new Extent(256, 1, 1)), (kernelCase.Grid, kernelCase.Block));
        Assert.Equal("<<<4x2, 256, 64>>>", kernelCase.Launch);
        Assert.Equal(_folder["k.cu"], kernelCase.SourceFile);
        (CaseArgument y, CaseArgument x, CaseArgument n) = (kernelCase.Arguments[0], kernelCase.Arguments[1], kernelCase.Arguments[2]);
        Assert.Equal(("y", true, 2, Role.InOut, 0.5, 0.0), (y.Name, y.IsPointer, y.Length, y.Role, y.AbsoluteTolerance, y.RelativeTolerance));
        Assert.Equal([1f, 2f], Numbers<float>(y.Content));
        Assert.Equal([3f, float.NaN], Numbers<float>(y.Expected));
        Assert.Equal((Role.Input, 2), (x.Role, x.Length));
        Assert.Equal([7f, 7f], Numbers<float>(x.Content));
        Assert.Equal(("3", false, ulong.MaxValue), (n.Name, n.IsPointer, Numbers<ulong>(n.Content)[0]));
    }

    [Theory]
    [InlineData("""[{"kernel": "a", "grid": 1, "block": 1, "arguments": []}, {"kernel": "b", "grid": 1, "block": 1, "arguments": []}]""")]
    [InlineData("""{"cases": [{"kernel": "a", "grid": 1, "block": 1, "arguments": []}, {"kernel": "b", "grid": 1, "block": 1, "arguments": []}]}""")]
    public void A_file_may_hold_several_cases(string json) =>
        Assert.Equal([("a", 0, ""), ("b", 1, "")], Read(json).Select(c => (c.Kernel, c.Index, c.Name)));

    [Fact]
    public void Cases_of_one_kernel_without_names_are_numbered() => Assert.Equal(["0", "one", "2", ""], Read("""
        [{"kernel": "a", "grid": 1, "block": 1, "arguments": []}, {"kernel": "a", "name": "one", "grid": 1, "block": 1, "arguments": []},
         {"kernel": "a", "grid": 1, "block": 1, "arguments": []}, {"kernel": "b", "grid": 1, "block": 1, "arguments": []}]
        """).Select(c => c.Name));

    [Fact]
    public void Vectors_count_as_one_element_of_several_numbers()
    {
        CaseArgument argument = ReadArgument("""{"type": "const float4*", "values": [1, 2, 3, 4, 5, 6, 7, 8]}""");
        Assert.Equal((2, 32, "float4"), (argument.Length, argument.Size, argument.Type.Name));
        Assert.Equal(24, ReadArgument("""{"type": "uchar3*", "length": 8}""").Size);
        Assert.Equal(8, ReadArgument("""{"type": "int2", "value": [1, 2]}""").Size);
    }

    [Fact]
    public void Rules_fill_a_buffer()
    {
        Assert.Equal([-3, -1, 1, 3], Numbers<int>(ReadArgument("""{"type": "int*", "length": 4, "fill": {"range": [-3, 2]}}""").Content));
        float[] random = Numbers<float>(ReadArgument("""{"type": "float*", "length": 1000, "fill": {"random": 7, "low": 2, "high": 5}}""").Content);
        // The first four numbers are words of one Philox block.
        Assert.Equal((float)(2 + 3.0 * Philox.Unit(Philox.Words(7, 0, 0, 0).Y)), random[1]);
        Assert.Equal((float)(2 + 3.0 * Philox.Unit(Philox.Words(7, 0, 0, 1).X)), random[4]);
        Assert.All(random, v => Assert.InRange(v, 2, 5));
        byte[] whole = ReadArgument("""{"type": "unsigned char*", "length": 1000, "fill": {"random": 1, "high": 3}}""").Content!;
        Assert.Equal<byte>([0, 1, 2, 3], whole.Distinct().Order());
    }

    [Fact]
    public void A_file_of_raw_numbers_fills_a_buffer()
    {
        File.WriteAllBytes(_folder["e.bin"], [1, 0, 2, 0]);
        Assert.Equal([1, 2], Numbers<short>(ReadArgument("""{"type": "short*", "length": 2, "expected": {"file": "e.bin"}}""").Expected));
        Complains(() => ReadArgument("""{"type": "short*", "length": 3, "expected": {"file": "e.bin"}}"""), "e.bin: found 4 bytes, expected 6");
    }

    [Theory]
    [InlineData("""{"type": "float*", "length": 1}""", Role.Output)]
    [InlineData("""{"type": "float*", "values": [1]}""", Role.InOut)]
    [InlineData("""{"type": "const float*", "values": [1]}""", Role.Input)]
    [InlineData("""{"type": "float*", "values": [1], "role": "input"}""", Role.Input)]
    public void The_role_follows_from_what_is_given(string json, Role role) => Assert.Equal(role, ReadArgument(json).Role);

    [Fact]
    public void Pointers_may_be_wrong_on_purpose()
    {
        Assert.Equal(Place.Null, ReadArgument("""{"type": "float*", "null": true}""").Place);
        Assert.Equal(Place.Host, ReadArgument("""{"type": "float*", "length": 4, "host": true}""").Place);
        Assert.Equal(4, ReadArgument("""{"type": "float4*", "length": 4, "offset": 4}""").Offset);
    }

    [Fact]
    public void Tolerances_are_zero_for_whole_numbers_alone()
    {
        CaseArgument whole = ReadArgument("""{"type": "int*", "expected": [1]}"""), real = ReadArgument("""{"type": "float*", "expected": [1]}""");
        Assert.Equal((0.0, 0.0), (whole.AbsoluteTolerance, whole.RelativeTolerance));
        Assert.Equal((1e-6, 1e-5), (real.AbsoluteTolerance, real.RelativeTolerance));
    }

    [Theory]
    [InlineData("{", "line 1, found no valid JSON")]
    [InlineData("{\n\"kernel\": 7x}", "line 2, found no valid JSON")]
    [InlineData("7", "found 7, expected an object that describes a launch")]
    [InlineData("""{"kernel": "k", "kernel": "l"}""", "found no valid JSON")]
    [InlineData("""{"kernel": "k", "block": 1, "arguments": []}""", "found no property 'grid', expected one")]
    [InlineData("""[{"kernel": "k", "gird": 1, "block": 1, "arguments": []}]""", "[0]: found the property 'gird', expected one of name, kernel,")]
    [InlineData("""{"kernel": 7, "grid": 1, "block": 1, "arguments": []}""", "kernel: found 7, expected the name of a kernel")]
    [InlineData("""{"kernel": "k", "grid": [1, 2, 3, 4], "block": 1, "arguments": []}""", "grid: found 4 numbers, expected one to three")]
    [InlineData("""{"kernel": "k", "grid": -1, "block": 1, "arguments": []}""", "grid: found -1, expected a whole number from 0")]
    [InlineData("""{"kernel": "k", "grid": 1, "block": [1, 1.5], "arguments": []}""", "block[1]: found 1.5, expected a whole number from 0")]
    [InlineData("""{"kernel": "k", "grid": 1, "block": 1, "arguments": [], "file": "none.cu"}""", "file: found 'none.cu', no file in")]
    [InlineData("""
        {"kernel": "k", "grid": 1, "block": 1, "arguments": [{"type": "int", "name": "n", "value": 1}, {"type": "int", "name": "n", "value": 2}]}
        """, "two arguments with the name 'n'")]
    public void A_wrong_file_is_told_in_one_line(string json, string complaint) => Complains(() => Read(json), "c.json: ", complaint);

    [Theory]
    [InlineData("""{"type": "flaot*", "length": 1}""", "type: found \"flaot*\", expected one of float, double, char,")]
    [InlineData("""{"type": "float**", "length": 1}""", "type: found \"float**\", expected one of float")]
    [InlineData("""{"type": "float*"}""", "arguments[0]: found no property 'length', expected the number of elements")]
    [InlineData("""{"type": "float*", "length": 2, "values": [1]}""", "values: found 1 numbers, expected 2")]
    [InlineData("""{"type": "float*", "length": 2, "expected": [1]}""", "expected: found 1 numbers, expected 2")]
    [InlineData("""{"type": "const float*", "length": 2}""", "found neither 'values' nor 'fill', expected the numbers of an input")]
    [InlineData("""{"type": "float*", "values": [1], "fill": {"constant": 1}}""", "found both 'values' and 'fill'")]
    [InlineData("""{"type": "float*", "length": 1, "fill": {"konstant": 1}}""", "fill: found the property 'konstant', expected one of file")]
    [InlineData("""{"type": "float*", "length": 1, "fill": {}}""", "fill: found an object, expected a list of numbers or an object with one of")]
    [InlineData("""{"type": "float*", "length": 1, "fill": {"range": [1]}}""", "range: found 1 numbers, expected [start, step]")]
    [InlineData("""{"type": "float*", "length": 1, "fill": {"random": 1, "low": 2, "high": 1}}""", "found low 2 above high 1")]
    [InlineData("""{"type": "unsigned char*", "length": 2, "fill": {"range": [255, 1]}}""", "range: found 256 as number 1, expected")]
    [InlineData("""{"type": "float*", "length": 1, "role": "outptu"}""", "role: found \"outptu\", expected input, output or inout")]
    [InlineData("""{"type": "const float*", "values": [1], "expected": [1]}""", "expected: found for an input")]
    [InlineData("""{"type": "float*", "length": 1, "atol": -1}""", "atol: found -1, expected a number from 0")]
    [InlineData("""{"type": "float*", "length": 400000000}""", "found 400000000 elements of 4 bytes, expected 1 GiB at most")]
    [InlineData("""{"type": "int", "value": 2147483648}""", "value: found 2147483648, expected a number that int can hold")]
    [InlineData("""{"type": "int", "value": 1.5}""", "value: found 1.5, expected a number that int can hold")]
    [InlineData("""{"type": "unsigned", "value": -1}""", "value: found -1, expected a number that unsigned can hold")]
    [InlineData("""{"type": "int", "value": "nan"}""", "value: found \"nan\", expected a number that int can hold")]
    [InlineData("""{"type": "int"}""", "found no property 'value'")]
    [InlineData("""{"type": "int", "value": 1, "length": 1}""", "found the property 'length', expected one of type, name, value")]
    [InlineData("""{"type": "int", "name": "../n", "value": 1}""", "name: found \"../n\", expected a name of letters, digits and underscores")]
    public void A_wrong_argument_is_told_in_one_line(string json, string complaint) =>
        Complains(() => ReadArgument(json), "c.json: arguments[0]", complaint);

    [Fact]
    public void A_reference_needs_an_output_to_compute()
    {
        File.WriteAllText(_folder["r.cs"], "");
        Complains(() => Read("""{"kernel": "k", "grid": 1, "block": 1, "reference": "r.cs", "arguments": [{"type": "float*", "expected": [1]}]}"""),
            "found a reference, expected an output without 'expected'");
    }

    [Fact]
    public void A_file_that_is_not_there_is_told() => Complains(() => CaseFile.Read(_folder["none.json"]), "none.json: there is no such file");

    private static void Complains(Action action, params string[] mentions)
    {
        string message = Assert.Throws<InputException>(action).Message;
        Assert.DoesNotContain('\n', message);
        foreach (string mention in mentions)
            Assert.Contains(mention, message, Ordinal);
    }
}
