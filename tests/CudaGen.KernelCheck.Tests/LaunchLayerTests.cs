namespace CudaGen.KernelCheck.Tests;

/// <summary>The processes are small shell scripts here: what counts is what becomes of their ends.</summary>
public sealed class LaunchLayerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static readonly KernelFile File = new("k.cu", CudaSource.Parse("k.cu", ""));

    private static KernelCase[] Cases { get; } = [.. Enumerable.Range(0, 3).Select(i => new KernelCase
    {
        CaseFile = "c.json",
        Index = i,
        Name = $"{i}",
        Kernel = "k",
        Grid = new Extent(1, 1, 1),
        Block = new Extent(1, 1, 1),
        Arguments = [],
    })];

    // Within a script, $6, $9, ... are the numbers of the cases that a process is given.
    private LayerResult Run(string script, int seconds = 20)
    {
        System.IO.File.WriteAllText(_folder["worker.sh"], """
            say() { echo "{\"kind\": \"$1\", \"case\": ${2:-0}, \"order\": \"$3\", \"texts\": [$4] $5}"; }
            say compiling; say compiled

            """.ReplaceLineEndings("\n") + script);
        var worker = new WorkerProgram("/bin/sh", [_folder["worker.sh"]]);
        return new LaunchLayer(LaunchMode.Checked, "libraries", 4, TimeSpan.FromSeconds(seconds), worker).Check(File, Cases);
    }

    [Fact]
    public void Results_of_all_orders_are_put_together()
    {
        LayerResult result = Run("""
            echo "a line of the kernel's own"
            for i in 0 1 2; do
                say running $i; say ran $i "" "" ', "maxError": 0.5'
                say running $i descending; say ran $i descending '"race: byte 7 at k.cu:3", "race: byte 9 at k.cu:3", "race: byte 9 at k.cu:4"'
                say running $i "random 1"; say ran $i "random 1" '"race: byte 8 at k.cu:3"' ', "maxError": 2e-3'
            done
            say done
            """);
        Assert.Empty(result.Findings);
        Assert.Equal(Cases, result.Cases.Select(c => c.Case));
        Assert.All(result.Cases, c => Assert.Equal(0.5, c.MaxError));
        // Only the byte differs: the same place.
        const string Order = "(order of threads: descending)";
        Assert.All(result.Cases, c => Assert.Equal([$"race: byte 7 at k.cu:3 {Order}", $"race: byte 9 at k.cu:4 {Order}"], c.Findings));
    }

    [Theory]
    [InlineData("kill -SEGV $$", "brought the process down (segmentation fault: it read or wrote where no memory is)")]
    [InlineData("kill -ABRT $$", "brought the process down (abort)")]
    [InlineData("echo out of luck >&2; exit 3", "brought the process down (status 3: out of luck)")]
    public void A_crash_is_a_finding_of_its_case_and_the_others_go_on(string end, string finding)
    {
        LayerResult result = Run($$"""
            shift 5
            for i in 0 1 2; do
                [ -z "$2" ] && break
                say running $i
                if [ "$2" = 1 ]; then {{end}}; fi
                say ran $i; shift 3
            done
            say done
            """);
        Assert.Empty(result.Findings);
        Assert.Equal([[], [finding], []], result.Cases.Select(c => c.Findings));
    }

    [Fact]
    public void A_launch_that_does_not_end_is_a_finding()
    {
        LayerResult result = Run("""
            say running 0 descending
            if [ "$7" = 0 ]; then sleep 60; fi
            say ran 0 descending
            [ "$7" = 1 ] && { say running 1; say ran 1; }
            say done
            """, seconds: 1);
        Assert.Equal([["still running after 1 s (order of threads: descending)"], [], []], result.Cases.Select(c => c.Findings));
    }

    [Fact]
    public void Errors_of_the_compiler_belong_to_the_file()
    {
        LayerResult result = Run("""say compiled 0 "" '"k.cu:1: error: no"'; say done""");
        Assert.Equal(["k.cu:1: error: no"], result.Findings);
    }

    [Fact]
    public void A_crash_before_any_launch_belongs_to_the_file_and_is_not_tried_again() =>
        Assert.Equal(["compiling or starting it brought the process down (status 3)"], Run("echo x >>runs; exit 3").Findings);

    [Fact]
    public void What_is_not_here_is_not_run() => Assert.Equal("no driver", Run("""say unavailable 0 "" '"no driver"' """).NotRun);

    [Fact]
    public void A_message_survives_the_way_to_the_other_process()
    {
        var message = new WorkerMessage("ran", 3, "random 2", 0.1, ["a \"quoted\"\nline", "µ"]);
        WorkerMessage back = WorkerMessage.FromJson(message.ToJson())!;
        Assert.Equal(message with { Texts = null }, back with { Texts = null });
        Assert.Equal(message.Texts, back.Texts);
        Assert.DoesNotContain('\n', message.ToJson());
        Assert.Null(WorkerMessage.FromJson("a line of the kernel's own"));
        Assert.Null(WorkerMessage.FromJson("{\"kind\": \"ran\"}"));
        Assert.Null(WorkerMessage.FromJson("7"));
    }
}
