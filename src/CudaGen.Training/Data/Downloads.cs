using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>A file of a data set: its name, its MD5, which the publishers give, and where it can be had.</summary>
public sealed record RemoteFile(string Name, string Md5, params IReadOnlyList<string> Urls);

/// <summary>Fetches data sets: goes on with a file that was cut, tries one address after the other, and believes a digest only.</summary>
public static class Downloads
{
    private static readonly string[] Mnist = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];

    private static readonly string[] Fashion =
        ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"];

    private static readonly string[] IdxNames =
        ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"];

    /// <summary>The data sets that are known, by name.</summary>
    public static readonly IReadOnlyDictionary<string, IReadOnlyList<RemoteFile>> Known = new Dictionary<string, IReadOnlyList<RemoteFile>>
    {
        ["mnist"] = Idx(Mnist, "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432", "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c"),
        ["fashion-mnist"] = Idx(Fashion, "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe", "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310"),
        ["cifar-10"] = [new("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz")],
    };

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static RemoteFile[] Idx(string[] places, params string[] digests)
        => [.. IdxNames.Zip(digests, (name, md5) => new RemoteFile(name, md5, [.. places.Select(p => p + name)]))];

    /// <summary>Fetches what is not there yet, and unpacks archives.</summary>
    /// <param name="files">The files.</param>
    /// <param name="folder">Where to; made if it is missing.</param>
    /// <param name="report">Gets a line for each thing that happens.</param>
    /// <param name="interrupt">Stops between two blocks; what was fetched stays for the next time.</param>
    /// <exception cref="InputException">A file is to be had nowhere, or its digest is wrong.</exception>
    public static void Fetch(IReadOnlyList<RemoteFile> files, string folder, Action<string> report, CancellationToken interrupt)
        => Fetch(files, folder, report, Patience, interrupt);

    internal static void Fetch(IReadOnlyList<RemoteFile> files, string folder, Action<string> report, TimeSpan patience, CancellationToken interrupt)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(report);
        if (File.Exists(folder))
            throw new InputException($"{folder}: this is a file, expected a folder to fetch into");
        bool made = !Directory.Exists(folder);
        try
        {
            Directory.CreateDirectory(folder);
            using HttpClient client = new() { Timeout = patience };
            foreach (RemoteFile file in files)
            {
                string path = Path.Combine(folder, file.Name);
                string? found = FileFacts.Length(path) > 0 ? Md5(path) : null;
                if (found == file.Md5)
                    report($"{path}: is here");
                else
                {
                    if (found is not null)
                        report($"{path}: found MD5 {found}, expected {file.Md5}; will be replaced");
                    FetchOne(client, file, path, report, interrupt);
                }
                if (file.Name.EndsWith(".tar.gz", StringComparison.Ordinal))
                    Unpack(path, folder, report);
            }
        }
        catch (InvalidDataException e)
        {
            throw new InputException($"{folder}: found a damaged archive ({e.Message.TrimEnd('.')})", e);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(folder, e);
        }
        finally
        {
            // Where nothing came there is nothing to go on with.
            if (made && Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any())
                Directory.Delete(folder);
        }
    }

    private static void FetchOne(HttpClient client, RemoteFile file, string path, Action<string> report, CancellationToken interrupt)
    {
        string partial = path + ".partial", failure = "";
        foreach (string url in file.Urls)
        {
            try
            {
                Append(client, url, partial, interrupt);
                string found = Md5(partial);
                if (found == file.Md5)
                {
                    File.Move(partial, path, overwrite: true);
                    report($"{path}: {new FileInfo(path).Length} bytes from {url}");
                    return;
                }
                // Nothing that can be gone on with.
                File.Delete(partial);
                failure = $"found MD5 {found} at {url}, expected {file.Md5}";
            }
            catch (Exception e) when (e is HttpRequestException or HttpIOException or InvalidOperationException)
            {
                failure = $"{url}: {e.Message.ReplaceLineEndings(" ")}";
            }
            catch (OperationCanceledException) when (!interrupt.IsCancellationRequested)
            {
                failure = $"{url}: nothing came for {client.Timeout.TotalSeconds} seconds";
            }
        }
        throw new InputException($"{file.Name}: could not be fetched; {failure}");
    }

    private static void Append(HttpClient client, string url, string partial, CancellationToken interrupt)
    {
        long have = File.Exists(partial) ? new FileInfo(partial).Length : 0;
        using HttpRequestMessage request = new(HttpMethod.Get, url);
        if (have > 0)
            request.Headers.Range = new RangeHeaderValue(have, null);
        using HttpResponseMessage response = client.Send(request, HttpCompletionOption.ResponseHeadersRead, interrupt);
        if (have > 0 && response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
            return; // All of it is there, or too much: the digest tells.
        response.EnsureSuccessStatusCode();
        bool goesOn = response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == have;
        using FileStream target = new(partial, goesOn ? FileMode.Append : FileMode.Create, FileAccess.Write);
        using Stream source = response.Content.ReadAsStream(interrupt);
        // The client's time-out ends with the headers; a server that falls silent behind them would be waited for for ever.
        using CancellationTokenSource silence = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        byte[] block = new byte[1 << 16];
        while (true)
        {
            silence.CancelAfter(client.Timeout);
            int got = Read(source, block, silence.Token);
            if (got == 0)
                return;
            target.Write(block, 0, got);
        }
    }

    private static int Read(Stream source, byte[] block, CancellationToken stop)
    {
        try
        {
            return source.ReadAsync(block, stop).AsTask().GetAwaiter().GetResult();
        }
        catch (IOException e)
        {
            // Of the network, which another address may do better, and not of the disk.
            throw new HttpRequestException(e.Message, e);
        }
    }

    private static string Md5(string path)
    {
        using FileStream file = File.OpenRead(path);
#pragma warning disable CA5351 // The publishers give this digest; it finds broken files, not forged ones.
        return Convert.ToHexStringLower(MD5.HashData(file));
#pragma warning restore CA5351
    }

    // Plain files only, by their names alone: nothing in an archive says where on the disk it goes.
    private static void Unpack(string archive, string folder, Action<string> report)
    {
        using FileStream file = File.OpenRead(archive);
        using GZipStream unzipped = new(file, CompressionMode.Decompress);
        using TarReader tar = new(unzipped);
        int count = 0;
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || entry.DataStream is null)
                continue;
            Stream content = entry.DataStream;
            AtomicFile.Write(Path.Combine(folder, Path.GetFileName(entry.Name)), content.CopyTo);
            count++;
        }
        report($"{folder}: unpacked {count} files");
    }
}
