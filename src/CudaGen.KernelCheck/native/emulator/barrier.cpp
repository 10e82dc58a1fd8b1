// barrier.cpp - __syncthreads and its reductions.
#include "scheduler.h"
#include "shadow.h"

namespace emu
{

int Worker::barrier(Barrier kind, int predicate, Site site)
{
    Thread& me = *current_;
    me.site = site;
    me.barrier = kind;
    meet_at_barrier(me);
    me.state = State::AtBarrier;
    true_at_barrier_ += predicate != 0;
    if (++at_barrier_ == alive_)
        release_barrier();
    suspend();
    return static_cast<int>(me.result);
}

// All threads of a block have to come to one and the same barrier.
void Worker::meet_at_barrier(const Thread& me)
{
    if (at_barrier_ == 0)
        first_at_barrier_ = &me;
    const Thread& first = *first_at_barrier_;
    if (first.site == me.site && first.barrier == me.barrier)
        return;
    launch_->findings.add(LaunchFailed, Findings::key('b', me.site.line, first.site.line), [&] {
        return me.site.text() + ": divergent barrier: " + place_of(me) + " is here, while thread" +
               text_of(first.index) + " waits at the barrier at " + first.site.text();
    });
    stop();
}

// Called when every thread that still runs has come.
void Worker::release_barrier()
{
    const Thread& first = *first_at_barrier_;
    if (alive_ < size_)
    {
        launch_->findings.add(LaunchFailed, Findings::key('e', first.site.line), [&] {
            return first.site.text() + ": barrier: " + std::to_string(size_ - alive_) +
                   " threads exited before this barrier, where " + place_of(first) + " waits";
        });
        stop();
    }
    uint64_t result = static_cast<uint64_t>(barrier_result(first.barrier));
    at_barrier_ = true_at_barrier_ = 0;
    bool descending = launch_->settings.order == Order::Descending;
    for (unsigned i = 0; i < size_; ++i)
    {
        Thread& thread = threads_[descending ? size_ - 1 - i : i];
        thread.result = result;
        push_ready(thread);
    }
    if (checker_)
        checker_->barrier_passed();
}

int Worker::barrier_result(Barrier kind) const
{
    switch (kind)
    {
    case Barrier::Count:
        return static_cast<int>(true_at_barrier_);
    case Barrier::And:
        return true_at_barrier_ == at_barrier_;
    case Barrier::Or:
        return true_at_barrier_ > 0;
    default:
        return 0;
    }
}

} // namespace emu

extern "C" EMU_API int cudagen_barrier(emu::Barrier kind, int predicate, int line, const char* file)
{
    return emu::running.worker->barrier(kind, predicate, {line, file});
}
