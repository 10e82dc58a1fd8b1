using System.Text.Json.Nodes;

namespace CudaGen.Training.Tests;

public sealed class RunFolderTests : IDisposable
{
    private readonly TemporaryFolder _dir = new();

    public void Dispose() => _dir.Dispose();

    [Fact]
    public void Runs_are_numbered_after_the_last_one()
    {
        string runs = _dir["runs"];
        using (RunFolder first = RunFolder.Create(runs, "vae"))
            Assert.Equal(Path.Combine(runs, "vae-0001"), first.Path);
        using (RunFolder other = RunFolder.Create(runs, "vae-gan"))
            Assert.Equal(Path.Combine(runs, "vae-gan-0001"), other.Path);
        Directory.CreateDirectory(Path.Combine(runs, "vae-0041"));
        using RunFolder next = RunFolder.Create(runs, "vae");
        Assert.Equal(Path.Combine(runs, "vae-0042"), next.Path);
    }

    [Fact]
    public void Many_at_once_get_different_folders()
    {
        var made = new RunFolder[16];
        Parallel.For(0, made.Length, i => made[i] = RunFolder.Create(_dir.Path, "gan"));
        Assert.Equal(made.Length, made.Select(r => r.Path).Distinct().Count());
        Assert.All(made, r => r.Dispose());
    }

    [Fact]
    public void A_place_that_cannot_hold_runs_is_named()
    {
        Files.Complaint(() => RunFolder.Create(_dir["no/runs"], "vae"), _dir["no/runs"], $"'{_dir["no"]}' does not exist");
        File.WriteAllText(_dir["file"], "");
        Files.Complaint(() => RunFolder.Create(_dir["file"], "vae"), _dir["file"], "this is a file");
        if (Directory.Exists("/sys/kernel"))
            Files.Complaint(() => RunFolder.Create("/sys/runs", "vae"), "/sys/runs: ");
    }

    [Fact]
    public void Only_the_folder_of_a_run_opens_and_only_once()
    {
        Files.Complaint(() => RunFolder.Open(_dir["no"]), _dir["no"], "no such folder");
        Files.Complaint(() => RunFolder.Open(_dir.Path), "holds no metrics.jsonl");
        using RunFolder run = RunFolder.Create(_dir.Path, "vae");
        Files.Complaint(() => RunFolder.Open(run.Path), $"{run.Path}: another process");
        run.Dispose();
        RunFolder.Open(run.Path).Dispose();
    }

    [Fact]
    public void Settings_come_back()
    {
        using RunFolder run = RunFolder.Create(_dir.Path, "vae");
        run.WriteConfig(new JsonObject { ["model"] = "vae", ["batch"] = 128 });
        Assert.Equal("{\n  \"model\": \"vae\",\n  \"batch\": 128\n}\n", File.ReadAllText(run.PathOf("config.json")));
        Assert.Equal(128, (int)run.ReadConfig()["batch"]!);
        File.WriteAllText(run.PathOf("config.json"), "{\n\"batch\": ");
        Files.Complaint(() => run.ReadConfig(), run.PathOf("config.json"), "damaged at line 2");
        File.WriteAllText(run.PathOf("config.json"), "[1]");
        Files.Complaint(() => run.ReadConfig(), "expected a JSON object");
        File.Delete(run.PathOf("config.json"));
        Files.Complaint(() => run.ReadConfig(), "config.json: there is no such file");
    }

    [Fact]
    public void Metrics_are_short_lines_and_come_back_exactly()
    {
        using RunFolder run = RunFolder.Create(_dir.Path, "vae");
        run.Metrics.Append(new("step", 1), new("loss", 0.1f), new("test.mse", 0.1), new("n", 1L << 40));
        run.Metrics.Append(new("step", 2), new("loss", float.NaN), new("g", double.NegativeInfinity));
        run.Metrics.Flush(toDisk: true);
        string text = """
            {"step":1,"loss":0.1,"test.mse":0.1,"n":1099511627776}
            {"step":2,"loss":"NaN","g":"-Infinity"}

            """;
        Assert.Equal(text, Text(run));
        Assert.Equal(text.Length, run.Metrics.Length);
        IReadOnlyList<IReadOnlyDictionary<string, double>> lines = MetricsFile.Read(run.Metrics.Path);
        Assert.Equal(2, lines.Count);
        Assert.Equal((1, 0.1, 1L << 40), (lines[0]["step"], lines[0]["test.mse"], lines[0]["n"]));
        Assert.Equal((double.NaN, double.NegativeInfinity), (lines[1]["loss"], lines[1]["g"]));
    }

    [Fact]
    public void A_resumed_run_goes_on_where_the_checkpoint_was()
    {
        string path;
        long length;
        using (RunFolder run = RunFolder.Create(_dir.Path, "vae"))
        {
            path = run.Path;
            run.Metrics.Append(new Metric("step", 1));
            length = run.Metrics.Length;
            run.Metrics.Append(new Metric("step", 2));
        }
        using RunFolder again = RunFolder.Open(path);
        again.Metrics.Truncate(length);
        again.Metrics.Append(new Metric("step", 3));
        Assert.Equal("{\"step\":1}\n{\"step\":3}\n", Text(again));
        Files.Complaint(() => again.Metrics.Truncate(1000), again.Metrics.Path, "holds 22 bytes", "1000");
        Assert.Equal(22, again.Metrics.Length);
    }

    [Fact]
    public void A_torn_last_line_is_ignored_and_other_damage_named()
    {
        File.WriteAllText(_dir["m"], "{\"step\":1}\n{\"step\":2}\n{\"st");
        Assert.Equal([1, 2], MetricsFile.Read(_dir["m"]).Select(l => l["step"]));
        File.WriteAllText(_dir["m"], "");
        Assert.Empty(MetricsFile.Read(_dir["m"]));
        foreach (string bad in new[] { "{\"st", "[1]", "{\"step\":true}", "{\"step\":\"x\"}", "" })
        {
            File.WriteAllText(_dir["m"], $"{{\"step\":1}}\n{bad}\n{{\"step\":3}}\n");
            Files.Complaint(() => MetricsFile.Read(_dir["m"]), $"{_dir["m"]}: line 2 is damaged");
        }
        Files.Complaint(() => MetricsFile.Read(_dir["none"]), _dir["none"], "no such file");
    }

    [Fact]
    public void A_full_disk_is_named()
    {
        if (!File.Exists("/dev/full"))
            Assert.Skip("needs /dev/full, a device that is always full");
        File.CreateSymbolicLink(_dir["metrics.jsonl"], "/dev/full");
        using RunFolder run = RunFolder.Open(_dir.Path);
        string message = Files.Complaint(() => run.Metrics.Append(new Metric("step", 1)));
        Assert.Equal($"{_dir["metrics.jsonl"]}: No space left on device", message);
    }

    private static string Text(RunFolder run)
    {
        using var reader = new StreamReader(new FileStream(run.Metrics.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd();
    }
}
