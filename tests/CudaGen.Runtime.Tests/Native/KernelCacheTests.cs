namespace CudaGen.Runtime.Tests;

public sealed class KernelCacheTests : IDisposable
{
    private const string Key = "0123456789abcdef";

    private readonly string _folder = Directory.CreateTempSubdirectory("cudagen-cache-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string FileOf(string key) => Path.Combine(_folder, "kernels", key + ".cubin");

    private static byte[] Code(int seed, int length)
    {
        byte[] code = new byte[length];
        new Random(seed).NextBytes(code);
        return code;
    }

    [Fact]
    public void Code_is_found_by_its_key_in_the_next_process()
    {
        KernelCache cache = new(_folder);
        Assert.Null(cache.Read(Key));
        cache.Write(Key, Code(1, 1000));
        Assert.Equal(Code(1, 1000), new KernelCache(_folder).Read(Key));
        Assert.Null(cache.Read("0123456789abcdee"));
        cache.Write(Key, Code(2, 10));
        Assert.Equal(Code(2, 10), cache.Read(Key));
        Assert.Equal([FileOf(Key)], Directory.GetFiles(_folder, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void A_damaged_or_shortened_file_is_not_taken()
    {
        KernelCache cache = new(_folder);
        cache.Write(Key, Code(1, 50));
        byte[] whole = File.ReadAllBytes(FileOf(Key));
        for (int i = 0; i < whole.Length; i++)
        {
            byte[] damaged = [.. whole];
            damaged[i] ^= 0x10;
            File.WriteAllBytes(FileOf(Key), damaged);
            Assert.Null(cache.Read(Key));
            File.WriteAllBytes(FileOf(Key), whole[..i]);
            Assert.Null(cache.Read(Key));
        }
        File.WriteAllBytes(FileOf(Key), [.. whole, 0]);
        Assert.Null(cache.Read(Key));
        cache.Write(Key, Code(1, 50));
        Assert.Equal(Code(1, 50), cache.Read(Key));
    }

    [Fact]
    public void Readers_see_the_code_of_one_of_several_writers_and_never_a_part()
    {
        const int Rounds = 200;
        byte[][] codes = [Code(1, 100_000), Code(2, 3)];
        new KernelCache(_folder).Write(Key, codes[0]);
        Thread[] writers = [.. codes.Select(code => new Thread(() =>
        {
            KernelCache cache = new(_folder);
            for (int i = 0; i < Rounds; i++)
                cache.Write(Key, code);
        }))];
        foreach (Thread writer in writers)
            writer.Start();
        KernelCache reader = new(_folder);
        int torn = 0;
        for (int i = 0; i < Rounds; i++)
        {
            if (reader.Read(Key) is not { } read || !codes.Any(code => code.AsSpan().SequenceEqual(read)))
                torn++;
        }
        foreach (Thread writer in writers)
            writer.Join();
        Assert.Equal(0, torn);
        Assert.Equal([FileOf(Key)], Directory.GetFiles(_folder, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void Where_nothing_can_be_written_code_is_compiled_each_time()
    {
        // A file stands where the folder would be: not even an administrator can write below it.
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        KernelCache cache = new(file);
        cache.Write(Key, Code(1, 50));
        Assert.Null(cache.Read(Key));

        // A folder stands where the code would be.
        Directory.CreateDirectory(FileOf(Key));
        cache = new(_folder);
        cache.Write(Key, Code(1, 50));
        Assert.Null(cache.Read(Key));
        Assert.Equal([file], Directory.GetFiles(_folder, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void The_folder_is_the_one_that_was_named_or_the_system_s()
    {
        using EnvironmentVariables environment = new("CUDAGEN_CACHE", "XDG_CACHE_HOME");
        environment["CUDAGEN_CACHE"] = "/own";
        environment["XDG_CACHE_HOME"] = "/caches";
        Assert.Equal("/own", KernelCache.DefaultFolder);
        environment["CUDAGEN_CACHE"] = null;
        Assert.Equal("/caches/cudagen", KernelCache.DefaultFolder);
        environment["XDG_CACHE_HOME"] = "";
        Assert.EndsWith("/.cache/cudagen", KernelCache.DefaultFolder, StringComparison.Ordinal);
    }
}
