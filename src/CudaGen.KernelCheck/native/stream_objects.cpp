// stream_objects.cpp - the handles of the driver's objects, and what was left behind.
#include "stream_state.h"

namespace emu
{

std::recursive_mutex& driver_lock()
{
    static std::recursive_mutex& lock = *new std::recursive_mutex; // never destroyed: other threads may outlive main
    return lock;
}

namespace
{

std::map<const void*, std::shared_ptr<Object>>& objects()
{
    static auto& all = *new std::map<const void*, std::shared_ptr<Object>>;
    return all;
}

std::vector<std::string>& left_in_destroyed_contexts()
{
    static auto& all = *new std::vector<std::string>;
    return all;
}

std::map<const void*, std::string>& held_by_libraries()
{
    static auto& all = *new std::map<const void*, std::string>;
    return all;
}

// Bit 62 makes a handle an address that no process can map, so that following one faults.
constexpr uint64_t HandleBit = uint64_t(1) << 62;

uint64_t serial(const Object& object)
{
    return reinterpret_cast<uint64_t>(object.handle) & 0xffffffffffff;
}

const char* name(Kind kind)
{
    switch (kind)
    {
    case Kind::Context:
        return "context";
    case Kind::Stream:
        return "stream";
    case Kind::Event:
        return "event";
    case Kind::Module:
        return "module";
    case Kind::Function:
        return "function";
    case Kind::Graph:
        return "graph";
    case Kind::GraphExec:
        return "executable graph";
    }
    return "object";
}

std::string describe(const Object& object)
{
    if (object.kind == Kind::Context && static_cast<const Context&>(object).primary)
        return "primary context, retained " + std::to_string(static_cast<const Context&>(object).retained) + " times";
    return std::string(name(object.kind)) + " " + std::to_string(serial(object));
}

std::string describe(const Allocation& allocation)
{
    return std::string(allocation.space == Space::Device ? "device" : "pinned") + " allocation " +
           std::to_string(allocation.number) + " of " + std::to_string(allocation.size) + " bytes";
}

bool is_leak(const Object& object)
{
    if (object.kind != Kind::Context)
        return object.kind != Kind::Function; // goes with its module
    const auto& context = static_cast<const Context&>(object);
    return !context.primary || context.retained > 0;
}

std::vector<std::shared_ptr<Object>> objects_of(const Context* context)
{
    std::vector<std::shared_ptr<Object>> found;
    for (const auto& entry : objects())
        if (entry.second->context == context && entry.second->kind != Kind::Context)
            found.push_back(entry.second);
    return found;
}

} // namespace

void* add_object(std::shared_ptr<Object> object, Kind kind, Context* context)
{
    static uint64_t serials[int(Kind::GraphExec) + 1];
    object->kind = kind;
    object->context = context;
    object->handle = reinterpret_cast<void*>(HandleBit | uint64_t(kind) << 48 | ++serials[int(kind)]);
    void* handle = object->handle;
    objects()[handle] = std::move(object);
    return handle;
}

std::shared_ptr<Object> find_object(const void* handle, Kind kind)
{
    auto found = objects().find(handle);
    return found == objects().end() || found->second->kind != kind ? nullptr : found->second;
}

void remove_object(const void* handle)
{
    auto found = objects().find(handle);
    if (found == objects().end())
        return;
    std::shared_ptr<Object> object = std::move(found->second);
    objects().erase(found);
    object->destroyed();
}

void remove_objects_of(const Context* context)
{
    std::string suffix = ", alive when its context was destroyed";
    for (const auto& allocation : live_allocations())
        if (context->allocations.count(allocation.base) != 0)
            left_in_destroyed_contexts().push_back(describe(allocation) + suffix);
    for (const auto& object : objects_of(context))
    {
        if (is_leak(*object))
            left_in_destroyed_contexts().push_back(describe(*object) + suffix);
        remove_object(object->handle);
    }
}

void hold(const void* handle, const std::string& name)
{
    std::lock_guard<std::recursive_mutex> lock(driver_lock());
    held_by_libraries()[handle] = name;
}

void let_go(const void* handle)
{
    std::lock_guard<std::recursive_mutex> lock(driver_lock());
    held_by_libraries().erase(handle);
}

std::vector<std::string> leaks()
{
    std::vector<std::string> all = left_in_destroyed_contexts();
    for (const auto& allocation : live_allocations())
        all.push_back(describe(allocation));
    for (const auto& entry : objects())
        if (is_leak(*entry.second))
            all.push_back(describe(*entry.second));
    for (const auto& entry : held_by_libraries())
        all.push_back(entry.second);
    return all;
}

void forget_leaks_of_destroyed_contexts()
{
    left_in_destroyed_contexts().clear();
}

} // namespace emu
