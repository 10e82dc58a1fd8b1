using CudaGen.Runtime;

namespace CudaGen.Nets.Tests;

/// <summary>Generators of models that have been trained with their full widths.</summary>
public sealed class TrainedGeneratorTests
{
    private static readonly Dictionary<string, Func<AdversarialModel>> Models = new()
    {
        ["dcgan"] = () => Dcgan.Canonical(new(), new()),
        ["wgan-gp"] = () => WganGp.Canonical(WganGpSizes.For(16, 3), new()),
        // Without statistics of their own.
        ["dcgan, tutorial"] = () => Dcgan.Tutorial(new(), new()),
        ["dcgan, average"] = () => Dcgan.Canonical(new(), new() { Average = 0.5f }),
    };

    public static TheoryData<string> Names => [.. Models.Keys];

    /// <summary>Image i is a function of (seed, i), not of the images that are made with it: in training they would be normalised together.</summary>
    [Theory, MemberData(nameof(Names))]
    public void After_training_an_image_is_the_same_at_any_batch_size(string name)
    {
        const int Count = 11;
        using var folder = new TemporaryFolder();
        string path = folder["g.safetensors"];
        using Device device = Device.Cpu(2);
        using AdversarialModel model = Models[name]();
        model.Plan(device, 4, 1);
        using (DataSet data = SmallModels.Data(device, model))
        {
            model.Step(data);
            model.Step(data);
        }
        using (Generator generator = Generator.Of(model, 1))
        {
            generator.Update(model);
            generator.Save(path);
        }
        SafeTensors file = SafeTensors.Read(path);
        NamedTensor[] kept = [.. model.Groups[1].Tensors().Where(t => t.Name.Contains(".running_", StringComparison.Ordinal))];
        Assert.NotEmpty(kept);
        // Where training has kept statistics they are the file's, otherwise they are those of its images.
        foreach (NamedTensor tensor in kept)
            Assert.Equal(!name.Contains(',', StringComparison.Ordinal), file.Tensors[tensor.Name].Floats.SequenceEqual(device.ToArray(tensor.Tensor)));
        foreach (NamedTensor tensor in kept.Where(t => t.Name.EndsWith("_var", StringComparison.Ordinal)))
            Assert.Contains(file.Tensors[tensor.Name].Floats.ToArray(), v => Math.Abs(v - 1) > 1e-3);

        float[] one = Images(1);
        Assert.NotEqual(one[..(one.Length / Count)], one[(one.Length / Count)..(2 * one.Length / Count)]);
        foreach (int batch in new[] { 3, 64 })
            Assert.Equal(one, Images(batch));

        float[] Images(int batch)
        {
            using Generator generator = Generator.Load(device, path, batch);
            float[] codes = new float[Count * generator.Latent], images = new float[Count * generator.ImageLength];
            generator.DrawCodes(3, 0, codes);
            generator.Generate(codes, images);
            return images;
        }
    }
}
