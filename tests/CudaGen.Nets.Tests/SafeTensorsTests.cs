using System.Buffers.Binary;
using System.Text;

namespace CudaGen.Nets.Tests;

public sealed class SafeTensorsTests
{
    private const string One = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""";

    private static string Write(TemporaryFolder folder, string header, int dataLength, ulong? headerLength = null)
    {
        byte[] json = Encoding.UTF8.GetBytes(header), bytes = new byte[8 + json.Length + dataLength];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, headerLength ?? (ulong)json.Length);
        json.CopyTo(bytes, 8);
        string path = folder["t.safetensors"];
        File.WriteAllBytes(path, bytes);
        return path;
    }

    [Fact]
    public void What_is_written_is_read()
    {
        using var folder = new TemporaryFolder();
        float[] values = [1, -0.0f, float.NaN, float.PositiveInfinity, 1e-45f, float.MaxValue];
        var file = new SafeTensors();
        file.Metadata["quoted \"key\""] = "line\nbreak, \u00e9 and \\";
        file.Add("matrix", [2, 3], values);
        file.Add("scalar", [], [7]);
        file.Add("empty", [0, 4], []);
        file.Write(folder["t.safetensors"]);

        SafeTensors read = SafeTensors.Read(folder["t.safetensors"]);
        Assert.Equal(file.Metadata, read.Metadata);
        Assert.Equal(["matrix", "scalar", "empty"], read.Tensors.Keys);
        Assert.Equal(values.Select(BitConverter.SingleToUInt32Bits),
            read.Expect("matrix", "F32", [2, 3]).Floats.ToArray().Select(BitConverter.SingleToUInt32Bits));
        Assert.Equal(7, read.Expect("scalar", "F32", []).Floats[0]);
        Assert.Equal(0, read.Expect("empty", "F32", [0, 4]).Length);
        Files.Complains(() => read.Expect("matrix", "F32", [3, 2]), "'matrix'", "[2, 3]", "[3, 2]");
        Files.Complains(() => read.Expect("vector", "F32", [3]), "'vector'", "[3]");
    }

    [Fact]
    public void The_smallest_file_is_read()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal(2, SafeTensors.Read(Write(folder, One, 8)).Tensors["a"].Length);
        Assert.Empty(SafeTensors.Read(Write(folder, "{}", 0)).Tensors);
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused()
    {
        using var folder = new TemporaryFolder();
        byte[] whole = File.ReadAllBytes(Write(folder, One, 8));
        string path = folder["cut.safetensors"];
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Files.Complains(() => SafeTensors.Read(path), "cut.safetensors");
        }
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1ul << 63)]
    [InlineData((1ul << 63) - 1)]
    [InlineData(1ul << 32)]
    [InlineData(1000ul)]
    [InlineData(20ul)]
    [InlineData(0ul)]
    public void A_header_of_another_length_is_refused(ulong length)
    {
        using var folder = new TemporaryFolder();
        string path = Write(folder, One, 8, length);
        Files.Complains(() => SafeTensors.Read(path), "t.safetensors", "header");
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("{\"a\":")]
    [InlineData("{\"a\":1}")]
    [InlineData("{\"a\":[]}")]
    [InlineData("{\"a\":{}}")]
    [InlineData("{\"__metadata__\":7}")]
    [InlineData("{\"__metadata__\":{\"a\":7}}")]
    [InlineData("""{"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,16]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,12]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,1e99]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967298],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2147483647,2147483647],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647,2147483647],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2147483647,2147483647,0],"data_offsets":[0,0]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""")]
    public void A_damaged_header_is_refused(string header)
    {
        using var folder = new TemporaryFolder();
        string path = Write(folder, header, 8);
        Files.Complains(() => SafeTensors.Read(path), "t.safetensors");
    }

    [Fact]
    public void Bytes_that_are_no_text_are_refused()
    {
        using var folder = new TemporaryFolder();
        byte[] bytes = new byte[64];
        Array.Fill(bytes, (byte)0xFF);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, 40);
        File.WriteAllBytes(folder["t.safetensors"], bytes);
        Files.Complains(() => SafeTensors.Read(folder["t.safetensors"]), "t.safetensors");
    }

    [Fact]
    public void A_file_that_is_not_there_or_a_folder_is_one_line()
    {
        using var folder = new TemporaryFolder();
        Files.Complains(() => SafeTensors.Read(folder["none.safetensors"]), "none.safetensors", "no such file");
        Files.Complains(() => SafeTensors.Read(folder.Path), folder.Path);
    }
}
