// libcuda_stream.cpp - streams, stream capture, events, host functions.
#include "libcuda.h"

using namespace driver;

namespace
{

// A body for an existing event.
template <class Body> int of_event(CUevent handle, Body body)
{
    std::shared_ptr<emu::Event> event = emu::find_handle<emu::Event>(handle);
    return event ? int(body(event)) : CUDA_ERROR_INVALID_HANDLE;
}

// A wait for a stream or a look at it, which a capture in the way forbids.
template <class Body> int of_idle_stream(CUstream handle, Body body)
{
    std::shared_ptr<emu::Stream> stream;
    if (int status = emu::find_stream(handle, stream))
        return status;
    if (int refused = emu::refuse_capturing(*stream))
        return refused;
    if (stream == stream->context->legacy)
        if (int refused = emu::refuse_implicit(stream->context))
            return refused;
    if (int refused = emu::refuse_unsafe())
        return refused;
    return body(stream);
}

CUresult create(const char* name, CUstream* phStream, unsigned flags)
{
    return enter(name, Needs::Work, [&](emu::Context* context) {
        if (!phStream || flags > CU_STREAM_NON_BLOCKING)
            return int(CUDA_ERROR_INVALID_VALUE);
        return emu::create_stream(context, flags == CU_STREAM_DEFAULT, reinterpret_cast<void**>(phStream));
    });
}

CUresult elapsed(const char* name, float* pMilliseconds, CUevent hStart, CUevent hEnd)
{
    return enter(name, Needs::Work, [&] {
        if (!pMilliseconds)
            return int(CUDA_ERROR_INVALID_VALUE);
        return of_event(hStart, [&](const std::shared_ptr<emu::Event>& start) {
            return of_event(hEnd, [&](const std::shared_ptr<emu::Event>& end) {
                return emu::elapsed_time(*start, *end, pMilliseconds);
            });
        });
    });
}

} // namespace

CUDA_API CUresult cuStreamCreate(CUstream* phStream, unsigned Flags)
{
    return create("cuStreamCreate", phStream, Flags);
}

// A priority is a hint; which work overtakes which is chosen by the settings here.
CUDA_API CUresult cuStreamCreateWithPriority(CUstream* phStream, unsigned flags, int)
{
    return create("cuStreamCreateWithPriority", phStream, flags);
}

CUDA_API CUresult cuStreamDestroy_v2(CUstream hStream)
{
    return enter("cuStreamDestroy_v2", Needs::Context, [&] { return emu::destroy_stream(hStream); });
}

CUDA_API CUresult cuStreamSynchronize(CUstream hStream)
{
    return enter("cuStreamSynchronize", Needs::Work, [&] { return of_idle_stream(hStream, emu::synchronize); });
}

CUDA_API CUresult cuStreamQuery(CUstream hStream)
{
    return enter("cuStreamQuery", Needs::Work, [&] { return of_idle_stream(hStream, emu::query); });
}

CUDA_API CUresult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned Flags)
{
    return enter("cuStreamWaitEvent", Needs::Work, [&] {
        if (Flags != 0) // events of another graph, which a capture could wait for, are not part of the stand-in
            return int(CUDA_ERROR_INVALID_VALUE);
        return of_event(hEvent,
                        [&](const std::shared_ptr<emu::Event>& event) { return emu::wait_event(hStream, event); });
    });
}

CUDA_API CUresult cuStreamBeginCapture_v2(CUstream hStream, CUstreamCaptureMode mode)
{
    return enter("cuStreamBeginCapture_v2", Needs::Work, [&] {
        if (mode < CU_STREAM_CAPTURE_MODE_GLOBAL || mode > CU_STREAM_CAPTURE_MODE_RELAXED)
            return int(CUDA_ERROR_INVALID_VALUE);
        return emu::begin_capture(hStream, mode);
    });
}

CUDA_API CUresult cuStreamEndCapture(CUstream hStream, CUgraph* phGraph)
{
    return enter("cuStreamEndCapture", Needs::Context, [&] {
        if (!phGraph)
            return int(CUDA_ERROR_INVALID_VALUE);
        return emu::end_capture(hStream, reinterpret_cast<void**>(phGraph));
    });
}

CUDA_API CUresult cuStreamIsCapturing(CUstream hStream, CUstreamCaptureStatus* captureStatus)
{
    return enter("cuStreamIsCapturing", Needs::Work, [&] {
        if (!captureStatus)
            return int(CUDA_ERROR_INVALID_VALUE);
        return emu::capture_status(hStream, captureStatus);
    });
}

CUDA_API CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode)
{
    return enter("cuThreadExchangeStreamCaptureMode", Needs::Init, [&] {
        if (!mode || *mode < CU_STREAM_CAPTURE_MODE_GLOBAL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED)
            return CUDA_ERROR_INVALID_VALUE;
        std::swap(*mode, emu::thread_capture_mode());
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuLaunchHostFunc(CUstream hStream, CUhostFn fn, void* userData)
{
    return enter("cuLaunchHostFunc", Needs::Work, [&] {
        if (!fn)
            return int(CUDA_ERROR_INVALID_VALUE);
        return emu::enqueue(hStream, "cuLaunchHostFunc", [fn, userData] {
            emu::in_host_function() = true;
            fn(userData);
            emu::in_host_function() = false;
            return emu::Success;
        });
    });
}

CUDA_API CUresult cuEventCreate(CUevent* phEvent, unsigned Flags)
{
    return enter("cuEventCreate", Needs::Work, [&](emu::Context* context) {
        constexpr unsigned All = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;
        bool timing = (Flags & CU_EVENT_DISABLE_TIMING) == 0;
        if (!phEvent || Flags > All || ((Flags & CU_EVENT_INTERPROCESS) != 0 && timing))
            return CUDA_ERROR_INVALID_VALUE;
        auto event = std::make_shared<emu::Event>();
        event->timing = timing;
        *phEvent = static_cast<CUevent>(emu::add(event, context));
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuEventDestroy_v2(CUevent hEvent)
{
    return enter("cuEventDestroy_v2", Needs::Context, [&] {
        return of_event(hEvent, [&](const std::shared_ptr<emu::Event>&) {
            emu::remove_object(hEvent);
            return CUDA_SUCCESS;
        });
    });
}

CUDA_API CUresult cuEventRecord(CUevent hEvent, CUstream hStream)
{
    return enter("cuEventRecord", Needs::Work, [&] {
        return of_event(hEvent,
                        [&](const std::shared_ptr<emu::Event>& event) { return emu::record_event(event, hStream); });
    });
}

CUDA_API CUresult cuEventSynchronize(CUevent hEvent)
{
    return enter("cuEventSynchronize", Needs::Work, [&] { return of_event(hEvent, emu::synchronize_event); });
}

CUDA_API CUresult cuEventQuery(CUevent hEvent)
{
    return enter("cuEventQuery", Needs::Work, [&] { return of_event(hEvent, emu::query_event); });
}

CUDA_API CUresult cuEventElapsedTime(float* pMilliseconds, CUevent hStart, CUevent hEnd)
{
    return elapsed("cuEventElapsedTime", pMilliseconds, hStart, hEnd);
}

CUDA_API CUresult cuEventElapsedTime_v2(float* pMilliseconds, CUevent hStart, CUevent hEnd)
{
    return elapsed("cuEventElapsedTime_v2", pMilliseconds, hStart, hEnd);
}
