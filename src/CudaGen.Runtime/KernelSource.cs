using System.Reflection;

namespace CudaGen.Runtime;

/// <summary>A CUDA C++ text that NVRTC compiles for a device when the first of its kernels is launched there.</summary>
/// <param name="Name">Name in the compiler's messages, such as <c>adam.cu</c>.</param>
/// <param name="Text">The text.</param>
/// <param name="Headers">What it includes by name: <c>#include "name"</c>.</param>
public sealed record KernelSource(string Name, string Text, params IReadOnlyList<(string Name, string Text)> Headers)
{
    /// <summary>A text that lies in an assembly as a resource, with headers that lie there too.</summary>
    /// <exception cref="CudaGenException">There is no such resource.</exception>
    public static KernelSource FromResource(Assembly assembly, string name, params ReadOnlySpan<string> headers)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        var texts = new (string, string)[headers.Length];
        for (int i = 0; i < texts.Length; i++)
            texts[i] = (headers[i], Read(assembly, headers[i]));
        return new(name, Read(assembly, name), texts);
    }

    private static string Read(Assembly assembly, string name)
    {
        using Stream stream = assembly.GetManifestResourceStream(name)
            ?? throw new CudaGenException($"the assembly {assembly.GetName().Name} has no resource '{name}'");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}

/// <summary>
/// A kernel of a <see cref="KernelSource"/>. Make one for each kernel and keep it in a static field: devices remember what
/// they compiled by it.
/// </summary>
public sealed class Kernel(KernelSource source, string name)
{
    private static int _count;

    public KernelSource Source { get; } = source;

    /// <summary>Name of the <c>extern "C" __global__</c> function.</summary>
    public string Name { get; } = name;

    /// <summary>Place in the table of each device.</summary>
    internal int Index { get; } = Interlocked.Increment(ref _count) - 1;
}

/// <summary>Extents of a grid or a block.</summary>
public readonly record struct Dim3(int X, int Y = 1, int Z = 1)
{
    public static implicit operator Dim3(int x) => new(x);

    public override string ToString() => $"({X}, {Y}, {Z})";
}
