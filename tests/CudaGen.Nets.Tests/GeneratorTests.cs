using CudaGen.Runtime;
using CudaGen.Tests;

namespace CudaGen.Nets.Tests;

/// <summary>Files of generators, and the promise that image i depends on (seed, i) alone.</summary>
public sealed class GeneratorTests : IDisposable
{
    private const ulong Seed = 5;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Small => [.. SmallModels.Names];

    private string Save(Model model)
    {
        string path = _folder["generator.safetensors"];
        using Generator generator = Generator.Of(model, 1);
        generator.Update(model);
        generator.Save(path);
        return path;
    }

    private string SaveTrained(string name)
    {
        using Device device = Device.Cpu(2);
        using Model model = SmallModels.Create(name);
        model.Plan(device, SmallModels.Batch, SmallModels.Seed);
        using DataSet data = SmallModels.Data(device, model);
        for (int i = 0; i < 3; i++)
            model.Step(data);
        return Save(model);
    }

    // Images first .. first + count of a seed, a call for each lot.
    private static uint[] Images(string path, Func<Device> open, int batch, int lot, int count, ulong first = 0)
    {
        using Device device = open();
        using Generator generator = Generator.Load(device, path, batch);
        List<uint> bits = [];
        for (int done = 0; done < count; done += lot)
        {
            int now = Math.Min(lot, count - done);
            float[] codes = new float[now * generator.Latent], images = new float[now * generator.ImageLength];
            generator.DrawCodes(Seed, first + (ulong)done, codes);
            byte[] labels = [.. Enumerable.Range(0, generator.Classes > 0 ? now : 0).Select(i => (byte)(((int)first + done + i) % 10))];
            generator.Generate(codes, images, labels);
            Assert.All(images, v => Assert.True(float.IsFinite(v)));
            bits.AddRange(images.Select(BitConverter.SingleToUInt32Bits));
        }
        return [.. bits];
    }

    [Theory, MemberData(nameof(Small))]
    public void An_image_does_not_depend_on_the_batch_or_the_threads(string name) => CheckBatches(SaveTrained(name));

    private static void CheckBatches(string path)
    {
        uint[] expected = Images(path, () => Device.Cpu(1), 1, 1, 20);
        foreach ((int batch, int lot, int threads) in new[] { (2, 20, 1), (3, 20, 2), (7, 20, 3), (16, 16, 2), (64, 20, 2), (64, 5, 1) })
            Assert.Equal(expected, Images(path, () => Device.Cpu(threads), batch, lot, 20));
        int length = expected.Length / 20;
        Assert.Equal(expected[(7 * length)..(12 * length)], Images(path, () => Device.Cpu(2), 4, 5, 5, first: 7));
        Assert.NotEqual(expected[..length], expected[length..(2 * length)]);
    }

    /// <summary>Full widths take other ways through the products.</summary>
    [Theory]
    [InlineData("gan")]
    [InlineData("cgan")]
    [InlineData("dcgan")]
    [InlineData("cs231n")]
    [InlineData("vae")]
    [InlineData("cifar")]
    [InlineData("began")]
    [InlineData("wgan-gp")]
    public void An_image_of_full_width_does_not_depend_on_the_batch_either(string name)
    {
        Tricks none = new();
        using Device device = Device.Cpu(2);
        using Model model = name switch
        {
            "gan" => Gan.Canonical(new(), none),
            "cgan" => Gan.Canonical(new(Classes: 10), none),
            "dcgan" => Dcgan.Canonical(new(), none),
            "cs231n" => Cs231nGan.Canonical(new(), none),
            "vae" => new ConvVae(ConvVaeOptions.Canonical(new())),
            "cifar" => CifarGan.Canonical(CifarSizes.For(), none),
            "began" => Began.Canonical(BeganSizes.For(32, 3), none),
            _ => WganGp.Canonical(WganGpSizes.For(32, 3), none),
        };
        model.Plan(device, 2, 1);
        CheckBatches(Save(model));
    }

    [Theory]
    [InlineData("dcgan", Implementation.Kernel)]
    [InlineData("cgan", Implementation.Kernel)]
    [InlineData("began", Implementation.Kernel)]
    [InlineData("dcgan", Implementation.Library)]
    [InlineData("wgan-gp", Implementation.Library)]
    public void A_CUDA_device_draws_the_same_images_at_any_batch_and_nearly_those_of_the_CPU(string name, Implementation implementation)
    {
        string path = SaveTrained(name);
        uint[] one = Images(path, () => TestCuda.Open(implementation), 1, 1, 5), cpu = Images(path, () => Device.Cpu(1), 5, 5, 5);
        Assert.Equal(one, Images(path, () => TestCuda.Open(implementation), 4, 5, 5));
        foreach ((uint a, uint b) in one.Zip(cpu))
            Assert.Equal(BitConverter.UInt32BitsToSingle(b), BitConverter.UInt32BitsToSingle(a), 1e-5f);
    }

    [Theory, MemberData(nameof(Small))]
    public void A_file_is_written_as_it_was_read(string name)
    {
        string path = SaveTrained(name), again = _folder["again.safetensors"];
        using Device device = Device.Cpu(1);
        using Generator generator = Generator.Load(device, path, 3);
        generator.Save(again);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(again));
    }

    [Fact]
    public void Generating_allocates_nothing()
    {
        using Device device = Device.Cpu(2);
        using Generator generator = Generator.Load(device, SaveTrained("cgan"), 4);
        float[] codes = new float[9 * generator.Latent], images = new float[9 * generator.ImageLength];
        byte[] labels = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        generator.Generate(codes, images, labels);
        long before = GC.GetAllocatedBytesForCurrentThread();
        generator.Generate(codes, images, labels);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>What an application does wrong is an exception, not an access to memory that is no longer there.</summary>
    [Fact]
    public void Misuse_throws()
    {
        string path = SaveTrained("cgan");
        Device device = Device.Cpu(1);
        Generator generator = Generator.Load(device, path, 2);
        float[] codes = new float[2 * generator.Latent], images = new float[2 * generator.ImageLength];
        byte[] labels = [0, 1];
        Assert.Throws<ShapeException>(() => generator.DrawCodes(1, 0, codes.AsSpan(1)));
        Assert.Throws<ShapeException>(() => generator.Generate(codes.AsSpan(1), images, labels));
        Assert.Throws<ShapeException>(() => generator.Generate(codes, images.AsSpan(1), labels));
        Assert.Throws<ShapeException>(() => generator.Generate(codes, images));
        Assert.Equal("Generate: label 10 of a generator of 10 classes",
            Assert.Throws<ShapeException>(() => generator.Generate(codes, images, [0, 10])).Message);
        device.Enter();
        Assert.Throws<InvalidOperationException>(() => generator.Generate(codes, images, labels));
        device.Leave();
        Assert.Throws<DeviceException>(device.Dispose);
        generator.Generate(codes, images, labels);
        generator.Dispose();
        generator.Dispose();
        Assert.Throws<ObjectDisposedException>(() => generator.Generate(codes, images, labels));
        Assert.Throws<ObjectDisposedException>(generator.Infer);
        Assert.Throws<ObjectDisposedException>(() => generator.DrawCodes(1, 0, codes));
        Assert.Throws<ObjectDisposedException>(() => generator.Save(_folder["again.safetensors"]));
        device.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Generator.Load(device, path, 2));
    }

    [Fact]
    public void Threads_that_meet_on_a_device_are_told_and_spoil_nothing()
    {
        using Device device = Device.Cpu(2);
        string path = SaveTrained("dcgan");
        using Generator first = Generator.Load(device, path, 4), second = Generator.Load(device, path, 4);
        float[] codes = new float[40 * first.Latent], expected = new float[40 * first.ImageLength];
        first.DrawCodes(Seed, 0, codes);
        first.Generate(codes, expected);
        int made = 0;
        Parallel.For(0, 64, i =>
        {
            float[] images = new float[expected.Length];
            try
            {
                (i % 2 == 0 ? first : second).Generate(codes, images);
            }
            catch (InvalidOperationException)
            {
                return;
            }
            Assert.Equal(expected, images);
            Interlocked.Increment(ref made);
        });
        Assert.InRange(made, 1, 64);
    }

    [Fact]
    public void Codes_have_the_distribution_that_was_trained()
    {
        using Device device = Device.Cpu(1);
        foreach ((string name, double variance, double largest) in new[] { ("gan", 1.0 / 3, 1.0), ("began", 1.0 / 3, 1.0), ("wgan-gp", 1.0, 6.0) })
        {
            using Generator generator = Generator.Load(device, SaveTrained(name), 4);
            float[] codes = new float[5000 * generator.Latent];
            generator.DrawCodes(Seed, 0, codes);
            Assert.Equal(0, codes.Average(), 0.02);
            Assert.Equal(variance, codes.Average(c => (double)c * c), 0.03);
            Assert.InRange(codes.Max(Math.Abs), 0.9 * Math.Min(largest, 3), largest);
        }
    }

    [Theory]
    [InlineData("architecture", "pixelcnn", "architecture", "pixelcnn")]
    [InlineData("size.latent", "70000", "size.latent", "70000")]
    [InlineData("size.latent", "7", "fc1.weight")]
    [InlineData("size.hidden1", "65536", "fc1.weight")]
    [InlineData("size.image", "-3", "size.image", "-3")]
    [InlineData("codes", "cauchy", "codes", "cauchy", "normal")]
    [InlineData("range", "all", "range", "all")]
    [InlineData("format", "other", "other", "cudagen-generator-2")]
    public void Contradictions_in_a_file_are_one_line(string key, string value, params string[] mentions)
    {
        string path = SaveTrained("gan");
        SafeTensors file = SafeTensors.Read(path);
        file.Metadata[key] = value;
        file.Write(path);
        using Device device = Device.Cpu(1);
        Files.Complains(() => Generator.Load(device, path, 2).Dispose(), [.. mentions, "generator.safetensors"]);
    }

    [Fact]
    public void Sizes_that_no_file_holds_take_no_memory()
    {
        string path = SaveTrained("cifar");
        SafeTensors file = SafeTensors.Read(path);
        foreach (string key in file.Metadata.Keys.Where(k => k.StartsWith("size.", StringComparison.Ordinal) && k != "size.channels").ToList())
            file.Metadata[key] = "16384";
        file.Write(path);
        using Device device = Device.Cpu(1);
        Files.Complains(() => Generator.Load(device, path, 64).Dispose(), "generator.safetensors");
    }
}
