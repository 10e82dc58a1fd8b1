using CudaGen.Runtime;

namespace CudaGen.KernelCheck;

/// <summary>What tools/kernelcheck.cs does: finds the files and cases, the layers of this machine, and writes the report.</summary>
public static class CheckCommand
{
    /// <summary>Returns the exit status: 0 when all is well, 1 when something was found.</summary>
    /// <exception cref="InputException">A file or flag is wrong.</exception>
    public static int Run(CheckOptions options, TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(output);
        KernelCase[] cases = [.. CaseFiles(options).SelectMany(CaseFile.Read)];
        KernelFile[] files = [.. FindFiles(options, cases)];
        DirectoryInfo work = Directory.CreateTempSubdirectory("cudagen-check-");
        ClangCompiler? clang = null;
        try
        {
            ILookup<KernelFile, KernelCase> byFile = AssignCases(files, RunReferences(cases, work.FullName));
            List<AbsentLayer> absent = [];
            Layer[] layers = [.. MakeLayers(options, absent, ref clang)];
            CheckReport report = KernelChecker.Run(files, byFile, layers, absent, options.Strict);
            output.Write(ReportWriter.Text(report));
            Write(options.JUnit, ReportWriter.JUnit(report));
            Write(options.Markdown, ReportWriter.Markdown(report));
            RequireEnough(options, report, cases.Length > 0);
            return report.Clean ? 0 : 1;
        }
        finally
        {
            clang?.Dispose();
            work.Delete(recursive: true);
        }
    }

    // Layers that were named must run, and so must one that launches if there are cases: else a build server would see a success
    // in which nothing was tried.
    private static void RequireEnough(CheckOptions options, CheckReport report, bool cases)
    {
        bool enough = cases ? report.Results.Any(r => r.Case is not null) : report.Results.Count > 0;
        if (report.Absent.Count > 0 && (options.LayersGiven || !enough))
            throw new InputException($"not enough can run here: {string.Join("; ", report.Absent.Select(a => $"{a.Name}: {a.Reason}"))}");
    }

    private static IEnumerable<string> CaseFiles(CheckOptions options)
    {
        if (options.Cases.Count > 0)
            return options.Cases;
        string folder = Path.Combine(options.Kernels!, "cases");
        return Directory.Exists(folder) ? Directory.GetFiles(folder, "*.json").Order(StringComparer.Ordinal) : [];
    }

    // The files of --kernels, and those that cases name; without --kernels, all beside the case files.
    private static IEnumerable<KernelFile> FindFiles(CheckOptions options, KernelCase[] cases)
    {
        string[] named = [.. cases.Select(c => c.SourceFile).OfType<string>()];
        IEnumerable<string> paths = options.Kernels is string kernels ? FilesOf(kernels)
            : named.Length == cases.Length ? []
            : options.Cases.Select(c => Path.GetDirectoryName(Path.GetFullPath(c))!).Distinct().SelectMany(FilesOf);
        string[] all = [.. paths.Concat(named).Select(Path.GetFullPath).Distinct().Order(StringComparer.Ordinal)];
        return all.Length > 0 ? all.Select(p => new KernelFile(p, CudaSource.Read(p)))
            : throw new InputException($"{options.Kernels ?? string.Join(", ", options.Cases)}: found no .cu file there, expected some");
    }

    private static string[] FilesOf(string path)
    {
        if (File.Exists(path))
            return [path];
        return Directory.Exists(path) ? Directory.GetFiles(path, "*.cu", SearchOption.AllDirectories)
            : throw new InputException($"{path}: found nothing there, expected a folder with .cu files, or one such file");
    }

    private static IEnumerable<KernelCase> RunReferences(KernelCase[] cases, string folder) =>
        cases.Select((c, i) => c.Reference is null ? c : Reference.Run(c, Path.Combine(folder, $"{i}")));

    private static ILookup<KernelFile, KernelCase> AssignCases(KernelFile[] files, IEnumerable<KernelCase> cases) =>
        cases.Select(c => (Case: c, File: FileOf(files, c))).ToLookup(p => p.File, p => p.Case);

    private static KernelFile FileOf(KernelFile[] files, KernelCase kernelCase)
    {
        if (kernelCase.SourceFile is string path)
            return files.First(f => f.Path == path);
        string place = $"{kernelCase.CaseFile}: case {ReportTable.CaseName(kernelCase)}";
        KernelFile[] holders = [.. files.Where(f => f.Source.Kernels.Any(k => k.Name == kernelCase.Kernel))];
        return holders.Length switch
        {
            1 => holders[0],
            0 => throw new InputException($"{place}: found no kernel '{kernelCase.Kernel}' in {string.Join(", ", files.Select(f => f.Name))}"),
            _ => throw new InputException($"{place}: found it in {string.Join(" and ", holders.Select(f => f.Name))}, expected 'file' to say which"),
        };
    }

    private static List<Layer> MakeLayers(CheckOptions options, List<AbsentLayer> absent, ref ClangCompiler? clang)
    {
        List<Layer> layers = [];
        if (options.Layers.Contains("clang"))
        {
            clang = ClangCompiler.Find(out string reason);
            if (clang is ClangCompiler found)
                layers.AddRange(ClangCompiler.Architectures.Select(a => new ClangLayer(found, a)));
            else
                absent.Add(new AbsentLayer("clang", reason));
        }
        LaunchMode[] emulated = [.. EmulatorModes.Where(m => options.Layers.Contains(m.Name)).Select(m => m.Mode)];
        if (emulated.Length > 0)
            AddEmulator(options, emulated, layers, absent);
        if (options.Layers.Contains("gpu"))
        {
            if (CudaLibraries.OpenReal(out string reason) is null)
                absent.Add(new AbsentLayer("gpu", reason));
            else
                layers.Add(new LaunchLayer(LaunchMode.Gpu, null, options.Orders, options.Limit, WorkerProgram.Self));
        }
        return layers;
    }

    private static readonly (string Name, LaunchMode Mode)[] EmulatorModes =
        [("checked", LaunchMode.Checked), ("fast", LaunchMode.Fast), ("contraction", LaunchMode.Contraction)];

    private static void AddEmulator(CheckOptions options, LaunchMode[] modes, List<Layer> layers, List<AbsentLayer> absent)
    {
        try
        {
            string folder = StandIns.Build(check: true);
            layers.AddRange(modes.Select(m => new LaunchLayer(m, folder, options.Orders, options.Limit, WorkerProgram.Self)));
        }
        catch (CudaGenException e)
        {
            absent.AddRange(EmulatorModes.Where(m => modes.Contains(m.Mode)).Select(m => new AbsentLayer(m.Name, e.Message.ReplaceLineEndings(" "))));
        }
    }

    private static void Write(string? path, string text)
    {
        if (path is null)
            return;
        try
        {
            File.WriteAllText(path, text);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(path, e);
        }
    }
}
