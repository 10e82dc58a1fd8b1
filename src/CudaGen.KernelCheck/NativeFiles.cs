using System.Reflection;

namespace CudaGen.KernelCheck;

/// <summary>The C++ sources and headers of the native folder, which travel inside this assembly.</summary>
internal static class NativeFiles
{
    /// <param name="path">Below native, with forward slashes: "device/cudagen_clang.h".</param>
    public static string Text(string path)
    {
        Assembly assembly = typeof(NativeFiles).Assembly;
        using Stream stream = assembly.GetManifestResourceStream("native/" + path)
            ?? throw new ArgumentException($"{path} is not embedded", nameof(path));
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>All files, by their path below native.</summary>
    public static SortedDictionary<string, byte[]> All()
    {
        Assembly assembly = typeof(NativeFiles).Assembly;
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (string name in assembly.GetManifestResourceNames().Where(n => n.StartsWith("native/", StringComparison.Ordinal)))
        {
            using Stream stream = assembly.GetManifestResourceStream(name)!;
            byte[] content = new byte[stream.Length];
            stream.ReadExactly(content);
            files[name["native/".Length..]] = content;
        }
        return files;
    }
}
