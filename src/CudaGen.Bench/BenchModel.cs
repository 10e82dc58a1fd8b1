using CudaGen.Nets;
using CudaGen.Runtime;
using CudaGen.Training;

namespace CudaGen.Bench;

/// <summary>A model with the numbers that both sides take, by the name of its training program.</summary>
internal sealed record BenchModel(string Name, int Batch, Func<Model> Create, bool HasTorchPeer = false)
{
    public static readonly BenchModel[] All =
    [
        new("cae", 128, () => new ConvAutoencoder(ConvAutoencoderOptions.Canonical(new ConvSizes())), true),
        new("vae", 128, () => new ConvVae(ConvVaeOptions.Canonical(new ConvSizes())), true),
        new("toy2d", 4, () => ToyGan.Canonical(new(), new())),
        new("gan", 128, () => Gan.Canonical(new(), new())),
        new("cgan", 128, () => Gan.Canonical(new(Classes: 10), new())),
        new("dcgan", 128, () => Dcgan.Canonical(new(), new())),
        new("wgan", 64, () => Wgan.Canonical(new(), new())),
        new("wgan-gp", 64, () => WganGp.Canonical(WganGpSizes.For(64, 3), new())),
        new("began", 64, () => Began.Canonical(BeganSizes.For(32, 3), new())),
        new("cs231n", 50, WithoutPretraining),
        new("cifar", 128, () => CifarGan.Canonical(CifarSizes.For(), new())),
    ];

    // A step is one of the game, as on the other side.
    private static Cs231nGan WithoutPretraining()
    {
        Cs231nGan model = Cs231nGan.Canonical(new(), new());
        model.PretrainingSteps = 0;
        return model;
    }

    /// <summary>The models of a list with commas, or all.</summary>
    /// <exception cref="InputException">There is no such model.</exception>
    public static BenchModel[] Named(string names) => names == "all" ? All : [.. names.Split(',').Select(Find)];

    public static BenchModel Find(string name) => Array.Find(All, m => m.Name == name)
        ?? throw new InputException($"--models: found '{name}', expected some of {string.Join(", ", All.Select(m => m.Name))}");

    /// <summary>Built-in data of the model's size.</summary>
    public static DataSet Data(Device device, Model model)
    {
        if (model.Spec.Range == OutputRange.Points)
            return new PointData(device, ToyPoints.Create(1), 2);
        Shape image = model.Spec.Output;
        ImageSet images = image[2] == 1 ? Glyphs.Create(1).Train : DrawnFaces.Create(1, image[0], 1000, 1).Train;
        return new ImageData(device, images.Parts, images.Height, images.Width, images.Channels, model.Spec.Classes > 0 ? images.Labels : []);
    }
}
