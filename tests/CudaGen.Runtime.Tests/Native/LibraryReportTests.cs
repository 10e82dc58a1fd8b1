using CudaGen.Tests;

namespace CudaGen.Runtime.Tests;

public sealed class LibraryReportTests
{
    [Fact]
    public void Every_library_has_a_file_and_a_version_or_the_names_that_were_tried()
    {
        TestCuda.Require();
        IReadOnlyList<LibraryReport> reports = LibraryReport.All();
        Assert.Equal(["cuda", "nvrtc", "cublas", "cudnn"], reports.Select(r => r.Name));
        foreach (LibraryReport report in reports)
        {
            if (report.Path is null)
            {
                Assert.Contains($"lib{report.Name}.so", report.Failure, StringComparison.Ordinal);
                continue;
            }
            Assert.StartsWith($"lib{report.Name}.so", Path.GetFileName(report.Path), StringComparison.Ordinal);
            Assert.True(File.Exists(report.Path) && Path.IsPathRooted(report.Path), report.Path);
            Assert.Matches(@"^\d+(\.\d+)+$", report.Version);
            Assert.Empty(report.Failure);
        }
        Assert.All(reports.Take(2), report => Assert.NotNull(report.Path));
    }
}
