// scheduler.cpp - starts, switches and ends the threads of a block.
#include "scheduler.h"
#include "shadow.h"
#include <cstring>
#include <numeric>

extern "C"
{
    __thread emu::Indices cudagen_indices;
}

namespace emu
{

__thread Running running;

std::string text_of(const Triple& t)
{
    return "(" + std::to_string(t.x) + "," + std::to_string(t.y) + "," + std::to_string(t.z) + ")";
}

bool Site::operator==(const Site& other) const
{
    return line == other.line && (file == other.file || strcmp(file, other.file) == 0);
}

std::string Site::text() const
{
    return file + (":" + std::to_string(line));
}

// splitmix64
uint64_t Random::next()
{
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

unsigned Random::below(unsigned bound)
{
    return static_cast<unsigned>((next() >> 32) * bound >> 32);
}

Launch::Launch(Module& module, const Kernel& kernel, const Grid& grid, void** arguments)
    : module(module), kernel(kernel), grid(grid), arguments(arguments), settings(emu::settings())
{
    // A step that shares no factor with the number of blocks visits each of them once.
    Random random(settings.seed);
    uint64_t count = blocks();
    start_ = random.next() % count;
    step_ = random.next() % count;
    while (std::gcd(step_, count) != 1)
        ++step_;
}

Triple Launch::block_in_turn(uint64_t turn) const
{
    uint64_t count = blocks(), at = turn;
    if (settings.order == Order::Descending)
        at = count - 1 - turn;
    else if (settings.order == Order::Random)
        at = static_cast<uint64_t>((static_cast<unsigned __int128>(turn) * step_ + start_) % count);
    return {static_cast<unsigned>(at % grid.gx), static_cast<unsigned>(at / grid.gx % grid.gy),
            static_cast<unsigned>(at / grid.gx / grid.gy)};
}

void Worker::run(Launch& launch, Checker* checker)
{
    launch_ = &launch;
    checker_ = checker;
    set_up(launch);
    running = {this, checker, nullptr};
    if (checker_)
        checker_->begin_launch(*this, shared_);
    if (fibers_.empty() && !take_fiber())
        launch.stopped = true;
    free_fibers_ = fibers_; // those of an abandoned launch too
    for (;;)
    {
        uint64_t turn = launch.next_block++;
        if (turn >= launch.blocks() || launch.stopped)
            break;
        run_block(turn);
    }
    running = {};
}

void Worker::set_up(Launch& launch)
{
    const Grid& grid = launch.grid;
    size_ = launch.threads_of_block();
    for (unsigned n = 0; n < size_; ++n)
    {
        Thread& thread = threads_[n];
        thread.index = {n % grid.bx, n / grid.bx % grid.by, n / grid.bx / grid.by};
        thread.number = start_order_[n] = static_cast<uint16_t>(n);
        thread.lane = static_cast<uint8_t>(n % warp_size);
        thread.warp = static_cast<uint8_t>(n / warp_size);
    }
    shared_ = launch.module.shared_block();
    cudagen_indices.block_size = {grid.bx, grid.by, grid.bz};
    cudagen_indices.grid_size = {grid.gx, grid.gy, grid.gz};
}

void Worker::run_block(uint64_t turn)
{
    cudagen_indices.block = launch_->block_in_turn(turn);
    random_ = Random(launch_->settings.seed * 0x9E3779B97F4A7C15u + turn);
    started_ = at_barrier_ = true_at_barrier_ = ready_count_ = 0;
    alive_ = size_;
    for (unsigned w = 0; w * warp_size < size_; ++w)
    {
        unsigned lanes = size_ - w * warp_size;
        warps_[w] = {lanes < warp_size ? (1u << lanes) - 1 : ~0u, 0, 0};
    }
    poison_shared();
    if (checker_)
        checker_->begin_block(size_);
    resume(*pick(), &main_stack_);
    check_shared_red_zone();
}

void Worker::poison_shared()
{
    const Module& module = launch_->module;
    size_t dynamic = module.dynamic_shared_size(), offset = module.dynamic_shared_offset();
    int value = launch_->settings.poison ? 0xFF : 0;
    if (dynamic == 0)
    {
        memset(shared_, value, module.shared_block_size());
        return;
    }
    size_t behind = offset + dynamic + shared_red_zone; // static arrays lie on both sides of the dynamic memory
    memset(shared_, value, offset);
    memset(shared_ + behind, value, module.shared_block_size() - behind);
    memset(shared_ + offset, value, launch_->grid.shared);
    memset(shared_ + offset + launch_->grid.shared, 0xFB, shared_red_zone);
}

void Worker::check_shared_red_zone()
{
    if (launch_->module.dynamic_shared_size() == 0 || launch_->stopped)
        return;
    const char* zone = shared_ + launch_->module.dynamic_shared_offset() + launch_->grid.shared;
    for (size_t i = 0; i < shared_red_zone; ++i)
        if (zone[i] != static_cast<char>(0xFB))
        {
            launch_->findings.add(IllegalAddress, Findings::key('z'), [&] {
                return "overrun: byte " + std::to_string(launch_->grid.shared + i) +
                       " of dynamic shared memory, which has " + std::to_string(launch_->grid.shared) +
                       ", was overwritten in block" + text_of(cudagen_indices.block);
            });
            return;
        }
}

void Worker::fiber_entry()
{
    running.worker->fiber_main();
}

void Worker::fiber_main()
{
    for (;;)
    {
        launch_->kernel.thunk(launch_->arguments);
        Fiber* mine = current_->fiber;
        finish(*current_);
        Thread* next = pick();
        if (!next && alive_ > 0)
            deadlock();
        if (next && !next->fiber)
        {
            next->fiber = mine;
            make_current(*next);
            continue;
        }
        free_fibers_.push_back(mine);
        void* abandoned;
        if (next)
            resume(*next, &abandoned);
        else
            cudagen_switch(&abandoned, main_stack_);
    }
}

Fiber* Worker::take_fiber()
{
    if (free_fibers_.empty())
    {
        Fiber* fiber = create_fiber(fibers_.size());
        if (!fiber)
        {
            launch_->findings.add(OutOfMemory, Findings::key('m'),
                                  [] { return "no memory for the stacks of threads"; });
            return nullptr;
        }
        fibers_.push_back(fiber);
        return fiber;
    }
    Fiber* fiber = free_fibers_.back();
    free_fibers_.pop_back();
    return fiber;
}

void Worker::make_current(Thread& thread)
{
    thread.state = State::Running;
    current_ = &thread;
    running.stack = thread.fiber->stack;
    cudagen_indices.thread = thread.index;
}

void Worker::resume(Thread& next, void** from)
{
    if (!next.fiber)
    {
        next.fiber = take_fiber();
        if (!next.fiber)
            stop();
        prepare(*next.fiber, fiber_entry);
    }
    make_current(next);
    cudagen_switch(from, next.fiber->stack_pointer);
}

void Worker::suspend()
{
    Thread& me = *current_;
    Thread* next = pick();
    if (!next)
        deadlock();
    if (next == &me)
        me.state = State::Running;
    else
        resume(*next, &me.fiber->stack_pointer);
}

Thread* Worker::pick()
{
    unsigned fresh = size_ - started_;
    if (launch_->settings.order == Order::Random && fresh + ready_count_ > 0)
        return random_.below(fresh + ready_count_) < fresh ? start_next() : take_ready();
    if (fresh > 0)
        return start_next();
    return ready_count_ > 0 ? take_ready() : nullptr;
}

Thread* Worker::start_next()
{
    unsigned number = started_;
    if (launch_->settings.order == Order::Descending)
        number = size_ - 1 - started_;
    else if (launch_->settings.order == Order::Random)
    {
        std::swap(start_order_[started_], start_order_[started_ + random_.below(size_ - started_)]);
        number = start_order_[started_];
    }
    ++started_;
    Thread& thread = threads_[number];
    thread.fiber = nullptr;
    return &thread;
}

Thread* Worker::take_ready()
{
    if (launch_->settings.order == Order::Random)
        std::swap(ready_[ready_first_], ready_[(ready_first_ + random_.below(ready_count_)) % max_threads]);
    Thread& thread = threads_[ready_[ready_first_]];
    ready_first_ = (ready_first_ + 1) % max_threads;
    --ready_count_;
    return &thread;
}

void Worker::push_ready(Thread& thread)
{
    thread.state = State::Ready;
    ready_[(ready_first_ + ready_count_++) % max_threads] = thread.number;
}

void Worker::give_way()
{
    push_ready(*current_);
    suspend();
}

void Worker::finish(Thread& thread)
{
    thread.state = State::Done;
    --alive_;
    Warp& warp = warps_[thread.warp];
    warp.exited |= 1u << thread.lane;
    if (warp.waiting)
        lane_exited(warp, thread);
    if (at_barrier_ > 0 && at_barrier_ == alive_)
        release_barrier();
}

void Worker::stop()
{
    launch_->stopped = true;
    void* abandoned;
    cudagen_switch(&abandoned, main_stack_);
    __builtin_unreachable();
}

void Worker::deadlock()
{
    launch_->findings.add(LaunchTimeout, Findings::key('d'), [this] {
        return "deadlock in block" + text_of(cudagen_indices.block) + ": " + waiting_threads();
    });
    stop();
}

bool Worker::owns_stack(const void* p) const
{
    for (const Fiber* fiber : fibers_)
        if (static_cast<size_t>(static_cast<const char*>(p) - fiber->stack) < fiber_stack_size)
            return true;
    return false;
}

std::string Worker::place_of(const Thread& thread) const
{
    return "block" + text_of(cudagen_indices.block) + " thread" + text_of(thread.index);
}

} // namespace emu
