using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace CudaGen.KernelCheck.Tests.Libraries;

/// <summary>The API of one libcudnn.so.9, by NVIDIA's names; handles, descriptors and enumerations are plain numbers.</summary>
internal sealed unsafe class CuDnn(string folder)
{
    public const int Success = 0, NotInitialized = 1001, BadParam = 2000, NotSupported = 3000, InternalError = 4000, AllocFailed = 4003,
        ExecutionFailed = 5000;
    public const int Float32 = 0, Float16 = 2, BFloat16 = 9, Nchw = 0, Nhwc = 1;
    public const int Convolution = 0, CrossCorrelation = 1, DefaultMath = 0, FmaMath = 3;
    public const int Sigmoid = 0, Relu = 1, Identity = 5;

    /// <summary>cudnnConvolutionFwdAlgoPerf_t and its two siblings.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Performance
    {
        public int Algo, Status;
        public float Time;
        public nuint Memory;
        public int Determinism, MathType;
        public fixed int Reserved[3];
    }

    private readonly nint _library = NativeLibrary.Load(Path.Combine(folder, "libcudnn.so.9"));

    private nint F([CallerMemberName] string name = "") => NativeLibrary.GetExport(_library, name);

    public nuint cudnnGetVersion() => ((delegate* unmanaged[Cdecl]<nuint>)F())();
    public string cudnnGetErrorString(int status) => Marshal.PtrToStringUTF8((nint)((delegate* unmanaged[Cdecl]<int, byte*>)F())(status))!;
    public int cudnnCreate(nint* handle) => ((delegate* unmanaged[Cdecl]<nint*, int>)F())(handle);
    public int cudnnDestroy(nint handle) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(handle);
    public int cudnnSetStream(nint handle, nint stream) => ((delegate* unmanaged[Cdecl]<nint, nint, int>)F())(handle, stream);
    public int cudnnGetStream(nint handle, nint* stream) => ((delegate* unmanaged[Cdecl]<nint, nint*, int>)F())(handle, stream);

    public string cudnnGetLastErrorString()
    {
        byte[] text = new byte[512];
        fixed (byte* to = text)
            ((delegate* unmanaged[Cdecl]<byte*, nuint, void>)F())(to, (nuint)text.Length);
        return Encoding.UTF8.GetString(text, 0, Array.IndexOf(text, (byte)0));
    }

    public int cudnnCreateTensorDescriptor(nint* descriptor) => ((delegate* unmanaged[Cdecl]<nint*, int>)F())(descriptor);
    public int cudnnDestroyTensorDescriptor(nint descriptor) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(descriptor);
    public int cudnnCreateFilterDescriptor(nint* descriptor) => ((delegate* unmanaged[Cdecl]<nint*, int>)F())(descriptor);
    public int cudnnDestroyFilterDescriptor(nint descriptor) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(descriptor);
    public int cudnnCreateConvolutionDescriptor(nint* descriptor) => ((delegate* unmanaged[Cdecl]<nint*, int>)F())(descriptor);
    public int cudnnDestroyConvolutionDescriptor(nint descriptor) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(descriptor);
    public int cudnnCreateActivationDescriptor(nint* descriptor) => ((delegate* unmanaged[Cdecl]<nint*, int>)F())(descriptor);
    public int cudnnDestroyActivationDescriptor(nint descriptor) => ((delegate* unmanaged[Cdecl]<nint, int>)F())(descriptor);

    public int cudnnSetTensor4dDescriptor(nint descriptor, int format, int type, int n, int c, int h, int w) =>
        ((delegate* unmanaged[Cdecl]<nint, int, int, int, int, int, int, int>)F())(descriptor, format, type, n, c, h, w);
    public int cudnnSetTensor4dDescriptorEx(nint descriptor, int type, int n, int c, int h, int w, int ns, int cs, int hs, int ws) =>
        ((delegate* unmanaged[Cdecl]<nint, int, int, int, int, int, int, int, int, int, int>)F())(descriptor, type, n, c, h, w, ns, cs, hs, ws);
    public int cudnnSetFilter4dDescriptor(nint descriptor, int type, int format, int k, int c, int h, int w) =>
        ((delegate* unmanaged[Cdecl]<nint, int, int, int, int, int, int, int>)F())(descriptor, type, format, k, c, h, w);
    public int cudnnSetConvolution2dDescriptor(nint descriptor, int padH, int padW, int strideH, int strideW, int dilationH, int dilationW, int mode,
        int type) =>
        ((delegate* unmanaged[Cdecl]<nint, int, int, int, int, int, int, int, int, int>)F())(
            descriptor, padH, padW, strideH, strideW, dilationH, dilationW, mode, type);
    public int cudnnSetConvolutionMathType(nint descriptor, int math) => ((delegate* unmanaged[Cdecl]<nint, int, int>)F())(descriptor, math);
    public int cudnnSetConvolutionGroupCount(nint descriptor, int groups) => ((delegate* unmanaged[Cdecl]<nint, int, int>)F())(descriptor, groups);
    public int cudnnSetActivationDescriptor(nint descriptor, int mode, int nan, double coefficient) =>
        ((delegate* unmanaged[Cdecl]<nint, int, int, double, int>)F())(descriptor, mode, nan, coefficient);
    public int cudnnGetConvolution2dForwardOutputDim(nint conv, nint x, nint w, int* n, int* c, int* h, int* wide) =>
        ((delegate* unmanaged[Cdecl]<nint, nint, nint, int*, int*, int*, int*, int>)F())(conv, x, w, n, c, h, wide);

    public int cudnnGetConvolutionForwardAlgorithm_v7(nint handle, nint x, nint w, nint conv, nint y, int count, int* returned, Performance* results) =>
        ((delegate* unmanaged[Cdecl]<nint, nint, nint, nint, nint, int, int*, Performance*, int>)F())(handle, x, w, conv, y, count, returned, results);
    public int cudnnGetConvolutionBackwardDataAlgorithm_v7(nint handle, nint w, nint dy, nint conv, nint dx, int count, int* returned,
        Performance* results) =>
        ((delegate* unmanaged[Cdecl]<nint, nint, nint, nint, nint, int, int*, Performance*, int>)F())(handle, w, dy, conv, dx, count, returned, results);
    public int cudnnGetConvolutionBackwardFilterAlgorithm_v7(nint handle, nint x, nint dy, nint conv, nint dw, int count, int* returned,
        Performance* results) =>
        ((delegate* unmanaged[Cdecl]<nint, nint, nint, nint, nint, int, int*, Performance*, int>)F())(handle, x, dy, conv, dw, count, returned, results);

    // The three searches take descriptor and memory of both inputs and the output, with the convolution after the inputs.
    private static int Find(nint function, nint handle, nint one, void* atOne, nint two, void* atTwo, nint conv, nint output, void* atOutput, int count,
        int* returned, Performance* results, void* workspace, nuint size) =>
        ((delegate* unmanaged[Cdecl]<nint, nint, void*, nint, void*, nint, nint, void*, int, int*, Performance*, void*, nuint, int>)function)(
            handle, one, atOne, two, atTwo, conv, output, atOutput, count, returned, results, workspace, size);
    public int cudnnFindConvolutionForwardAlgorithmEx(nint handle, nint x, void* atX, nint w, void* atW, nint conv, nint y, void* atY, int count,
        int* returned, Performance* results, void* workspace, nuint size) =>
        Find(F(), handle, x, atX, w, atW, conv, y, atY, count, returned, results, workspace, size);
    public int cudnnFindConvolutionBackwardDataAlgorithmEx(nint handle, nint w, void* atW, nint dy, void* atDy, nint conv, nint dx, void* atDx, int count,
        int* returned, Performance* results, void* workspace, nuint size) =>
        Find(F(), handle, w, atW, dy, atDy, conv, dx, atDx, count, returned, results, workspace, size);
    public int cudnnFindConvolutionBackwardFilterAlgorithmEx(nint handle, nint x, void* atX, nint dy, void* atDy, nint conv, nint dw, void* atDw, int count,
        int* returned, Performance* results, void* workspace, nuint size) =>
        Find(F(), handle, x, atX, dy, atDy, conv, dw, atDw, count, returned, results, workspace, size);

    public int cudnnGetConvolutionForwardWorkspaceSize(nint handle, nint x, nint w, nint conv, nint y, int algo, nuint* size) =>
        ((delegate* unmanaged[Cdecl]<nint, nint, nint, nint, nint, int, nuint*, int>)F())(handle, x, w, conv, y, algo, size);
    public int cudnnGetConvolutionBackwardDataWorkspaceSize(nint handle, nint w, nint dy, nint conv, nint dx, int algo, nuint* size) =>
        ((delegate* unmanaged[Cdecl]<nint, nint, nint, nint, nint, int, nuint*, int>)F())(handle, w, dy, conv, dx, algo, size);
    public int cudnnGetConvolutionBackwardFilterWorkspaceSize(nint handle, nint x, nint dy, nint conv, nint dw, int algo, nuint* size) =>
        ((delegate* unmanaged[Cdecl]<nint, nint, nint, nint, nint, int, nuint*, int>)F())(handle, x, dy, conv, dw, algo, size);

    // The three passes, likewise.
    private static int Pass(nint function, nint handle, void* alpha, nint one, void* atOne, nint two, void* atTwo, nint conv, int algo, void* workspace, nuint size,
        void* beta, nint output, void* atOutput) =>
        ((delegate* unmanaged[Cdecl]<nint, void*, nint, void*, nint, void*, nint, int, void*, nuint, void*, nint, void*, int>)function)(
            handle, alpha, one, atOne, two, atTwo, conv, algo, workspace, size, beta, output, atOutput);
    public int cudnnConvolutionForward(nint handle, void* alpha, nint x, void* atX, nint w, void* atW, nint conv, int algo, void* workspace, nuint size,
        void* beta, nint y, void* atY) =>
        Pass(F(), handle, alpha, x, atX, w, atW, conv, algo, workspace, size, beta, y, atY);
    public int cudnnConvolutionBackwardData(nint handle, void* alpha, nint w, void* atW, nint dy, void* atDy, nint conv, int algo, void* workspace,
        nuint size, void* beta, nint dx, void* atDx) =>
        Pass(F(), handle, alpha, w, atW, dy, atDy, conv, algo, workspace, size, beta, dx, atDx);
    public int cudnnConvolutionBackwardFilter(nint handle, void* alpha, nint x, void* atX, nint dy, void* atDy, nint conv, int algo, void* workspace,
        nuint size, void* beta, nint dw, void* atDw) =>
        Pass(F(), handle, alpha, x, atX, dy, atDy, conv, algo, workspace, size, beta, dw, atDw);

    public int cudnnConvolutionBiasActivationForward(nint handle, void* alpha1, nint x, void* atX, nint w, void* atW, nint conv, int algo, void* workspace,
        nuint size, void* alpha2, nint z, void* atZ, nint bias, void* atBias, nint activation, nint y, void* atY) =>
        ((delegate* unmanaged[Cdecl]<nint, void*, nint, void*, nint, void*, nint, int, void*, nuint, void*, nint, void*, nint, void*, nint, nint, void*,
            int>)F())(handle, alpha1, x, atX, w, atW, conv, algo, workspace, size, alpha2, z, atZ, bias, atBias, activation, y, atY);
    public int cudnnConvolutionBackwardBias(nint handle, void* alpha, nint dy, void* atDy, void* beta, nint db, void* atDb) =>
        ((delegate* unmanaged[Cdecl]<nint, void*, nint, void*, void*, nint, void*, int>)F())(handle, alpha, dy, atDy, beta, db, atDb);
    public int cudnnAddTensor(nint handle, void* alpha, nint a, void* atA, void* beta, nint c, void* atC) =>
        ((delegate* unmanaged[Cdecl]<nint, void*, nint, void*, void*, nint, void*, int>)F())(handle, alpha, a, atA, beta, c, atC);
}
