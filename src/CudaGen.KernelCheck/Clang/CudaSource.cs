using System.Text.RegularExpressions;
using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>A kernel as its source text declares it.</summary>
/// <param name="Name">The name, which is also its symbol when it is extern "C".</param>
/// <param name="ExternC">Whether it can be loaded by that name.</param>
/// <param name="Parameters">The text between the parentheses, on one line.</param>
/// <param name="Line">Line of the name, from 1.</param>
public sealed record KernelDeclaration(string Name, bool ExternC, string Parameters, int Line);

/// <summary>The text of a .cu file, with what can be read from it without a compiler: its kernels and the files it includes.</summary>
public sealed partial class CudaSource
{
    private CudaSource(string name, string text)
    {
        Name = name;
        Text = text;
        Kernels = [.. DeclarationReader.Read(text).Where(d => d.Has("__global__")).Select(d => new KernelDeclaration(
            d.Name, d.ExternC, Spaces().Replace(d.Parameters!, " ").Trim(), 1 + text.AsSpan(0, d.Position).Count('\n')))];
    }

    /// <summary>Name of the file, without its folder.</summary>
    public string Name { get; }

    public string Text { get; }

    public IReadOnlyList<KernelDeclaration> Kernels { get; }

    /// <summary>Names and texts of the files that are included by #include "...", directly or by one another.</summary>
    public IReadOnlyList<(string Name, string Text)> Headers { get; private init; } = [];

    /// <exception cref="InputException">The file cannot be read.</exception>
    public static CudaSource Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            string text = File.ReadAllText(path);
            List<(string Name, string Text)> headers = [];
            AddHeaders(headers, text, Path.GetDirectoryName(Path.GetFullPath(path))!);
            return new CudaSource(Path.GetFileName(path), text) { Headers = headers };
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(path, e);
        }
    }

    public static CudaSource Parse(string name, string text)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(text);
        return new CudaSource(name, text);
    }

    // A file that is not there is left to the compiler to complain about.
    private static void AddHeaders(List<(string Name, string Text)> headers, string text, string folder)
    {
        foreach (string name in QuotedInclude().Matches(text).Select(m => m.Groups[1].Value))
        {
            string path = Path.GetFullPath(name, folder);
            if (headers.Any(h => h.Name == name) || !File.Exists(path))
                continue;
            headers.Add((name, File.ReadAllText(path)));
            AddHeaders(headers, headers[^1].Text, Path.GetDirectoryName(path)!);
        }
    }

    [GeneratedRegex("""^[ \t]*\#[ \t]*include[ \t]*"([^"\n]+)" """, RegexOptions.Multiline | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex QuotedInclude();

    [GeneratedRegex("""\s+""")]
    private static partial Regex Spaces();
}
