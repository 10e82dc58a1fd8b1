using System.Globalization;
using System.Runtime.InteropServices;
using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Runtime;

/// <summary>What the search for one of NVIDIA's libraries came to in this process.</summary>
/// <param name="Name"><c>cuda</c> (the driver), <c>nvrtc</c>, <c>cublas</c> or <c>cudnn</c>.</param>
/// <param name="Path">The file that was loaded, links resolved; null when none was.</param>
/// <param name="Version">Such as <c>13.0</c>, for the driver the newest CUDA that it runs; empty when none was loaded.</param>
/// <param name="Failure">Every name that was tried; empty when one was loaded.</param>
public sealed record LibraryReport(string Name, string? Path, string Version, string Failure)
{
    /// <summary>Searches all four, the driver first. No GPU is needed, nor touched.</summary>
    public static IReadOnlyList<LibraryReport> All()
    {
        LibraryReport driver = Find(Cuda.Library, 0, nameof(Cuda.cuDriverGetVersion), () => $"{DriverVersion() / 1000}.{DriverVersion() % 1000 / 10}");
        int major = driver.Path is null ? 0 : DriverVersion() / 1000;
        return
        [
            driver,
            Find(Nvrtc.Library, major, nameof(Nvrtc.nvrtcVersion), NvrtcVersion),
            Find(CuBlas.Library, major, nameof(CuBlas.cublasGetProperty), CuBlasVersion),
            Find(CuDnn.Library, major, nameof(CuDnn.cudnnGetVersion), CuDnnVersion),
        ];
    }

    private static LibraryReport Find(string library, int driverMajor, string function, Func<string> version)
        => NativeLibraries.TryLoad(library, driverMajor, out NativeLibraries.Found? found, out string failure)
            ? new(library, FileOf(NativeLibrary.GetExport(found.Handle, function)) ?? found.Path, version(), "")
            : new(library, null, "", failure);

    private static int DriverVersion()
    {
        Check(Cuda.cuDriverGetVersion(out int version));
        return version;
    }

    private static string NvrtcVersion()
    {
        Check(Nvrtc.nvrtcVersion(out int major, out int minor));
        return $"{major}.{minor}";
    }

    private static string CuBlasVersion() => string.Join('.', Enum.GetValues<libraryPropertyType>().Select(part =>
    {
        Check(CuBlas.cublasGetProperty(part, out int number));
        return number;
    }));

    private static string CuDnnVersion()
    {
        // cuDNN 8 counts major versions in thousands, later ones in ten thousands.
        int version = (int)CuDnn.cudnnGetVersion(), unit = version < 10000 ? 1000 : 10000;
        return $"{version / unit}.{version % unit / 100}.{version % 100}";
    }

    // A library that the system's loader found by its bare name: the file is the one whose code is at that address.
    private static string? FileOf(nint address)
    {
        const string Maps = "/proc/self/maps"; // from-to permissions offset device inode path
        if (!File.Exists(Maps))
            return null;
        foreach (string line in File.ReadLines(Maps))
        {
            string[] fields = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
            string[] range = fields[0].Split('-');
            if (fields.Length == 6 && address >= nint.Parse(range[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture)
                && address < nint.Parse(range[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture))
                return fields[5];
        }
        return null;
    }
}
