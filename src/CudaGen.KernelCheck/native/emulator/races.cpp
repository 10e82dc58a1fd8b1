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

// Whether everybody in a group of readers, or the one who wrote, lies before me.
bool Checker::ordered(const Access& group, const Thread& me) const
{
    if (group.block != block_ || group.who == Access::Blocks)
        return false;
    if (group.who == Access::One)
        return lane_ordered(group.thread, group.clock, me);
    if (group.who == Access::Warps)
        return group.clock < epoch_;
    return unordered_lane(group, me) == warp_size;
}

// The first of several lanes that nothing orders before me, or warp_size.
unsigned Checker::unordered_lane(const Access& group, const Thread& me) const
{
    const Lanes& lanes = lanes_[group.clock];
    if (lanes.epoch < epoch_)
        return warp_size;
    unsigned base = group.thread / warp_size * warp_size;
    for (unsigned lane = 0; lane < warp_size; ++lane)
        if (lanes.clocks[lane] && !lane_ordered(base + lane, lanes.clocks[lane], me))
            return lane;
    return warp_size;
}

uint32_t Checker::take_lanes()
{
    if (free_lanes_.empty())
    {
        free_lanes_.push_back(static_cast<uint32_t>(lanes_.size()));
        lanes_.emplace_back();
    }
    uint32_t index = free_lanes_.back();
    free_lanes_.pop_back();
    lanes_[index].epoch = epoch_;
    lanes_[index].clocks.fill(0);
    return index;
}

void Checker::drop(Access& group)
{
    if (group.block == block_ && group.who == Access::Lanes)
        free_lanes_.push_back(group.clock);
    group.block = 0;
}

void Checker::add_lane(const Access& group, const Access& mine)
{
    Lanes& lanes = lanes_[group.clock];
    lanes.clocks[mine.thread % warp_size] = mine.clock;
    lanes.codes[mine.thread % warp_size] = mine.code;
}

// Adds me to a group. Those who lie before me for sure need not be remembered: who is behind me is behind them.
void Checker::note(Access& group, const Access& mine, uint32_t oldest)
{
    const Thread& me = worker_->current();
    bool same_warp = group.thread / warp_size == me.warp;
    if (group.block == block_ && group.who == Access::Lanes && lanes_[group.clock].epoch == epoch_ && same_warp)
    {
        add_lane(group, mine); // whether the other lanes are before me is asked when it matters
        group.mask |= mine.mask;
        return;
    }
    if (group.block < oldest || ordered(group, me))
    {
        drop(group);
        group = mine;
        return;
    }
    group.mask |= mine.mask;
    if (group.block != block_ || group.who == Access::Blocks)
    {
        unsigned mask = group.mask;
        group = mine;
        group.mask = mask & 15;
        group.who = Access::Blocks;
    }
    else if (group.who == Access::One && same_warp && warp_operations_)
    {
        Access first = group;
        group.who = Access::Lanes;
        group.clock = take_lanes();
        add_lane(group, first);
        add_lane(group, mine);
    }
    else
    {
        // Which warps these were is not kept, but for one thread.
        if (group.who == Access::Lanes)
            free_lanes_.push_back(group.clock);
        group.who = Access::Warps;
        group.clock = epoch_;
    }
}

void Checker::check_against(const Access& others, const char* what, unsigned mask, const Now& now, uint32_t oldest)
{
    const Thread& me = *now.thread;
    if (others.block < oldest || !(others.mask & mask) || ordered(others, me))
        return;
    Access other = others;
    if (others.block == block_ && others.who == Access::Lanes)
    {
        unsigned lane = unordered_lane(others, me);
        other.thread = (others.thread / warp_size * warp_size + lane) % max_threads;
        other.code = lanes_[others.clock].codes[lane];
    }
    report_race(now, other, what);
}

void Checker::check_race(Cell& cell, unsigned mask, const Now& now, bool shared)
{
    uint32_t oldest =
        shared ? block_ : first_block_; // older ones are ordered: another launch, or another block's memory
    auto bytes = static_cast<uint8_t>(mask & 15);
    uint16_t me = now.thread->number;
    Access mine{block_, now.code, clock_[me], me, bytes, 0, Access::One};
    check_against(cell.write, "write", mask, now, oldest);
    if (now.kind != Kind::Read)
        check_against(cell.read, "read", mask, now, oldest);
    if (now.kind != Kind::Atomic && cell.write.has_atomics)
        check_against(atomics_[&cell], "atomic", mask, now, oldest);

    if (now.kind == Kind::Read)
        note(cell.read, mine, oldest);
    else if (now.kind == Kind::Atomic)
    {
        note(atomics_[&cell], mine, oldest);
        cell.write.has_atomics = 1;
    }
    else
    {
        drop(cell.read);
        if (cell.write.has_atomics)
            drop(atomics_[&cell]);
        cell.write = mine;
    }
}

} // namespace emu
