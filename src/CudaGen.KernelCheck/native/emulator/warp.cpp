// warp.cpp - shuffles, votes and __syncwarp: operations in which the lanes of a mask take part together.
#include "scheduler.h"
#include "shadow.h"
#include <map>

namespace emu
{

namespace
{

const char* name_of(WarpOp op)
{
    switch (op)
    {
    case WarpOp::Sync:
        return "__syncwarp";
    case WarpOp::Shuffle:
        return "__shfl_sync";
    case WarpOp::ShuffleUp:
        return "__shfl_up_sync";
    case WarpOp::ShuffleDown:
        return "__shfl_down_sync";
    case WarpOp::ShuffleXor:
        return "__shfl_xor_sync";
    case WarpOp::Ballot:
        return "__ballot_sync";
    case WarpOp::Any:
        return "__any_sync";
    case WarpOp::All:
        return "__all_sync";
    case WarpOp::MatchAny:
        return "__match_any_sync";
    case WarpOp::ReduceAdd:
        return "__reduce_add_sync";
    }
    return "a warp operation";
}

std::string call_text(const Thread& thread)
{
    char mask[16];
    snprintf(mask, sizeof mask, "0x%08x", thread.mask);
    return std::string(name_of(thread.op)) + " with mask " + mask;
}

unsigned first_lane(unsigned lanes)
{
    return static_cast<unsigned>(__builtin_ctz(lanes));
}

// Lanes that meet in one operation have to name the same one. Two __syncwarp may stand in two branches.
bool same_operation(const Thread& a, const Thread& b)
{
    return a.op == b.op && a.mask == b.mask && (a.op == WarpOp::Sync || a.site == b.site);
}

} // namespace

Thread& Worker::lane(const Thread& of, unsigned lane)
{
    return threads_[of.warp * warp_size + lane];
}

uint64_t Worker::warp_operation(WarpOp op, unsigned mask, uint64_t value, int argument, int width, Site site)
{
    Thread& me = *current_;
    me.op = op;
    me.mask = mask;
    me.value = value;
    me.argument = argument;
    me.width = width;
    me.site = site;
    Warp& warp = warps_[me.warp];
    if (!(mask >> me.lane & 1))
        fail_warp(me, "lane " + std::to_string(me.lane) + " is not in its own mask");
    unsigned missing = mask & ~(warp.exists & ~warp.exited);
    if (missing && op != WarpOp::Sync)
        fail_warp(me, "lane " + std::to_string(first_lane(missing)) + " in the mask " +
                          (missing & warp.exists ? "has exited" : "does not exist"));
    if (width <= 0 || width > static_cast<int>(warp_size) || (width & (width - 1)))
        fail_warp(me, "width " + std::to_string(width) + " is no power of two up to 32");
    check_partners(warp, me);
    me.state = State::InWarpOp;
    warp.waiting |= 1u << me.lane;
    complete(warp, me);
    suspend();
    return me.result;
}

void Worker::fail_warp(const Thread& me, const std::string& text)
{
    launch_->findings.add(LaunchFailed, Findings::key('w', me.site.line), [&] {
        return me.site.text() + ": warp: " + text + ": " + place_of(me) + " lane " + std::to_string(me.lane) + " in " +
               call_text(me);
    });
    stop();
}

// A lane of my mask that waits in something else which includes me can never come, and neither can I.
void Worker::check_partners(const Warp& warp, const Thread& me)
{
    for (unsigned others = warp.waiting & me.mask; others; others &= others - 1)
    {
        const Thread& other = lane(me, first_lane(others));
        if ((other.mask >> me.lane & 1) && !same_operation(me, other))
            fail_warp(me, "mismatch: lane " + std::to_string(other.lane) + " of the mask waits in " + call_text(other) +
                              " at " + other.site.text());
    }
}

void Worker::lane_exited(Warp& warp, const Thread& gone)
{
    for (unsigned i = 0; i < warp_size; ++i)
    {
        const Thread& other = lane(gone, i);
        if (!(warp.waiting >> i & 1) || !(other.mask >> gone.lane & 1))
            continue;
        if (other.op != WarpOp::Sync)
            fail_warp(other, "lane " + std::to_string(gone.lane) + " in the mask has exited");
        complete(warp, other); // takes it and its partners off the waiting ones
    }
}

// Who has to come. An exited lane of __syncwarp's mask has nothing left to order.
unsigned Worker::expected(const Warp& warp, const Thread& thread) const
{
    return thread.mask & warp.exists & ~warp.exited;
}

// Lets the lanes of an operation go on if all of them are there.
void Worker::complete(Warp& warp, const Thread& me)
{
    unsigned lanes = expected(warp, me);
    if ((warp.waiting & lanes) != lanes)
        return;
    for (unsigned rest = lanes; rest; rest &= rest - 1)
        if (!same_operation(lane(me, first_lane(rest)), me))
            return;
    compute(me, lanes);
    warp.waiting &= ~lanes;
    bool descending = launch_->settings.order == Order::Descending;
    for (unsigned i = 0; i < warp_size; ++i)
    {
        unsigned next = descending ? warp_size - 1 - i : i;
        if (lanes >> next & 1)
            push_ready(lane(me, next));
    }
    if (checker_ && me.op == WarpOp::Sync) // the others order no memory
        checker_->warp_synchronised(me.warp, lanes);
}

void Worker::compute(const Thread& me, unsigned lanes)
{
    uint64_t sum = 0;
    unsigned non_zero = 0;
    for (unsigned rest = lanes; rest; rest &= rest - 1)
    {
        const Thread& thread = lane(me, first_lane(rest));
        sum += thread.value;
        non_zero |= static_cast<unsigned>(thread.value != 0) << thread.lane;
    }
    for (unsigned rest = lanes; rest; rest &= rest - 1)
    {
        Thread& thread = lane(me, first_lane(rest));
        switch (me.op)
        {
        case WarpOp::Sync:
            break;
        case WarpOp::Ballot:
            thread.result = non_zero;
            break;
        case WarpOp::Any:
            thread.result = non_zero != 0;
            break;
        case WarpOp::All:
            thread.result = non_zero == lanes;
            break;
        case WarpOp::ReduceAdd:
            thread.result = sum;
            break;
        case WarpOp::MatchAny:
            thread.result = equal_lanes(thread, lanes);
            break;
        default:
            thread.result = shuffle(thread, lanes);
        }
    }
}

unsigned Worker::equal_lanes(const Thread& me, unsigned lanes)
{
    unsigned equal = 0;
    for (unsigned rest = lanes; rest; rest &= rest - 1)
        if (lane(me, first_lane(rest)).value == me.value)
            equal |= rest & -rest;
    return equal;
}

// The lane to read from, as PTX's shfl.sync computes it: five bits of the argument, segments of `width` lanes.
uint64_t Worker::shuffle(const Thread& me, unsigned lanes)
{
    int width = me.width, b = me.argument & 31, self = me.lane;
    int first = self & ~(width - 1), last = first + width - 1, source = self;
    if (me.op == WarpOp::Shuffle)
        source = first + (b & (width - 1));
    else if (me.op == WarpOp::ShuffleUp)
        source = self - b >= first ? self - b : self;
    else if (me.op == WarpOp::ShuffleDown)
        source = self + b <= last ? self + b : self;
    else
        source = (self ^ b) <= last ? self ^ b : self;
    if (lanes >> source & 1)
        return lane(me, static_cast<unsigned>(source)).value;
    launch_->findings.add(LaunchFailed, Findings::key('s', me.site.line), [&] {
        return me.site.text() + ": warp: lane " + std::to_string(self) + " reads lane " + std::to_string(source) +
               ", which is not in the mask: " + place_of(me) + " in " + call_text(me);
    });
    return ~uint64_t{0};
}

unsigned Worker::active_mask() const
{
    const Warp& warp = warps_[current_->warp];
    return warp.exists & ~warp.exited;
}

std::string Worker::waiting_threads() const
{
    struct Group
    {
        unsigned count = 0;
        const Thread* first = nullptr;
    };
    std::map<std::string, Group> groups;
    for (unsigned n = 0; n < size_; ++n)
    {
        const Thread& thread = threads_[n];
        if (thread.state == State::Done)
            continue;
        std::string what = thread.state == State::AtBarrier ? "the barrier" : call_text(thread);
        Group& group = groups[what + " at " + thread.site.text()];
        if (group.count++ == 0)
            group.first = &thread;
    }
    std::string text;
    for (const auto& [place, group] : groups)
        text += (text.empty() ? "" : "; ") + std::to_string(group.count) + " threads from " +
                text_of(group.first->index) + " on wait in " + place;
    return text;
}

} // namespace emu

extern "C" EMU_API unsigned long long cudagen_warp(emu::WarpOp op, unsigned mask, unsigned long long value,
                                                   int argument, int width, int line, const char* file)
{
    return emu::running.worker->warp_operation(op, mask, value, argument, width, {line, file});
}

extern "C" EMU_API unsigned cudagen_activemask()
{
    return emu::running.worker->active_mask();
}
