// shadow.cpp - where an access goes: shared memory, a buffer, or nowhere.
#include "shadow.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace emu
{

namespace
{

constexpr size_t shared_margin = 4096; // an address so near to shared memory was meant to lie there

constexpr int64_t patience = 1 << 20;       // accesses after which others get a turn, as they may be waited for
constexpr uint64_t spin_limit = 1ull << 30; // accesses after which a thread of a block counts as stuck
constexpr int64_t atomic_cost = 1024;       // a loop over an atomic waits for somebody

// The bytes of a word that [offset, offset + size) takes, as four bits.
unsigned byte_mask(size_t word, size_t offset, size_t size)
{
    if ((offset | size) % 4 == 0)
        return 15;
    size_t first = word * 4 > offset ? word * 4 : offset;
    size_t last = word * 4 + 4 < offset + size ? word * 4 + 4 : offset + size;
    return ((1u << (last - first)) - 1) << (first - word * 4);
}

} // namespace

void Checker::begin_launch(Worker& worker, char* shared)
{
    worker_ = &worker;
    launch_ = &worker.launch();
    shared_ = shared;
    shared_size_ = module().shared_block_size();
    dynamic_begin_ = module().dynamic_shared_offset();
    dynamic_end_ = dynamic_begin_ + module().dynamic_shared_size() + shared_red_zone;
    if (module().dynamic_shared_size() == 0)
        dynamic_end_ = dynamic_begin_;
    races_ = launch_->settings.races;
    unset_ = launch_->settings.unset;
    warp_operations_ = module().has_warp_operations(launch_->kernel);
    map_shared();
    memset(recent_, 0, sizeof recent_);
    atomics_.clear();
    random_ = Random(launch_->settings.seed);
    if (launch_->blocks() >= UINT32_MAX - block_)
    {
        forget_races(); // the numbers of blocks start anew
        shared_cells_.clear();
        block_ = 0;
    }
    shared_cells_.resize(std::max(shared_cells_.size(), shared_size_ / 4 + 1)); // what is there belongs to other blocks
    first_block_ = block_ + 1;
    grant();
}

void Checker::begin_block(unsigned threads)
{
    ++block_;
    epoch_ = 0;
    threads_ = threads;
    for (unsigned t = 0; t < threads; ++t)
    {
        clock_[t] = 1;
        barrier_clock_[t] = 0;
        spent_[t] = 0;
        known_[t].fill(0);
    }
    lanes_.clear();
    free_lanes_.clear();
}

const Module& Checker::module() const
{
    return launch_->module;
}

void Checker::access(const void* p, size_t size, Kind kind, uintptr_t code)
{
    budget_ -= kind == Kind::Atomic ? atomic_cost : 1;
    if (budget_ <= 0)
        turn();
    size_t offset = reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(shared_);
    if (kind == Kind::Read && size == 4 && offset % 4 == 0 && offset < shared_size_ && is_settled(offset))
        return;
    Now now{&worker_->current(), static_cast<const char*>(p), size, kind,
            static_cast<uint32_t>(code - module().base())};
    if (offset < shared_size_)
        check_shared(now, offset);
    else if (Region* region = find_region(now))
        check_region(now, *region);
}

// Lets another thread run. Preemption does so at one access in n; without it, a thread that polls memory still must not
// keep the one it waits for from running.
void Checker::turn()
{
    const Thread& me = worker_->current();
    spent_[me.number] += static_cast<uint64_t>(granted_);
    if (spent_[me.number] > spin_limit)
    {
        launch_->findings.add(LaunchTimeout, Findings::key('t'), [&] {
            return "timeout: " + worker_->place_of(me) +
                   " made more than 2^30 accesses to memory: does it wait for another block?";
        });
        worker_->stop();
    }
    grant();
    worker_->give_way();
}

void Checker::grant()
{
    int preempt = launch_->settings.preempt;
    granted_ = preempt > 0 ? 1 + random_.below(static_cast<unsigned>(2 * preempt)) : patience;
    budget_ = granted_;
}

Region* Checker::find_region(const Now& now)
{
    Region*& slot = recent_[reinterpret_cast<uintptr_t>(now.p) / 4096 % region_slots];
    if (slot && slot->offset_of(now.p) < slot->size)
        return slot;
    if (reinterpret_cast<uintptr_t>(now.p) - reinterpret_cast<uintptr_t>(&cudagen_indices) < sizeof cudagen_indices)
        return nullptr; // threadIdx and its kin, which clang does not know as constant
    Region* region = region_of(now.p);
    if (region)
        return slot = region;
    size_t offset = static_cast<size_t>(now.p - shared_) + shared_margin;
    if (offset < shared_size_ + 2 * shared_margin)
        fail_shared(now, offset - shared_margin);
    if (now.kind == Kind::Read && module().holds(reinterpret_cast<uintptr_t>(now.p)))
        return nullptr; // constants of the compiler
    fail_address(now, region_near(now.p));
}

void Checker::check_region(const Now& now, Region& region)
{
    size_t offset = region.offset_of(now.p);
    bool write = now.kind != Kind::Read;
    if (region.freed || now.size > region.size - offset || (write && region.constant))
        fail_address(now, &region);
    if (unset_ && now.kind != Kind::Write && !region.written.all(offset, now.size))
    {
        report_unset(now);
        region.written.mark(offset, now.size);
    }
    if (write)
        region.written.mark(offset, now.size);
    if (!races_)
        return;
    if (!region.cells)
        region.cells = static_cast<Cell*>(calloc(region.size / 4 + 1, sizeof(Cell))); // untouched pages take no memory
    if (!region.cells)
        return;
    for (size_t word = offset / 4; word * 4 < offset + now.size; ++word)
        check_race(region.cells[word], byte_mask(word, offset, now.size), now, false);
}

// Whether one more read of a word is neither wrong nor news, as most reads of a tile are: the word was written in this
// block, before the last barrier, and read since by more threads than are told apart.
inline bool Checker::is_settled(size_t offset) const
{
    const SharedCell& shared = shared_cells_[offset / 4];
    const Access &write = shared.cell.write, &read = shared.cell.read;
    return shared.block == block_ && shared.mask == 15 && write.block == block_ && !write.has_atomics &&
           write.clock < barrier_clock_[write.thread] && read.block == block_ && read.who == Access::Warps &&
           read.clock == epoch_ && read.mask == 15 && shared_owner_[offset] == shared_owner_[offset + 3];
}

void Checker::check_shared(const Now& now, size_t offset)
{
    check_shared_bounds(now, offset);
    bool unset = false;
    for (size_t word = offset / 4; word * 4 < offset + now.size; ++word)
    {
        SharedCell& shared = shared_cells_[word];
        unsigned mask = byte_mask(word, offset, now.size);
        unsigned written = shared.block == block_ ? shared.mask : 0;
        unset = unset || (now.kind != Kind::Write && (mask & ~written));
        if (now.kind != Kind::Read || (mask & ~written)) // an unset read is said once
        {
            shared.block = block_;
            shared.mask = written | mask;
        }
        if (races_)
            check_race(shared.cell, mask, now, true);
    }
    if (unset && unset_)
        report_unset(now);
}

// An array that only other kernels use lies in this kernel's block by chance.
void Checker::map_shared()
{
    shared_owner_.assign(shared_size_, 0);
    uint16_t number = 0;
    auto fill = [this](size_t offset, size_t size, uint16_t owner) {
        std::fill_n(shared_owner_.begin() + static_cast<std::ptrdiff_t>(offset), size, owner);
    };
    for (const SharedArray& array : module().shared_arrays())
    {
        ++number;
        if (module().uses(launch_->kernel, array))
            fill(array.offset, array.size, number);
    }
    if (module().dynamic_shared_size() > 0)
        fill(dynamic_begin_, launch_->grid.shared, static_cast<uint16_t>(number + 1));
}

void Checker::check_shared_bounds(const Now& now, size_t offset)
{
    uint16_t owner = shared_owner_[offset];
    if (owner == 0 || offset + now.size > shared_size_ || shared_owner_[offset + now.size - 1] != owner)
        fail_shared(now, offset);
}

} // namespace emu
