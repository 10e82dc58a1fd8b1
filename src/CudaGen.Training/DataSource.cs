using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>A training and a test set with images of the same size.</summary>
/// <param name="Name">One line for a person: what it is, how many images, how large.</param>
/// <param name="Train">What the networks learn from.</param>
/// <param name="Test">What they are measured on.</param>
/// <param name="BuiltIn">Whether the images were drawn by this program.</param>
public sealed record DataSource(string Name, ImageSet Train, ImageSet Test, bool BuiltIn)
{
    /// <summary>
    /// The MNIST-format files of folder <paramref name="dir"/>, or <see cref="Glyphs"/> drawn with
    /// <paramref name="seed"/> when it is null.
    /// </summary>
    /// <exception cref="InputException">Something about the folder or its files is wrong.</exception>
    public static DataSource Open(string? dir, ulong seed) => dir is null ? Glyphs.Create(seed) : MnistFolder.Load(dir);

    internal static DataSource Describe(string what, ImageSet train, ImageSet test, bool builtIn) => new(
        $"{what}, {train.Count} training and {test.Count} test images {train.Height}x{train.Width}x{train.Channels}",
        train, test, builtIn);
}
