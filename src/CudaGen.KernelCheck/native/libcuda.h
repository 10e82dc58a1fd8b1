// libcuda.h - what the files of the stand-in for libcuda.so.1 share: the way into every function.
#pragma once
#include "stream_state.h"
#include <new>

#define CUDA_API extern "C" __attribute__((visibility("default")))

namespace driver
{

// What a function wants before it does anything.
enum class Needs
{
    Nothing,
    Init,    // cuInit
    Context, // a current context: also after an error that sticks, so that everything can be given back
    Work,    // and no error that sticks
};

bool& initialised();

// Every exported function: counts the call, fails on demand, takes the lock, checks what the function needs. `body`
// gets nothing or the current context.
template <class Body> CUresult enter(const char* name, Needs needs, Body body)
{
    if (int status = emu::call(name))
        return CUresult(status);
    if (emu::in_host_function())
        return CUDA_ERROR_NOT_PERMITTED;
    std::lock_guard<std::recursive_mutex> lock(emu::driver_lock());
    if (needs != Needs::Nothing && !initialised())
        return CUDA_ERROR_NOT_INITIALIZED;
    emu::Context* context = nullptr;
    if (needs == Needs::Context || needs == Needs::Work)
        if (int status = emu::current_context(context))
            return CUresult(status);
    if (needs == Needs::Work && emu::sticky_status() != emu::Success)
        return CUresult(emu::sticky_status());
    try
    {
        if constexpr (std::is_invocable_v<Body>)
            return CUresult(body());
        else
            return CUresult(body(context));
    }
    catch (const std::bad_alloc&)
    {
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
}

} // namespace driver
