using System.Text;
using System.Text.RegularExpressions;
using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>A kernel as its source text declares it.</summary>
/// <param name="Name">The name, which is also its symbol when it is extern "C".</param>
/// <param name="ExternC">Whether it can be loaded by that name.</param>
/// <param name="Parameters">The text between the parentheses, on one line.</param>
/// <param name="Line">Line of the name, from 1.</param>
public sealed record KernelDeclaration(string Name, bool ExternC, string Parameters, int Line);

/// <summary>
/// The text of a .cu file, with what can be read from it without a compiler: its kernels, the files that it includes, and
/// declarations which NVRTC takes for host code and refuses, but clang does not.
/// </summary>
public sealed partial class CudaSource
{
    private readonly List<KernelDeclaration> _kernels = [];
    private readonly List<string> _complaints = [];
    private readonly HashSet<string> _annotations = ["__device__", "__global__", "__constant__", "__shared__"];
    private readonly string _code;
    private int _at;

    private CudaSource(string name, string text)
    {
        Name = name;
        Text = text;
        _code = Blank(text, _annotations);
        ReadDeclarations(externC: false);
    }

    /// <summary>Name of the file, without its folder.</summary>
    public string Name { get; }

    public string Text { get; }

    public IReadOnlyList<KernelDeclaration> Kernels => _kernels;

    /// <summary>What NVRTC would refuse, as compilers write it: "k.cu:3: error: ...".</summary>
    public IReadOnlyList<string> Complaints => _complaints;

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
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot read it: {e.Message}", e);
        }
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

    public static CudaSource Parse(string name, string text)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(text);
        return new CudaSource(name, text);
    }

    // Walks the declarations of a namespace or of an extern "C" block, up to its closing brace.
    private void ReadDeclarations(bool externC)
    {
        int start = _at;
        for (; _at < _code.Length; _at++)
        {
            if (_code[_at] == '}')
                return;
            if (_code[_at] == ';')
            {
                ReadVariable(start, _at);
                start = _at + 1;
            }
            if (_code[_at] != '{')
                continue;
            string head = _code[start.._at];
            bool block = ExternBlock().IsMatch(head);
            if (block || NamespaceBlock().IsMatch(head))
            {
                _at++;
                ReadDeclarations(externC || block);
                start = _at + 1;
                continue;
            }
            bool function = ReadFunction(start, head, externC);
            SkipBraces();
            // A type or an initialiser goes on until its semicolon.
            if (function)
                start = _at + 1;
        }
    }

    // Leaves the position at the brace that closes the one it is at.
    private void SkipBraces()
    {
        for (int depth = 0; _at < _code.Length; _at++)
        {
            if (_code[_at] == '{')
                depth++;
            else if (_code[_at] == '}' && --depth == 0)
                return;
        }
    }

    private bool ReadFunction(int start, string head, bool externC)
    {
        if (TypeDefinition().IsMatch(head) || FunctionHead().Match(head) is not { Success: true } match)
            return false;
        Group name = match.Groups["name"];
        int line = LineOf(start + name.Index);
        if (HasWord(head, "__global__"))
            _kernels.Add(new KernelDeclaration(name.Value, externC || ExternPrefix().IsMatch(head),
                Spaces().Replace(match.Groups["parameters"].Value, " ").Trim(), line));
        else if (!Annotated(head))
            Complain(line, $"function '{name.Value}' has neither __device__ nor __global__, and NVRTC takes no host functions");
        return true;
    }

    private void ReadVariable(int start, int end)
    {
        string text = _code[start..end];
        if (NoVariable().IsMatch(text) || Annotated(text) || Variable().Match(text) is not { Success: true } match)
            return;
        bool array = match.Groups["array"].Success;
        // The value of a constant number may be used in device code, elements of an array may not.
        if (!array && (HasWord(text, "const") || HasWord(text, "constexpr")))
            return;
        Group name = match.Groups["name"];
        string what = array ? "array" : "variable";
        Complain(LineOf(start + name.Index), $"{what} '{name.Value}' has neither __constant__ nor __device__, so it is not on the device");
    }

    private void Complain(int line, string what) => _complaints.Add($"{Name}:{line}: error: {what}");

    private bool Annotated(string text) => _annotations.Any(a => HasWord(text, a));

    private static bool HasWord(string text, string word)
    {
        for (int i = text.IndexOf(word, StringComparison.Ordinal); i >= 0; i = text.IndexOf(word, i + 1, StringComparison.Ordinal))
            if ((i == 0 || !IsName(text[i - 1])) && (i + word.Length == text.Length || !IsName(text[i + word.Length])))
                return true;
        return false;
    }

    private static bool IsName(char c) => c == '_' || char.IsAsciiLetterOrDigit(c);

    private int LineOf(int position) => 1 + _code.AsSpan(0, position).Count('\n');

    // Comments, literals and preprocessor lines as spaces, so that positions and lines stay. Macros that stand for an
    // annotation are added to the annotations.
    private static string Blank(string text, HashSet<string> annotations)
    {
        var code = new StringBuilder(text);
        foreach (Match match in NoCode().Matches(text))
        {
            if (match.Value is "\"C\"")
                continue;
            if (AnnotationMacro().Match(match.Value) is { Success: true } macro)
                annotations.Add(macro.Groups[1].Value);
            for (int i = match.Index; i < match.Index + match.Length; i++)
                if (code[i] != '\n')
                    code[i] = ' ';
        }
        return code.ToString();
    }

    private const string Comment = """//(?:\\\n|[^\n])*|/\*.*?(?:\*/|\z)""";
    private const string Literal = """R"(?<d>[^(\s]*)\(.*?\)\k<d>"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'(?!\w)""";
    private const string Directive = """^[ \t]*\#(?:\\\r?\n|[^\n])*""";

    [GeneratedRegex($"{Comment}|{Literal}|{Directive}", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex NoCode();

    [GeneratedRegex("""^[ \t]*\#\s*define\s+(\w+)\s.*__(?:device|global|constant)__""", RegexOptions.Singleline)]
    private static partial Regex AnnotationMacro();

    [GeneratedRegex("""^[ \t]*\#[ \t]*include[ \t]*"([^"\n]+)" """, RegexOptions.Multiline | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex QuotedInclude();

    [GeneratedRegex("""^\s*extern\s*"C"\s*$""")]
    private static partial Regex ExternBlock();

    [GeneratedRegex("""\bextern\s*"C"\s""")]
    private static partial Regex ExternPrefix();

    [GeneratedRegex("""^\s*(?:inline\s+)?namespace(?:\s+[\w:]+)?\s*$""")]
    private static partial Regex NamespaceBlock();

    [GeneratedRegex("""^\s*(?:template\s*<[^{]*>\s*)?(?:typedef\s+)?(?:struct|class|union|enum)\b(?![^(]*\w\s*\([^)]*\)\s*$)""")]
    private static partial Regex TypeDefinition();

    [GeneratedRegex("""(?<name>\b\w+|operator\s*[^\s\w(]+)\s*\((?<parameters>(?:[^()]|\([^()]*\))*)\)\s*(?:const|noexcept|\s)*$""")]
    private static partial Regex FunctionHead();

    [GeneratedRegex("""^\s*(?:typedef|using|struct|class|union|enum|template|friend|static_assert|extern\s+template)\b|^\s*$""")]
    private static partial Regex NoVariable();

    // A type, a name, and what may follow a name that is no function.
    [GeneratedRegex("""^\s*[\w:<>,*&\s]*?[\s*&>](?<name>\w+)\s*(?<array>\[[^\]]*\]\s*)*(?:=.*|\{.*)?$""", RegexOptions.Singleline)]
    private static partial Regex Variable();

    [GeneratedRegex("""\s+""")]
    private static partial Regex Spaces();
}
