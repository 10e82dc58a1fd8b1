namespace CudaGen.Runtime;

/// <summary>Base of every error that this project raises on purpose.</summary>
public class CudaGenException : Exception
{
    public CudaGenException(string message) : base(message) { }
    public CudaGenException(string message, Exception inner) : base(message, inner) { }
}

/// <summary>Two shapes that must agree do not; the message holds both.</summary>
public sealed class ShapeException(string message) : CudaGenException(message);

/// <summary>A device was asked for that is not here, or was used after it was closed.</summary>
public sealed class DeviceException(string message) : CudaGenException(message);

/// <summary>
/// A call of NVIDIA's libraries failed: the message holds the call, the name of the status and NVIDIA's words, and what
/// the CPU stand-ins found, when they are at work.
/// </summary>
public sealed class CudaException(string message, int status) : CudaGenException(message)
{
    /// <summary>The number of the status, in the enumeration of the library that was called.</summary>
    public int Status { get; } = status;
}

/// <summary>
/// A file, flag or value that a person gave is wrong. The message is one line: what it is, what was found, what was
/// expected. Programs print it as it stands and exit with status 2.
/// </summary>
public sealed class InputException : CudaGenException
{
    public InputException(string message) : base(message) { }
    public InputException(string message, Exception inner) : base(message, inner) { }
}
