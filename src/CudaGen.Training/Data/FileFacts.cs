namespace CudaGen.Training;

/// <summary>What can be known of a file without opening it. Pipes and devices among a person's files would keep a reader waiting for ever.</summary>
internal static class FileFacts
{
    /// <summary>Bytes of a file: 0 if there is none, and for what is no regular file, such as a folder, a pipe or a device.</summary>
    public static long Length(string path) => Of(new FileInfo(path)).Length;

    /// <summary>The same, and when it was last changed, of what a link leads to.</summary>
    public static (long Length, DateTime Changed) Of(FileInfo file)
    {
        try
        {
            return (file.ResolveLinkTarget(returnFinalTarget: true) ?? file) is FileInfo { Exists: true } real ? (real.Length, real.LastWriteTimeUtc) : default;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A link that leads in a circle, or to where one may not look.
            return default;
        }
    }
}
