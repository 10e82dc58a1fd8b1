// fiber.cpp - stacks to run CUDA threads on, and the switch between them.
//
// The switch is written by hand as ucontext makes a system call for the signal mask, which is ten times slower.
#include "fiber.h"
#include <cstdint>
#include <cstring>
#include <sys/mman.h>

#if defined(__x86_64__)

asm(R"(
    .text
    .globl cudagen_switch
    .hidden cudagen_switch
    .type cudagen_switch, @function
cudagen_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size cudagen_switch, . - cudagen_switch
)");

namespace
{

// What the switch pops: six registers, then the address to return to. At the entry of a function the stack pointer is 8
// above a multiple of 16.
void* first_frame(uintptr_t top, void (*entry)())
{
    void** slot = reinterpret_cast<void**>(top);
    *--slot = nullptr; // what entry() would return to
    *--slot = reinterpret_cast<void*>(entry);
    for (int i = 0; i < 6; ++i)
        *--slot = nullptr;
    return slot;
}

} // namespace

#elif defined(__aarch64__)

asm(R"(
    .text
    .globl cudagen_switch
    .hidden cudagen_switch
    .type cudagen_switch, @function
cudagen_switch:
    sub sp, sp, #160
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .size cudagen_switch, . - cudagen_switch
)");

namespace
{

void* first_frame(uintptr_t top, void (*entry)())
{
    void** slots = reinterpret_cast<void**>(top - 160);
    memset(slots, 0, 160);
    slots[11] = reinterpret_cast<void*>(entry); // x30
    return slots;
}

} // namespace

#else
#error "the switch between fibers is written for x86-64 and aarch64"
#endif

namespace emu
{

Fiber* create_fiber(size_t number)
{
    constexpr size_t guard = 64 << 10; // a page, however large pages are
    void* memory = mmap(nullptr, guard + fiber_stack_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return nullptr;
    mprotect(memory, guard, PROT_NONE);
    // Without an offset of its own, the same frame of all stacks would fall into the same few sets of each cache.
    size_t colour = number % 61 * 192;
    return new Fiber{nullptr, static_cast<char*>(memory) + guard, colour};
}

void prepare(Fiber& fiber, void (*entry)())
{
    uintptr_t top = reinterpret_cast<uintptr_t>(fiber.stack) + fiber_stack_size - fiber.colour;
    fiber.stack_pointer = first_frame(top & ~static_cast<uintptr_t>(15), entry);
}

} // namespace emu
