namespace CudaGen.Runtime;

/// <summary>Turns what the system says about a file into one line for a person.</summary>
public static class FileErrors
{
    /// <summary>Whether the system refused a file operation, as opposed to a mistake in the program.</summary>
    public static bool IsFileError(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary><c>path: reason</c>, as an error to throw.</summary>
    public static InputException At(string path, Exception e) => new($"{path}: {Reason(path, e)}", e);

    /// <summary>Why an operation on <paramref name="path"/> failed, on one line and without the path.</summary>
    public static string Reason(string path, Exception e)
    {
        ArgumentNullException.ThrowIfNull(e);
        switch (e)
        {
            case UnauthorizedAccessException when Directory.Exists(path):
                return "this is a folder, expected a file";
            case UnauthorizedAccessException:
                return "permission denied";
            case FileNotFoundException:
                return "there is no such file";
            case DirectoryNotFoundException:
                return $"the folder '{Path.GetDirectoryName(Path.GetFullPath(path))}' does not exist";
        }
        // .NET appends the path, which may be that of a temporary file: "No space left on device : '/a/b'".
        string message = e.Message.ReplaceLineEndings(" ");
        int appended = message.IndexOf(" : '", StringComparison.Ordinal);
        return appended > 0 ? message[..appended] : message;
    }
}
