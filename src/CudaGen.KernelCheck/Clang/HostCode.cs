using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace CudaGen.KernelCheck;

/// <summary>
/// Finds what NVRTC takes for host code and refuses ("host functions are not allowed in JIT mode"), while clang merely leaves it
/// out of the device's code, or even lets the device use it.
/// </summary>
internal static partial class HostCode
{
    /// <summary>Complaints in the form of compilers: "k.cu:3: error: ...".</summary>
    /// <param name="preprocessed">What clang -E makes of a file, so that macros and conditions play no part.</param>
    /// <param name="prelude">Path of the file that stands for what NVRTC predeclares.</param>
    public static IEnumerable<string> Find(string preprocessed, string prelude)
    {
        (string text, List<string> places) = WithoutPrelude(preprocessed, prelude);
        foreach (Declaration declaration in DeclarationReader.Read(text))
        {
            string place = places[text.AsSpan(0, declaration.Position).Count('\n')], name = declaration.Name;
            if (OnDevice().IsMatch(declaration.Text))
                continue;
            if (declaration.Parameters is not null)
                yield return $"{place}: error: function '{name}' has neither __device__ nor __global__, and NVRTC takes no host functions";
            // The value of a constant number may be used in device code, elements of an array may not.
            else if (declaration.IsArray)
                yield return $"{place}: error: array '{name}' has neither __constant__ nor __device__, so device code may not read it";
            else if (!declaration.Has("const") && !declaration.Has("constexpr"))
                yield return $"{place}: error: variable '{name}' has neither __constant__ nor __device__, and NVRTC takes no host variables";
        }
    }

    // The text of the file and its includes, and the place of each of its lines.
    private static (string Text, List<string> Places) WithoutPrelude(string preprocessed, string prelude)
    {
        var text = new StringBuilder();
        List<string> places = [];
        (string file, int line) = ("", 0);
        foreach (string written in preprocessed.Split('\n'))
        {
            if (LineMarker().Match(written) is { Success: true } marker)
            {
                (line, file) = (int.Parse(marker.Groups["line"].Value, CultureInfo.InvariantCulture), marker.Groups["file"].Value);
                continue;
            }
            if (file != prelude && !file.StartsWith('<'))
            {
                text.Append(written).Append('\n');
                places.Add($"{file}:{line}");
            }
            line++;
        }
        places.Add($"{file}:{line}");
        return (text.ToString(), places);
    }

    [GeneratedRegex("""^# (?<line>\d+) "(?<file>[^"]*)"(?: |$)""")]
    private static partial Regex LineMarker();

    [GeneratedRegex("""__attribute__\(\((?:device|global|constant|shared)\)\)""")]
    private static partial Regex OnDevice();
}
