using System.Runtime.InteropServices;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>What a run trains on, images or points, and how its epochs are evaluated.</summary>
internal abstract class TrainingData
{
    /// <summary>Opens what a person named, or draws what the program trains on without.</summary>
    /// <exception cref="InputException">Something about it is wrong, or the program cannot take it.</exception>
    public static TrainingData Open(TrainProgram program, RunConfig config)
    {
        if (program.Data == DataKind.Points)
            return new ToyData(config);
        DataSource source = config.Data is not null ? DataSource.Open(config.Data, config.Seed) : program.Data switch
        {
            DataKind.Colour => ColourGlyphs.Create(config.Seed),
            DataKind.Faces => DrawnFaces.Create(config.Seed, config.Flags.FaceSize),
            _ => Glyphs.Create(config.Seed),
        };
        Require(program, source.Train, config.Data);
        return new ImageTrainingData(source, program);
    }

    /// <summary>Refuses images that a program cannot take.</summary>
    /// <exception cref="InputException">They are not square, of the wrong colours, or without the labels that it needs.</exception>
    internal static void Require(TrainProgram program, ImageSet images, string? path)
    {
        if (images.Height != images.Width || (program.Data == DataKind.Grey && images.Channels != 1))
        {
            throw new InputException($"{path}: found images {images.Height}x{images.Width}x{images.Channels}, "
                + $"expected square {(program.Data == DataKind.Grey ? "grey " : "")}ones");
        }
        if (program.NeedsLabels && images.Classes < 2)
            throw new InputException($"{path}: found images without labels, expected some of at least two classes");
    }

    /// <summary>One line for a person.</summary>
    public abstract string Description { get; }

    /// <summary>What it is, in words that are the same for the same data.</summary>
    public abstract string Content { get; }

    /// <summary>CRC-32 of a sample of it, which is read in milliseconds however much there is.</summary>
    public abstract uint Crc();

    /// <summary>What a step takes several of.</summary>
    public virtual string Unit => "images";

    public abstract int Count { get; }

    /// <summary>Height and width of an image.</summary>
    public abstract int Size { get; }

    public abstract int Channels { get; }

    public abstract int Classes { get; }

    /// <summary>Memory that it takes on the device.</summary>
    public abstract long Bytes { get; }

    /// <summary>Copies what is trained on to the device.</summary>
    public abstract DataSet Upload(Device device, Model model);

    /// <summary>What is measured and drawn at the end of an epoch.</summary>
    public abstract Evaluation Evaluate(Device device, Model model, TrainProgram program, RunConfig config);

    private sealed class ImageTrainingData(DataSource source, TrainProgram program) : TrainingData
    {
        public override string Description => source.Name + (source.BuiltIn ? program.Data switch
        {
            DataKind.Colour => "; real data: --data FOLDER with the CIFAR-10 files",
            DataKind.Faces => "; real data: --data FILE, made of a folder of pictures by tools/data.cs",
            _ => "; real data: --data FOLDER with the MNIST files",
        } : "");

        public override string Content => $"{Count} images {Size}x{Size}x{Channels}" + (Classes > 1 ? $" of {Classes} classes" : "");

        // All labels, and images from the first to the last.
        public override uint Crc()
        {
            const int Sample = 64;
            ImageSet images = source.Train;
            uint crc = Png.Crc(uint.MaxValue, images.Labels);
            for (int i = 0; i < Sample; i++)
                crc = Png.Crc(crc, images.Image((int)((long)i * (images.Count - 1) / (Sample - 1))));
            return ~crc;
        }

        public override int Count => source.Train.Count;

        public override int Size => source.Train.Height;

        public override int Channels => source.Train.Channels;

        public override int Classes => source.Train.Classes;

        public override long Bytes => ((long)source.Train.Count + source.Test.Count) * source.Train.ImageLength;

        public override DataSet Upload(Device device, Model model) => Upload(device, source.Train, model.Spec.Classes > 0);

        private static ImageData Upload(Device device, ImageSet images, bool labels)
            => new(device, images.Parts, images.Height, images.Width, images.Channels, labels ? images.Labels : []);

        public override Evaluation Evaluate(Device device, Model model, TrainProgram program, RunConfig config) => model is CodeModel code
            ? new CodeEvaluation(device, code, source.Test, config.Recipe)
            : new AdversarialEvaluation(device, (AdversarialModel)model, source.Test, program.Grid);
    }

    private sealed class ToyData(RunConfig config) : TrainingData
    {
        // Of the ring so many that hardly one comes twice.
        private const int Dimensions = 2, OfGaussian = 1000, OfRing = 512_000;

        private readonly float[] _points = config.Flags.Ring
            ? ToyPoints.Ring(config.Seed, OfRing, Ring.Modes, Ring.Radius, Ring.Sigma)
            : ToyPoints.Create(config.Seed, OfGaussian);

        public override string Description => config.Flags.Ring
            ? FormattableString.Invariant($"{Count} points of {Ring.Modes} Gaussians on a circle of radius {Ring.Radius}, deviation {Ring.Sigma}")
            : $"{Count} points of a Gaussian with mean (1, 2) and covariance ((1.01, 1.95), (1.95, 4.25))";

        public override string Content => config.Flags.Ring ? $"{Count} points of the ring" : $"{Count} points of a Gaussian";

        public override uint Crc() => ~Png.Crc(uint.MaxValue, MemoryMarshal.AsBytes(_points.AsSpan(0, OfGaussian * Dimensions)));

        public override string Unit => "points";

        public override int Count => _points.Length / Dimensions;

        public override int Size => 0;

        public override int Channels => Dimensions;

        public override int Classes => 0;

        public override long Bytes => _points.Length * sizeof(float);

        public override DataSet Upload(Device device, Model model) => new PointData(device, _points, Dimensions);

        public override Evaluation Evaluate(Device device, Model model, TrainProgram program, RunConfig config)
            => new PointEvaluation(device, (AdversarialModel)model, _points[..(OfGaussian * Dimensions)], config.Flags.Ring);
    }
}
