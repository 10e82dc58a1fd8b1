// library.h - what the stand-ins of cuBLAS and cuDNN share: handles that cannot crash the process, and the checks of
// what a call reads and writes.
#pragma once
#include "stream.h"
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace library
{

// The objects behind opaque handles. A handle is a number that is given out once, so one that was destroyed, or that
// belongs to another kind of object, is recognised for ever.
template <class T> class Handles
{
  public:
    Handles(const char* name, uintptr_t first) : _name(name), _first(first)
    {
    }

    void* add()
    {
        std::lock_guard lock(_gate);
        void* handle = reinterpret_cast<void*>(_first + 16 * _count++);
        _objects.emplace(handle, T());
        emu::hold(handle, _name + " " + std::to_string(_count));
        return handle;
    }

    bool remove(const void* handle)
    {
        std::lock_guard lock(_gate);
        if (_objects.erase(handle) == 0)
            return false;
        emu::let_go(handle);
        return true;
    }

    // A copy: what a call does must not change when the program changes the object while the call's work waits.
    std::optional<T> get(const void* handle)
    {
        std::lock_guard lock(_gate);
        const auto found = _objects.find(handle);
        return found == _objects.end() ? std::nullopt : std::optional<T>(found->second);
    }

    template <class Change> bool change(const void* handle, Change change)
    {
        std::lock_guard lock(_gate);
        const auto found = _objects.find(handle);
        if (found == _objects.end())
            return false;
        change(found->second);
        return true;
    }

  private:
    std::mutex _gate;
    std::unordered_map<const void*, T> _objects;
    const std::string _name;
    const uintptr_t _first;
    size_t _count = 0;
};

// Device memory that a call reads or writes: runs of bytes, each `step` bytes after the one before.
struct Operand
{
    enum Use
    {
        Read,
        Write,
        Update, // read and written
    };

    const char* name;
    const void* data;
    Use use;
    size_t run;
    size_t runs = 1, step = 0;
    size_t align = 4;

    const char* start(size_t i) const
    {
        return static_cast<const char*>(data) + i * step;
    }

    const char* end() const
    {
        return runs == 0 || run == 0 ? start(0) : start(runs - 1) + run;
    }
};

// Whether a run of an operand has a byte in [from, to).
inline bool touches(const Operand& operand, const char* from, const char* to)
{
    if (operand.runs == 0 || operand.run == 0 || to <= operand.start(0) || from >= operand.end())
        return false;
    const size_t first = from <= operand.start(0) || operand.step == 0 ? 0 : (from - operand.start(0)) / operand.step;
    for (size_t i = first; i < operand.runs && operand.start(i) < to; i++)
        if (operand.start(i) + operand.run > from)
            return true;
    return false;
}

inline bool overlap(const Operand& one, const Operand& other)
{
    for (size_t i = 0; i < one.runs && one.run > 0; i++)
        if (touches(other, one.start(i), one.start(i) + one.run))
            return true;
    return false;
}

inline bool accessible(const std::string& who, const Operand& operand, bool write)
{
    for (size_t i = 0; i < operand.runs; i++)
        if (operand.run > 0 && !emu::access(operand.start(i), operand.run, write, who.c_str()))
            return false;
    return true;
}

// Whether the host can read through a pointer: a GPU's memory is not readable by a library's host code.
inline bool on_host(const void* pointer)
{
    const emu::Allocation* allocation = emu::find(pointer);
    return allocation == nullptr || allocation->space != emu::Space::Device;
}

inline emu::Status failed(emu::Status status, const std::string& text)
{
    emu::report(status, text);
    return status;
}

// Checks operands at the time when the work runs: alignment, bounds, reads of unset memory, and that nothing that is
// written overlaps anything else. Returns Success or the status of the report that was made.
inline emu::Status check(const char* function, const std::vector<Operand>& operands)
{
    for (const Operand& operand : operands)
    {
        if (reinterpret_cast<uintptr_t>(operand.data) % operand.align != 0)
            return failed(emu::MisalignedAddress, std::string(function) + ": " + operand.name + " is not aligned to " +
                                                      std::to_string(operand.align) + " bytes");
        for (const Operand& other : operands)
            if (&other != &operand && operand.use != Operand::Read && overlap(operand, other))
                return failed(emu::LaunchFailed,
                              std::string(function) + ": " + operand.name + " is written and overlaps " + other.name);
    }
    // All reads come before the first write, which would make unset bytes look set.
    for (const bool write : {false, true})
        for (const Operand& operand : operands)
            if (operand.use == Operand::Update || (operand.use == Operand::Write) == write)
                if (!accessible(std::string(function) + ", " + operand.name, operand, write))
                    return emu::sticky_status();
    return emu::Success;
}

// Overwrites memory whose contents a caller may not rely on: whoever kept or expects something there finds NaN.
inline void spoil(const Operand& operand)
{
    for (size_t i = 0; i < operand.runs && operand.run > 0; i++)
        std::memset(const_cast<char*>(operand.start(i)), 0xff, operand.run);
}

} // namespace library
