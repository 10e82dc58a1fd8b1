namespace CudaGen.Training;

/// <summary>What is measured, drawn and saved at the end of an epoch.</summary>
internal abstract class Evaluation : IDisposable
{
    /// <summary>Keys of what <see cref="Run"/> measures.</summary>
    public abstract IReadOnlyList<string> Names { get; }

    /// <summary>Measures. Changes nothing that a later step depends on.</summary>
    public abstract Metric[] Run();

    /// <summary>Draws into the run folder. Called after <see cref="Run"/>.</summary>
    /// <param name="run">The folder.</param>
    /// <param name="epoch">Number of the epoch, from 1.</param>
    /// <param name="last">Whether training ends with it.</param>
    public abstract void Draw(RunFolder run, long epoch, bool last);

    /// <summary>Writes the generator. Called after <see cref="Run"/>.</summary>
    public abstract void SaveGenerator(string path);

    /// <summary>Says in words what the numbers of the last epoch mean.</summary>
    /// <param name="losses">The means of the losses since the last line of the log.</param>
    public abstract void PrintVerdict(IReadOnlyList<Metric> losses);

    public abstract void Dispose();
}
