using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// The four files of MNIST, or of a data set in the same format such as Fashion-MNIST, in one folder: each plain or
/// with .gz, and with a dash or a dot before idx.
/// </summary>
public static class MnistFolder
{
    private const int Classes = 10;

    /// <summary>Reads the folder: grey images of any one size with labels 0 to 9.</summary>
    /// <exception cref="InputException">
    /// A file is missing, damaged or does not fit the others; the message names it and says what was found.
    /// </exception>
    public static DataSource Load(string dir)
    {
        ArgumentNullException.ThrowIfNull(dir);
        if (File.Exists(dir))
            throw new InputException($"{dir}: this is a file, expected the folder with the four MNIST files");
        if (!Directory.Exists(dir))
            throw new InputException($"{dir}: there is no such folder");
        ImageSet train = Set(dir, "train"), test = Set(dir, "t10k");
        if ((train.Height, train.Width) != (test.Height, test.Width))
            throw new InputException($"{Find(dir, "t10k-images", 3)}: images of {test.Height}x{test.Width}, " +
                $"expected {train.Height}x{train.Width} as in the training set");
        return DataSource.Describe($"MNIST-format images from {dir}", train, test, builtIn: false);
    }

    private static ImageSet Set(string dir, string prefix)
    {
        string imageFile = Find(dir, $"{prefix}-images", 3), labelFile = Find(dir, $"{prefix}-labels", 1);
        IdxArray images = Idx.Read(imageFile, 3), labels = Idx.Read(labelFile, 1);
        int[] extents = images.Extents;
        if (images.Data.Length == 0)
            throw new InputException($"{imageFile}: {string.Join('x', extents)} images, expected at least one pixel");
        if (labels.Data.Length != extents[0])
            throw new InputException($"{labelFile}: {labels.Data.Length} labels, " +
                $"expected {extents[0]} as in {Path.GetFileName(imageFile)}");
        if (labels.Data.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)(Classes - 1)) is >= 0 and int at)
            throw new InputException($"{labelFile}: label {at} is {labels.Data[at]}, expected 0 to {Classes - 1}");
        return new ImageSet(images.Data, labels.Data, extents[1], extents[2], channels: 1, Classes);
    }

    private static string Find(string dir, string stem, int rank)
    {
        string[] names = [$"{stem}-idx{rank}-ubyte", $"{stem}.idx{rank}-ubyte"];
        foreach (string name in names.Concat(names.Select(n => n + ".gz")))
        {
            string path = Path.Combine(dir, name);
            if (File.Exists(path))
                return path;
        }
        throw new InputException(
            $"{dir}: holds no {stem} file; looked for {names[0]} and {names[1]}, each also with .gz");
    }
}
