using System.Collections;
using System.Reflection;
using CudaGen.Runtime;

namespace CudaGen.Nets.Tests;

/// <summary>Every size of every model and of every generator file is 1 to 65536, or one line says so.</summary>
public sealed class SizeTests
{
    private static readonly Tricks None = new();

    /// <summary>Sizes that are good, and the model that they make.</summary>
    private static readonly Dictionary<string, (object Sizes, Func<object, Model> Create)> Models = new()
    {
        ["ae"] = (new AutoencoderSizes(8, 3, 6, 5), s => new Autoencoder((AutoencoderSizes)s, new(1e-3f))),
        ["cae"] = (new ConvSizes(8, 3, 4, 5), s => new ConvAutoencoder(ConvAutoencoderOptions.Canonical((ConvSizes)s))),
        ["vae"] = (new ConvSizes(8, 3, 4, 5), s => new ConvVae(ConvVaeOptions.Canonical((ConvSizes)s))),
        ["gan"] = (new GanSizes(8, 3, 0, 6, 5, 7, 6), s => Gan.Canonical((GanSizes)s, None)),
        ["dcgan"] = (new DcganSizes(16, 4, 3, 4, 6, 5, 4, 3), s => Dcgan.Canonical((DcganSizes)s, None)),
        ["wgan"] = (new DcganSizes(16, 4, 3, 4, 6, 5, 4, 3), s => Wgan.Tutorial((DcganSizes)s, None)),
        ["wgan-gp"] = (new WganGpSizes(16, 3, 4, [4, 5], [5, 4]), s => WganGp.Canonical((WganGpSizes)s, None)),
        ["began"] = (new BeganSizes(16, 3, 4, 3, 2), s => Began.Canonical((BeganSizes)s, None)),
        ["cifar"] = (new CifarSizes(16, 3, 4, [3, 4, 4, 5], [5, 4, 4, 3]), s => CifarGan.Canonical((CifarSizes)s, None)),
        ["cs231n"] = (new Cs231nSizes(8, 8, 3, 4, 6), s => Cs231nGan.Canonical((Cs231nSizes)s, None)),
        ["toy2d"] = (new ToySizes(), s => ToyGan.Canonical((ToySizes)s, None)),
    };

    public static TheoryData<string> Names => [.. Models.Keys];

    // Where 0 stands for none.
    private static bool MayBeZero(string size) => size is "Classes" or "GeneratorHidden (toy2d)";

    /// <summary>The same sizes with another value in one place, for every place.</summary>
    private static IEnumerable<(string Place, object Sizes)> WithEach(string name, int value)
    {
        object sizes = Models[name].Sizes;
        foreach (PropertyInfo size in sizes.GetType().GetProperties().Where(p => p.CanWrite))
        {
            if (size.PropertyType == typeof(int))
                yield return ($"{size.Name}{(name == "toy2d" ? " (toy2d)" : "")}", With(size, value));
            else if (size.GetValue(sizes) is IEnumerable list)
            {
                int[] widths = [.. list.Cast<int>()];
                for (int i = 0; i < widths.Length; i++)
                    yield return ($"{size.Name}[{i}]", With(size, (int[])[.. widths[..i], value, .. widths[(i + 1)..]]));
            }
        }

        object With(PropertyInfo size, object to)
        {
            object copy = sizes.GetType().GetMethod("<Clone>$")!.Invoke(sizes, null)!;
            size.SetValue(copy, to);
            return copy;
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void A_size_out_of_range_is_one_line(string name)
    {
        Func<object, Model> create = Models[name].Create;
        create(Models[name].Sizes).Dispose();
        foreach (int value in new[] { 0, -1, 65537, int.MinValue, int.MaxValue })
        {
            foreach ((string place, object sizes) in WithEach(name, value))
            {
                Exception? thrown = Record.Exception(() => create(sizes).Dispose());
                if (value == 0 && MayBeZero(place))
                    Assert.Null(thrown);
                else
                {
                    Assert.True(thrown is InputException && !thrown.Message.Contains('\n'), $"{place} {value}: {thrown?.ToString() ?? "no error"}");
                    Assert.Contains($"{value}", thrown!.Message, StringComparison.Ordinal);
                }
            }
        }
    }

    /// <summary>What is in range may still be too much for a tensor, which then says so.</summary>
    [Theory, MemberData(nameof(Names))]
    public void No_product_of_sizes_wraps(string name)
    {
        using Device device = Device.Cpu(1);
        foreach ((string place, object sizes) in WithEach(name, 65536))
        {
            foreach (int batch in new[] { 2, 65536 })
            {
                Exception? thrown = Record.Exception(() =>
                {
                    using Model model = Models[name].Create(sizes);
                    (IReadOnlyList<LayerSummary> layers, MemorySummary memory) = model.Describe(device, batch);
                    Assert.All(layers, l => Assert.True(l.Parameters >= 0));
                    Assert.True(memory.Activations > 0 && memory.Scratch >= 0 && memory.Moments > 0);
                });
                Assert.True(thrown is null or CudaGenException, $"{place}, batch {batch}: {thrown}");
            }
        }
    }

    [Fact]
    public void More_parameters_than_a_tensor_holds_are_refused()
    {
        // Each matrix is 65536 x 30000: one is a tensor, both are none.
        using Device device = Device.Cpu(1);
        using Autoencoder model = new(new(8, 3, 65536, 30000), new(1e-3f));
        Assert.Contains("a tensor holds at most", Assert.Throws<ShapeException>(() => model.Describe(device, 1)).Message, StringComparison.Ordinal);
    }

    /// <summary>A variance asks for two numbers: on a vector a batch of one has none, on an image it has.</summary>
    [Fact]
    public void A_batch_of_one_is_refused_where_a_batch_norm_has_one_number()
    {
        using Device device = Device.Cpu(1);
        foreach (string name in new[] { "dcgan", "wgan" })
        {
            using Model model = Models[name].Create(Models[name].Sizes);
            Files.Complains(() => model.Describe(device, 1), "batch: found 1, expected at least 2", "'bn1'");
            Files.Complains(() => model.Plan(device, 1, 1), "batch: found 1, expected at least 2", "'bn1'");
            model.Plan(device, 2, 1);
        }
        foreach (string name in new[] { "cs231n", "wgan-gp" })
        {
            using Model model = Models[name].Create(Models[name].Sizes);
            model.Plan(device, 1, 1);
            using DataSet data = SmallModels.Data(device, model);
            model.Step(data);
            Assert.All(model.Losses.ToArray(), loss => Assert.True(float.IsFinite(loss)));
        }
    }

    /// <summary>The parameters of these files have the shapes that the sizes ask for: only the outputs tell that they are wrong.</summary>
    [Theory]
    [InlineData("cae", "image", "11", "11")]
    [InlineData("dcgan", "image", "17", "17")]
    [InlineData("dcgan", "channels", "3", "[16, 16, 3]")]
    [InlineData("cifar", "image", "23", "23")]
    [InlineData("began", "image", "32", "32")]
    [InlineData("began", "scales", "9", "size 'scales': found 9, expected 1 to 8")]
    [InlineData("dcgan", "classes", "10", "size 'classes': found 10, expected 0")]
    [InlineData("gan", "classes", "257", "size 'classes': found 257, expected 0 to 256")]
    [InlineData("gan", "image", "0", "size 'image': found 0, expected 1 to 65536")]
    [InlineData("gan", "latent", "0", "size 'latent': found 0, expected 1 to 65536")]
    [InlineData("gan", "hidden1", "0", "size 'hidden1': found 0, expected 1 to 65536")]
    [InlineData("gan", "image", "65536", "elements")]
    [InlineData("wgan-gp", "image", "0", "'image': found 0")]
    [InlineData("wgan-gp", "image", "48", "found 48, expected 16, 32")]
    [InlineData("wgan-gp", "channels", "0", "'channels': found 0")]
    [InlineData("cs231n", "latent", "3", "'latent': found 3, expected 4 to 65536")]
    [InlineData("cs231n", "affine", "2", "'affine': found 2, expected 0 to 1")]
    [InlineData("toy2d", "dimensions", "0", "'dimensions': found 0")]
    [InlineData("toy2d", "hidden", "70000", "size.hidden", "70000")]
    public void Sizes_in_a_file_that_contradict_each_other_are_one_line(string name, string size, string value, params string[] mentions)
    {
        using var folder = new TemporaryFolder();
        string path = folder["g.safetensors"];
        using Device device = Device.Cpu(1);
        Save(device, name, path);
        SafeTensors file = SafeTensors.Read(path);
        file.Metadata[$"size.{size}"] = value;
        file.Write(path);
        Files.Complains(() => Generator.Load(device, path, 2).Dispose(), [path, .. mentions]);
    }

    [Theory]
    [InlineData("fc1.weight", float.NaN)]
    [InlineData("code.mean", float.NegativeInfinity)]
    public void Numbers_in_a_file_that_are_not_finite_are_refused_by_the_name_of_their_tensor(string tensor, float value)
    {
        using var folder = new TemporaryFolder();
        string path = folder["g.safetensors"];
        using Device device = Device.Cpu(1);
        Save(device, "gan", path);
        Generator.Load(device, path, 2).Dispose();
        SafeTensors good = SafeTensors.Read(path), bad = new();
        foreach ((string key, string text) in good.Metadata)
            bad.Metadata[key] = text;
        foreach ((string key, StoredTensor stored) in good.Tensors)
        {
            float[] values = stored.Floats.ToArray();
            if (key == tensor)
                values[^1] = value;
            bad.Add(key, stored.Extents, values);
        }
        bad.Write(path);
        int alive = LiveObjects.Total;
        Files.Complains(() => Generator.Load(device, path, 2).Dispose(), path, $"'{tensor}'", "expected finite numbers");
        Assert.Equal(alive, LiveObjects.Total);
    }

    private static void Save(Device device, string name, string path)
    {
        using Model model = Models[name].Create(Models[name].Sizes);
        model.Plan(device, 2, 1);
        using Generator generator = Generator.Of(model, 1);
        generator.Update(model);
        generator.Save(path);
    }
}
