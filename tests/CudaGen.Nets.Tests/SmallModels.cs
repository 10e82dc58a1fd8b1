using CudaGen.Runtime;

namespace CudaGen.Nets.Tests;

/// <summary>Every model in small sizes, and data for it.</summary>
internal static class SmallModels
{
    public const int Batch = 6;
    public const ulong Seed = 11;

    private static readonly Tricks None = new();

    private static readonly Tricks AllTricks = new()
    {
        InstanceNoise = 0.3f,
        LabelFlip = 0.1f,
        RealTarget = 0.9f,
        AnnealSteps = 7,
        GeneratorDropout = 0.2f,
        MinibatchDiscrimination = true,
        GeneratorSteps = 2,
        Average = 0.9f,
    };

    private static readonly WganGpSizes Penalised = new(16, 3, 4, [4, 5], [5, 4]);

    private static DcganSizes Conv(Downsampling downsampling = Downsampling.MaxPool) => new(16, 4, 3, 4, 6, 5, 4, 3, downsampling);

    private static readonly Cs231nSizes Whitened = new(8, 8, 3, 4, 6);

    private static readonly Dictionary<string, Func<Model>> Table = new()
    {
        ["ae"] = () => new Autoencoder(new(8, 3, 6, 5), new(1e-3f)),
        ["gan"] = () => Gan.Canonical(new(8, 3, 0, 6, 5, 7, 6), None),
        ["gan, tutorial"] = () => Gan.Tutorial(new(8, 3, 0, 6, 5, 7, 6), None),
        ["gan, tricks"] = () => Gan.Canonical(new(8, 3, 0, 6, 5, 7, 6), AllTricks),
        ["cgan"] = () => Gan.Canonical(new(8, 3, 10, 6, 5, 7, 6), None),
        ["cgan, tricks"] = () => Gan.Canonical(new(8, 3, 10, 6, 5, 7, 6), AllTricks),
        ["dcgan"] = () => Dcgan.Canonical(Conv(), None),
        ["dcgan, average pool"] = () => Dcgan.Canonical(Conv(Downsampling.AveragePool), None),
        ["dcgan, strided"] = () => Dcgan.Tutorial(Conv(Downsampling.Strided), None),
        ["dcgan, tricks"] = () => Dcgan.Canonical(Conv(), AllTricks),
        ["wgan"] = () => Wgan.Canonical(Conv(), None),
        ["wgan, tutorial"] = () => Wgan.Tutorial(Conv(), None),
        ["wgan-gp"] = () => WganGp.Canonical(Penalised, None),
        ["wgan-gp, tutorial"] = () => WganGp.Tutorial(Penalised, new() { Average = 0.9f, InstanceNoise = 0.1f }),
        ["began"] = () => Began.Canonical(new(16, 3, 4, 3, 2), None),
        ["cifar"] = () => CifarGan.Canonical(new(16, 3, 4, [3, 4, 4, 5], [5, 4, 4, 3]), None),
        ["cifar, tricks"] = () => CifarGan.Tutorial(new(16, 3, 4, [3, 4, 4, 5], [5, 4, 4, 3]), AllTricks with { LabelFlip = 0 }),
        ["cs231n"] = () => new Cs231nGan(Whitened, new(Whitened.Spec(), new Kernels.AdamOptions(3e-4f), new Kernels.AdamOptions(1e-4f))) { PretrainingSteps = 3 },
        ["cs231n, tutorial"] = () => new Cs231nGan(Whitened with { Affine = false },
            new((Whitened with { Affine = false }).Spec(), new Kernels.AdamOptions(3e-4f), new Kernels.AdamOptions(1e-4f)) { RunningStatistics = false }, separate: true)
        { PretrainingSteps = 3 },
        ["toy2d"] = () => ToyGan.Canonical(new(), None),
        ["toy2d, unrolled"] = () => ToyGan.Ring(new(Latent: 3, GeneratorHidden: 4), new() { Unroll = 3, GeneratorSteps = 2, InstanceNoise = 0.1f, Average = 0.9f },
            Kernels.AdamEpsilon.Corrected),
        ["toy2d, hidden"] = () => ToyGan.Tutorial(new(GeneratorHidden: 4), new() { GeneratorSteps = 2 }),
    };

    public static IEnumerable<string> Names => Table.Keys;

    public static Model Create(string name) => Table[name]();

    /// <summary>Twenty images or points that a model can take, with labels.</summary>
    public static DataSet Data(Device device, Model model)
    {
        const int Count = 20;
        if (model.Spec.Range == OutputRange.Points)
            return new PointData(device, [.. Enumerable.Range(0, 2 * Count).Select(i => MathF.Sin(i) + i % 2)], 2);
        Shape image = model.Spec.Output;
        byte[] pixels = new byte[Count * image.Length];
        for (int i = 0; i < pixels.Length; i++)
        {
            (int number, int place) = Math.DivRem(i, image.Length);
            bool inside = place / (image[1] * image[2]) >= number % 5 && place / image[2] % image[1] <= 3 + number % 4;
            pixels[i] = (byte)(inside ? 255 - 9 * number - 20 * (place % image[2]) : 5);
        }
        byte[] labels = [.. Enumerable.Range(0, Count).Select(i => (byte)(i % 10))];
        return new ImageData(device, pixels, image[0], image[1], image[2], model.Spec.Classes > 0 ? labels : []);
    }

    /// <summary>All of the state of a model, bit by bit.</summary>
    public static uint[] Bits(Model model) =>
    [
        .. model.State().Where(t => !t.IsCounter).SelectMany(t => model.Device.ToArray(t.Tensor)).Select(BitConverter.SingleToUInt32Bits),
        .. model.State().Where(t => t.IsCounter).Select(t => (uint)model.Device.Read(t.Counter)),
    ];

    /// <summary>Trains for some steps and returns the state.</summary>
    public static uint[] Train(Func<Device> open, string name, int steps, bool eager = false)
    {
        using Device device = open();
        using Model model = Create(name);
        model.Plan(device, Batch, Seed);
        model.Eager = eager;
        using DataSet data = Data(device, model);
        for (int i = 0; i < steps; i++)
            model.Step(data);
        Assert.All(model.MeanLosses(0, steps), loss => Assert.True(double.IsFinite(loss)));
        return Bits(model);
    }
}
