using CudaGen.Parity;
using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Nets.Tests;

/// <summary>The networks against PyTorch, and the comparison against itself: it must notice what is wrong.</summary>
public sealed class ParityTests
{
    private static readonly Implementation[] Implementations =
        [Implementation.Reference, Implementation.Cpu, Implementation.Kernel, Implementation.Library];

    public static TheoryData<string, Implementation> OwnFiles() => WithImplementations(
        Directory.GetFiles(Files.Golden, "*.safetensors").Select(f => Path.GetFileNameWithoutExtension(f)!).Order());

    public static TheoryData<string, Implementation> SharedFiles() => WithImplementations(
        ["cae-1", "vae-1", "vae_sum-1", "gan-1", "cgan-1", "dcgan-1", "wgan-1", "wgan_gp-1", "began-1", "cifar-1", "cs231n-1", "cs231n_affine-1", "toy2d-1",
            "cae-full-1", "vae-full-1", "ops-1"]);

    // Full widths on the CPU path alone: emulated kernels would take minutes.
    [Theory]
    [InlineData("gan-full-1")]
    [InlineData("cgan-full-1")]
    [InlineData("dcgan-full-1")]
    [InlineData("wgan-full-1")]
    [InlineData("wgan_gp-full-1")]
    [InlineData("began-full-1")]
    [InlineData("cifar-full-1")]
    [InlineData("cs231n-full-1")]
    [InlineData("toy2d-full-1")]
    public void Shared_golden_vectors_of_full_widths_are_reproduced(string name)
        => AssertAgrees(Run(Files.RequireSharedGolden(name)));

    private static TheoryData<string, Implementation> WithImplementations(IEnumerable<string> names)
    {
        TheoryData<string, Implementation> rows = [];
        foreach (string name in names)
        {
            foreach (Implementation implementation in Implementations)
                rows.Add(name, implementation);
        }
        return rows;
    }

    private static ParityReport Run(string path, Implementation implementation = Implementation.Cpu)
    {
        using Device device = implementation is Implementation.Kernel or Implementation.Library
            ? TestCuda.Open(implementation) : Device.Cpu(2, implementation);
        return ParityRun.Run(device, GoldenFile.Read(path));
    }

    private static string Own(string name) => Path.Combine(Files.Golden, name + ".safetensors");

    private static void AssertAgrees(ParityReport report)
    {
        TestContext.Current.TestOutputHelper?.WriteLine(report.ToString());
        Assert.True(report.Passed, string.Join("; ", report.Failures.Take(5).Prepend<object>(report)));
    }

    [Theory]
    [MemberData(nameof(OwnFiles))]
    public void Own_golden_vectors_are_reproduced(string name, Implementation implementation)
        => AssertAgrees(Run(Own(name), implementation));

    [Theory]
    [MemberData(nameof(SharedFiles))]
    public void Shared_golden_vectors_are_reproduced(string name, Implementation implementation)
    {
        string path = Files.RequireSharedGolden(name);
        using IDisposable fast = TestCuda.Unchecked();
        AssertAgrees(Run(path, implementation));
    }

    /// <summary>One entry of each expected tensor, moved by a thousandth of the largest.</summary>
    [Theory]
    [InlineData("cae-7")]
    [InlineData("vae_bce-7")]
    [InlineData("wgan_gp-7")]
    [InlineData("cifar-7")]
    [InlineData("cs231n-7")]
    public void One_wrong_entry_of_any_tensor_is_noticed(string name)
    {
        using var folder = new TemporaryFolder();
        GoldenFile golden = GoldenFile.Read(Own(name));
        // Not those that are mostly round-off.
        foreach (ExpectedTensor tensor in golden.Expected.Where(t => !golden.IsZeroGradient(t.Name) && 100 * golden.Deviation(t.Name) < 1e-3 * t.Largest))
        {
            float[] wrong = [.. tensor.Values];
            wrong[^1] += (float)(1e-3 * tensor.Largest);
            ParityReport report = Run(Altered(folder[name + ".safetensors"], name, "expected." + tensor.Name, wrong));
            Assert.Equal(tensor.Name, Assert.Single(report.Failures.Select(c => c.Tensor).Distinct()));
        }
    }

    [Fact]
    public void A_value_that_is_no_number_fails()
    {
        using var folder = new TemporaryFolder();
        ParityReport report = Run(Altered(folder["cae-7.safetensors"], "cae-7", "expected.loss.ae", [float.NaN]));
        Assert.Contains("not a number", report.ToString(), StringComparison.Ordinal);
        Assert.StartsWith("FAIL cae-7", report.ToString(), StringComparison.Ordinal);

        // Computed ones as well: NaN in a parameter reaches everything behind it.
        report = Run(Altered(folder["cae-7.safetensors"], "cae-7", "param.ae.deconv2.bias", [float.NaN]));
        Assert.False(report.Passed);
        Assert.Contains("out.y", report.Failures.Select(c => c.Tensor));
    }

    [Fact]
    public void An_unknown_operation_is_not_computed()
    {
        using var folder = new TemporaryFolder();
        SafeTensors file = SafeTensors.Read(Own("ops-7"));
        file.Metadata["cases"] = file.Metadata["cases"].Replace("\"relu\"", "\"swish\"", StringComparison.Ordinal);
        file.Write(folder["ops-7.safetensors"]);
        ParityReport report = Run(folder["ops-7.safetensors"]);
        Assert.Equal(["act_relu.g_x", "act_relu.y"], report.Failures.Select(c => c.Tensor).Order());
        Assert.All(report.Failures, f => Assert.Equal("not computed", f.Note));
    }

    [Theory]
    [InlineData("\"stride\":2", "\"stride\":0", "'conv_k5_s2_same_1x10x14_3'", "stride")]
    [InlineData("\"stride\":2", "\"stride\":1", "'conv_k5_s2_same_1x10x14_3'", "[2, 5, 7, 3]")]
    [InlineData("\"pads_tblr\":[1,2,1,2]", "\"pads_tblr\":[1,2,1]", "'conv_k5_s2_same_1x10x14_3'", "pads_tblr", "4 whole numbers")]
    [InlineData("\"algo\":\"adam\"", "\"algo\":\"sgd\"", "sgd", "adam or rmsprop")]
    public void A_case_that_contradicts_itself_is_one_line(string right, string wrong, params string[] mentions)
    {
        using var folder = new TemporaryFolder();
        SafeTensors file = SafeTensors.Read(Own("ops-7"));
        file.Metadata["cases"] = file.Metadata["cases"].Replace(right, wrong, StringComparison.Ordinal);
        file.Write(folder["ops-7.safetensors"]);
        Files.Complains(() => Run(folder["ops-7.safetensors"]), [.. mentions, "ops-7.safetensors"]);
    }

    [Fact]
    public void A_dump_holds_what_the_file_expects_in_its_layout()
    {
        using var folder = new TemporaryFolder();
        ParityReport report = Run(Own("vae-7"));
        report.Dump(folder.Path);
        SafeTensors dump = SafeTensors.Read(folder["vae-7.safetensors"]);
        foreach (ExpectedTensor tensor in report.Golden.Expected)
        {
            float[] values = dump.Expect(tensor.Name, "F32", tensor.Extents).Floats.ToArray();
            Assert.Equal(report.Computed[tensor.Name].Values, values);
        }
        Files.Complains(() => report.Dump(Files.Golden), "golden file itself");
    }

    [Fact]
    public void Nothing_that_is_computed_depends_on_what_is_expected()
    {
        using var folder = new TemporaryFolder();
        SafeTensors from = SafeTensors.Read(Own("vae_sum-7"));
        SafeTensors file = Copy(from, (name, values) => name.StartsWith("expected.", StringComparison.Ordinal) ? new float[values.Length] : values);
        file.Write(folder["vae_sum-7.safetensors"]);
        ParityReport right = Run(Own("vae_sum-7")), blind = Run(folder["vae_sum-7.safetensors"]);
        Assert.False(blind.Passed);
        foreach ((string name, ComputedTensor tensor) in right.Computed)
            Assert.Equal(tensor.Values, blind.Computed[name].Values);
    }

    [Theory]
    [InlineData("model", "pixelcnn", "architecture 'pixelcnn' is not supported, expected one of cae, vae, vae_logvar, gan, ", "wgan_gp", "ops")]
    [InlineData("config", "{\"img\":20,\"latent\":6,\"c1\":5}", "'c2'")]
    [InlineData("config", "{\"img\":22,\"latent\":6,\"c1\":5,\"c2\":7}", "multiple of 4")]
    [InlineData("config", "{\"img\":2000000000,\"latent\":6,\"c1\":5,\"c2\":7}", "size 'image': found 2000000000, expected 1 to 65536")]
    [InlineData("config", "{\"img\":20,\"latent\":6,\"c1\":5,\"c2\":8}", "conv2.weight", "[8, 5, 5, 5]")]
    [InlineData("config", "[", "metadata")]
    [InlineData("hyper", "{}", "optimizer")]
    [InlineData("hyper", "{\"optimizers\":{\"ae\":{\"algo\":\"sgd\",\"lr\":1}}}", "sgd", "adam")]
    [InlineData("hyper", "{\"optimizers\":{\"ae\":{\"algo\":\"adam\",\"lr\":1}}}", "beta1")]
    [InlineData("batch", "many", "'batch'", "many")]
    [InlineData("batch", "4", "input.x", "[4, 400]")]
    [InlineData("trace_iterations", "1000000000", "'trace_iterations'", "expected a whole number from 1 to 65536")]
    [InlineData("f32_deviation", "[]", "metadata")]
    public void Contradictions_are_one_line(string key, string value, params string[] mentions)
    {
        using var folder = new TemporaryFolder();
        SafeTensors file = SafeTensors.Read(Own("cae-7"));
        file.Metadata[key] = value;
        if (key == "model")
            file.Metadata["architecture"] = value;
        string path = folder["cae-7.safetensors"];
        file.Write(path);
        CudaGenException error = Assert.ThrowsAny<CudaGenException>(() => Run(path));
        Assert.DoesNotContain('\n', error.Message);
        Assert.All(mentions, mention => Assert.Contains(mention, error.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("began-7", "config", "\"latent\":5", "\"latent\":0", "'latent'", "above 0")]
    [InlineData("began-7", "config", "\"img\":12", "\"img\":14", "14", "multiple of 4")]
    [InlineData("cgan-7", "config", "\"classes\":7", "\"classes\":8", "param.d.fc1.weight")]
    [InlineData("cifar-7", "config", "\"drop\":0.4", "\"drop\":1", "drop 1", "less than 1")]
    [InlineData("wgan_gp-7", "config", "\"slopes\":[0.2,0.1]", "\"slopes\":[0.2]", "slopes", "expected 2")]
    [InlineData("wgan_gp-7", "hyper", "\"n_critic\":3", "\"n_critic\":0", "n_critic 0", "1 to 1000")]
    [InlineData("wgan-7", "hyper", "\"clip\":0.125", "\"clip\":-1", "clip -1", "above 0")]
    [InlineData("wgan-7", "hyper", "\"clip\":0.125", "\"clip\":\"x\"", "'clip'", "number or null")]
    [InlineData("dcgan-7", "hyper", "\"bn3\"", "\"bn4\"", "g.bn3")]
    public void Contradictions_of_adversarial_models_are_one_line(string name, string key, string right, string wrong, params string[] mentions)
    {
        using var folder = new TemporaryFolder();
        SafeTensors file = SafeTensors.Read(Own(name));
        Assert.Contains(right, file.Metadata[key], StringComparison.Ordinal);
        file.Metadata[key] = file.Metadata[key].Replace(right, wrong, StringComparison.Ordinal);
        string path = folder[name + ".safetensors"];
        file.Write(path);
        CudaGenException error = Assert.ThrowsAny<CudaGenException>(() => Run(path));
        Assert.DoesNotContain('\n', error.Message);
        Assert.All(mentions, mention => Assert.Contains(mention, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_without_golden_vectors_is_refused()
    {
        using var folder = new TemporaryFolder();
        var file = new SafeTensors();
        file.Add("param.a", [1], [1]);
        file.Write(folder["a.safetensors"]);
        Files.Complains(() => GoldenFile.Read(folder["a.safetensors"]), "a.safetensors", "model");
        file.Metadata["model"] = "cae";
        file.Write(folder["a.safetensors"]);
        Files.Complains(() => GoldenFile.Read(folder["a.safetensors"]), "golden vectors");
    }

    [Fact]
    public void Layouts_exchange_channels_and_pixels()
    {
        // (n, c, h, w) = (1, 2, 1, 3): channel 0 is 0 1 2, channel 1 is 3 4 5.
        float[] theirs = [0, 1, 2, 3, 4, 5], ours = new float[6];
        Layout.Images(1, 2, 1, 3).ToOurs(theirs, ours);
        Assert.Equal([0, 3, 1, 4, 2, 5], ours);
        Assert.Equal(theirs, Layout.Images(1, 2, 1, 3).ToTheirs(ours));
        Layout.BiasToImages(2, 1, 3).ToOurs(theirs, ours);
        Assert.Equal([0, 3, 1, 4, 2, 5], ours);
        Layout.DenseToImages(3, 1, 1, 2).ToOurs(theirs, ours);
        Assert.Equal(theirs, ours);
        Layout.DenseFromImages(1, 3, 2, 1).ToOurs(theirs, ours);
        Assert.Equal([0, 2, 4, 1, 3, 5], ours);
    }

    /// <summary>Of tensors that are stored as samples, the rest is seen through sum, norm and largest magnitude.</summary>
    [Fact]
    public void Statistics_see_what_samples_miss()
    {
        float[] right = [1, -2, 3, -4], wrong = [1, -2, 3, -4.1f];
        var expected = new ExpectedTensor("t", null, [1, 3], [0, 2], [-2, MathF.Sqrt(30), 4]);
        Assert.Equal(4, expected.Largest);
        Assert.True(Comparison.Entries(expected, new([4], right), _ => 1e-6).Passed);
        Check check = Comparison.Entries(expected, new([4], wrong), _ => 1e-3);
        Assert.False(check.Passed);
        Assert.Equal("largest magnitude", check.Note);
    }

    private static string Altered(string path, string golden, string tensor, float[] instead)
    {
        Copy(SafeTensors.Read(Own(golden)), (name, values) => name == tensor ? instead : values).Write(path);
        return path;
    }

    private static SafeTensors Copy(SafeTensors from, Func<string, float[], float[]> change)
    {
        var to = new SafeTensors();
        foreach ((string key, string value) in from.Metadata)
            to.Metadata[key] = value;
        foreach ((string name, StoredTensor tensor) in from.Tensors)
            to.Add(name, tensor.Extents, change(name, tensor.Floats.ToArray()));
        return to;
    }
}
