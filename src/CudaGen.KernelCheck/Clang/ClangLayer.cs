namespace CudaGen.KernelCheck;

/// <summary>The layer that compiles with clang for one architecture and reads facts from the PTX.</summary>
public sealed class ClangLayer(ClangCompiler clang, int architecture) : Layer
{
    private const int MostStaticShared = 48 * 1024, MostParameterBytes = 4096;

    public override string Name => $"clang sm_{architecture}";

    public override LayerResult Check(KernelFile file, IReadOnlyList<KernelCase> cases)
    {
        ArgumentNullException.ThrowIfNull(file);
        ClangResult result = clang.Compile(file.Path, architecture);
        if (result.Ptx is null)
            return new LayerResult(result.Errors, result.Warnings, [], []);
        IReadOnlyList<PtxFacts> facts = PtxFacts.Read(result.Ptx);
        return new LayerResult([.. facts.SelectMany(f => Limits(file, f))], result.Warnings, facts, []);
    }

    // What ptxas or a launch would refuse, and clang does not.
    private static IEnumerable<string> Limits(KernelFile file, PtxFacts facts)
    {
        string kernel = $"{file.Name}: error: kernel '{facts.Kernel}'";
        if (facts.StaticShared > MostStaticShared)
            yield return $"{kernel} has {facts.StaticShared} bytes of static shared memory, the limit is {MostStaticShared}";
        if (facts.ParameterBytes > MostParameterBytes)
            yield return $"{kernel} has {facts.ParameterBytes} bytes of parameters, the limit is {MostParameterBytes}";
    }
}
