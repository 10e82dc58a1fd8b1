using System.Text.RegularExpressions;

namespace CudaGen.KernelCheck.Tests;

/// <summary>The file that uses every builtin, for the layers that compile it.</summary>
internal static class Builtins
{
    public static string File { get; } = Path.Combine(Folders.Root, "tests", "CudaGen.KernelCheck.Tests", "builtins.cu");

    /// <summary>Names of its kernels, sorted.</summary>
    public static IEnumerable<string> Kernels =>
        CudaSource.Parse("builtins.cu", System.IO.File.ReadAllText(File)).Kernels.Select(k => k.Name).Order(StringComparer.Ordinal);
}

public sealed class BuiltinsTests
{
    [Fact]
    public void The_file_of_builtins_uses_every_name_of_the_list()
    {
        string[] names = [.. NativeFiles.Text("device/builtins.txt").Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#')];
        Assert.NotEmpty(names);
        HashSet<string> used = [.. Regex.Matches(File.ReadAllText(Builtins.File), @"\w+").Select(m => m.Value)];
        Assert.Equal([], names.Except(used));
        Assert.Equal(names.Distinct(), names);
    }
}
