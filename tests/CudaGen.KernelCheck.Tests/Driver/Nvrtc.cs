using System.Runtime.InteropServices;
using System.Text;

namespace CudaGen.KernelCheck.Tests.Driver;

/// <summary>Compiles kernels for tests of the driver with libnvrtc.so.12 of the same folder.</summary>
internal static unsafe class Nvrtc
{
    private static readonly Lazy<nint> Library = new(() => NativeLibrary.Load(Path.Combine(Session.Folder, "libnvrtc.so.12")));
    private static readonly Dictionary<string, byte[]> Compiled = [];

    /// <summary>The image of a source, compiled once for all tests.</summary>
    public static byte[] Image(string source) => Compiled.TryGetValue(source, out byte[]? image) ? image : Compiled[source] = Compile(source);

    private static nint F(string name) => NativeLibrary.GetExport(Library.Value, name);

    private static byte[] Compile(string source)
    {
        nint program;
        nuint size;
        int status;
        var create = (delegate* unmanaged[Cdecl]<nint*, byte*, byte*, int, byte**, byte**, int>)F("nvrtcCreateProgram");
        fixed (byte* text = Encoding.UTF8.GetBytes(source + '\0'), name = "test.cu\0"u8)
            Assert.Equal(0, create(&program, text, name, 0, null, null));
        fixed (byte* architecture = "-arch=sm_90\0"u8)
        {
            byte* option = architecture;
            status = ((delegate* unmanaged[Cdecl]<nint, int, byte**, int>)F("nvrtcCompileProgram"))(program, 1, &option);
        }
        Assert.Equal(0, ((delegate* unmanaged[Cdecl]<nint, nuint*, int>)F("nvrtcGetProgramLogSize"))(program, &size));
        byte[] log = new byte[size];
        fixed (byte* to = log)
            Assert.Equal(0, ((delegate* unmanaged[Cdecl]<nint, byte*, int>)F("nvrtcGetProgramLog"))(program, to));
        Assert.True(status == 0, Encoding.UTF8.GetString(log));
        Assert.Equal(0, ((delegate* unmanaged[Cdecl]<nint, nuint*, int>)F("nvrtcGetCUBINSize"))(program, &size));
        byte[] image = new byte[size];
        fixed (byte* to = image)
            Assert.Equal(0, ((delegate* unmanaged[Cdecl]<nint, byte*, int>)F("nvrtcGetCUBIN"))(program, to));
        Assert.Equal(0, ((delegate* unmanaged[Cdecl]<nint*, int>)F("nvrtcDestroyProgram"))(&program));
        return image;
    }
}
