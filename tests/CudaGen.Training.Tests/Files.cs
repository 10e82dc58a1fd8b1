using CudaGen.Runtime;

// The tests read the console of the whole process, and let its GPU fail.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace CudaGen.Training.Tests;

/// <summary>A folder that is gone after the test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("cudagen-test-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class Files
{
    /// <summary>A folder of real data sets: CUDAGEN_DATA, or shared/data beside the repository. Skips where there is none.</summary>
    public static string RequireData(string name)
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "CudaGen.slnx")) && Path.GetDirectoryName(root) is string parent)
            root = parent;
        string data = Environment.GetEnvironmentVariable("CUDAGEN_DATA") ?? Path.Combine(root, "..", "shared", "data");
        string dir = Path.GetFullPath(Path.Combine(data, name));
        if (!Directory.Exists(dir))
            Assert.Skip($"needs the data set in {dir} (CUDAGEN_DATA names another folder)");
        return dir;
    }

    /// <summary>Checks that the action complains in one line about what it should, and returns the line.</summary>
    public static string Complaint(Action action, params string[] mentions)
    {
        string message = Assert.Throws<InputException>(action).Message;
        Assert.DoesNotContain('\n', message);
        foreach (string mention in mentions)
            Assert.Contains(mention, message, StringComparison.Ordinal);
        return message;
    }
}

internal static class ImageSets
{
    extension(ImageSet set)
    {
        /// <summary>(N, H, W, C), of a set that one array holds.</summary>
        public byte[] Pixels => set.Parts.Count == 1 ? set.Parts[0] : [.. set.Parts.SelectMany(part => part)];
    }
}
