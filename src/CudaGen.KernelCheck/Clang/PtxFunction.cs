using System.Text.RegularExpressions;

namespace CudaGen.KernelCheck;

/// <summary>A kernel or device function of a PTX module.</summary>
/// <param name="Name">Its symbol.</param>
/// <param name="IsEntry">Whether it is a kernel.</param>
/// <param name="Head">The text between the name and the body: parameters and directives.</param>
/// <param name="Statements">Declarations, labels ("name:") and instructions of the body, without semicolons.</param>
internal sealed partial record PtxFunction(string Name, bool IsEntry, string Head, IReadOnlyList<string> Statements)
{
    /// <param name="ptx">The text of a module without comments.</param>
    public static List<PtxFunction> ReadAll(string ptx)
    {
        List<PtxFunction> functions = [];
        foreach (Match match in Start().Matches(ptx))
        {
            int head = match.Index + match.Length, body = ptx.IndexOf('{', head), end = ptx.IndexOf(';', head);
            // A declaration of a function that is elsewhere has no body.
            if (body < 0 || (end >= 0 && end < body))
                continue;
            functions.Add(new PtxFunction(match.Groups["name"].Value, match.Groups["kind"].Value == "entry", ptx[head..body],
                [.. Statement().Matches(ptx, body + 1).TakeWhile(InBody()).Select(m => m.Value.Trim()).Where(s => s is not ("{" or "}" or ""))]));
        }
        return functions;
    }

    // Follows the braces of call sequences and inline PTX, until the one that closes the body.
    private static Func<Match, bool> InBody()
    {
        int depth = 1;
        return match => (depth += match.Value switch { "{" => 1, "}" => -1, _ => 0 }) > 0;
    }

    [GeneratedRegex("""\.(?<kind>entry|func)\s+(?:\([^)]*\)\s*)?(?<name>[\w$]+)""")]
    private static partial Regex Start();

    // A label, an instruction with its vector operands in braces, or a brace of a scope.
    [GeneratedRegex("""\s*[\w$]+:(?!:)|(?:[^;{}:]|::|\{[^;\n]*?\})+|[{}]""")]
    private static partial Regex Statement();
}
