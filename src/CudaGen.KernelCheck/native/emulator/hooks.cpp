// hooks.cpp - the functions that -fsanitize=thread puts calls to before each load and store. Ours, not libtsan's:
// kernels of the checked build are compiled with the instrumentation and linked without its runtime.
#include "shadow.h"

using emu::Checker;

namespace
{

inline void on_access(const void* p, size_t size, Checker::Kind kind, void* code)
{
    const emu::Running& running = emu::running;
    auto on_stack = reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(running.stack);
    // Local memory of the thread is its own business.
    if (on_stack >= emu::fiber_stack_size && running.checker)
        running.checker->access(p, size, kind, reinterpret_cast<uintptr_t>(code) - 1); // within the call
}

} // namespace

#define EMU_HOOKS(size)                                                                                                \
    EMU_API void __tsan_read##size(void* p)                                                                            \
    {                                                                                                                  \
        on_access(p, size, Checker::Kind::Read, __builtin_return_address(0));                                          \
    }                                                                                                                  \
    EMU_API void __tsan_write##size(void* p)                                                                           \
    {                                                                                                                  \
        on_access(p, size, Checker::Kind::Write, __builtin_return_address(0));                                         \
    }

#define EMU_UNALIGNED_HOOKS(size)                                                                                      \
    EMU_API void __tsan_unaligned_read##size(void* p)                                                                  \
    {                                                                                                                  \
        on_access(p, size, Checker::Kind::Read, __builtin_return_address(0));                                          \
    }                                                                                                                  \
    EMU_API void __tsan_unaligned_write##size(void* p)                                                                 \
    {                                                                                                                  \
        on_access(p, size, Checker::Kind::Write, __builtin_return_address(0));                                         \
    }

extern "C"
{
    EMU_HOOKS(1)
    EMU_HOOKS(2)
    EMU_HOOKS(4)
    EMU_HOOKS(8)
    EMU_HOOKS(16)
    EMU_UNALIGNED_HOOKS(2)
    EMU_UNALIGNED_HOOKS(4)
    EMU_UNALIGNED_HOOKS(8)
    EMU_UNALIGNED_HOOKS(16)

    EMU_API void __tsan_read_range(void* p, size_t size)
    {
        on_access(p, size, Checker::Kind::Read, __builtin_return_address(0));
    }

    EMU_API void __tsan_write_range(void* p, size_t size)
    {
        on_access(p, size, Checker::Kind::Write, __builtin_return_address(0));
    }

    EMU_API void* __tsan_memcpy(void* to, const void* from, size_t size)
    {
        on_access(from, size, Checker::Kind::Read, __builtin_return_address(0));
        on_access(to, size, Checker::Kind::Write, __builtin_return_address(0));
        return __builtin_memcpy(to, from, size);
    }

    EMU_API void* __tsan_memmove(void* to, const void* from, size_t size)
    {
        on_access(from, size, Checker::Kind::Read, __builtin_return_address(0));
        on_access(to, size, Checker::Kind::Write, __builtin_return_address(0));
        return __builtin_memmove(to, from, size);
    }

    EMU_API void* __tsan_memset(void* to, int value, size_t size)
    {
        on_access(to, size, Checker::Kind::Write, __builtin_return_address(0));
        return __builtin_memset(to, value, size);
    }

    EMU_API void __tsan_init()
    {
    }

    EMU_API void __tsan_func_entry(void*)
    {
    }

    EMU_API void __tsan_func_exit()
    {
    }

    EMU_API void __tsan_vptr_update(void** slot, void*)
    {
        on_access(slot, sizeof(void*), Checker::Kind::Write, __builtin_return_address(0));
    }

    EMU_API void __tsan_vptr_read(void** slot)
    {
        on_access(slot, sizeof(void*), Checker::Kind::Read, __builtin_return_address(0));
    }

    EMU_API void cudagen_atomic(void* p, size_t size)
    {
        void* code = __builtin_return_address(0);
        if (reinterpret_cast<uintptr_t>(p) % size != 0)
            emu::running.checker->misaligned_atomic(p, size, reinterpret_cast<uintptr_t>(code) - 1);
        on_access(p, size, Checker::Kind::Atomic, code);
    }
}
