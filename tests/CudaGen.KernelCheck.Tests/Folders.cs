namespace CudaGen.KernelCheck.Tests;

/// <summary>A folder that is gone after the test.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("cudagen-test-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class Folders
{
    /// <summary>The folder of CudaGen.slnx.</summary>
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "CudaGen.slnx")))
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException($"no CudaGen.slnx above {AppContext.BaseDirectory}");
        return root;
    }
}
