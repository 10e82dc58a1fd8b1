using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using CudaGen.Nets;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// Turns a folder or zip of pictures into a file of packed images. It works in lots: after each one the file and a journal beside it are
/// written, so a run that is killed goes on behind the last whole lot and ends with the same bytes.
/// </summary>
/// <param name="source">Folder, searched with all its subfolders, or zip file.</param>
/// <param name="target">The file of packed images.</param>
/// <param name="size">Height and width of the images.</param>
/// <param name="crop">Whether the square in the middle is taken, rather than the whole picture squeezed.</param>
public sealed class ImagePreparation(string source, string target, int size, bool crop)
{
    private const int Lot = 64;

    private static readonly string[] Extensions = [".jpg", ".jpeg", ".png"];

    private string Partial => target + ".partial";

    private string Journal => target + ".journal";

    /// <summary>Does the work; reports pictures done, of how many, and how many were left out.</summary>
    /// <returns>Images written, and what was left out and why.</returns>
    /// <exception cref="InputException">There are no pictures, none can be read, or the file cannot be written.</exception>
    public (int Written, IReadOnlyList<string> Skipped) Run(Action<int, int, int> report, CancellationToken interrupt)
    {
        ArgumentNullException.ThrowIfNull(report);
        try
        {
            using Pictures pictures = Pictures.Open(source);
            return Run(pictures, report, interrupt);
        }
        catch (InvalidDataException e)
        {
            throw new InputException($"{source}: found a damaged zip file ({e.Message.TrimEnd('.')})", e);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(target, e);
        }
    }

    private (int Written, IReadOnlyList<string> Skipped) Run(Pictures pictures, Action<int, int, int> report, CancellationToken interrupt)
    {
        string key = Key(pictures.Names);
        (int done, int written, List<string> skipped) = ReadJournal(key);
        int length = size * size * 3;
        if (done == 0)
            File.WriteAllText(Journal, key + "\n");
        using (FileStream file = new(Partial, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None))
        {
            file.SetLength(PackedImages.HeaderLength + (long)written * length);
            file.Seek(0, SeekOrigin.End);
            while (done < pictures.Names.Count)
            {
                interrupt.ThrowIfCancellationRequested();
                int now = Math.Min(Lot, pictures.Names.Count - done);
                (byte[]? Pixels, string Error)[] lot = Convert(pictures, done, now);
                StringBuilder lines = new();
                foreach ((byte[]? pixels, string error) in lot)
                {
                    if (pixels is null)
                    {
                        skipped.Add(error);
                        lines.Append(CultureInfo.InvariantCulture, $"skip {error}\n");
                        continue;
                    }
                    file.Write(pixels);
                    written++;
                }
                file.Flush(flushToDisk: true);
                done += now;
                File.AppendAllText(Journal, lines.Append(CultureInfo.InvariantCulture, $"done {done} {written}\n").ToString());
                report(done, pictures.Names.Count, skipped.Count);
            }
            if (written > 0)
            {
                file.Seek(0, SeekOrigin.Begin);
                file.Write(PackedImages.Header(written, size, size, 3));
                file.Flush(flushToDisk: true);
            }
        }
        if (written == 0)
        {
            Forget();
            throw new InputException($"{source}: none of {pictures.Names.Count} pictures could be read; the first: {skipped[0]}");
        }
        File.Move(Partial, target, overwrite: true);
        File.Delete(Journal);
        return (written, skipped);
    }

    private void Forget()
    {
        File.Delete(Partial);
        File.Delete(Journal);
    }

    private (byte[]? Pixels, string Error)[] Convert(Pictures pictures, int first, int count)
    {
        byte[][] files = [.. Enumerable.Range(first, count).Select(pictures.Read)];
        var lot = new (byte[]?, string)[count];
        try
        {
            Parallel.For(0, count, i => lot[i] = Convert(pictures.Names[first + i], files[i]));
        }
        catch (AggregateException e) when (e.InnerExceptions.FirstOrDefault(x => x is DeviceException) is { } missing)
        {
            // No JPEG decoder on this machine: not the fault of a picture.
            throw new InputException(missing.Message, e);
        }
        return lot;
    }

    private (byte[]? Pixels, string Error) Convert(string name, byte[] bytes)
    {
        try
        {
            Picture picture = ImageFile.Decode(name, bytes);
            return (ImageScaling.Scale(crop ? ImageScaling.CropSquare(picture) : picture, size, size).Pixels, "");
        }
        catch (InputException e)
        {
            return (null, e.Message.ReplaceLineEndings(" "));
        }
    }

    // What would give other bytes: another size, crop or list of pictures.
    private string Key(IReadOnlyList<string> names)
    {
        byte[] digest = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', names)));
        return string.Create(CultureInfo.InvariantCulture, $"cudagen-journal-1 size {size} crop {crop} pictures {System.Convert.ToHexString(digest)}");
    }

    private (int Done, int Written, List<string> Skipped) ReadJournal(string key)
    {
        if (!File.Exists(Journal) || !File.Exists(Partial))
            return (0, 0, []);
        string text = File.ReadAllText(Journal);
        // A last line without its end was being written.
        string[] lines = text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length == 0 || lines[0] != key)
            return (0, 0, []);
        (int done, int written, List<string> skipped, List<string> pending) = (0, 0, [], []);
        foreach (string line in lines[1..])
        {
            if (line.StartsWith("skip ", StringComparison.Ordinal))
                pending.Add(line[5..]);
            else if (line.Split(' ') is ["done", string d, string w])
            {
                (done, written) = (int.Parse(d, CultureInfo.InvariantCulture), int.Parse(w, CultureInfo.InvariantCulture));
                skipped.AddRange(pending);
                pending.Clear();
            }
        }
        return new FileInfo(Partial).Length >= PackedImages.HeaderLength + (long)written * size * size * 3 ? (done, written, skipped) : (0, 0, []);
    }

    /// <summary>Pictures by name, in one order on every system.</summary>
    private sealed class Pictures : IDisposable
    {
        private readonly ZipArchive? _zip;
        private readonly string _folder = "";

        private Pictures(string folder, IEnumerable<string> names, ZipArchive? zip)
            => (_folder, Names, _zip) = (folder, [.. names.Where(IsPicture).Order(StringComparer.Ordinal)], zip);

        public IReadOnlyList<string> Names { get; }

        public static Pictures Open(string source)
        {
            Pictures pictures;
            if (Directory.Exists(source))
            {
                pictures = new(source, Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories)
                    .Select(f => Path.GetRelativePath(source, f).Replace('\\', '/')), null);
            }
            else if (File.Exists(source))
            {
                ZipArchive zip = ZipFile.OpenRead(source);
                // Names inside are only shown, never taken for places on the disk.
                pictures = new("", zip.Entries.Where(e => e.Name.Length > 0).Select(e => e.FullName), zip);
            }
            else
                throw new InputException($"{source}: there is no such folder or zip file");
            if (pictures.Names.Count == 0)
            {
                pictures.Dispose();
                throw new InputException($"{source}: found no file that ends with {string.Join(", ", Extensions)}");
            }
            return pictures;
        }

        private static bool IsPicture(string name) => Extensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase);

        public byte[] Read(int index)
        {
            try
            {
                if (_zip is null)
                    return File.ReadAllBytes(Path.Combine(_folder, Names[index]));
                using Stream stream = _zip.GetEntry(Names[index])!.Open();
                using MemoryStream bytes = new();
                stream.CopyTo(bytes);
                return bytes.ToArray();
            }
            catch (Exception e) when (FileErrors.IsFileError(e) || e is InvalidDataException)
            {
                // Decodes as an empty file, and is left out as that.
                return [];
            }
        }

        public void Dispose() => _zip?.Dispose();
    }
}
