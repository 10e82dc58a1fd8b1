using System.Diagnostics;
using System.Globalization;

namespace CudaGen.KernelCheck;

/// <summary>The command line on which a <see cref="LaunchJob"/> travels to a process of its own.</summary>
public static class WorkerCommand
{
    /// <summary>The first argument, which no person types.</summary>
    public const string Name = "worker";

    internal static IEnumerable<string> Arguments(LaunchJob job) =>
    [
        Name, job.Mode.ToString(), job.Libraries ?? "", job.SourceFile, job.Orders.ToString(CultureInfo.InvariantCulture),
        .. job.Cases.SelectMany(c => new[] { c.CaseFile, c.Index.ToString(CultureInfo.InvariantCulture), c.ExpectedFolder ?? "" }),
    ];

    /// <summary>
    /// Does the job of a command line and writes a line of JSON for each step to the output. Ends when standard input does: a
    /// kernel that loops for ever must not outlive the program that waits for it.
    /// </summary>
    /// <param name="arguments">All arguments after <see cref="Name"/>.</param>
    /// <param name="output">Read by <see cref="LaunchLayer"/>.</param>
    public static void Run(IReadOnlyList<string> arguments, TextWriter output)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        new Thread(EndWithInput) { IsBackground = true }.Start();
        Dictionary<string, IReadOnlyList<KernelCase>> files = [];
        List<KernelCase> cases = [];
        for (int i = 4; i < arguments.Count; i += 3)
        {
            (string file, int index, string expected) = (arguments[i], Number(arguments[i + 1]), arguments[i + 2]);
            if (!files.TryGetValue(file, out IReadOnlyList<KernelCase>? all))
                files[file] = all = CaseFile.Read(file);
            cases.Add(expected.Length == 0 ? all[index] : Reference.WithExpected(all[index], expected));
        }
        string? libraries = arguments[1].Length == 0 ? null : arguments[1];
        LaunchWorker.Run(new LaunchJob(Enum.Parse<LaunchMode>(arguments[0]), libraries, arguments[2], cases, Number(arguments[3])), message =>
        {
            output.WriteLine(message.ToJson());
            output.Flush();
        });
    }

    // At once: an orderly exit would wait for what the kernel holds.
    private static void EndWithInput()
    {
        while (Console.In.Read() >= 0)
            continue;
        Process.GetCurrentProcess().Kill();
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
