namespace CudaGen.KernelCheck;

/// <summary>A kernel file that is being checked.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Source">Its text.</param>
public sealed record KernelFile(string Path, CudaSource Source)
{
    public string Name => Source.Name;
}

/// <summary>What a layer found in one case.</summary>
/// <param name="Case">The case.</param>
/// <param name="Findings">One line each; none when all is well.</param>
/// <param name="MaxError">Largest difference from what was expected, null where nothing was.</param>
public sealed record CaseResult(KernelCase Case, IReadOnlyList<string> Findings, double? MaxError);

/// <summary>What a layer found in a file.</summary>
/// <param name="Findings">Of the file as a whole: why it does not compile.</param>
/// <param name="Warnings">What a compiler remarks.</param>
/// <param name="Facts">What its kernels use, if the layer knows.</param>
/// <param name="Cases">One result for each case that the layer was given.</param>
public sealed record LayerResult(IReadOnlyList<string> Findings, IReadOnlyList<string> Warnings, IReadOnlyList<PtxFacts> Facts,
    IReadOnlyList<CaseResult> Cases)
{
    /// <summary>Why the layer could not run after all, or null.</summary>
    public string? NotRun { get; init; }
}

/// <summary>One of the ways in which kernels are checked.</summary>
public abstract class Layer
{
    /// <summary>As reports call it.</summary>
    public abstract string Name { get; }

    /// <summary>Whether it launches cases; if not, it only compiles.</summary>
    public virtual bool Launches => false;

    /// <summary>Whether it takes only cases in which no layer before it found anything: a bad one could crash it, or a GPU.</summary>
    public virtual bool NeedsCleanCases => false;

    /// <summary>Whether it is worth compiling a file of which no case can be launched.</summary>
    public virtual bool CompilesAlone => true;

    public abstract LayerResult Check(KernelFile file, IReadOnlyList<KernelCase> cases);
}

/// <summary>A layer that was asked for and is not here.</summary>
public sealed record AbsentLayer(string Name, string Reason);
