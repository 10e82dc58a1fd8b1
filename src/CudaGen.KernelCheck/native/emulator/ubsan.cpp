// ubsan.cpp - what the checked build's -fsanitize=bounds, alignment, null, shift and the like call when they find
// something. They cover what addresses cannot: an index that leaves one shared or local array for the next, and
// misaligned vectors.
#include "shadow.h"

namespace
{

// How compilers describe a finding, as both g++ and clang++ do.
struct SourceLocation
{
    const char* file;
    uint32_t line, column;
};

struct TypeDescriptor
{
    uint16_t kind; // 0: an integer
    uint16_t info; // of an integer: whether it is signed, and above that the binary logarithm of its bits
    char name[1];
};

struct TypeMismatch
{
    SourceLocation location;
    const TypeDescriptor* type;
    unsigned char log_alignment, access; // load, store, ...
};

struct OutOfBounds
{
    SourceLocation location;
    const TypeDescriptor *array, *index;
};

struct Shift
{
    SourceLocation location;
    const TypeDescriptor *value, *amount;
};

struct Overflow
{
    SourceLocation location;
    const TypeDescriptor* type;
};

struct FloatCast
{
    SourceLocation location;
    const TypeDescriptor *from, *to;
};

struct Location
{
    SourceLocation location;
};

// Values of up to 64 bits travel in the handle, wider ones behind a pointer.
std::string number(const TypeDescriptor& type, uintptr_t value)
{
    unsigned bits = 1u << (type.info >> 1);
    if (type.kind != 0 || bits > 64)
        return "a value";
    if (!(type.info & 1))
        return std::to_string(value);
    auto shifted = static_cast<int64_t>(static_cast<uint64_t>(value) << (64 - bits));
    return std::to_string(shifted >> (64 - bits));
}

emu::Worker* worker()
{
    return emu::running.checker ? emu::running.worker : nullptr;
}

// One line in one file is one finding.
void add(emu::Status status, const SourceLocation& location, const std::string& text)
{
    emu::Worker* running = worker();
    if (!running)
        return;
    running->launch().findings.add(status, emu::Findings::key('U', location.line, text.size()), [&] {
        return location.file + (":" + std::to_string(location.line)) + ": " + text + ", by " +
               running->place_of(running->current());
    });
}

// To go on would damage the emulator's own memory.
void add_and_stop(emu::Status status, const SourceLocation& location, const std::string& text)
{
    add(status, location, text);
    if (worker())
        worker()->stop();
}

const char* verb(unsigned char access)
{
    constexpr const char* verbs[] = {"load of", "store to", "reference to", "access within"};
    return access < 4 ? verbs[access] : "use of";
}

void overflow(const Overflow& data, uintptr_t a, const char* op, uintptr_t b)
{
    add(emu::LaunchFailed, data.location,
        "signed overflow: " + number(*data.type, a) + op + number(*data.type, b) + " in type " + data.type->name);
}

} // namespace

extern "C"
{
    EMU_API void __ubsan_handle_type_mismatch_v1(TypeMismatch* data, uintptr_t p)
    {
        emu::Worker* running = worker();
        if (!running)
            return;
        std::string what = std::string(verb(data->access)) + " type " + data->type->name;
        if (p < 4096) // compilers take an offset from null for null
            add_and_stop(emu::IllegalAddress, data->location, "null pointer: " + what);
        size_t alignment = size_t{1} << data->log_alignment;
        add_and_stop(emu::MisalignedAddress, data->location,
                     "misaligned access: " + what + ", which wants " + std::to_string(alignment) +
                         " bytes of alignment, at " + running->checker()->describe(reinterpret_cast<void*>(p)));
    }

    EMU_API void __ubsan_handle_out_of_bounds(OutOfBounds* data, uintptr_t index)
    {
        add_and_stop(emu::IllegalAddress, data->location,
                     "index " + number(*data->index, index) + " out of bounds for type " + data->array->name);
    }

    EMU_API void __ubsan_handle_shift_out_of_bounds(Shift* data, uintptr_t value, uintptr_t amount)
    {
        add(emu::LaunchFailed, data->location,
            "undefined shift: " + number(*data->value, value) + " by " + number(*data->amount, amount) + " in type " +
                data->value->name);
    }

    EMU_API void __ubsan_handle_divrem_overflow(Overflow* data, uintptr_t a, uintptr_t b)
    {
        add_and_stop(emu::LaunchFailed, data->location,
                     "division: " + number(*data->type, a) + " / " + number(*data->type, b));
    }

    EMU_API void __ubsan_handle_add_overflow(Overflow* data, uintptr_t a, uintptr_t b)
    {
        overflow(*data, a, " + ", b);
    }

    EMU_API void __ubsan_handle_sub_overflow(Overflow* data, uintptr_t a, uintptr_t b)
    {
        overflow(*data, a, " - ", b);
    }

    EMU_API void __ubsan_handle_mul_overflow(Overflow* data, uintptr_t a, uintptr_t b)
    {
        overflow(*data, a, " * ", b);
    }

    EMU_API void __ubsan_handle_negate_overflow(Overflow* data, uintptr_t a)
    {
        overflow(*data, 0, " - ", a);
    }

    EMU_API void __ubsan_handle_float_cast_overflow(FloatCast* data, uintptr_t)
    {
        add(emu::LaunchFailed, data->location,
            std::string("out of range: conversion from type ") + data->from->name + " to type " + data->to->name);
    }

    EMU_API void __ubsan_handle_missing_return(Location* data)
    {
        add_and_stop(emu::LaunchFailed, data->location, "end of a function that returns a value, without one");
    }

    EMU_API void __ubsan_handle_builtin_unreachable(Location* data)
    {
        add_and_stop(emu::LaunchFailed, data->location, "a place that __builtin_unreachable() excludes");
    }
}
