using CudaGen.Runtime;

// The tests count objects and allocations of the whole process.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace CudaGen.Nets.Tests;

/// <summary>A folder that is gone after the test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("cudagen-test-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class Files
{
    /// <summary>The golden files of this repository.</summary>
    public static string Golden { get; } = Path.Combine(AppContext.BaseDirectory, "golden");

    /// <summary>A file of more golden vectors: in CUDAGEN_GOLDEN, or shared/golden beside the repository. Skips where there is none.</summary>
    public static string RequireSharedGolden(string name)
    {
        string? folder = Environment.GetEnvironmentVariable("CUDAGEN_GOLDEN") ?? (Root() is { } root ? Path.Combine(root, "..", "shared", "golden") : null);
        string path = folder is null ? "" : Path.GetFullPath(Path.Combine(folder, name + ".safetensors"));
        if (!File.Exists(path))
            Assert.Skip($"needs {name}.safetensors in {folder ?? "a folder"}, which CUDAGEN_GOLDEN can name");
        return path;
    }

    /// <summary>Checks that the action complains in one line about what it should.</summary>
    public static void Complains(Action action, params string[] mentions)
    {
        string message = Assert.Throws<InputException>(action).Message;
        Assert.DoesNotContain('\n', message);
        foreach (string mention in mentions)
            Assert.Contains(mention, message, StringComparison.Ordinal);
    }

    // The folder of CudaGen.slnx; the tests may also have been taken elsewhere.
    private static string? Root()
    {
        string? root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "CudaGen.slnx")))
            root = Path.GetDirectoryName(root);
        return root;
    }
}
