using System.Xml.Linq;
using CudaGen.Runtime;
using static System.StringComparison;

namespace CudaGen.KernelCheck.Tests;

public sealed class KernelCheckerTests
{
    private static readonly KernelFile File = new("/k/k.cu", CudaSource.Parse("k.cu", """
        extern "C" __global__ void add(float* y) { y[0] += 1; }
        extern "C" __global__ void idle() {}
        """));

    private static KernelCase Case(string name, string? expect = null) => new()
    {
        CaseFile = "c.json",
        Index = 0,
        Name = name,
        Kernel = "add",
        Grid = new Extent(2, 1, 1),
        Block = new Extent(32, 1, 1),
        Arguments = [new CaseArgument { Name = "y", Type = ElementType.Find("float")!, IsPointer = true, Length = 7 },
            new CaseArgument { Name = "n", Type = ElementType.Find("int")! }],
        Expect = expect,
    };

    private sealed class FakeLayer(string name, bool launches = true, bool needsClean = false) : Layer
    {
        public override string Name => name;
        public override bool Launches => launches;
        public override bool NeedsCleanCases => needsClean;

        /// <summary>Findings by the name of the case; "" for the file.</summary>
        public Dictionary<string, string[]> Findings { get; init; } = [];
        public string[] Warnings { get; init; } = [];
        public string? Absent { get; init; }
        public List<string> Seen { get; } = [];

        public override LayerResult Check(KernelFile file, IReadOnlyList<KernelCase> cases)
        {
            Seen.AddRange(cases.Select(c => c.Name));
            string[] Of(string key) => Findings.GetValueOrDefault(key, []);
            return new LayerResult(Of(""), Warnings, [], [.. cases.Select(c => new CaseResult(c, Of(c.Name), 0.25))]) { NotRun = Absent };
        }
    }

    private static CheckReport Run(IEnumerable<KernelCase> cases, bool strict, params Layer[] layers) =>
        KernelChecker.Run([File], cases.ToLookup(_ => File), layers, [], strict);

    [Fact]
    public void Clean_cases_pass_every_layer()
    {
        CheckReport report = Run([Case("a"), Case("b")], strict: true,
            new FakeLayer("clang", launches: false), new FakeLayer("checked"), new FakeLayer("fast", needsClean: true));
        Assert.True(report.Clean);
        Assert.Equal("2 kernels in 1 file, 2 cases: 7 checks passed, 0 failed, 0 not run", report.Summary);
    }

    [Fact]
    public void A_case_in_which_something_was_found_goes_no_further()
    {
        var fast = new FakeLayer("fast", needsClean: true);
        CheckReport report = Run([Case("a"), Case("b")], strict: false, new FakeLayer("checked") { Findings = { ["a"] = ["race in k.cu:1"] } }, fast);
        Assert.False(report.Clean);
        Assert.Equal(["b"], fast.Seen);
        CheckResult unrun = Assert.Single(report.Results, r => r.Outcome == Outcome.NotRun);
        Assert.Equal(("fast", "a", "checked found something"), (unrun.Layer, unrun.Case!.Name, unrun.Reason));
    }

    [Fact]
    public void A_planted_bug_must_be_found_with_its_text()
    {
        KernelCase[] cases = [Case("found", expect: "race"), Case("other", expect: "race"), Case("none", expect: "race")];
        var fast = new FakeLayer("fast", needsClean: true);
        var layer = new FakeLayer("checked") { Findings = { ["found"] = ["a race"], ["other"] = ["unset read"] } };
        CheckReport report = Run(cases, strict: false, layer, fast);
        Assert.Equal([Outcome.Passed, Outcome.Failed, Outcome.Failed],
            report.Results.Where(r => r.Layer == "checked" && r.Case is not null).Select(r => r.Outcome));
        Assert.Equal(["k.cu, add [other], checked: expected a report with 'race', found others", "k.cu, add [other], checked: unset read",
            "k.cu, add [none], checked: expected a report with 'race', found none"], ReportTable.Findings(report));
        Assert.Equal(["k.cu, add [found], checked: a race"], ReportTable.Found(report));
        Assert.Empty(fast.Seen);
    }

    [Fact]
    public void A_file_that_does_not_compile_launches_nothing()
    {
        CheckReport report = Run([Case("a")], strict: false, new FakeLayer("checked") { Findings = { [""] = ["k.cu:1: error: no"] } });
        Assert.Equal([Outcome.Failed, Outcome.NotRun], report.Results.Select(r => r.Outcome));
        Assert.False(report.Clean);
    }

    [Fact]
    public void A_layer_that_turns_out_absent_is_told_as_not_run()
    {
        CheckReport report = Run([Case("a")], strict: false, new FakeLayer("gpu") { Absent = "no driver" }, new FakeLayer("checked"));
        Assert.Equal([new AbsentLayer("gpu", "no driver")], report.Absent);
        Assert.DoesNotContain(report.Results, r => r.Layer == "gpu");
    }

    private sealed class BrokenLayer : Layer
    {
        public override string Name => "broken";

        public override LayerResult Check(KernelFile file, IReadOnlyList<KernelCase> cases) => throw new InputException("no such thing");
    }

    [Fact]
    public void An_error_comes_out_as_it_was_thrown() =>
        Assert.Equal("no such thing", Assert.Throws<InputException>(() => Run([Case("a")], strict: false, new BrokenLayer())).Message);

    [Fact]
    public void Warnings_count_when_asked_to()
    {
        var layer = new FakeLayer("clang", launches: false) { Warnings = ["k.cu:1: warning: w", "k.cu:1: warning: w"] };
        Assert.True(Run([], strict: false, layer).Clean);
        CheckReport strict = Run([], strict: true, layer);
        Assert.False(strict.Clean);
        Assert.Equal(["k.cu:1: warning: w"], strict.Warnings);
    }

    private static CheckReport Mixed() => KernelChecker.Run([File],
        new[] { Case("good"), Case("b|d <x>"), Case("planted", expect: "race") }.ToLookup(_ => File),
        [new FakeLayer("clang sm_70", launches: false), new FakeLayer("clang sm_80", launches: false),
         new FakeLayer("checked") { Findings = { ["b|d <x>"] = ["y[0] is \u0001, a < b & c"], ["planted"] = ["a race"] } },
         new FakeLayer("fast", needsClean: true)],
        [new AbsentLayer("gpu", "no <driver>")], strict: false);

    [Fact]
    public void The_terminal_gets_a_table_and_what_to_look_at() => Assert.StartsWith("""
        kernel  case     launch       buffers  layers that ran                    max error  result
        k.cu                                   clang sm_70, sm_80, checked, fast             ok
          add   good     <<<2, 32>>>  y[7]     checked, fast                      0.25       ok
          add   b|d <x>  <<<2, 32>>>  y[7]     checked                            0.25       1 finding
          add   planted  <<<2, 32>>>  y[7]     checked                            0.25       found, as expected
          idle                                 compiled, not launched

        findings:
          k.cu, add [b|d <x>], checked: y[0] is
        """.ReplaceLineEndings("\n"), ReportWriter.Text(Mixed()), Ordinal);

    [Fact]
    public void What_did_not_run_is_told_with_its_reason()
    {
        string text = ReportWriter.Text(Mixed());
        Assert.Contains("\nnot run:\n  gpu: no <driver>\n  fast, k.cu add [b|d <x>]: checked found something\n", text, Ordinal);
        Assert.Contains("\n  fast, k.cu add [planted]: it has a planted bug\n", text, Ordinal);
        Assert.EndsWith("\n2 kernels in 1 file, 3 cases: 7 checks passed, 1 failed, 2 not run\n", text, Ordinal);
    }

    [Fact]
    public void JUnit_is_well_formed_and_counts_right()
    {
        XElement root = XDocument.Parse(ReportWriter.JUnit(Mixed())).Root!;
        Assert.Equal("testsuites", root.Name.LocalName);
        Assert.Equal((11, 1, 3), ((int)root.Attribute("tests")!, (int)root.Attribute("failures")!, (int)root.Attribute("skipped")!));
        foreach (XElement suite in root.Elements("testsuite"))
        {
            Assert.Equal((int)suite.Attribute("tests")!, suite.Elements("testcase").Count());
            Assert.Equal((int)suite.Attribute("failures")!, suite.Elements("testcase").Elements("failure").Count());
            Assert.Equal((int)suite.Attribute("skipped")!, suite.Elements("testcase").Elements("skipped").Count());
        }
        XElement failed = Assert.Single(root.Descendants("failure")).Parent!;
        Assert.Equal(("k.cu", "add [b|d <x>] checked"), ((string)failed.Attribute("classname")!, (string)failed.Attribute("name")!));
        Assert.Equal("y[0] is ?, a < b & c", failed.Element("failure")!.Value);
    }

    [Fact]
    public void Markdown_escapes_what_would_be_markup()
    {
        string page = ReportWriter.Markdown(Mixed());
        Assert.Contains("| &emsp;add | b\\|d &lt;x&gt; | &lt;&lt;&lt;2, 32&gt;&gt;&gt; | y\\[7\\] | checked | 0.25 | 1 finding |\n", page, Ordinal);
        Assert.Contains("- gpu: no &lt;driver&gt;\n", page, Ordinal);
        string[] table = [.. page.Split('\n').Where(l => l.StartsWith('|'))];
        Assert.All(table, row => Assert.Equal(8, row.Replace("\\|", "", Ordinal).Count(c => c == '|')));
    }
}
