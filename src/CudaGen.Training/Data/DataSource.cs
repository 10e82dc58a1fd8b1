using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>A training and a test set with images of the same size.</summary>
/// <param name="Name">One line for a person: what it is, how many images, how large.</param>
/// <param name="Train">What the networks learn from.</param>
/// <param name="Test">What they are measured on.</param>
/// <param name="BuiltIn">Whether the images were drawn by this program.</param>
public sealed record DataSource(string Name, ImageSet Train, ImageSet Test, bool BuiltIn)
{
    // What the archive of CIFAR-10 unpacks to.
    private const string CifarSubfolder = "cifar-10-batches-bin";

    /// <summary>
    /// The images at <paramref name="path"/>: a folder with the MNIST-format files, a folder with CIFAR-10's binary batches, or a file of
    /// packed images. <see cref="Glyphs"/> drawn with <paramref name="seed"/> when it is null.
    /// </summary>
    /// <exception cref="InputException">It is none of these, or something about its files is wrong.</exception>
    public static DataSource Open(string? path, ulong seed)
    {
        if (path is null)
            return Glyphs.Create(seed);
        try
        {
            if (File.Exists(path))
            {
                return PackedImages.Is(path) ? PackedImages.Load(path)
                    : throw new InputException($"{path}: found another kind of file, expected packed images (tools/data.cs prepare) or a folder with MNIST or CIFAR-10 files");
            }
            if (Directory.Exists(path))
            {
                if (CifarFolder.Is(path))
                    return CifarFolder.Load(path);
                string inner = Path.Combine(path, CifarSubfolder);
                if (Directory.Exists(inner) && CifarFolder.Is(inner))
                    return CifarFolder.Load(inner);
            }
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(path, e);
        }
        if (Directory.Exists(path) && PictureSource.HasPictures(path))
            throw new InputException($"{path}: found a folder of pictures, expected a file that 'tools/data.cs prepare' makes of them, or a folder with MNIST or CIFAR-10 files");
        return MnistFolder.Load(path);
    }

    internal static DataSource Describe(string what, ImageSet train, ImageSet test, bool builtIn) => new(
        $"{what}, {train.Count} training and {test.Count} test images {train.Height}x{train.Width}x{train.Channels}",
        train, test, builtIn);
}
