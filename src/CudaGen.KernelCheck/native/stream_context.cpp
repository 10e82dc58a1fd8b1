// stream_context.cpp - contexts: the primary one, foreign ones, and which of them is current to a thread.
#include "stream_state.h"

namespace emu
{

void remove_objects_of(const Context* context);

namespace
{

Context* add_context(bool primary)
{
    auto context = std::make_shared<Context>();
    context->primary = primary;
    add(context, context.get());
    return context.get();
}

} // namespace

Context* primary_context()
{
    static Context* primary = add_context(true);
    return primary;
}

Context* create_context()
{
    Context* context = add_context(false);
    activate(context);
    return context;
}

void activate(Context* context)
{
    if (context->active)
        return;
    context->active = true;
    context->legacy = std::make_shared<Stream>();
    context->legacy->context = context;
}

void destroy_context(Context* context)
{
    for (const auto& stream : context->streams)
        leave_capture(stream);
    remove_objects_of(context);
    for (const auto& allocation : context->allocations)
        release(allocation.first, allocation.second);
    context->allocations.clear();
    // Work that nobody waited for does not run any more.
    for (const auto& stream : context->streams)
        stream->drop_pending();
    context->legacy->drop_pending();
    context->streams.clear();
    context->per_thread.clear();
    context->legacy.reset();
    context->active = false;
    if (!context->primary)
        remove_object(context->handle);
}

namespace
{
size_t memory = size_t(8) << 30;
}

size_t device_memory()
{
    return memory;
}

void set_device_memory(size_t bytes)
{
    memory = bytes;
    set_memory_limit(bytes);
}

std::vector<CUcontext>& context_stack()
{
    thread_local std::vector<CUcontext> stack;
    return stack;
}

int current_context(Context*& context)
{
    if (context_stack().empty())
        return CUDA_ERROR_INVALID_CONTEXT;
    context = find_handle<Context>(context_stack().back()).get();
    return context && context->active ? CUDA_SUCCESS : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

} // namespace emu
