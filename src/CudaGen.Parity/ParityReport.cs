using System.Globalization;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Parity;

/// <summary>A tensor that this engine computed, in PyTorch's layout.</summary>
public sealed record ComputedTensor(IReadOnlyList<int> Extents, float[] Values);

/// <summary>What was computed for a golden file, and its comparison with what the file expects.</summary>
/// <param name="Golden">The file.</param>
/// <param name="Computed">All that was computed, by name without "expected.".</param>
/// <param name="Checks">One check or more for every tensor that the file expects.</param>
public sealed record ParityReport(GoldenFile Golden, IReadOnlyDictionary<string, ComputedTensor> Computed, IReadOnlyList<Check> Checks)
{
    /// <summary>The checks that went wrong, the worst first.</summary>
    public IReadOnlyList<Check> Failures { get; } = [.. Checks.Where(c => !c.Passed).OrderByDescending(c => c.Share)];

    public bool Passed => Failures.Count == 0;

    /// <summary>The check with the largest share of its allowance.</summary>
    public Check Worst { get; } = Checks.MaxBy(c => c.Share)!;

    /// <summary>One line for a person.</summary>
    public override string ToString() => Row(0);

    /// <summary>The same as a row of a table whose names take up to <paramref name="width"/> characters.</summary>
    public string Row(int width)
    {
        string wrong = Passed ? "" : $"{Failures.Select(c => c.Tensor).Distinct().Count()} wrong, ";
        return $"{(Passed ? "ok  " : "FAIL")} {Golden.Name.PadRight(width)}  {Golden.Expected.Count,3} tensors, {wrong}worst {Worst}";
    }

    /// <summary>Writes all that was computed to a file with the name of the golden one.</summary>
    /// <exception cref="InputException">The folder cannot be written, or is the one of the golden file.</exception>
    public void Dump(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string path = Path.Combine(folder, Path.GetFileName(Golden.Path));
        if (Path.GetFullPath(path) == Path.GetFullPath(Golden.Path))
            throw new InputException($"{folder}: found the folder of the golden file itself, expected another one for the dump");
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(folder, e);
        }
        var file = new SafeTensors();
        file.Metadata["format"] = "cudagen-parity-1";
        file.Metadata["model"] = Golden.Model;
        foreach ((string name, ComputedTensor tensor) in Computed)
            file.Add(name, [.. tensor.Extents], tensor.Values);
        file.Write(path);
    }
}

/// <summary>How far a tensor is from what is expected.</summary>
/// <param name="Tensor">Name without "expected.".</param>
/// <param name="Share">Largest difference divided by what is allowed there; infinite where there is nothing to compare.</param>
/// <param name="Note">What to know about the comparison, or empty.</param>
public sealed record Check(string Tensor, double Share, string Note = "")
{
    /// <summary>Whether the difference is allowed; a share that is no number is not.</summary>
    public bool Passed => Share <= 1;

    public override string ToString()
    {
        string share = (100 * Share).ToString(Share < 0.1 ? "0.##" : "0", CultureInfo.InvariantCulture);
        string what = double.IsFinite(Share) ? $"{Tensor} at {share} % of its allowance" : Tensor;
        return Note.Length == 0 ? what : $"{what} ({Note})";
    }
}
