using CudaGen.Runtime.Native;
using static CudaGen.Runtime.Native.Status;

namespace CudaGen.Runtime;

/// <summary>A point in the work of a CUDA device: to wait for, or to measure the time between two of them.</summary>
public sealed class CudaEvent : IDisposable
{
    private readonly Device _device;
    private readonly CudaContext _context;
    private CUevent _event;

    /// <exception cref="DeviceException">The device is no GPU.</exception>
    public CudaEvent(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        (_device, _context) = (device, device.RequireCuda("an event"));
        _context.Enter();
        Check(Cuda.cuEventCreate(out _event, CUevent_flags.CU_EVENT_DEFAULT));
        device.Attach();
        LiveObjects.Add(LiveObject.Event);
    }

    /// <summary>Moves the event to after all that the device was given so far.</summary>
    public void Record()
    {
        _context.Enter();
        Check(Cuda.cuEventRecord(_event, _context.Stream));
    }

    /// <summary>Blocks until the device got there.</summary>
    public void Wait() => Check(Cuda.cuEventSynchronize(_event));

    /// <summary>Whether the device got there.</summary>
    public bool IsDone
    {
        get
        {
            CUresult status = Cuda.cuEventQuery(_event);
            if (status != CUresult.CUDA_ERROR_NOT_READY)
                Check(status, "cuEventQuery");
            return status == CUresult.CUDA_SUCCESS;
        }
    }

    /// <summary>Milliseconds from <paramref name="start"/> to this event, to about half a microsecond. Both must be done.</summary>
    public float MillisecondsSince(CudaEvent start)
    {
        ArgumentNullException.ThrowIfNull(start);
        Check(Cuda.cuEventElapsedTime(out float milliseconds, start._event, _event));
        return milliseconds;
    }

    public void Dispose()
    {
        if (_event == default)
            return;
        _ = Cuda.cuEventDestroy_v2(_event);
        _event = default;
        _device.Detach();
        LiveObjects.Remove(LiveObject.Event);
    }
}
