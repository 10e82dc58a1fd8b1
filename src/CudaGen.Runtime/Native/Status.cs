using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CudaGen.Runtime.Native;

/// <summary>Turns a status into an exception that holds the call's text, the status's name and NVIDIA's own words.</summary>
internal static unsafe class Status
{
    internal static void Check(CUresult status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != CUresult.CUDA_SUCCESS)
            Throw(status, call);
    }

    internal static void Check(nvrtcResult status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != nvrtcResult.NVRTC_SUCCESS)
            Throw(call, Text(Nvrtc.nvrtcGetErrorString(status)), (int)status, "");
    }

    internal static void Check(cublasStatus_t status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != cublasStatus_t.CUBLAS_STATUS_SUCCESS)
            Throw(call, Text(CuBlas.cublasGetStatusName(status)), (int)status, Text(CuBlas.cublasGetStatusString(status)));
    }

    internal static void Check(cudnnStatus_t status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != cudnnStatus_t.CUDNN_STATUS_SUCCESS)
            Throw(call, Text(CuDnn.cudnnGetErrorString(status)), (int)status, LastErrorOfCudnn());
    }

    private static string LastErrorOfCudnn()
    {
        if (!NativeLibraries.HasExport(CuDnn.Library, nameof(CuDnn.cudnnGetLastErrorString)))
            return "";
        const int Size = 1024;
        byte* text = stackalloc byte[Size];
        text[0] = 0;
        CuDnn.cudnnGetLastErrorString(text, Size);
        return Text(text);
    }

    [DoesNotReturn]
    private static void Throw(CUresult status, string call)
    {
        // Before the calls that ask for the status's name.
        string why = Emulator.Current?.Explanation ?? "";
        string name = Cuda.cuGetErrorName(status, out byte* text) == CUresult.CUDA_SUCCESS ? Text(text) : "unknown status";
        string words = Cuda.cuGetErrorString(status, out text) == CUresult.CUDA_SUCCESS ? Text(text) : "";
        Throw(call, name, (int)status, why.Length > 0 ? $"{words}; {why}" : words);
    }

    /// <summary>A failure of any library: its call, and the status as that library spells it.</summary>
    [DoesNotReturn]
    internal static void Throw(string call, string name, int status, string words)
    {
        string message = $"{FunctionOf(call)}: {name} ({status}){(words.Length > 0 ? ": " + words : "")}";
        foreach (string report in Emulator.Current?.Reports ?? [])
            message += Environment.NewLine + "  " + report;
        throw new CudaException(message, status);
    }

    /// <summary>The text of a C string.</summary>
    internal static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    // "Cuda.cuMemAlloc_v2(out address, bytes)" without the class, on one line: what a person looks up in NVIDIA's manual.
    private static string FunctionOf(string call)
    {
        call = string.Join(' ', call.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        int arguments = call.IndexOf('(', StringComparison.Ordinal);
        return call[(call.AsSpan(0, Math.Max(arguments, 0)).IndexOf('.') + 1)..];
    }
}
