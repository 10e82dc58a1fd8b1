// fiber.h - stacks to run CUDA threads on, and the switch between them.
#pragma once
#include <cstddef>

namespace emu
{

// Address space, of which only touched pages take memory. Kernels whose frames could outgrow it are refused when they
// are compiled.
constexpr size_t fiber_stack_size = 256 << 10;

struct Fiber
{
    void* stack_pointer; // while it does not run
    char* stack;         // its lowest byte; guard pages lie below
    size_t colour;       // bytes left free at its top
};

// A new stack; null when the system has no memory left. Number them from 0.
Fiber* create_fiber(size_t number);

// Makes the next switch to the fiber call entry(), which must not return, on an empty stack.
void prepare(Fiber& fiber, void (*entry)());

} // namespace emu

// Saves the callee-saved registers on this stack, its pointer in *from, and continues on another stack.
extern "C" void cudagen_switch(void** from, void* to);
