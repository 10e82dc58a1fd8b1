// stream_event.cpp - events: what a stream had been given when they were recorded.
#include "stream_state.h"

namespace emu
{

int record_event(const std::shared_ptr<Event>& event, CUstream handle)
{
    std::shared_ptr<Stream> stream;
    if (int status = find_stream(handle, stream))
        return status;
    if (stream->context != event->context)
        return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture)
    {
        if (stream->capture->invalidated)
            return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        event->capture = stream->capture;
        event->frontier = stream->frontier;
        return CUDA_SUCCESS;
    }
    if (stream == stream->context->legacy)
        if (int status = refuse_implicit(stream->context))
            return status;
    auto record = std::make_shared<Event::Record>();
    append(stream, "cuEventRecord", [record] {
        record->time = std::chrono::steady_clock::now();
        return Success;
    });
    record->mark = {stream, stream->given()};
    event->record = record;
    event->capture.reset();
    return CUDA_SUCCESS;
}

int wait_event(CUstream handle, const std::shared_ptr<Event>& event)
{
    std::shared_ptr<Stream> stream;
    if (int status = find_stream(handle, stream))
        return status;
    if (stream->capture || event->capture)
        return capture_wait(stream, *event);
    if (stream == stream->context->legacy)
        if (int status = refuse_implicit(stream->context))
            return status;
    // An event that was never recorded stands for no work.
    if (!event->record || event->record->mark.reached())
        return CUDA_SUCCESS;
    return append(stream, "cuStreamWaitEvent", [] { return Success; }, {event->record->mark});
}

namespace
{

// An event of a capture stands for nodes, not for work that will be done.
int refuse_captured(const Event& event)
{
    if (!event.capture)
        return refuse_unsafe();
    invalidate(*event.capture);
    return CUDA_ERROR_CAPTURED_EVENT;
}

} // namespace

int synchronize_event(const std::shared_ptr<Event>& event)
{
    if (int status = refuse_captured(*event))
        return status;
    return event->record ? run_until(event->record->mark) : int(sticky_status());
}

int query_event(const std::shared_ptr<Event>& event)
{
    if (int status = refuse_captured(*event))
        return status;
    if (!event->record || event->record->mark.reached())
        return sticky_status();
    int status = run_until(event->record->mark);
    return status != CUDA_SUCCESS ? status : CUDA_ERROR_NOT_READY;
}

int elapsed_time(const Event& start, const Event& end, float* milliseconds)
{
    for (const Event* event : {&start, &end})
        if (event->capture)
            return CUDA_ERROR_CAPTURED_EVENT;
    for (const Event* event : {&start, &end})
        if (!event->timing || !event->record)
            return CUDA_ERROR_INVALID_HANDLE;
    for (const Event* event : {&start, &end})
        if (!event->record->mark.reached())
            return CUDA_ERROR_NOT_READY;
    *milliseconds = std::chrono::duration<float, std::milli>(end.record->time - start.record->time).count();
    return CUDA_SUCCESS;
}

} // namespace emu
