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

std::string Checker::describe_access(const Now& now)
{
    return std::string(name_of(now.kind)) + " of " + std::to_string(now.size) + " bytes at ";
}

std::string Checker::at(const Now& now) const
{
    return ": " + worker_->place_of(*now.thread) + " at " + code_mark(now.code);
}

// The kernel's own name for a buffer: that of the parameter that points there.
std::string Checker::parameter_of(const Region& region) const
{
    const Kernel& kernel = launch_->kernel;
    for (int i = 0; i < kernel.parameter_count; ++i)
        if (kernel.parameters[i].pointer &&
            region.offset_of(*static_cast<void**>(launch_->arguments[i])) < region.size + (region.size == 0))
            return " '" + parameter_name(kernel, i) + "'";
    return "";
}

std::string Checker::describe_shared(size_t offset) const
{
    if (offset - dynamic_begin_ < dynamic_end_ - dynamic_begin_)
        return "byte " + std::to_string(offset - dynamic_begin_) + " of dynamic shared memory";
    const SharedArray* array = module().shared_array(offset);
    return array ? "byte " + std::to_string(offset - array->offset) + " of shared '" + array->name + "' (" +
                       std::to_string(array->size) + " bytes)"
                 : "shared memory";
}

std::string Checker::describe(const void* p) const
{
    auto offset = static_cast<size_t>(static_cast<const char*>(p) - shared_);
    if (offset < shared_size_)
        return describe_shared(offset);
    if (const Region* region = region_near(p))
        return describe_address(*region, p) + parameter_of(*region);
    char hex[24];
    snprintf(hex, sizeof hex, "0x%llx", static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(p)));
    return hex;
}

void Checker::fail_address(const Now& now, const Region* near)
{
    launch_->findings.add(IllegalAddress, Findings::key('a', now.code), [&] {
        std::string what = describe_access(now);
        auto address = reinterpret_cast<uintptr_t>(now.p);
        char hex[24];
        snprintf(hex, sizeof hex, "0x%llx", static_cast<unsigned long long>(address));
        if (address < 4096)
            return "null pointer: " + what + hex + at(now);
        if (!near)
            return "wild address: " + what + hex +
                   ", in no device buffer (a host pointer, or an index far out of bounds?)" + at(now);
        what += describe(now.p);
        if (near->freed)
            return "use after free: " + what + ", which was freed" + at(now);
        if (near->constant && near->offset_of(now.p) < near->size)
            return "write to constant memory: " + what + at(now);
        return "out of bounds: " + what + at(now);
    });
    worker_->stop();
}

void Checker::fail_shared(const Now& now, const std::string& where)
{
    launch_->findings.add(IllegalAddress, Findings::key('a', now.code),
                          [&] { return "out of bounds: " + describe_access(now) + where + at(now); });
    worker_->stop();
}

void Checker::misaligned_atomic(const void* p, size_t size, uintptr_t code)
{
    launch_->findings.add(MisalignedAddress, Findings::key('m', code), [&] {
        return "misaligned access: atomic of " + std::to_string(size) + " bytes at " + describe(p) + ": " +
               worker_->place_of(worker_->current()) + " at " +
               code_mark(static_cast<uint32_t>(code - module().base()));
    });
    worker_->stop();
}

void Checker::report_unset(const Now& now)
{
    launch_->findings.add(LaunchFailed, Findings::key('u', now.code), [&] {
        return "unset read: " + describe_access(now) + describe(now.p) + ", which nobody wrote" + at(now);
    });
}

void Checker::report_race(const Now& now, const Access& other, bool other_writes)
{
    launch_->findings.add(LaunchFailed, Findings::key('r', now.code, other.code), [&] {
        std::string who = "another block";
        if (other.block == block_)
            who = other.thread == now.thread->number
                      ? "other threads of the same block"
                      : "thread" + text_of(worker_->thread(other.thread).index) + " of the same block";
        return std::string("race: ") + name_of(now.kind) + " after " +
               (other.atomic   ? "atomic"
                : other_writes ? "write"
                               : "read") +
               " of " + describe(now.p) + at(now) + ", against " + who + " at " + code_mark(other.code);
    });
}

} // namespace emu
