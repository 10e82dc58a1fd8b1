using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>The outermost layer of a program: errors become one line and an exit code.</summary>
public static class Executable
{
    /// <summary>Exit code after an error that <see cref="Run(Func{int})"/> prints.</summary>
    public const int Failed = 2;

    /// <summary>Exit code after Ctrl-C, as shells count: 128 + SIGINT.</summary>
    public const int Interrupted = 130;

    /// <summary>
    /// Runs the body and returns its exit code. Errors that a person can do something about are printed as one line
    /// <c>error: ...</c> and give <see cref="Failed"/>; a mistake in the program keeps its stack trace.
    /// </summary>
    public static int Run(Func<int> main) => Guard(main, Console.Error);

    /// <summary>
    /// The same for a body that can stop in good order: the first Ctrl-C cancels the token, a second one ends the
    /// process at once. Either way the exit code is <see cref="Interrupted"/>.
    /// </summary>
    public static int Run(Func<CancellationToken, int> main)
    {
        using var interrupt = new CancellationTokenSource();
        void OnInterrupt(object? sender, ConsoleCancelEventArgs e)
        {
            e.Cancel = !interrupt.IsCancellationRequested;
            interrupt.Cancel();
        }
        Console.CancelKeyPress += OnInterrupt;
        try
        {
            int code = Guard(() => main(interrupt.Token), Console.Error);
            return interrupt.IsCancellationRequested && code == 0 ? Interrupted : code;
        }
        finally
        {
            Console.CancelKeyPress -= OnInterrupt;
        }
    }

    internal static int Guard(Func<int> main, TextWriter errors)
    {
        try
        {
            return main();
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (Exception e) when (e is CudaGenException or IOException or UnauthorizedAccessException)
        {
            errors.WriteLine($"error: {OneLine(e.Message)}");
            return Failed;
        }
    }

    // What comes after an empty line is for reading at leisure, such as the text of a kernel that does not compile.
    private static string OneLine(string message) => message.ReplaceLineEndings("\n").Split("\n\n")[0].Replace("\n", " ", StringComparison.Ordinal);
}
