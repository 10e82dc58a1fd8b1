// cudagen_abi.h - what a compiled kernel module and the emulator know of each other.
//
// Included by both sides, so it includes nothing itself: kernels are compiled without any header of the system, as
// NVRTC does. A change here changes abi_version, which keeps modules cached by an older build from being loaded.
#pragma once

namespace emu
{

constexpr int abi_version = 2;

// The folder of the shim's headers, as modules know it: nothing of this machine's folders gets into a module.
constexpr const char* shim_folder = "cudagen-device";

using Size = decltype(sizeof(0));

struct Parameter
{
    Size offset, size, align; // offset as the CUDA ABI lays parameters out
    bool pointer;
};

struct Kernel
{
    const char* name;
    void (*thunk)(void** arguments); // runs one CUDA thread of the kernel
    int parameter_count;
    const Parameter* parameters;
    const char* signature; // the text of the parameter list
    int launch_bound;      // maximum threads of a block by __launch_bounds__, or 0
    Size static_shared;    // bytes, or 0 when unknown
};

struct Symbol
{
    const char* name;
    void* address;
    Size size;
};

struct SymbolEntry
{
    Symbol symbol;
    bool constant; // __constant__: kernels may only read it
};

struct ModuleTable
{
    int version;
    bool checked;          // compiled with the hooks
    const Kernel* kernels; // without static_shared, which is known when the module is loaded
    int kernel_count;
    const SymbolEntry* symbols;
    int symbol_count;
    void* (*dynamic_shared)(); // where this OS thread's dynamic shared memory starts
    Size dynamic_shared_size;  // 0 when no kernel declares any
};

// threadIdx, blockIdx, blockDim, gridDim of the running CUDA thread.
struct Triple
{
    unsigned x, y, z;
};

struct Indices
{
    Triple thread, block, block_size, grid_size;
};

// The most dynamic shared memory that a launch can have: what a device of compute capability 9.0 offers by opt-in.
constexpr Size max_dynamic_shared_memory = 232448;

// Behind the dynamic shared memory lie this many bytes that nobody may touch.
constexpr Size shared_red_zone = 64;

enum class Barrier : int
{
    Plain,
    Count,
    And,
    Or,
};

enum class WarpOp : int
{
    Sync,
    Shuffle,
    ShuffleUp,
    ShuffleDown,
    ShuffleXor,
    Ballot,
    Any,
    All,
    MatchAny,
    ReduceAdd,
};

} // namespace emu

extern "C"
{
    // __syncthreads and its three reductions: returns their result.
    int cudagen_barrier(emu::Barrier kind, int predicate, int line, const char* file);

    // The operations of a warp. Values travel as 64 bits.
    unsigned long long cudagen_warp(emu::WarpOp op, unsigned mask, unsigned long long value, int argument, int width,
                                    int line, const char* file);

    unsigned cudagen_activemask();

    // Checked build: called before an atomic operation on *p.
    void cudagen_atomic(void* p, emu::Size size);
}
