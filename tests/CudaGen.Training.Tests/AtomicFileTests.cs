using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training.Tests;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _dir = new();

    public void Dispose() => _dir.Dispose();

    [Fact]
    public void A_file_is_written_and_replaced()
    {
        AtomicFile.Write(_dir["a"], s => s.Write("one"u8));
        AtomicFile.Write(_dir["a"], s => s.Write("two"u8));
        Assert.Equal("two", File.ReadAllText(_dir["a"]));
        Assert.Equal([_dir["a"]], Directory.GetFileSystemEntries(_dir.Path));
    }

    [Fact]
    public void A_failing_writer_leaves_the_old_file_and_nothing_else()
    {
        File.WriteAllText(_dir["a"], "old");
        Files.Complaint(() => AtomicFile.Write(_dir["a"], s =>
        {
            s.Write("half"u8);
            throw new IOException($"No space left on device : '{_dir["a.tmp-1"]}'");
        }), $"{_dir["a"]}: No space left on device");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(_dir["a"], _ => throw new InvalidOperationException()));
        Assert.Throws<ShapeException>(() => AtomicFile.Write(_dir["a"], _ => throw new ShapeException("x")));
        Assert.Equal("old", File.ReadAllText(_dir["a"]));
        Assert.Equal([_dir["a"]], Directory.GetFileSystemEntries(_dir.Path));
    }

    [Fact]
    public void A_full_disk_is_named()
    {
        if (!File.Exists("/dev/full"))
            Assert.Skip("needs /dev/full, a device that is always full");
        File.CreateSymbolicLink(_dir[$"a.tmp-{Environment.ProcessId}"], "/dev/full");
        string message = Files.Complaint(() => AtomicFile.Write(_dir["a"], s => s.Write(new byte[1 << 20])));
        Assert.Equal($"{_dir["a"]}: No space left on device", message);
        Assert.Empty(Directory.GetFileSystemEntries(_dir.Path));
    }

    [Fact]
    public void A_missing_folder_is_named() =>
        Files.Complaint(() => AtomicFile.Write(_dir["no/a"], _ => { }), $"{_dir["no/a"]}: the folder '{_dir["no"]}' does not exist");

    [Fact]
    public void A_folder_in_the_way_is_named()
    {
        Directory.CreateDirectory(_dir["a"]);
        Files.Complaint(() => AtomicFile.Write(_dir["a"], _ => { }), _dir["a"]);
        Assert.Equal([_dir["a"]], Directory.GetFileSystemEntries(_dir.Path));
    }

    [Fact]
    public void A_protected_folder_is_named()
    {
        // Not even root can make files here.
        if (!Directory.Exists("/sys/kernel"))
            Assert.Skip("needs /sys, a folder that nobody can write to");
        string message = Files.Complaint(() => AtomicFile.Write("/sys/a", _ => { }), "/sys/a: ");
        Assert.Matches("permission denied|Read-only file system", message);
    }
}
