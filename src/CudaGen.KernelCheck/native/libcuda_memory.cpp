// libcuda_memory.cpp - device and pinned memory, and questions about pointers.
#include "libcuda.h"
#include <algorithm>

using namespace driver;

namespace
{

char* address(CUdeviceptr pointer)
{
    return reinterpret_cast<char*>(pointer);
}

// Memory of `space` for the context, or null.
void* allocate(emu::Context* context, size_t size, emu::Space space)
{
    void* base = emu::allocate(size, space);
    if (base)
        context->allocations[base] = space;
    else
        emu::explain(std::to_string(size) + " bytes were asked for; " + std::to_string(emu::bytes_in_use(space)) +
                     " are in use");
    return base;
}

// Does not run work that is pending: what still uses the memory is reported when it runs. CUDA may wait here, a program
// must not count on it.
int free_memory(void* base, emu::Space space)
{
    emu::Free result = emu::release(base, space);
    if (result == emu::Free::NotAllocated)
        return CUDA_ERROR_INVALID_VALUE;
    return result == emu::Free::Overrun ? int(emu::sticky_status()) : CUDA_SUCCESS;
}

int forget_and_free(emu::Context* context, void* base, emu::Space space)
{
    if (int refused = emu::refuse_unsafe())
        return refused;
    int status = free_memory(base, space);
    if (status != CUDA_ERROR_INVALID_VALUE)
        context->allocations.erase(base);
    return status;
}

CUresult allocate_host(const char* name, void** pp, size_t size, unsigned flags)
{
    constexpr unsigned AllFlags = 1 | 2 | 4; // PORTABLE, DEVICEMAP, WRITECOMBINED: all the same here
    return enter(name, Needs::Work, [&](emu::Context* context) {
        if (!pp || size == 0 || flags > AllFlags)
            return int(CUDA_ERROR_INVALID_VALUE);
        if (int refused = emu::refuse_unsafe())
            return refused;
        *pp = allocate(context, size, emu::Space::Pinned);
        return int(*pp ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
    });
}

const emu::Allocation* find_live(const void* pointer)
{
    const emu::Allocation* found = emu::find(pointer);
    return found && !found->freed ? found : nullptr;
}

} // namespace

CUDA_API CUresult cuMemAlloc_v2(CUdeviceptr* dptr, size_t bytesize)
{
    return enter("cuMemAlloc_v2", Needs::Work, [&](emu::Context* context) {
        if (!dptr || bytesize == 0)
            return int(CUDA_ERROR_INVALID_VALUE);
        if (int refused = emu::refuse_unsafe())
            return refused;
        *dptr = reinterpret_cast<CUdeviceptr>(allocate(context, bytesize, emu::Space::Device));
        return int(*dptr ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
    });
}

CUDA_API CUresult cuMemFree_v2(CUdeviceptr dptr)
{
    return enter("cuMemFree_v2", Needs::Context,
                 [&](emu::Context* context) { return forget_and_free(context, address(dptr), emu::Space::Device); });
}

CUDA_API CUresult cuMemGetInfo_v2(size_t* free, size_t* total)
{
    return enter("cuMemGetInfo_v2", Needs::Work, [&] {
        if (!free || !total)
            return CUDA_ERROR_INVALID_VALUE;
        *total = emu::device_memory();
        *free = *total - std::min(*total, emu::bytes_in_use(emu::Space::Device));
        return CUDA_SUCCESS;
    });
}

CUDA_API CUresult cuMemAllocHost_v2(void** pp, size_t bytesize)
{
    return allocate_host("cuMemAllocHost_v2", pp, bytesize, 0);
}

CUDA_API CUresult cuMemHostAlloc(void** pp, size_t bytesize, unsigned Flags)
{
    return allocate_host("cuMemHostAlloc", pp, bytesize, Flags);
}

CUDA_API CUresult cuMemFreeHost(void* p)
{
    return enter("cuMemFreeHost", Needs::Context,
                 [&](emu::Context* context) { return forget_and_free(context, p, emu::Space::Pinned); });
}

CUDA_API CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* pdptr, void* p, unsigned Flags)
{
    return enter("cuMemHostGetDevicePointer_v2", Needs::Work, [&] {
        const emu::Allocation* found = find_live(p);
        if (!pdptr || Flags != 0 || !found || found->space != emu::Space::Pinned)
            return CUDA_ERROR_INVALID_VALUE;
        *pdptr = reinterpret_cast<CUdeviceptr>(p);
        return CUDA_SUCCESS;
    });
}

// The memory is there at once; a program that uses it in another stream too early is not found out.
CUDA_API CUresult cuMemAllocAsync(CUdeviceptr* dptr, size_t bytesize, CUstream hStream)
{
    return enter("cuMemAllocAsync", Needs::Work, [&](emu::Context* context) {
        std::shared_ptr<emu::Stream> stream;
        if (!dptr || bytesize == 0)
            return int(CUDA_ERROR_INVALID_VALUE);
        if (int status = emu::find_stream(hStream, stream))
            return status;
        if (int refused = emu::refuse_capturing(*stream)) // graphs own no memory here
            return refused;
        *dptr = reinterpret_cast<CUdeviceptr>(allocate(context, bytesize, emu::Space::Device));
        return int(*dptr ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
    });
}

CUDA_API CUresult cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream)
{
    return enter("cuMemFreeAsync", Needs::Work, [&](emu::Context* context) {
        std::shared_ptr<emu::Stream> stream;
        if (int status = emu::find_stream(hStream, stream))
            return status;
        if (int refused = emu::refuse_capturing(*stream))
            return refused;
        char* base = address(dptr);
        const emu::Allocation* found = find_live(base);
        if (!found || found->base != base || found->space != emu::Space::Device)
            return int(CUDA_ERROR_INVALID_VALUE);
        return emu::enqueue(hStream, "cuMemFreeAsync", [base, context] {
            context->allocations.erase(base);
            if (free_memory(base, emu::Space::Device) == CUDA_ERROR_INVALID_VALUE)
                emu::report(emu::IllegalAddress, "cuMemFreeAsync: the memory was freed before");
            return emu::sticky_status();
        });
    });
}

CUDA_API CUresult cuPointerGetAttribute(void* data, int attribute, CUdeviceptr ptr)
{
    enum // CUpointer_attribute and CUmemorytype
    {
        CONTEXT = 1,
        MEMORY_TYPE = 2,
        DEVICE_POINTER = 3,
        HOST_POINTER = 4,
        RANGE_START_ADDR = 11,
        RANGE_SIZE = 12,
        CU_MEMORYTYPE_HOST = 1,
        CU_MEMORYTYPE_DEVICE = 2,
    };
    return enter("cuPointerGetAttribute", Needs::Work, [&](emu::Context* context) {
        const emu::Allocation* found = find_live(address(ptr));
        if (!data || !found)
            return CUDA_ERROR_INVALID_VALUE;
        bool pinned = found->space == emu::Space::Pinned;
        if (attribute == CONTEXT)
            *static_cast<CUcontext*>(data) = static_cast<CUcontext>(context->handle);
        else if (attribute == MEMORY_TYPE)
            *static_cast<unsigned*>(data) = pinned ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        else if (attribute == DEVICE_POINTER)
            *static_cast<CUdeviceptr*>(data) = ptr;
        else if (attribute == HOST_POINTER && pinned)
            *static_cast<void**>(data) = address(ptr);
        else if (attribute == RANGE_START_ADDR)
            *static_cast<CUdeviceptr*>(data) = reinterpret_cast<CUdeviceptr>(found->base);
        else if (attribute == RANGE_SIZE)
            *static_cast<size_t*>(data) = found->size;
        else
            return CUDA_ERROR_INVALID_VALUE;
        return CUDA_SUCCESS;
    });
}
