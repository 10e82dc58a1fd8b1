// shadow_reports.cpp - how findings of the checked build read.
#include "shadow.h"

namespace emu
{

namespace
{

const char* name_of(Checker::Kind kind)
{
    return kind == Checker::Kind::Read ? "read" : kind == Checker::Kind::Write ? "write" : "atomic";
}

// The name of parameter i: the last word of its part of the parameter list.
std::string parameter_name(const Kernel& kernel, int i)
{
    std::string text = kernel.signature;
    size_t begin = 0;
    for (; i > 0 && begin != std::string::npos; --i)
        begin = text.find(',', begin + 1);
    if (begin == std::string::npos)
        return "";
    size_t end = std::min(text.find(',', begin + 1), text.size());
    while (end > begin && text[end - 1] == ' ')
        --end;
    size_t start = end;
    while (start > begin && (isalnum(static_cast<unsigned char>(text[start - 1])) || text[start - 1] == '_'))
        --start;
    return text.substr(start, end - start);
}

} // namespace

// "k.cu:17: race: write of 4 bytes at "
std::string Checker::opening(const char* what, const Now& now)
{
    return code_mark(now.code) + ": " + what + ": " + name_of(now.kind) + " of " + std::to_string(now.size) +
           " bytes at ";
}

std::string Checker::by(const Now& now) const
{
    return ", by " + worker_->place_of(*now.thread);
}

// The kernel's own name for a buffer: that of the parameter that points there.
std::string Checker::parameter_of(const Region& region) const
{
    const Kernel& kernel = launch_->kernel;
    for (int i = 0; i < kernel.parameter_count; ++i)
        if (kernel.parameters[i].pointer &&
            region.offset_of(*static_cast<void**>(launch_->arguments[i])) < region.size + (region.size == 0))
            return parameter_name(kernel, i);
    return "";
}

// Bytes of no array are told by the array of this kernel next to them.
std::string Checker::describe_shared(size_t offset) const
{
    if (offset - dynamic_begin_ < dynamic_end_ - dynamic_begin_)
        return "byte " + std::to_string(offset - dynamic_begin_) + " of dynamic shared memory, which has " +
               std::to_string(launch_->grid.shared) + " bytes";
    const SharedArray* array = module().shared_array_near(offset, launch_->kernel);
    if (!array)
        return "shared memory, of which this kernel has none";
    return "byte " + std::to_string(static_cast<int64_t>(offset - array->offset)) + " of shared '" + array->name +
           "' (" + std::to_string(array->size) + " bytes)";
}

std::string Checker::describe(const void* p) const
{
    auto offset = static_cast<size_t>(static_cast<const char*>(p) - shared_);
    if (offset < shared_size_)
        return describe_shared(offset);
    if (const Region* region = region_near(p))
        return describe_address(*region, p, parameter_of(*region));
    char hex[24];
    snprintf(hex, sizeof hex, "0x%llx", static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(p)));
    return hex;
}

void Checker::fail_address(const Now& now, const Region* near)
{
    launch_->findings.add(IllegalAddress, Findings::key('a', now.code), [&] {
        std::string place = describe(now.p) + by(now);
        if (reinterpret_cast<uintptr_t>(now.p) < 4096)
            return opening("null pointer", now) + place;
        if (worker_->owns_stack(now.p))
            return opening("out of bounds", now) + "local memory of another thread" + by(now);
        if (!near)
            return opening("wild address", now) + describe(now.p) +
                   ", in no device buffer (a host pointer, or an index far out of bounds?)" + by(now);
        if (near->freed)
            return opening("use after free", now) + place;
        if (near->constant && near->offset_of(now.p) < near->size)
            return opening("write to constant memory", now) + place;
        return opening("out of bounds", now) + place;
    });
    worker_->stop();
}

void Checker::fail_shared(const Now& now, size_t offset)
{
    launch_->findings.add(IllegalAddress, Findings::key('a', now.code),
                          [&] { return opening("out of bounds", now) + describe_shared(offset) + by(now); });
    worker_->stop();
}

void Checker::misaligned_atomic(const void* p, size_t size, uintptr_t code)
{
    Now now{&worker_->current(), static_cast<const char*>(p), size, Kind::Atomic,
            static_cast<uint32_t>(code - module().base())};
    launch_->findings.add(MisalignedAddress, Findings::key('m', code),
                          [&] { return opening("misaligned access", now) + describe(p) + by(now); });
    worker_->stop();
}

void Checker::report_unset(const Now& now)
{
    launch_->findings.add(LaunchFailed, Findings::key('u', now.code), [&] {
        return opening("unset read", now) + describe(now.p) + ", which nobody wrote" + by(now);
    });
}

void Checker::report_race(const Now& now, const Access& other, const char* what)
{
    launch_->findings.add(LaunchFailed, Findings::key('r', now.code, other.code), [&] {
        std::string who = "thread" + text_of(worker_->thread(other.thread).index);
        if (other.block != block_)
            who += " of block" + text_of(launch_->block_in_turn(other.block - first_block_));
        else if (other.thread == now.thread->number)
            who = "other threads of the same block";
        else
            who += " of the same block";
        return opening("race", now) + describe(now.p) + by(now) + ", against the " + what + " by " + who + " at " +
               code_mark(other.code);
    });
}

} // namespace emu
