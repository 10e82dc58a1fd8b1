using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// A folder with CIFAR-10's binary batches (https://www.cs.toronto.edu/~kriz/cifar.html): records of a label and the planes R, G and B of a
/// 32x32 image. How many records a file has is told by its length.
/// </summary>
public static class CifarFolder
{
    private const int Side = 32, Plane = Side * Side, Record = 1 + 3 * Plane, Classes = 10;

    /// <summary>Whether the folder holds such batches.</summary>
    public static bool Is(string dir) => File.Exists(Path.Combine(dir, TestName)) || TrainFiles(dir).Length > 0;

    private const string TestName = "test_batch.bin";

    /// <summary>All training batches in the order of their names, and the test batch.</summary>
    /// <exception cref="InputException">A file is missing, empty or no whole number of records, or a label is not one of ten.</exception>
    public static DataSource Load(string dir)
    {
        string[] train = TrainFiles(dir);
        if (train.Length == 0)
            throw new InputException($"{dir}: found {TestName} and no data_batch_*.bin, expected at least data_batch_1.bin");
        return DataSource.Describe($"CIFAR-10 images from {dir}", Read(train), Read([Path.Combine(dir, TestName)]), builtIn: false);
    }

    private static string[] TrainFiles(string dir) => [.. Directory.GetFiles(dir, "data_batch_*.bin").Order(StringComparer.Ordinal)];

    private static ImageSet Read(string[] files)
    {
        byte[][] all = [.. files.Select(ReadRecords)];
        int count = all.Sum(f => f.Length / Record), at = 0;
        byte[] pixels = new byte[(long)count * 3 * Plane], labels = new byte[count];
        foreach ((string file, byte[] records) in files.Zip(all))
        {
            for (int i = 0; i < records.Length; i += Record, at++)
            {
                labels[at] = records[i] < Classes ? records[i]
                    : throw new InputException($"{file}: record {i / Record}: found label {records[i]}, expected 0 to {Classes - 1}");
                Span<byte> target = pixels.AsSpan(at * 3 * Plane, 3 * Plane);
                for (int p = 0; p < Plane; p++)
                    (target[3 * p], target[3 * p + 1], target[3 * p + 2]) = (records[i + 1 + p], records[i + 1 + Plane + p], records[i + 1 + 2 * Plane + p]);
            }
        }
        return new(pixels, labels, Side, Side, 3, Classes);
    }

    private static byte[] ReadRecords(string file)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(file);
            return bytes.Length > 0 && bytes.Length % Record == 0
                ? bytes
                : throw new InputException($"{file}: found {bytes.Length} bytes, expected a whole number of records of {Record}");
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(file, e);
        }
    }
}
