using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CudaGen.KernelCheck.Tests.Libraries;

/// <summary>The API of one libcublas.so.12, by NVIDIA's names; handles and enumerations are plain numbers.</summary>
internal sealed unsafe class CuBlas(string folder)
{
    public const int Success = 0, NotInitialized = 1, AllocFailed = 3, InvalidValue = 7, ExecutionFailed = 13, InternalError = 14, NotSupported = 15;
    public const int R32F = 0, R16F = 2, R16BF = 14;
    public const int Compute32F = 68, Compute32FPedantic = 69, Compute32FFastTf32 = 77;
    public const int DefaultMath = 0, Tf32Math = 3;

    private readonly nint _library = NativeLibrary.Load(Path.Combine(folder, "libcublas.so.12"));

    private nint F([CallerMemberName] string name = "") => NativeLibrary.GetExport(_library, name);

    public int cublasCreate_v2(nint* handle) => ((delegate* unmanaged[Cdecl]<nint*, int>)F())(handle);
    public int cublasDestroy_v2(nint handle) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(handle);
    public int cublasGetVersion_v2(nint handle, int* version) => ((delegate* unmanaged[Cdecl]<nint, int*, int>)F())(handle, version);
    public int cublasGetProperty(int type, int* value) => ((delegate* unmanaged[Cdecl]<int, int*, int>)F())(type, value);
    public int cublasSetStream_v2(nint handle, nint stream) => ((delegate* unmanaged[Cdecl]<nint, nint, int>)F())(handle, stream);
    public int cublasGetStream_v2(nint handle, nint* stream) => ((delegate* unmanaged[Cdecl]<nint, nint*, int>)F())(handle, stream);
    public int cublasSetMathMode(nint handle, int mode) => ((delegate* unmanaged[Cdecl]<nint, int, int>)F())(handle, mode);
    public int cublasGetMathMode(nint handle, int* mode) => ((delegate* unmanaged[Cdecl]<nint, int*, int>)F())(handle, mode);
    public int cublasSetPointerMode_v2(nint handle, int mode) => ((delegate* unmanaged[Cdecl]<nint, int, int>)F())(handle, mode);
    public int cublasGetPointerMode_v2(nint handle, int* mode) => ((delegate* unmanaged[Cdecl]<nint, int*, int>)F())(handle, mode);
    public int cublasSetWorkspace_v2(nint handle, void* workspace, nuint size) =>
        ((delegate* unmanaged[Cdecl]<nint, void*, nuint, int>)F())(handle, workspace, size);
    public string cublasGetStatusName(int status) => Marshal.PtrToStringUTF8((nint)((delegate* unmanaged[Cdecl]<int, byte*>)F())(status))!;
    public string cublasGetStatusString(int status) => Marshal.PtrToStringUTF8((nint)((delegate* unmanaged[Cdecl]<int, byte*>)F())(status))!;

    public int cublasSgemm_v2(nint handle, int transa, int transb, int m, int n, int k, float* alpha, float* a, int lda, float* b, int ldb, float* beta,
        float* c, int ldc) =>
        ((delegate* unmanaged[Cdecl]<nint, int, int, int, int, int, float*, float*, int, float*, int, float*, float*, int, int>)F())(
            handle, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);

    public int cublasGemmEx(nint handle, int transa, int transb, int m, int n, int k, void* alpha, void* a, int typeA, int lda, void* b, int typeB, int ldb,
        void* beta, void* c, int typeC, int ldc, int computeType, int algo) =>
        ((delegate* unmanaged[Cdecl]<nint, int, int, int, int, int, void*, void*, int, int, void*, int, int, void*, void*, int, int, int, int, int>)F())(
            handle, transa, transb, m, n, k, alpha, a, typeA, lda, b, typeB, ldb, beta, c, typeC, ldc, computeType, algo);

    public int cublasSgemmStridedBatched(nint handle, int transa, int transb, int m, int n, int k, float* alpha, float* a, int lda, long strideA, float* b,
        int ldb, long strideB, float* beta, float* c, int ldc, long strideC, int batches) =>
        ((delegate* unmanaged[Cdecl]<nint, int, int, int, int, int, float*, float*, int, long, float*, int, long, float*, float*, int, long, int, int>)F())(
            handle, transa, transb, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta, c, ldc, strideC, batches);
}
