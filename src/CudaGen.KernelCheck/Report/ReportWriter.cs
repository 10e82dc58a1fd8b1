using System.Globalization;
using System.Text;
using System.Xml;

namespace CudaGen.KernelCheck;

/// <summary>Writes a report for a terminal, for a page and for a build server.</summary>
public static class ReportWriter
{
    public static string Text(CheckReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var text = new StringBuilder(ReportTable.Align(ReportTable.Checks(report)));
        foreach ((string title, IEnumerable<string> lines) in Lists(report))
            text.Append($"\n{title}:\n").AppendJoin("", lines.Select(l => $"  {l}\n"));
        if (report.Facts.Count > 0)
            text.Append($"\nwhat kernels use, by their PTX (registers: a rough estimate):\n").Append(ReportTable.Align(ReportTable.Facts(report)));
        return text.Append($"\n{report.Summary}\n").ToString();
    }

    public static string Markdown(CheckReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var text = new StringBuilder($"# Kernel check\n\n{Escape(report.Summary)}\n\n");
        Table(text, ReportTable.Checks(report));
        foreach ((string title, IEnumerable<string> lines) in Lists(report))
            text.Append($"\n## {char.ToUpperInvariant(title[0])}{title[1..]}\n\n").AppendJoin("", lines.Select(l => $"- {Escape(l)}\n"));
        if (report.Facts.Count > 0)
        {
            text.Append("\n## What kernels use, by their PTX\n\nRegisters are a rough estimate.\n\n");
            Table(text, ReportTable.Facts(report));
        }
        return text.ToString();
    }

    /// <summary>The form of JUnit's Ant task, which build servers read: a suite for each file, a test for each check.</summary>
    public static string JUnit(CheckReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        using var buffer = new MemoryStream();
        using (var xml = XmlWriter.Create(buffer, new XmlWriterSettings { Indent = true, Encoding = new UTF8Encoding(false) }))
        {
            xml.WriteStartElement("testsuites");
            Counts(xml, report.Results, report.Absent.Count);
            foreach (IGrouping<string, CheckResult> file in report.Results.GroupBy(r => r.File))
            {
                xml.WriteStartElement("testsuite");
                xml.WriteAttributeString("name", Clean(file.Key));
                Counts(xml, [.. file], 0);
                foreach (CheckResult result in file)
                    Test(xml, result);
                xml.WriteEndElement();
            }
            if (report.Absent.Count > 0)
                AbsentLayers(xml, report.Absent);
            xml.WriteEndElement();
        }
        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static IEnumerable<(string Title, IEnumerable<string> Lines)> Lists(CheckReport report) =>
        new (string, IEnumerable<string>)[]
        {
            ("findings", ReportTable.Findings(report)),
            ("planted bugs that were found", ReportTable.Found(report)),
            ("warnings", report.Warnings),
            ("not run", ReportTable.NotRun(report)),
        }.Where(l => l.Item2.Any());

    private static void Table(StringBuilder text, List<string[]> rows)
    {
        string Row(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |\n";
        text.Append(Row(rows[0])).Append(Row(rows[0].Select(_ => "---")));
        foreach (string[] row in rows.Skip(1))
            text.Append(Row(row.Select(c => c.StartsWith("  ", StringComparison.Ordinal) ? $"&emsp;{Escape(c.Trim())}" : Escape(c))));
    }

    // What a table, HTML or emphasis would be made of.
    private static string Escape(string text)
    {
        var escaped = new StringBuilder();
        foreach (char c in text)
            escaped.Append(c switch
            {
                '<' => "&lt;",
                '>' => "&gt;",
                '&' => "&amp;",
                '|' or '*' or '_' or '`' or '[' or ']' or '\\' => $"\\{c}",
                _ => $"{c}",
            });
        return escaped.ToString();
    }

    private static void Counts(XmlWriter xml, IReadOnlyList<CheckResult> results, int skipped)
    {
        xml.WriteAttributeString("tests", Number(results.Count + skipped));
        xml.WriteAttributeString("failures", Number(results.Count(r => r.Outcome == Outcome.Failed)));
        xml.WriteAttributeString("skipped", Number(results.Count(r => r.Outcome == Outcome.NotRun) + skipped));
    }

    private static void Test(XmlWriter xml, CheckResult result)
    {
        xml.WriteStartElement("testcase");
        xml.WriteAttributeString("classname", Clean(result.File));
        xml.WriteAttributeString("name", Clean(result.Case is null ? result.Layer : $"{ReportTable.CaseName(result.Case)} {result.Layer}"));
        if (result.Outcome == Outcome.Failed)
        {
            xml.WriteStartElement("failure");
            xml.WriteAttributeString("message", Clean(result.Findings[0]));
            xml.WriteString(Clean(string.Join("\n", result.Findings)));
            xml.WriteEndElement();
        }
        if (result.Outcome == Outcome.NotRun)
            Skipped(xml, result.Reason!);
        xml.WriteEndElement();
    }

    private static void AbsentLayers(XmlWriter xml, IReadOnlyList<AbsentLayer> layers)
    {
        xml.WriteStartElement("testsuite");
        xml.WriteAttributeString("name", "layers");
        Counts(xml, [], layers.Count);
        foreach (AbsentLayer layer in layers)
        {
            xml.WriteStartElement("testcase");
            xml.WriteAttributeString("classname", "layers");
            xml.WriteAttributeString("name", layer.Name);
            Skipped(xml, layer.Reason);
            xml.WriteEndElement();
        }
        xml.WriteEndElement();
    }

    private static void Skipped(XmlWriter xml, string reason)
    {
        xml.WriteStartElement("skipped");
        xml.WriteAttributeString("message", Clean(reason));
        xml.WriteEndElement();
    }

    // XML has no way to write most control characters.
    private static string Clean(string text) => string.Concat(text.EnumerateRunes().Select(r =>
        r.Value is '\n' or '\t' || (r.Value >= 32 && r.Value is not (0xFFFE or 0xFFFF)) ? r.ToString() : "?"));

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
