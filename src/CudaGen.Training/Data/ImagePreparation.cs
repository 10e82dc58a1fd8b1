using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using CudaGen.Runtime;

namespace CudaGen.Training;

/// <summary>
/// Turns a folder or zip of pictures into a file of packed images. It works in lots: after each one the file and a journal beside it are
/// written, so a run that is killed goes on behind the last whole lot and ends with the same bytes, unless the pictures are others by then.
/// </summary>
/// <param name="source">Folder, searched with all its subfolders but no links to folders, or zip file.</param>
/// <param name="target">The file of packed images. An older such file is replaced, any other is refused.</param>
/// <param name="size">Height and width of the images.</param>
/// <param name="crop">Whether the square in the middle is taken, rather than the whole picture squeezed.</param>
public sealed class ImagePreparation(string source, string target, int size, bool crop)
{
    private const int Lot = 64;

    private string Partial => target + ".partial";

    private string Journal => target + ".journal";

    /// <summary>Does the work; reports pictures done, of how many, and how many were left out.</summary>
    /// <returns>Images written, and what was left out and why.</returns>
    /// <exception cref="InputException">There are no pictures, none can be read, or the file cannot be written.</exception>
    public (int Written, IReadOnlyList<string> Skipped) Run(Action<int, int, int> report, CancellationToken interrupt)
    {
        ArgumentNullException.ThrowIfNull(report);
        CheckTarget();
        using PictureSource pictures = PictureSource.Open(source, target);
        try
        {
            return Run(pictures, report, interrupt);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            throw FileErrors.At(target, e);
        }
    }

    // Before the work, which may take hours, and not after it.
    private void CheckTarget()
    {
        if (target.Length == 0 || Path.EndsInDirectorySeparator(target) || Directory.Exists(target))
            throw new InputException($"target: found '{target}', which names a folder; expected a file to write");
        string folder = Path.GetDirectoryName(Path.GetFullPath(target))!;
        if (!Directory.Exists(folder))
            throw new InputException($"{target}: the folder '{folder}' does not exist");
        if (File.Exists(target) && !PackedImages.Is(target))
            throw new InputException($"{target}: found a file that 'prepare' did not make, which is not overwritten; expected a new name");
    }

    private (int Written, IReadOnlyList<string> Skipped) Run(PictureSource pictures, Action<int, int, int> report, CancellationToken interrupt)
    {
        string key = Key(pictures);
        int length = size * size * 3, done = 0, written;
        List<string> skipped;
        // Locked before the journal is looked at: a second run with the same target ends here and harms nothing of the first.
        FileStream file = new(Partial, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        try
        {
            using FileStream closed = file;
            (done, written, skipped) = ReadJournal(key, file.Length);
            if (done == 0)
                File.WriteAllText(Journal, key + "\n");
            file.SetLength(PackedImages.HeaderLength + (long)written * length);
            file.Seek(0, SeekOrigin.End);
            while (done < pictures.Count)
            {
                interrupt.ThrowIfCancellationRequested();
                int now = Math.Min(Lot, pictures.Count - done);
                StringBuilder lines = new();
                foreach ((byte[]? pixels, string error) in Convert(pictures, done, now))
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
                File.AppendAllText(Journal, lines.Append(CultureInfo.InvariantCulture, $"done {done + now} {written}\n").ToString());
                done += now;
                report(done, pictures.Count, skipped.Count);
            }
            if (written > 0)
            {
                file.Seek(0, SeekOrigin.Begin);
                file.Write(PackedImages.Header(written, size, size, 3));
                file.Flush(flushToDisk: true);
            }
        }
        catch when (done == 0)
        {
            // Nothing that a later run could go on with.
            Forget();
            throw;
        }
        if (written == 0)
        {
            Forget();
            throw new InputException($"{source}: none of {pictures.Count} pictures could be read; the first: {skipped[0]}");
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

    // Files are read where they are decoded: of large ones, only as many as there are cores are in memory.
    private (byte[]? Pixels, string Error)[] Convert(PictureSource pictures, int first, int count)
    {
        var lot = new (byte[]?, string)[count];
        try
        {
            Parallel.For(0, count, i => lot[i] = Convert(pictures, first + i));
        }
        catch (AggregateException e) when (e.InnerExceptions.FirstOrDefault(x => x is DeviceException) is { } missing)
        {
            // No JPEG decoder on this machine: not the fault of a picture.
            throw new InputException(missing.Message, e);
        }
        return lot;
    }

    private (byte[]? Pixels, string Error) Convert(PictureSource pictures, int index)
    {
        try
        {
            Picture picture = ImageFile.Decode(pictures.NameOf(index), pictures.Read(index));
            return (ImageScaling.Scale(crop ? ImageScaling.CropSquare(picture) : picture, size, size).Pixels, "");
        }
        catch (InputException e)
        {
            return (null, e.Message.ReplaceLineEndings(" "));
        }
    }

    // What would give other bytes: another size, crop or other pictures.
    private string Key(PictureSource pictures)
    {
        byte[] digest = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join("\0\0", pictures.Facts)));
        return string.Create(CultureInfo.InvariantCulture, $"cudagen-journal-3 size {size} crop {crop} pictures {System.Convert.ToHexString(digest)}");
    }

    private (int Done, int Written, List<string> Skipped) ReadJournal(string key, long partialLength)
    {
        if (!File.Exists(Journal))
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
            else if (line.Split(' ') is ["done", string d, string w] && int.TryParse(d, CultureInfo.InvariantCulture, out int lotEnd)
                && int.TryParse(w, CultureInfo.InvariantCulture, out int images))
            {
                (done, written) = (lotEnd, images);
                skipped.AddRange(pending);
                pending.Clear();
            }
            else
                return (0, 0, []);
        }
        return partialLength >= PackedImages.HeaderLength + (long)written * size * size * 3 ? (done, written, skipped) : (0, 0, []);
    }
}
