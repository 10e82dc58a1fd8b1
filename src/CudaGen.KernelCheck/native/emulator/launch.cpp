// launch.cpp - from cuLaunchKernel to workers.
#include "memory.h"
#include "scheduler.h"
#include "shadow.h"
#include <csignal>
#include <pthread.h>
#include <thread>

namespace emu
{

namespace
{

// Fibers are kept from launch to launch; a worker runs on whatever OS thread a launch gives it.
Worker& worker(size_t i)
{
    static auto* workers = new std::vector<std::unique_ptr<Worker>>; // fibers outlive the statics of other libraries
    while (workers->size() <= i)
        workers->push_back(std::make_unique<Worker>());
    return *(*workers)[i];
}

Checker& checker()
{
    static auto* instance = new Checker;
    return *instance;
}

void run_fast(Launch& launch)
{
    uint64_t count = std::min<uint64_t>(static_cast<uint64_t>(std::max(launch.settings.workers, 1)), launch.blocks());
    for (uint64_t i = 0; i < count; ++i)
        worker(i);
    std::vector<std::thread> threads;
    // New threads start with this thread's signal mask; signals are the business of the program's own threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (uint64_t i = 1; i < count; ++i)
        threads.emplace_back([&launch, i] { worker(i).run(launch, nullptr); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    worker(0).run(launch, nullptr);
    for (std::thread& thread : threads)
        thread.join();
    forget_unset();
}

Status refuse(Status status, const std::string& text, std::string* reason)
{
    if (reason)
        *reason = text;
    return status;
}

bool has_zero(const Grid& grid)
{
    return !grid.gx || !grid.gy || !grid.gz || !grid.bx || !grid.by || !grid.bz;
}

} // namespace

Status check_launch(Module*, const Kernel* kernel, const Grid& grid, size_t max_dynamic_shared, std::string* reason)
{
    constexpr size_t shared_limit = 48 << 10;
    std::string name = std::string(kernel->name) + ": ";
    uint64_t threads = uint64_t{grid.bx} * grid.by * grid.bz;
    if (has_zero(grid))
        return refuse(InvalidValue, name + "an extent of the grid or of the block is 0", reason);
    if (grid.bx > max_threads || grid.by > max_threads || threads > max_threads)
        return refuse(InvalidValue, name + std::to_string(threads) + " threads in a block, 1024 at most", reason);
    if (grid.bz > 64)
        return refuse(InvalidValue, name + "block z is " + std::to_string(grid.bz) + ", 64 at most", reason);
    if (grid.gx > 0x7fffffff || grid.gy > 65535 || grid.gz > 65535)
        return refuse(InvalidValue, name + "the grid is larger than (2^31-1, 65535, 65535)", reason);
    if (kernel->launch_bound > 0 && threads > static_cast<uint64_t>(kernel->launch_bound))
        return refuse(LaunchOutOfResources,
                      name + std::to_string(threads) + " threads in a block, but __launch_bounds__(" +
                          std::to_string(kernel->launch_bound) + ")",
                      reason);
    size_t limit = std::max(shared_limit - std::min(shared_limit, kernel->static_shared), max_dynamic_shared);
    if (grid.shared > limit || grid.shared + kernel->static_shared > max_dynamic_shared_memory)
        return refuse(InvalidValue,
                      name + std::to_string(grid.shared) + " bytes of dynamic and " +
                          std::to_string(kernel->static_shared) + " of static shared memory, " + std::to_string(limit) +
                          " of dynamic at most",
                      reason);
    return Success;
}

Status run(Module* module, const Kernel* kernel, const Grid& grid, void** arguments)
{
    Guard guard(lock());
    if (check_launch(module, kernel, grid, max_dynamic_shared_memory) != Success)
        return InvalidValue;
    Launch launch(*module, *kernel, grid, arguments);
    if (module->checked())
        worker(0).run(launch, &checker());
    else
        run_fast(launch);
    Status status = launch.findings.publish(*module, kernel->name);
    bool intact = check_red_zones(kernel->name);
    return status == Success && !intact ? IllegalAddress : status;
}

} // namespace emu
