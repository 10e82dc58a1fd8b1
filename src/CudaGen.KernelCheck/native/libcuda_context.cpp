// libcuda_context.cpp - the primary context, contexts of others, and the stack of current ones.
#include "libcuda.h"

using namespace driver;

namespace
{

constexpr unsigned AllContextFlags = 0xff;

CUcontext handle_of(const emu::Context* context)
{
    return static_cast<CUcontext>(context->handle);
}

std::shared_ptr<emu::Context> find_context(CUcontext handle)
{
    return emu::find_handle<emu::Context>(handle);
}

// A body for the primary context of device 0.
template <class Body> CUresult of_primary(const char* name, CUdevice device, Body body)
{
    return enter(name, Needs::Init, [&] {
        if (device != 0)
            return CUDA_ERROR_INVALID_DEVICE;
        return body(*emu::primary_context());
    });
}

} // namespace

CUDA_API CUresult cuDevicePrimaryCtxRetain(CUcontext* pctx, CUdevice dev)
{
    return of_primary("cuDevicePrimaryCtxRetain", dev, [&](emu::Context& context) {
        if (!pctx)
            return CUDA_ERROR_INVALID_VALUE;
        emu::activate(&context);
        ++context.retained;
        *pctx = handle_of(&context);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev)
{
    return of_primary("cuDevicePrimaryCtxRelease_v2", dev, [&](emu::Context& context) {
        if (context.retained == 0)
            return CUDA_ERROR_INVALID_CONTEXT;
        if (--context.retained == 0 && context.active)
            emu::destroy_context(&context);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned* flags, int* active)
{
    return of_primary("cuDevicePrimaryCtxGetState", dev, [&](emu::Context& context) {
        if (!flags || !active)
            return CUDA_ERROR_INVALID_VALUE;
        *flags = 0;
        *active = context.active;
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuDevicePrimaryCtxReset_v2(CUdevice dev)
{
    return of_primary("cuDevicePrimaryCtxReset_v2", dev, [&](emu::Context& context) {
        if (context.active)
            emu::destroy_context(&context);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuCtxCreate_v2(CUcontext* pctx, unsigned flags, CUdevice dev)
{
    return of_primary("cuCtxCreate_v2", dev, [&](emu::Context&) {
        if (!pctx || flags > AllContextFlags)
            return CUDA_ERROR_INVALID_VALUE;
        *pctx = handle_of(emu::create_context());
        emu::context_stack().push_back(*pctx);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuCtxDestroy_v2(CUcontext ctx)
{
    return enter("cuCtxDestroy_v2", Needs::Init, [&] {
        std::shared_ptr<emu::Context> context = find_context(ctx);
        if (!context || context->primary)
            return CUDA_ERROR_INVALID_CONTEXT;
        emu::destroy_context(context.get());
        if (!emu::context_stack().empty() && emu::context_stack().back() == ctx)
            emu::context_stack().pop_back();
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuCtxGetCurrent(CUcontext* pctx)
{
    return enter("cuCtxGetCurrent", Needs::Init, [&] {
        if (!pctx)
            return CUDA_ERROR_INVALID_VALUE;
        *pctx = emu::context_stack().empty() ? nullptr : emu::context_stack().back();
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuCtxSetCurrent(CUcontext ctx)
{
    return enter("cuCtxSetCurrent", Needs::Init, [&] {
        if (ctx && !find_context(ctx))
            return CUDA_ERROR_INVALID_CONTEXT;
        if (!emu::context_stack().empty())
            emu::context_stack().pop_back();
        if (ctx)
            emu::context_stack().push_back(ctx);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuCtxPushCurrent_v2(CUcontext ctx)
{
    return enter("cuCtxPushCurrent_v2", Needs::Init, [&] {
        if (!find_context(ctx))
            return CUDA_ERROR_INVALID_CONTEXT;
        emu::context_stack().push_back(ctx);
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuCtxPopCurrent_v2(CUcontext* pctx)
{
    return enter("cuCtxPopCurrent_v2", Needs::Init, [&] {
        if (!pctx)
            return CUDA_ERROR_INVALID_VALUE;
        if (emu::context_stack().empty())
            return CUDA_ERROR_INVALID_CONTEXT;
        *pctx = emu::context_stack().back();
        emu::context_stack().pop_back();
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuCtxSynchronize(void)
{
    return enter("cuCtxSynchronize", Needs::Work, [](emu::Context* context) {
        int refused = emu::refuse_context(context);
        return refused ? refused : emu::synchronize_context(context);
    });
}

CUDA_API CUresult cuCtxGetDevice(CUdevice* device)
{
    return enter("cuCtxGetDevice", Needs::Context, [&] {
        if (!device)
            return CUDA_ERROR_INVALID_VALUE;
        *device = 0;
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuCtxGetApiVersion(CUcontext ctx, unsigned* version)
{
    return enter("cuCtxGetApiVersion", Needs::Init, [&] {
        emu::Context* current;
        if (!version)
            return CUDA_ERROR_INVALID_VALUE;
        if (ctx ? !find_context(ctx) : emu::current_context(current) != CUDA_SUCCESS)
            return CUDA_ERROR_INVALID_CONTEXT;
        *version = 3020; // of contexts that cuCtxCreate_v2 makes
        return CUDA_SUCCESS;
    });
}
