using System.Runtime.InteropServices;

namespace CudaGen.Runtime.Native;

// Names and values are those of turbojpeg.h of libjpeg-turbo 2.0. Version 3 has the same functions under the same file name.

/// <summary>TurboJPEG, the interface of libjpeg-turbo's own. 0 is success; a damaged image is -1 even if some of it was decoded.</summary>
internal static unsafe partial class TurboJpeg
{
    internal const string Library = "turbojpeg";

    internal const int TJCS_CMYK = 3, TJCS_YCCK = 4;
    internal const int TJPF_RGB = 0, TJPF_CMYK = 11;

    /// <summary>The exact inverse transform rather than a faster one.</summary>
    internal const int TJFLAG_ACCURATEDCT = 4096;

    /// <summary>An image of more than 500 scans is an attack and not a picture. Versions before 2.1 do not know the flag.</summary>
    internal const int TJFLAG_LIMITSCANS = 32768;

    [LibraryImport(Library)]
    internal static partial nint tjInitDecompress();

    [LibraryImport(Library)]
    internal static partial int tjDestroy(nint handle);

    /// <summary>The words for the last error on this handle; on this thread if the handle is 0.</summary>
    [LibraryImport(Library)]
    internal static partial byte* tjGetErrorStr2(nint handle);

    [LibraryImport(Library)]
    internal static partial int tjDecompressHeader3(nint handle, byte* jpegBuf, CULong jpegSize, out int width, out int height,
        out int jpegSubsamp, out int jpegColorspace);

    [LibraryImport(Library)]
    internal static partial int tjDecompress2(nint handle, byte* jpegBuf, CULong jpegSize, byte* dstBuf, int width, int pitch, int height,
        int pixelFormat, int flags);
}
