// scheduler.h - runs the threads of a block, one at a time, each on a fiber of its own.
//
// A fiber takes a thread that has not started, runs it, and on its return takes the next one, on the same stack: only
// when a thread waits for others does another fiber start. So a kernel without barriers is a plain loop over its
// threads.
#pragma once
#include "fiber.h"
#include "findings.h"
#include "module.h"
#include <atomic>

// What kernels read as threadIdx and its kin.
extern "C" EMU_API __thread emu::Indices cudagen_indices __attribute__((tls_model("initial-exec")));

namespace emu
{

constexpr unsigned max_threads = 1024, warp_size = 32;

class Checker;

// Of one place in a kernel's text.
struct Site
{
    int line;
    const char* file;

    bool operator==(const Site& other) const;
    std::string text() const; // "k.cu:17"
};

class Random
{
  public:
    explicit Random(uint64_t seed) : state_(seed)
    {
    }
    uint64_t next();
    unsigned below(unsigned bound); // bound > 0

  private:
    uint64_t state_;
};

enum class State : uint8_t
{
    Running,
    Ready,
    AtBarrier,
    InWarpOp,
    Done,
};

struct Thread
{
    Triple index;
    uint16_t number; // within the block
    uint8_t lane, warp;
    State state;
    Fiber* fiber;

    // What it waits for.
    Site site;
    union {
        Barrier barrier;
        WarpOp op;
    };
    unsigned mask;
    uint64_t value;
    int argument, width;
    uint64_t result;
};

std::string text_of(const Triple& coordinates); // "(0,0,0)"

struct Launch
{
    Launch(Module& module, const Kernel& kernel, const Grid& grid, void** arguments);

    Module& module;
    const Kernel& kernel;
    Grid grid;
    void** arguments;
    Settings settings; // as they were when the launch began
    Findings findings;
    std::atomic<uint64_t> next_block{0};
    std::atomic<bool> stopped{false};

    unsigned threads_of_block() const
    {
        return grid.bx * grid.by * grid.bz;
    }
    uint64_t blocks() const
    {
        return uint64_t{grid.gx} * grid.gy * grid.gz;
    }
    Triple block_in_turn(uint64_t turn) const; // the block that runs at this place of the order

  private:
    uint64_t step_ = 1, start_ = 0; // of the random order
};

class Worker
{
  public:
    // Runs blocks of the launch until none is left. Workers of one launch run on different OS threads.
    void run(Launch& launch, Checker* checker);

    // On fibers.
    int barrier(Barrier kind, int predicate, Site site);
    uint64_t warp_operation(WarpOp op, unsigned mask, uint64_t value, int argument, int width, Site site);
    unsigned active_mask() const;
    void give_way();                                  // lets other threads run
    [[noreturn]] void stop();                         // abandons the launch, with all its fibers
    std::string place_of(const Thread& thread) const; // "block(0,0,0) thread(5,0,0)"
    bool owns_stack(const void* p) const;             // that of any of its fibers
    Thread& current()
    {
        return *current_;
    }
    const Thread& thread(unsigned number) const
    {
        return threads_[number];
    }
    Launch& launch()
    {
        return *launch_;
    }
    Checker* checker()
    {
        return checker_;
    }

  private:
    struct Warp
    {
        unsigned exists, exited, waiting; // lanes
    };

    void set_up(Launch& launch);
    void run_block(uint64_t turn);
    void poison_shared();
    void check_shared_red_zone();
    static void fiber_entry();
    [[noreturn]] void fiber_main();
    Fiber* take_fiber();
    void make_current(Thread& thread);
    void resume(Thread& next, void** from);
    void suspend();
    Thread* pick();
    Thread* start_next();
    Thread* take_ready();
    void push_ready(Thread& thread);
    void finish(Thread& thread);
    [[noreturn]] void deadlock();
    std::string waiting_threads() const;

    void meet_at_barrier(const Thread& me);
    void release_barrier();
    int barrier_result(Barrier kind) const;

    [[noreturn]] void fail_warp(const Thread& me, const std::string& text);
    void check_partners(const Warp& warp, const Thread& me);
    void lane_exited(Warp& warp, const Thread& gone);
    unsigned expected(const Warp& warp, const Thread& thread) const;
    void complete(Warp& warp, const Thread& me);
    void compute(const Thread& me, unsigned lanes);
    unsigned equal_lanes(const Thread& me, unsigned lanes);
    uint64_t shuffle(const Thread& me, unsigned lanes);
    Thread& lane(const Thread& of, unsigned lane);

    Launch* launch_ = nullptr;
    Checker* checker_ = nullptr;
    Random random_{0};
    void* main_stack_ = nullptr;
    Thread* current_ = nullptr;
    char* shared_ = nullptr;

    unsigned size_ = 0, started_ = 0, alive_ = 0;
    unsigned at_barrier_ = 0, true_at_barrier_ = 0;
    const Thread* first_at_barrier_ = nullptr;

    std::vector<Fiber*> fibers_, free_fibers_;
    Thread threads_[max_threads];
    uint16_t start_order_[max_threads];
    uint16_t ready_[max_threads];
    unsigned ready_first_ = 0, ready_count_ = 0;
    Warp warps_[max_threads / warp_size];
};

// What runs on this OS thread, each null when nothing does.
struct Running
{
    Worker* worker;
    Checker* checker;  // null also in fast mode
    const char* stack; // of the current fiber
};

extern __thread Running running __attribute__((tls_model("initial-exec")));

} // namespace emu
