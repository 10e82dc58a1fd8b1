// races.cpp - which accesses of one launch no synchronisation orders.
#include "shadow.h"

namespace emu
{

void Checker::barrier_passed()
{
    ++epoch_;
    for (unsigned t = 0; t < threads_; ++t)
        barrier_clock_[t] = ++clock_[t];
}

// Every lane of the mask is behind everything that the others did, and knew, until now.
void Checker::warp_synchronised(unsigned warp, unsigned lanes)
{
    unsigned base = warp * warp_size;
    LaneClocks joined{};
    for (unsigned rest = lanes; rest; rest &= rest - 1)
    {
        unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
        for (unsigned l = 0; l < warp_size; ++l)
            joined[l] = std::max(joined[l], known_[base + lane][l]);
        joined[lane] = std::max(joined[lane], clock_[base + lane]);
    }
    for (unsigned rest = lanes; rest; rest &= rest - 1)
    {
        unsigned thread = base + static_cast<unsigned>(__builtin_ctz(rest));
        known_[thread] = joined;
        ++clock_[thread];
    }
}

bool Checker::lane_ordered(unsigned thread, uint32_t clock, const Thread& me) const
{
    return thread == me.number || clock < barrier_clock_[thread] ||
           (thread / warp_size == me.warp && clock <= known_[me.number][thread % warp_size]);
}

bool Checker::ordered(const Access& access, const Thread& me) const
{
    return access.block == block_ && lane_ordered(access.thread, access.clock, me);
}

bool Checker::reads_ordered(const Access& read, const Thread& me) const
{
    if (read.block != block_ || read.readers == Access::Blocks)
        return false;
    if (read.readers == Access::One)
        return lane_ordered(read.thread, read.clock, me);
    if (read.readers == Access::Warps)
        return read.clock < epoch_;
    return unordered_lane(read, me) == warp_size;
}

// The first of several lanes that read and that nothing orders before me, or warp_size.
unsigned Checker::unordered_lane(const Access& read, const Thread& me) const
{
    if (lane_reads_[read.clock].epoch < epoch_)
        return warp_size;
    const LaneClocks& clocks = lane_reads_[read.clock].clocks;
    unsigned base = read.thread / warp_size * warp_size;
    for (unsigned lane = 0; lane < warp_size; ++lane)
        if (clocks[lane] && !lane_ordered(base + lane, clocks[lane], me))
            return lane;
    return warp_size;
}

uint32_t Checker::take_lane_reads()
{
    if (free_lane_reads_.empty())
    {
        free_lane_reads_.push_back(static_cast<uint32_t>(lane_reads_.size()));
        lane_reads_.emplace_back();
    }
    uint32_t index = free_lane_reads_.back();
    free_lane_reads_.pop_back();
    lane_reads_[index].epoch = epoch_;
    lane_reads_[index].clocks.fill(0);
    return index;
}

void Checker::drop_lane_reads(const Access& read)
{
    if (read.block == block_ && read.readers == Access::Lanes)
        free_lane_reads_.push_back(read.clock);
}

void Checker::add_lane(uint32_t index, const Access& read)
{
    lane_reads_[index].clocks[read.thread % warp_size] = read.clock;
    lane_reads_[index].codes[read.thread % warp_size] = read.code;
}

// Adds a reader. Reads that lie before this one for sure need not be remembered: who is behind this one is behind them.
void Checker::note_read(Access& read, const Access& mine, uint32_t oldest)
{
    const Thread& me = worker_->current();
    if (read.block == block_ && read.readers == Access::Lanes && lane_reads_[read.clock].epoch == epoch_ &&
        read.thread / warp_size == me.warp)
    {
        add_lane(read.clock, mine); // whether the others' reads are ordered is asked when somebody writes
        read.mask |= mine.mask;
        return;
    }
    if (read.block < oldest || reads_ordered(read, me))
    {
        drop_lane_reads(read);
        read = mine;
        return;
    }
    read.mask |= mine.mask;
    bool same_warp = read.thread / warp_size == me.warp;
    if (read.block != block_ || read.readers == Access::Blocks)
    {
        unsigned mask = read.mask;
        read = mine;
        read.mask = mask & 15;
        read.readers = Access::Blocks;
    }
    else if (read.readers == Access::One && same_warp)
    {
        uint32_t index = take_lane_reads();
        add_lane(index, read);
        add_lane(index, mine);
        read.readers = Access::Lanes;
        read.clock = index;
    }
    else
    {
        // Which warps these were is not kept, but for one of the readers.
        drop_lane_reads(read);
        read.readers = Access::Warps;
        read.clock = epoch_;
    }
}

void Checker::check_race(Cell& cell, unsigned mask, const Now& now, bool shared)
{
    const Thread& me = *now.thread;
    uint32_t oldest =
        shared ? block_ : first_block_; // older ones are ordered: another launch, or another block's memory
    bool atomic = now.kind == Kind::Atomic;
    Access mine{block_, now.code, clock_[me.number], me.number, mask & 15, atomic, Access::One};

    const Access& write = cell.write;
    if (write.block >= oldest && (write.mask & mask) && !(write.atomic && atomic) && !ordered(write, me))
        report_race(now, write, true);
    if (now.kind == Kind::Read)
    {
        note_read(cell.read, mine, oldest);
        return;
    }
    Access& read = cell.read;
    if (read.block >= oldest && (read.mask & mask) && !reads_ordered(read, me))
    {
        Access reader = read;
        if (read.block == block_ && read.readers == Access::Lanes)
        {
            unsigned lane = unordered_lane(read, me);
            reader.thread = (read.thread / warp_size * warp_size + lane) % max_threads;
            reader.code = lane_reads_[read.clock].codes[lane];
        }
        report_race(now, reader, false);
    }
    drop_lane_reads(read);
    read.block = 0;
    cell.write = mine;
}

} // namespace emu
