// stream.cpp - streams: work that waits until the host waits for it.
#include "stream_state.h"
#include <algorithm>
#include <random>

namespace emu
{

namespace
{

// Everything that a wait for the context waits for, in the order of the settings: streams are free to overtake each
// other.
std::vector<std::shared_ptr<Stream>> streams_in_order(const Context& context)
{
    std::vector<std::shared_ptr<Stream>> streams = context.streams;
    streams.insert(streams.begin(), context.legacy);
    if (settings().order == Order::Descending)
        std::reverse(streams.begin(), streams.end());
    else if (settings().order == Order::Random)
    {
        static uint64_t round = 0;
        std::mt19937_64 random(settings().seed + round++);
        std::shuffle(streams.begin(), streams.end(), random);
    }
    return streams;
}

void forget_finished(Context& context)
{
    auto finished = [](const std::shared_ptr<Stream>& stream) { return stream->closed && stream->pending.empty(); };
    context.streams.erase(std::remove_if(context.streams.begin(), context.streams.end(), finished),
                          context.streams.end());
}

// Runs the first operation of a stream, unless an error came before: then nothing runs any more.
void run_first(Stream& stream)
{
    Operation operation = std::move(stream.pending.front());
    stream.pending.pop_front();
    ++stream.done;
    if (sticky_status() != Success)
        return;
    Status status = OutOfMemory;
    try
    {
        status = operation.work();
    }
    catch (const std::bad_alloc&)
    {
    }
    if (status != Success && sticky_status() == Success)
        report(status, std::string(operation.what) + ": failed with status " + std::to_string(status));
}

} // namespace

int create_stream(Context* context, bool blocking, void** handle)
{
    auto stream = std::make_shared<Stream>();
    stream->blocking = blocking;
    *handle = add(stream, context);
    context->streams.push_back(std::move(stream));
    return CUDA_SUCCESS;
}

int destroy_stream(CUstream handle)
{
    std::shared_ptr<Stream> stream = find_handle<Stream>(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    leave_capture(stream);
    stream->closed = true;
    remove_object(handle);
    forget_finished(*stream->context);
    return CUDA_SUCCESS;
}

int find_stream(CUstream handle, std::shared_ptr<Stream>& stream)
{
    if (handle != nullptr && handle != CU_STREAM_LEGACY && handle != CU_STREAM_PER_THREAD)
    {
        stream = find_handle<Stream>(handle);
        return stream ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
    }
    Context* context;
    if (int status = current_context(context))
        return status;
    stream = context->legacy;
    if (handle == CU_STREAM_PER_THREAD)
    {
        std::shared_ptr<Stream>& own = context->per_thread[std::this_thread::get_id()];
        if (!own)
        {
            own = std::make_shared<Stream>();
            own->context = context;
            context->streams.push_back(own);
        }
        stream = own;
    }
    return CUDA_SUCCESS;
}

std::vector<Mark> awaited(const std::shared_ptr<Stream>& stream)
{
    std::vector<Mark> marks;
    if (stream == stream->context->legacy)
        for (const auto& other : stream->context->streams)
            if (other->blocking && !other->pending.empty())
                marks.push_back({other, other->given()});
    marks.push_back({stream, stream->given()});
    return marks;
}

int append(const std::shared_ptr<Stream>& stream, const char* what, std::function<Status()> work,
           std::vector<Mark> after)
{
    const std::shared_ptr<Stream>& legacy = stream->context->legacy;
    if (stream == legacy)
    {
        std::vector<Mark> all = awaited(stream);
        after.insert(after.end(), all.begin(), all.end() - 1);
    }
    else if (stream->blocking && !legacy->pending.empty())
        after.push_back({legacy, legacy->given()});
    stream->pending.push_back({what, std::move(work), std::move(after)});
    return CUDA_SUCCESS;
}

int enqueue(CUstream handle, const char* what, std::function<Status()> work)
{
    std::lock_guard<std::recursive_mutex> lock(driver_lock());
    std::shared_ptr<Stream> stream;
    if (int status = find_stream(handle, stream))
        return status;
    if (sticky_status() != Success)
        return sticky_status();
    if (stream->capture)
        return capture_node(*stream, what, std::move(work));
    if (stream == stream->context->legacy)
        if (int status = refuse_implicit(stream->context))
            return status;
    return append(stream, what, std::move(work));
}

int run_until(const Mark& mark)
{
    std::vector<Mark> stack = {mark};
    while (!stack.empty())
    {
        Mark next = stack.back();
        if (next.reached())
        {
            stack.pop_back();
            continue;
        }
        const std::vector<Mark>& after = next.stream->pending.front().after;
        auto missing = std::find_if(after.begin(), after.end(), [](const Mark& before) { return !before.reached(); });
        if (missing != after.end())
            stack.push_back(*missing);
        else
            run_first(*next.stream);
    }
    return sticky_status();
}

int synchronize(const std::shared_ptr<Stream>& stream)
{
    for (const Mark& mark : awaited(stream))
        run_until(mark);
    forget_finished(*stream->context);
    return sticky_status();
}

// A poll that finds work runs it and says "not ready": the next one says "ready".
int query(const std::shared_ptr<Stream>& stream)
{
    std::vector<Mark> marks = awaited(stream);
    bool ready = std::all_of(marks.begin(), marks.end(), [](const Mark& mark) { return mark.reached(); });
    if (ready)
        return sticky_status();
    int status = synchronize(stream);
    return status != CUDA_SUCCESS ? status : CUDA_ERROR_NOT_READY;
}

int synchronize_context(Context* context)
{
    for (const auto& stream : streams_in_order(*context))
        run_until({stream, stream->given()});
    forget_finished(*context);
    return sticky_status();
}

int run_synchronously(const char* what, bool wait, std::function<Status()> work)
{
    Context* context;
    if (int status = current_context(context))
        return status;
    if (int status = refuse_implicit(context))
        return status;
    if (int status = refuse_unsafe())
        return status;
    append(context->legacy, what, std::move(work));
    return wait ? run_until({context->legacy, context->legacy->given()}) : int(sticky_status());
}

bool& in_host_function()
{
    thread_local bool inside = false;
    return inside;
}

bool capturing(CUstream handle)
{
    std::lock_guard<std::recursive_mutex> lock(driver_lock());
    std::shared_ptr<Stream> stream;
    return find_stream(handle, stream) == CUDA_SUCCESS && stream->capture;
}

} // namespace emu
