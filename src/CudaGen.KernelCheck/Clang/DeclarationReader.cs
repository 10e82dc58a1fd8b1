using System.Text;
using System.Text.RegularExpressions;

namespace CudaGen.KernelCheck;

/// <summary>A function with a body, or a variable, outside of all functions.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Position">Where the name is in the text.</param>
/// <param name="Text">All that stands before the body or the semicolon.</param>
/// <param name="Parameters">The text between the parentheses; null for a variable.</param>
/// <param name="IsArray">Whether a variable is one.</param>
/// <param name="ExternC">Whether a function has C linkage.</param>
internal sealed record Declaration(string Name, int Position, string Text, string? Parameters, bool IsArray, bool ExternC)
{
    public bool Has(string word) => Regex.IsMatch(Text, $@"\b{word}\b");
}

/// <summary>Finds the declarations in CUDA C++ by its braces and semicolons: no parser, but enough for what kernel files hold.</summary>
internal sealed partial class DeclarationReader
{
    private readonly string _code;
    private readonly List<Declaration> _found = [];
    private int _at;

    private DeclarationReader(string text) => _code = Blank(text);

    /// <param name="text">CUDA C++; preprocessor lines in it are passed over.</param>
    public static IReadOnlyList<Declaration> Read(string text)
    {
        var reader = new DeclarationReader(text);
        reader.ReadScope(externC: false, isClass: false);
        return reader._found;
    }

    // Walks what is declared in a file, namespace, extern "C" block or class, up to the brace that closes it.
    private void ReadScope(bool externC, bool isClass)
    {
        int start = _at;
        for (; _at < _code.Length && _code[_at] != '}'; _at++)
        {
            if (_code[_at] == ';')
            {
                if (!isClass)
                    ReadVariable(start, _at);
                start = _at + 1;
            }
            if (_code[_at] != '{')
                continue;
            string head = _code[start.._at];
            if (ExternBlock().IsMatch(head) || NamespaceBlock().IsMatch(head))
            {
                _at++;
                ReadScope(externC || ExternBlock().IsMatch(head), isClass: false);
                start = _at + 1;
            }
            else if (ClassHead().IsMatch(head))
            {
                // What follows the brace belongs to the declaration, up to its semicolon.
                _at++;
                ReadScope(externC: false, isClass: true);
            }
            else
            {
                if (ReadFunction(start, head, externC))
                    start = SkipBraces() + 1;
                else
                    SkipBraces();
            }
        }
    }

    // Leaves the position at the brace that closes the one it is at, and returns it.
    private int SkipBraces()
    {
        for (int depth = 0; _at < _code.Length; _at++)
        {
            if (_code[_at] == '{')
                depth++;
            else if (_code[_at] == '}' && --depth == 0)
                break;
        }
        return _at;
    }

    private bool ReadFunction(int start, string head, bool externC)
    {
        if (FunctionHead().Match(head) is not { Success: true } match)
            return false;
        Group name = match.Groups["name"];
        externC |= ExternPrefix().IsMatch(head);
        _found.Add(new Declaration(name.Value, start + name.Index, head, match.Groups["parameters"].Value, IsArray: false, externC));
        return true;
    }

    private void ReadVariable(int start, int end)
    {
        string text = _code[start..end];
        if (NoVariable().IsMatch(text) || Variable().Match(text) is not { Success: true } match)
            return;
        Group name = match.Groups["name"];
        _found.Add(new Declaration(name.Value, start + name.Index, text, Parameters: null, match.Groups["array"].Success, ExternC: false));
    }

    // Comments, literals and preprocessor lines as spaces, so that positions and lines stay.
    private static string Blank(string text)
    {
        var code = new StringBuilder(text);
        foreach (Match match in NoCode().Matches(text).Where(m => m.Value is not "\"C\""))
            for (int i = match.Index; i < match.Index + match.Length; i++)
                if (code[i] != '\n')
                    code[i] = ' ';
        return code.ToString();
    }

    private const string Comment = """//(?:\\\n|[^\n])*|/\*.*?(?:\*/|\z)""";
    private const string Literal = """R"(?<d>[^(\s]*)\(.*?\)\k<d>"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'(?!\w)""";
    private const string Directive = """^[ \t]*\#(?:\\\r?\n|[^\n])*""";

    [GeneratedRegex($"{Comment}|{Literal}|{Directive}", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex NoCode();

    [GeneratedRegex("""^\s*extern\s*"C"\s*$""")]
    private static partial Regex ExternBlock();

    [GeneratedRegex("""\bextern\s*"C"\s""")]
    private static partial Regex ExternPrefix();

    [GeneratedRegex("""^\s*(?:inline\s+)?namespace(?:\s+[\w:]+)?\s*$""")]
    private static partial Regex NamespaceBlock();

    // A function that returns a struct begins alike, but ends with its parameters.
    [GeneratedRegex("""^\s*(?:template\s*<[^{]*>\s*)?(?:typedef\s+|static\s+|const\s+)*(?:struct|class|union)\b(?!.*\w\s*\([^()]*\)\s*$)""",
        RegexOptions.Singleline)]
    private static partial Regex ClassHead();

    [GeneratedRegex("""(?<!::)(?<name>\b\w+|operator\s*[^\s\w(]+)\s*\((?<parameters>(?:[^()]|\([^()]*\))*)\)\s*(?:const|noexcept|\s)*$""")]
    private static partial Regex FunctionHead();

    [GeneratedRegex("""^\s*(?:typedef|using|namespace|struct|class|union|enum|template|friend|static_assert|extern)\b|^\s*$""")]
    private static partial Regex NoVariable();

    // A type, a name, and what may follow a name that is no function.
    [GeneratedRegex("""^\s*[\w:<>,*&\s]*?[\s*&>](?<name>\w+)\s*(?<array>\[[^\]]*\]\s*)*(?:=.*|\{.*)?$""", RegexOptions.Singleline)]
    private static partial Regex Variable();
}
