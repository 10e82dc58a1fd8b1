using System.IO.Compression;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>The picture files of a folder or a zip file, in one order on every system.</summary>
internal sealed class PictureSource : IDisposable
{
    /// <summary>Bytes of the largest file that is read. A small zip file may unpack to any number of them.</summary>
    internal const int MaxFileLength = 1 << 28;

    private static readonly string[] Extensions = [".jpg", ".jpeg", ".png"];

    private readonly ZipArchive? _zip;
    private readonly Item[] _items;

    private PictureSource(string source, IEnumerable<Item> items, ZipArchive? zip)
    {
        _zip = zip;
        _items = [.. items.Where(item => IsPicture(item.Name)).OrderBy(item => item.Name, StringComparer.Ordinal)];
        if (_items.Length > 0)
            return;
        Dispose();
        throw new InputException($"{source}: found no file that ends with {string.Join(", ", Extensions)}");
    }

    /// <summary>How many there are, at least 1.</summary>
    public int Count => _items.Length;

    /// <summary>Tells one list of files from another, also where names are the same and the files are not.</summary>
    public IEnumerable<string> Facts => _items.Select(item => $"{item.Name}\0{item.Length}\0{item.Stamp}");

    /// <summary>Finds the pictures of a folder and its subfolders, or of a zip file.</summary>
    /// <param name="source">The folder or zip file.</param>
    /// <param name="target">A file that is no picture, whatever it is called and wherever it lies.</param>
    /// <exception cref="InputException">The source cannot be read, or holds no picture.</exception>
    public static PictureSource Open(string source, string target)
    {
        if (Directory.Exists(source))
        {
            string ignored = Path.GetFullPath(target);
            return new(source, FilesBelow(new DirectoryInfo(source)).Where(file => file.FullName != ignored).Select(file => Item.Of(source, file)), null);
        }
        if (!File.Exists(source))
            throw new InputException($"{source}: there is no such folder or zip file");
        if (FileFacts.Length(source) == 0)
            throw new InputException($"{source}: found nothing to read, expected a folder or a zip file");
        try
        {
            ZipArchive zip = ZipFile.OpenRead(source);
            // Names inside are only shown, never taken for places on the disk.
            return new(source, zip.Entries.Where(entry => entry.Name.Length > 0).Select(Item.Of), zip);
        }
        catch (InvalidDataException e)
        {
            throw new InputException($"{source}: found no zip file, or a damaged one ({e.Message.TrimEnd('.')})", e);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(source, e);
        }
    }

    private static IEnumerable<FileInfo> FilesBelow(DirectoryInfo folder)
    {
        FileSystemInfo[] entries;
        try
        {
            entries = folder.GetFileSystemInfos();
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw new InputException($"{folder.FullName}: this folder cannot be searched ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')})", e);
        }
        foreach (FileSystemInfo entry in entries)
        {
            if (entry is FileInfo file)
                yield return file;
            // Links to folders may lead back up here.
            else if (entry is DirectoryInfo { LinkTarget: null } inner)
            {
                foreach (FileInfo below in FilesBelow(inner))
                    yield return below;
            }
        }
    }

    /// <summary>Whether there are pictures right in a folder.</summary>
    public static bool HasPictures(string folder) => Directory.EnumerateFiles(folder).Any(IsPicture);

    private static bool IsPicture(string name) => Extensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase);

    /// <summary>What a person calls a picture: its path within the source, on one line.</summary>
    public string NameOf(int index) => new([.. _items[index].Name.Select(c => char.IsControl(c) ? '?' : c)]);

    /// <summary>The whole file of a picture. Can be called from several threads, which wait for each other.</summary>
    /// <exception cref="InputException">It cannot be read.</exception>
    public byte[] Read(int index)
    {
        (Item item, string name) = (_items[index], NameOf(index));
        if (item.Length == 0)
            throw new InputException($"{name}: found nothing to read (an empty file, a pipe, a device or a broken link), expected a JPEG or PNG image");
        if (item.Length > MaxFileLength)
            throw new InputException($"{name}: found a file of {item.Length} bytes, expected at most {MaxFileLength}");
        try
        {
            byte[] bytes = new byte[item.Length];
            // A zip archive has one reader at a time.
            lock (_items)
            {
                using Stream stream = item.Open();
                if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length || stream.ReadByte() >= 0)
                    throw new InputException($"{name}: found another number of bytes than the {item.Length} that it said to have");
            }
            if (item.Crc is { } crc && ~Png.Crc(uint.MaxValue, bytes) != crc)
                throw new InputException($"{name}: this entry of the zip file is damaged (its checksum is wrong)");
            return bytes;
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw new InputException($"{name}: {FileErrors.Reason(name, e)}", e);
        }
        catch (InvalidDataException e)
        {
            throw new InputException($"{name}: this entry of the zip file is damaged ({e.Message.TrimEnd('.')})", e);
        }
    }

    public void Dispose() => _zip?.Dispose();

    /// <param name="Name">Path within the source, with slashes.</param>
    /// <param name="Length">Bytes, 0 for what is no regular file.</param>
    /// <param name="Stamp">Differs when the content does.</param>
    /// <param name="Open">Opens it for reading.</param>
    /// <param name="Crc">CRC-32 of the content, where it is known.</param>
    private sealed record Item(string Name, long Length, string Stamp, Func<Stream> Open, uint? Crc = null)
    {
        public static Item Of(string folder, FileInfo file)
        {
            (long length, DateTime changed) = FileFacts.Of(file);
            string name = Path.GetRelativePath(folder, file.FullName).Replace(Path.DirectorySeparatorChar, '/');
            return new(name, length, $"{changed.Ticks}", file.OpenRead);
        }

        public static Item Of(ZipArchiveEntry entry) => new(entry.FullName, entry.Length, $"{entry.Crc32}",
            () => entry.IsEncrypted ? throw new InvalidDataException("it is encrypted") : entry.Open(), entry.Crc32);
    }
}
