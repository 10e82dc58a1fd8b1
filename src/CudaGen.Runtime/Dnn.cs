using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Runtime;

/// <summary>cuDNN on the stream of a context. What a convolution needs prepared belongs to its plan.</summary>
internal sealed class Dnn : IDisposable
{
    private readonly CudaContext _cuda;
    private readonly cudnnHandle_t _handle;

    internal Dnn(CudaContext cuda)
    {
        _cuda = cuda;
        // cuDNN 8 counts major versions in thousands, later ones in ten thousands.
        int version = (int)CuDnn.cudnnGetVersion(), major = version < 10000 ? version / 1000 : version / 10000;
        Version = $"{major}.{version / 100 % (version < 10000 ? 10 : 100)}";
        Check(CuDnn.cudnnCreate(out _handle));
        try
        {
            Check(CuDnn.cudnnSetStream(_handle, cuda.Stream));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Such as <c>9.13</c>.</summary>
    internal string Version { get; }

    /// <inheritdoc cref="Device.Profile"/>
    internal DeviceProfile? Profile => _cuda.Profile;

    /// <summary>The handle, with its context made current on this thread.</summary>
    internal cudnnHandle_t Enter()
    {
        _cuda.Enter();
        return _handle;
    }

    public void Dispose() => _ = CuDnn.cudnnDestroy(_handle);
}
