using System.Runtime.InteropServices;
using CudaGen.Runtime.Native;

namespace CudaGen.Runtime.Tests;

public sealed unsafe class KernelArgumentTests
{
    private static void Expect<T>(KernelArgument argument, T value) where T : unmanaged
    {
        Assert.Equal(sizeof(T), argument.Size);
        // cuLaunchKernel is given the address of the argument itself.
        Assert.Equal(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), new ReadOnlySpan<byte>(&argument, sizeof(T)));
    }

    [Fact]
    public void An_argument_starts_with_the_bytes_of_its_value()
    {
        Expect(-0x01020304, -0x01020304);
        Expect(0xF1020304u, 0xF1020304u);
        Expect(-0x0102030405060708L, -0x0102030405060708L);
        Expect(0xF102030405060708UL, 0xF102030405060708UL);
        Expect(-1.5f, -1.5f);
        Expect(1e300, 1e300);
        Expect(nint.MinValue + 3, nint.MinValue + 3);
        Expect(KernelArgument.Of((sbyte)-3), (sbyte)-3);
        Expect(KernelArgument.Of((byte)0xF1), (byte)0xF1);
        Expect(KernelArgument.Of((short)-300), (short)-300);
        Expect(KernelArgument.Of((ushort)0xF102), (ushort)0xF102);
        Expect(KernelArgument.Of((Half)(-0.5f)), (Half)(-0.5f));
        Expect(KernelArgument.Of((1f, 2f)), (1f, 2f));
    }

    [Fact]
    public void Tensors_and_buffers_are_pointers()
    {
        Tensor tensor = new(0x1000, new Shape(3), DeviceKind.Cuda);
        Tensor? none = null;
        Expect(tensor, (nint)0x1000);
        Expect((Tensor?)tensor, (nint)0x1000);
        Expect(none, (nint)0);
        Expect(new Buffer<byte>(0x2000, 1, DeviceKind.Cuda), (nint)0x2000);
    }

    [Fact]
    public void More_than_8_bytes_are_refused()
        => Assert.Contains("16", Assert.Throws<ArgumentException>(() => KernelArgument.Of(1m)).Message, StringComparison.Ordinal);

    [Fact]
    public void Handles_have_the_sizes_of_NVIDIA_s()
    {
        // typedef int CUdevice; unsigned long long CUdeviceptr on 64-bit systems; the others are pointers.
        Assert.Equal(4, sizeof(CUdevice));
        Assert.Equal(8, sizeof(CUdeviceptr));
        Assert.Equal([8, 8, 8, 8, 8, 8, 8, 8], new[] { sizeof(CUcontext), sizeof(CUstream), sizeof(CUevent), sizeof(CUmodule), sizeof(CUfunction),
            sizeof(CUgraph), sizeof(CUgraphExec), sizeof(nvrtcProgram) });
        // C enumerations are ints.
        Assert.Equal([4, 4, 4, 4, 4, 4], new[] { sizeof(CUresult), sizeof(CUdevice_attribute), sizeof(CUstream_flags), sizeof(CUevent_flags),
            sizeof(CUstreamCaptureMode), sizeof(nvrtcResult) });
    }
}
