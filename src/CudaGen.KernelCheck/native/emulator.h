// emulator.h - CUDA kernels on the CPU: device memory, loaded modules, launches, reports.
//
// Part of libcudagen_emulator.so, which every stand-in and every compiled kernel module links. The stand-ins themselves
// (libcuda.so.1, libnvrtc.so.12, libcublas.so.12, libcudnn.so.9) export NVIDIA's names and nothing else.
// All functions may be called from any thread; memory, launches and reports are guarded by one lock.
#pragma once
#include "device/cudagen_abi.h"
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#define EMU_API __attribute__((visibility("default")))

namespace emu
{

// ---- settings -------------------------------------------------------------------------------------------------------

enum class Order
{
    Ascending,
    Descending,
    Random, // of threads within a block and of blocks, from the seed
};

struct Settings
{
    // Which of the two builds of a kernel NVRTC's stand-in makes: with the hooks, or -O2 without. In the fast one a
    // wild pointer ends the process, so run it on what passed the checked one.
    bool checked = false;
    bool contract = false; // compile with fused multiply-add contraction, as NVRTC does by default
    Order order = Order::Ascending;
    uint64_t seed = 1;
    bool poison = true;              // fresh and shared memory is 0xFF: NaN
    bool races = true, unset = true; // what the checked build reports besides bounds
    int preempt = 0;                 // checked build: switch to another thread at one access in n; 0 = never
    int workers = 1;                 // OS threads over which the fast build spreads blocks
    int max_reports = 20;
};

// Read from the environment at the first use (CUDAGEN_CHECK_MODE=fast|checked,
// CUDAGEN_CHECK_ORDER=ascending|descending| random:SEED, CUDAGEN_CHECK_CONTRACT=1, CUDAGEN_CHECK_PREEMPT=N,
// CUDAGEN_CHECK_WORKERS=N), over the defaults that the build of the folder chose (macro CUDAGEN_CHECKED_DEFAULT). May
// be changed between launches.
EMU_API Settings& settings();

// ---- memory ---------------------------------------------------------------------------------------------------------

enum class Space
{
    Device,
    Pinned, // page-locked host memory: readable and writable by the host and by kernels
};

struct Allocation
{
    char* base;
    size_t size;
    Space space;
    bool freed; // in quarantine: an access is a use after free
    uint64_t number;
};

// 256-byte aligned, red zones on both sides, poisoned, unset. Null when the memory limit is exceeded.
EMU_API void* allocate(size_t size, Space space);

// Of device memory, in bytes; 0: none but the machine's.
EMU_API void set_memory_limit(size_t bytes);

enum class Free
{
    Ok,
    NotAllocated, // or not the start of an allocation, or freed before
    Overrun,      // freed, but a red zone was overwritten: reported
};
EMU_API Free release(void* base, Space space);

// The allocation that holds [p, p + size), live or freed; null when none does.
EMU_API const Allocation* find(const void* p, size_t size = 1);

EMU_API size_t bytes_in_use(Space space);
EMU_API std::vector<Allocation> live_allocations();

// An access by something other than a kernel (a copy, a fill, a library call) at the time when it happens. False after
// a report: out of bounds, freed or no device memory. A read in the checked mode of bytes that nobody wrote is reported
// too unless may_be_unset; a write marks bytes as set.
EMU_API bool access(const void* p, size_t size, bool write, const char* who, bool may_be_unset = false);

// ---- reports --------------------------------------------------------------------------------------------------------

// CUresult values that a report turns into; the first one sticks to the context, as on a GPU.
enum Status : int
{
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    LaunchTimeout = 702, // deadlock
    MisalignedAddress = 716,
    LaunchFailed = 719, // races, divergent barriers, bad warp masks, unset reads
};

EMU_API void report(Status status, const std::string& text); // text: one line, no newline at the end
EMU_API Status sticky_status();                              // of the first report; Success when there was none
EMU_API int report_count();
EMU_API const char* report_text(int i);
EMU_API void clear_reports();

// ---- modules and launches -------------------------------------------------------------------------------------------

// Parameter, Kernel and Symbol, as a compiled module describes them, are in device/cudagen_abi.h.

class Module; // one loaded image

// Loads an image that NVRTC's stand-in made (an ELF shared library; its size is read from its header). Null, with the
// reason, when it is something else.
EMU_API Module* load(const void* image, std::string& error);
EMU_API void unload(Module* module);
EMU_API const Kernel* find_kernel(Module* module, const char* name);
EMU_API const Symbol* find_symbol(Module* module, const char* name);
EMU_API const std::vector<const Kernel*>& kernels(Module* module);

struct Grid
{
    unsigned gx, gy, gz, bx, by, bz, shared;
};

// What cuLaunchKernel refuses at once: block > 1024 threads, block z > 64, grid y or z > 65535, zero extents, dynamic
// plus static shared memory over 48 KB (or over max_dynamic_shared when the function's attribute was raised), launch
// bound. Such a refusal does not stick, so it is no report; `reason` gets the text.
EMU_API Status check_launch(Module* module, const Kernel* kernel, const Grid& grid, size_t max_dynamic_shared,
                            std::string* reason = nullptr);

// Runs all threads; arguments[i] points at parameter i. Called when the stream gets there, not when it is enqueued.
// Returns Success or the status of the first report.
EMU_API Status run(Module* module, const Kernel* kernel, const Grid& grid, void** arguments);

} // namespace emu
