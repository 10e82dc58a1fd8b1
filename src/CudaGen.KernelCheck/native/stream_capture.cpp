// stream_capture.cpp - what stream capture records, and what it forbids.
//
// The rules are those of the CUDA programming guide, "Creating a graph using stream capture", and of
// cuThreadExchangeStreamCaptureMode: a forbidden call fails, and the capture that it would have spoilt is invalidated;
// a capture that is invalidated stays so until cuStreamEndCapture, which then gives no graph.
#include "stream_state.h"
#include <algorithm>

namespace emu
{

namespace
{

std::vector<std::shared_ptr<Capture>>& captures() // that have not ended
{
    static auto& all = *new std::vector<std::shared_ptr<Capture>>;
    return all;
}

void join(Capture& capture, const std::shared_ptr<Capture>& shared, const std::shared_ptr<Stream>& stream)
{
    stream->capture = shared;
    stream->frontier.clear();
    capture.streams.push_back(stream);
}

// All streams leave capture mode.
void end(const std::shared_ptr<Capture>& capture)
{
    for (const auto& stream : capture->streams)
    {
        stream->capture.reset();
        stream->frontier.clear();
    }
    capture->streams.clear();
    capture->origin.reset();
    capture->ended = true;
    captures().erase(std::find(captures().begin(), captures().end(), capture));
}

void depend(std::vector<size_t>& frontier, const std::vector<size_t>& more)
{
    for (size_t node : more)
        if (std::find(frontier.begin(), frontier.end(), node) == frontier.end())
            frontier.push_back(node);
}

// Whether every node comes before the end of the origin: what does not, is work that was forked off and never joined.
bool joined(const std::vector<Node>& nodes, const std::vector<size_t>& frontier)
{
    std::vector<bool> seen(nodes.size());
    std::vector<size_t> stack = frontier;
    size_t count = 0;
    while (!stack.empty())
    {
        size_t node = stack.back();
        stack.pop_back();
        if (seen[node])
            continue;
        seen[node] = true;
        ++count;
        stack.insert(stack.end(), nodes[node].after.begin(), nodes[node].after.end());
    }
    return count == nodes.size();
}

// Invalidates the captures for which `concerned` holds; whether there was one.
template <class Predicate> bool invalidate_if(Predicate concerned)
{
    bool any = false;
    for (const auto& capture : captures())
        if (concerned(*capture))
        {
            capture->invalidated = true;
            any = true;
        }
    return any;
}

} // namespace

CUstreamCaptureMode& thread_capture_mode()
{
    thread_local CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    return mode;
}

void invalidate(Capture& capture)
{
    capture.invalidated = true;
}

int refuse_unsafe()
{
    CUstreamCaptureMode own = thread_capture_mode();
    if (own == CU_STREAM_CAPTURE_MODE_RELAXED)
        return CUDA_SUCCESS;
    bool refused = invalidate_if([own](const Capture& capture) {
        if (capture.thread == std::this_thread::get_id())
            return capture.mode != CU_STREAM_CAPTURE_MODE_RELAXED;
        return capture.mode == CU_STREAM_CAPTURE_MODE_GLOBAL && own == CU_STREAM_CAPTURE_MODE_GLOBAL;
    });
    return refused ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
}

int refuse_capturing(const Stream& stream)
{
    if (!stream.capture)
        return CUDA_SUCCESS;
    if (stream.capture->invalidated)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    stream.capture->invalidated = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

int refuse_context(const Context* context)
{
    bool refused = invalidate_if([context](const Capture& capture) { return capture.origin->context == context; });
    return refused ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
}

int refuse_implicit(const Context* context)
{
    bool refused = invalidate_if([context](const Capture& capture) {
        return std::any_of(capture.streams.begin(), capture.streams.end(),
                           [context](const std::shared_ptr<Stream>& stream) {
                               return stream->context == context && stream->blocking;
                           });
    });
    return refused ? CUDA_ERROR_STREAM_CAPTURE_IMPLICIT : CUDA_SUCCESS;
}

bool capturing_anywhere()
{
    std::lock_guard<std::recursive_mutex> lock(driver_lock());
    return std::any_of(captures().begin(), captures().end(), [](const std::shared_ptr<Capture>& capture) {
        return capture->mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
    });
}

int begin_capture(CUstream handle, CUstreamCaptureMode mode)
{
    std::shared_ptr<Stream> stream;
    if (int status = find_stream(handle, stream))
        return status;
    if (stream == stream->context->legacy)
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture)
        return CUDA_ERROR_ILLEGAL_STATE;
    auto capture = std::make_shared<Capture>();
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    capture->origin = stream;
    join(*capture, capture, stream);
    captures().push_back(capture);
    return CUDA_SUCCESS;
}

int end_capture(CUstream handle, void** graph)
{
    *graph = nullptr;
    std::shared_ptr<Stream> stream;
    if (int status = find_stream(handle, stream))
        return status;
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture)
        return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != stream)
    {
        invalidate(*capture);
        return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    }
    if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && capture->thread != std::this_thread::get_id())
    {
        invalidate(*capture);
        return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    }
    std::vector<size_t> frontier = stream->frontier;
    end(capture);
    if (capture->invalidated)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!joined(capture->nodes, frontier))
        return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    auto result = std::make_shared<Graph>();
    result->nodes = std::make_shared<const std::vector<Node>>(std::move(capture->nodes));
    *graph = add(result, stream->context);
    return CUDA_SUCCESS;
}

int capture_status(CUstream handle, CUstreamCaptureStatus* status)
{
    std::shared_ptr<Stream> stream;
    if (int error = find_stream(handle, stream))
        return error;
    // Asking the legacy stream is refused as its use is, but harms no capture.
    if (stream == stream->context->legacy)
        for (const auto& capture : captures())
            for (const auto& other : capture->streams)
                if (other->context == stream->context && other->blocking)
                    return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    *status = !stream->capture               ? CU_STREAM_CAPTURE_STATUS_NONE
              : stream->capture->invalidated ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                             : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
}

// The stream's capture has no way to end any more when the stream began it.
void leave_capture(const std::shared_ptr<Stream>& stream)
{
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture)
        return;
    capture->invalidated = true;
    if (capture->origin == stream)
        end(capture);
    else
        capture->streams.erase(std::find(capture->streams.begin(), capture->streams.end(), stream));
    stream->capture.reset();
}

int capture_node(Stream& stream, const char* what, std::function<Status()> work)
{
    Capture& capture = *stream.capture;
    if (capture.invalidated)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    capture.nodes.push_back({what, std::move(work), stream.frontier});
    stream.frontier = {capture.nodes.size() - 1};
    return CUDA_SUCCESS;
}

// A wait in which the stream or the event belongs to a capture: it may bring the stream into the event's capture, and
// must not tie captured work to other work.
int capture_wait(const std::shared_ptr<Stream>& stream, Event& event)
{
    if (stream->capture && stream->capture->invalidated)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!event.capture)
    {
        invalidate(*stream->capture);
        return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    }
    if (event.capture->ended)
    {
        if (stream->capture)
            invalidate(*stream->capture);
        return CUDA_ERROR_CAPTURED_EVENT;
    }
    if (event.capture->invalidated)
        return CUDA_ERROR_INVALID_VALUE;
    if (!stream->capture)
    {
        if (stream == stream->context->legacy)
        {
            invalidate(*event.capture);
            return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
        join(*event.capture, event.capture, stream);
    }
    else if (stream->capture != event.capture)
    {
        invalidate(*stream->capture);
        invalidate(*event.capture);
        return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    }
    depend(stream->frontier, event.frontier);
    return CUDA_SUCCESS;
}

} // namespace emu
