using System.ComponentModel;
using System.Globalization;
using System.Text.RegularExpressions;
using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>What clang made of one file for one architecture.</summary>
/// <param name="Ptx">The PTX, or null when the file has errors.</param>
/// <param name="Errors">One line each: "k.cu:3:17: error: ...".</param>
/// <param name="Warnings">The same for warnings.</param>
public sealed record ClangResult(string? Ptx, IReadOnlyList<string> Errors, IReadOnlyList<string> Warnings);

/// <summary>
/// Compiles .cu files to PTX with clang, without any CUDA toolkit: the question is whether NVRTC would take the file. The
/// prelude native/device/cudagen_clang.h stands for what NVRTC predeclares.
/// </summary>
public sealed partial class ClangCompiler : IDisposable
{
    /// <summary>The architectures that are compiled for, with the PTX version that each needs; clang's default is older.</summary>
    private static readonly (int Architecture, string Ptx)[] Targets = [(70, "+ptx64"), (80, "+ptx70"), (90, "+ptx78")];

    private const int OldestVersion = 16; // older ones know neither sm_90 nor --cuda-feature
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private readonly string _program;
    private readonly string _folder;

    private ClangCompiler(string program, string version)
    {
        _program = program;
        Version = version;
        _folder = Directory.CreateTempSubdirectory("cudagen-clang-").FullName;
        File.WriteAllText(Prelude, NativeFiles.Text("device/cudagen_clang.h"));
    }

    /// <summary>The version number that clang states.</summary>
    public string Version { get; }

    public static IReadOnlyList<int> Architectures { get; } = [.. Targets.Select(t => t.Architecture)];

    private string Prelude => Path.Combine(_folder, "cudagen_clang.h");

    /// <summary>The clang of CUDAGEN_CLANG, or else the newest that is installed; null, with the reason, if there is none.</summary>
    /// <exception cref="InputException">CUDAGEN_CLANG names no clang of a usable version.</exception>
    public static ClangCompiler? Find(out string reason)
    {
        reason = "";
        if (Environment.GetEnvironmentVariable("CUDAGEN_CLANG") is { Length: > 0 } given)
            return Open(given, out reason) ?? throw new InputException($"CUDAGEN_CLANG: {reason}");
        string[] names = [.. Enumerable.Range(OldestVersion, 7).Reverse().Select(v => $"clang++-{v}"), "clang++"];
        foreach (string name in names)
            if (Open(name, out reason) is ClangCompiler found)
                return found;
        reason = $"no clang++ of version {OldestVersion} or newer is installed (tried {string.Join(", ", names)}; CUDAGEN_CLANG names another)";
        return null;
    }

    private static ClangCompiler? Open(string program, out string reason)
    {
        try
        {
            Subprocess run = Subprocess.Run(program, ["--version"], Environment.CurrentDirectory, Limit);
            if (VersionText().Match(run.Output) is not { Success: true } match)
                reason = $"found {program}, which is no clang";
            else if (int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) < OldestVersion)
                reason = $"found {program} of version {match.Value["clang version ".Length..]}, expected {OldestVersion} or newer";
            else
            {
                reason = "";
                return new ClangCompiler(program, match.Value["clang version ".Length..]);
            }
        }
        catch (Win32Exception e)
        {
            reason = $"cannot run {program}: {e.Message}";
        }
        return null;
    }

    /// <summary>Compiles a file for one of <see cref="Architectures"/>.</summary>
    public ClangResult Compile(string path, int architecture)
    {
        ArgumentNullException.ThrowIfNull(path);
        Subprocess run = Run(path, architecture, "-S");
        string file = Path.GetFileName(path);
        string[] errors = [.. Diagnostics(run.Errors, ErrorLine())], warnings = [.. Diagnostics(run.Errors, WarningLine())];
        if (run.TimedOut)
            errors = [.. errors, $"{file}: error: clang was still compiling after {Limit.TotalSeconds:0} s"];
        else if (run.ExitCode != 0 && errors.Length == 0)
            errors = [$"{file}: error: clang ended with status {run.ExitCode}: {run.Errors.Trim().ReplaceLineEndings(" ")}"];
        if (errors.Length == 0)
            errors = [.. HostCode.Find(Run(path, architecture, "-E").Output, Prelude)];
        return new ClangResult(errors.Length == 0 ? run.Output : null, errors, warnings);
    }

    // In the folder of the file and by its bare name, so that this is how diagnostics call it.
    private Subprocess Run(string path, int architecture, string action)
    {
        path = Path.GetFullPath(path);
        string feature = Targets.Single(t => t.Architecture == architecture).Ptx;
        string[] arguments =
            ["-x", "cuda", "--cuda-device-only", "-nocudainc", "-nocudalib", $"--cuda-gpu-arch=sm_{architecture}", $"--cuda-feature={feature}",
             "-std=c++17", "-O3", "-nostdinc", "-nostdinc++", "-nobuiltininc", "-Xclang", "-fno-cuda-host-device-constexpr",
             // Indices are unsigned and sizes are int in most CUDA code: comparing them is no sign of a mistake.
             "-Wall", "-Wextra", "-Wdouble-promotion", "-Wno-sign-compare",
             "-fno-color-diagnostics", "-fno-caret-diagnostics", "-include", Prelude, action, "-o", "-", Path.GetFileName(path)];
        try
        {
            return Subprocess.Run(_program, arguments, Path.GetDirectoryName(path)!, Limit);
        }
        catch (Win32Exception e)
        {
            throw new CudaGenException($"cannot run {_program}, which was there a moment ago: {e.Message}", e);
        }
    }

    // Each with its first note, which often is the reason ("candidate function not viable: call to __host__ function").
    private static IEnumerable<string> Diagnostics(string text, Regex kind)
    {
        string[] lines = text.Split('\n');
        foreach ((string line, string next) in lines.Zip(lines.Skip(1).Append("")))
            if (kind.IsMatch(line))
                yield return NoteLine().Match(next) is { Success: true } note ? $"{line} ({note.Groups[1].Value})" : line;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [GeneratedRegex("""clang version (\d+)[\d.]*""")]
    private static partial Regex VersionText();

    [GeneratedRegex(""": (?:fatal )?error: """)]
    private static partial Regex ErrorLine();

    [GeneratedRegex(": warning: ")]
    private static partial Regex WarningLine();

    [GeneratedRegex(": note: (.*)$")]
    private static partial Regex NoteLine();
}
