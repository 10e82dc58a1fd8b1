// libcuda_copy.cpp - copies and fills.
//
// When they happen follows "API synchronization behavior" of NVIDIA's documentation, at its least: what may be
// asynchronous is. Ranges are checked when a copy runs, so that a report names the bytes.
#include "libcuda.h"
#include <algorithm>
#include <cstring>

using namespace driver;

namespace
{

char* address(CUdeviceptr pointer)
{
    return reinterpret_cast<char*>(pointer);
}

bool is_in(const void* pointer, emu::Space space)
{
    const emu::Allocation* found = emu::find(pointer);
    return found && found->space == space;
}

// How a call gives its copy to a stream.
struct Way
{
    const char* name;
    CUstream stream = nullptr;
    bool synchronous = false; // through the legacy stream
    bool captured() const
    {
        return !synchronous && emu::capturing(stream);
    }
    // `wait`: the call returns only after the work.
    int give(bool wait, std::function<emu::Status()> work) const
    {
        if (synchronous)
            return emu::run_synchronously(name, wait, std::move(work));
        if (int status = emu::enqueue(stream, name, std::move(work)))
            return status;
        if (!wait || captured())
            return CUDA_SUCCESS;
        std::shared_ptr<emu::Stream> waited;
        emu::find_stream(stream, waited);
        return emu::run_until({waited, waited->given()});
    }
};

emu::Status copy(const char* name, char* to, const char* from, size_t size, bool from_host, bool to_host)
{
    if (size == 0)
        return emu::Success;
    // What the host wrote to pinned memory nobody saw; ordinary host memory is not known at all.
    if (!from_host && !emu::access(from, size, false, name))
        return emu::sticky_status();
    if (from_host && is_in(from, emu::Space::Pinned) && !emu::access(from, size, false, name, true))
        return emu::sticky_status();
    if ((!to_host || is_in(to, emu::Space::Pinned)) && !emu::access(to, size, true, name))
        return emu::sticky_status();
    if (from < to + size && to < from + size)
    {
        emu::report(emu::LaunchFailed, std::string(name) + ": source and destination overlap");
        return emu::sticky_status();
    }
    std::memcpy(to, from, size);
    return emu::Success;
}

// Pinned memory is read when the copy runs, and a synchronous call waits for that. Ordinary memory is staged at the
// call, after the stream has caught up if the call is synchronous; no call waits for the copy from there.
int to_device(const Way& way, CUdeviceptr to, const void* from, size_t size)
{
    const char* source = static_cast<const char*>(from);
    if (size != 0 && (!to || !from || is_in(from, emu::Space::Device)))
        return CUDA_ERROR_INVALID_VALUE;
    auto work = [name = way.name, to = address(to), size](const char* source) {
        return copy(name, to, source, size, true, false);
    };
    if (is_in(from, emu::Space::Pinned) || way.captured()) // a graph has nothing but the address
        return way.give(way.synchronous, [work, source] { return work(source); });
    if (way.synchronous)
        if (int status = way.give(true, [] { return emu::Success; }))
            return status;
    if (!emu::find(address(to), size)) // a size that is wrong must not be read from the host
        return emu::access(address(to), size, true, way.name) ? CUDA_SUCCESS : int(emu::sticky_status());
    auto staged = std::make_shared<std::vector<char>>(source, source + size);
    return way.give(false, [work, staged] { return work(staged->data()); });
}

// A copy to ordinary memory is done when the call returns; one to pinned memory only if the call is synchronous.
int to_host(const Way& way, void* to, CUdeviceptr from, size_t size)
{
    if (size != 0 && (!to || !from || is_in(to, emu::Space::Device)))
        return CUDA_ERROR_INVALID_VALUE;
    bool wait = way.synchronous || !is_in(to, emu::Space::Pinned);
    return way.give(wait, [name = way.name, to = static_cast<char*>(to), from = address(from), size] {
        return copy(name, to, from, size, false, true);
    });
}

int on_device(const Way& way, CUdeviceptr to, CUdeviceptr from, size_t size)
{
    if (size != 0 && (!to || !from))
        return CUDA_ERROR_INVALID_VALUE;
    return way.give(false, [name = way.name, to = address(to), from = address(from), size] {
        return copy(name, to, from, size, false, false);
    });
}

template <class Element> int fill(const Way& way, CUdeviceptr to, Element value, size_t count)
{
    if (count != 0 && (!to || to % sizeof(Element) != 0 || count > SIZE_MAX / sizeof(Element)))
        return CUDA_ERROR_INVALID_VALUE;
    auto* first = reinterpret_cast<Element*>(to);
    bool wait = way.synchronous && is_in(first, emu::Space::Pinned);
    return way.give(wait, [name = way.name, first, value, count] {
        if (count != 0 && !emu::access(first, count * sizeof(Element), true, name))
            return emu::sticky_status();
        std::fill_n(first, count, value);
        return emu::Success;
    });
}

} // namespace

CUDA_API CUresult cuMemcpyHtoD_v2(CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount)
{
    return enter("cuMemcpyHtoD_v2", Needs::Work, [&] {
        return to_device({"cuMemcpyHtoD_v2", nullptr, true}, dstDevice, srcHost, ByteCount);
    });
}

CUDA_API CUresult cuMemcpyDtoH_v2(void* dstHost, CUdeviceptr srcDevice, size_t ByteCount)
{
    return enter("cuMemcpyDtoH_v2", Needs::Work, [&] {
        return to_host({"cuMemcpyDtoH_v2", nullptr, true}, dstHost, srcDevice, ByteCount);
    });
}

CUDA_API CUresult cuMemcpyDtoD_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount)
{
    return enter("cuMemcpyDtoD_v2", Needs::Work, [&] {
        return on_device({"cuMemcpyDtoD_v2", nullptr, true}, dstDevice, srcDevice, ByteCount);
    });
}

CUDA_API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount, CUstream hStream)
{
    return enter("cuMemcpyHtoDAsync_v2", Needs::Work, [&] {
        return to_device({"cuMemcpyHtoDAsync_v2", hStream}, dstDevice, srcHost, ByteCount);
    });
}

CUDA_API CUresult cuMemcpyDtoHAsync_v2(void* dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
{
    return enter("cuMemcpyDtoHAsync_v2", Needs::Work, [&] {
        return to_host({"cuMemcpyDtoHAsync_v2", hStream}, dstHost, srcDevice, ByteCount);
    });
}

CUDA_API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)
{
    return enter("cuMemcpyDtoDAsync_v2", Needs::Work, [&] {
        return on_device({"cuMemcpyDtoDAsync_v2", hStream}, dstDevice, srcDevice, ByteCount);
    });
}

CUDA_API CUresult cuMemsetD8_v2(CUdeviceptr dstDevice, unsigned char uc, size_t N)
{
    return enter("cuMemsetD8_v2", Needs::Work, [&] {
        return fill({"cuMemsetD8_v2", nullptr, true}, dstDevice, uc, N);
    });
}

CUDA_API CUresult cuMemsetD32_v2(CUdeviceptr dstDevice, unsigned ui, size_t N)
{
    return enter("cuMemsetD32_v2", Needs::Work, [&] {
        return fill({"cuMemsetD32_v2", nullptr, true}, dstDevice, ui, N);
    });
}

CUDA_API CUresult cuMemsetD8Async(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream)
{
    return enter("cuMemsetD8Async", Needs::Work, [&] { return fill({"cuMemsetD8Async", hStream}, dstDevice, uc, N); });
}

CUDA_API CUresult cuMemsetD32Async(CUdeviceptr dstDevice, unsigned ui, size_t N, CUstream hStream)
{
    return enter("cuMemsetD32Async", Needs::Work, [&] {
        return fill({"cuMemsetD32Async", hStream}, dstDevice, ui, N);
    });
}
